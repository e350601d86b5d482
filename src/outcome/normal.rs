//! Causes without what differs from account to account, so that equal ones are one line.

use crate::outcome::Cause;

/// The cause with ARNs, ids, regions, long numbers and the name of the tenant taken out. Two stacks
/// that fail for the same reason have the same text.
pub fn normalised(cause: &Cause, tenant: Option<&str>) -> String {
    let mut text = String::with_capacity(cause.text.len());
    let mut word = String::new();
    for letter in cause.text.chars() {
        if is_of_word(letter) {
            word.push(letter);
            continue;
        }
        text.push_str(&plain(&word, tenant));
        word.clear();
        text.push(letter);
    }
    text.push_str(&plain(&word, tenant));
    let resource = cause.resource.as_ref();
    let resource = resource.map(|(id, kind)| format!("{id} ({kind}): ")).unwrap_or_default();
    format!("{resource}{}: {text}", cause.code)
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || "-_:/.+=@".contains(letter)
}

/// A word, or what kind of name it is.
fn plain(word: &str, tenant: Option<&str>) -> String {
    // The end of a sentence is no part of a name.
    let name = word.trim_end_matches(['.', ':']);
    let end = &word[name.len()..];
    let kind = if name.starts_with("arn:") {
        "<arn>"
    } else if is_region(name) {
        "<region>"
    } else if is_id(name) {
        "<id>"
    } else if tenant.is_some_and(|tenant| has_part(name, tenant)) {
        "<name>"
    } else {
        return word.to_owned();
    };
    format!("{kind}{end}")
}

/// `eu-central-1`, `us-gov-west-1`
fn is_region(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word =
        |part: &&str| !part.is_empty() && part.bytes().all(|one| one.is_ascii_lowercase());
    (2..=3).contains(&words.len())
        && words[0].len() == 2
        && words.iter().all(is_word)
        && number.len() == 1
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether a part of the word is a number of an account, a UUID, or another long run of digits or
/// hexadecimal letters that no one chose.
fn is_id(word: &str) -> bool {
    word.split(['-', '_', ':', '/', '.', '+', '=', '@']).any(|part| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let is_hex = part.bytes().all(|letter| letter.is_ascii_hexdigit());
        let is_mixed = part.len() >= 10
            && digits >= 2
            && part.bytes().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
        digits == part.len() && digits >= 5 || is_hex && digits >= 1 && part.len() >= 8 || is_mixed
    })
}

/// Whether the name, with or without hyphens, stands in the word between two separators.
fn has_part(word: &str, name: &str) -> bool {
    let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    word.match_indices(name).any(|(at, found)| {
        is_edge(word[..at].chars().next_back()) && is_edge(word[at + found.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let cause = Cause { resource: None, ..Cause::of_call("Bad", text) };
        normalised(&cause, Some("acme"))
    }

    #[test]
    fn what_differs_from_account_to_account_is_taken_out() {
        for (text, plain) in [
            (
                "User: arn:aws:sts::111122223333:assumed-role/x is not authorized",
                "User: <arn> is not authorized",
            ),
            ("bucket scans-acme-eu exists.", "bucket <name> exists."),
            ("not in eu-central-1: see us-gov-west-1", "not in <region>: see <region>"),
            (
                "account 111122223333, id 3fa85f64-5717-4562-b3fc-2c963f66afa6",
                "account <id>, id <id>",
            ),
            ("(Request ID: 9Q1KQ0ZZ2ABCDE)", "(Request ID: <id>)"),
        ] {
            assert_eq!(normal(text), format!("Bad: {plain}"));
        }
    }

    #[test]
    fn what_people_wrote_stays() {
        for text in ["Queue jobs already exists", "size 1024 > 512", "acmes and facade", "t-1-2"] {
            assert_eq!(normal(text), format!("Bad: {text}"));
        }
    }

    #[test]
    fn the_resource_stays() {
        let cause = Cause::of_event("CREATE_FAILED", "no", "Queue", "AWS::SQS::Queue");
        assert_eq!(normalised(&cause, None), "Queue (AWS::SQS::Queue): CREATE_FAILED: no");
    }
}
