//! Texts without what differs from account to account, so that equal causes are one.

use crate::outcome::Cause;

/// What stands for what differs.
const OWN: &str = "…";

/// The cause without what is one account's own. Two stacks that fail for the same reason have the
/// same text.
pub fn normalised(cause: &Cause, tenant: Option<&str>) -> String {
    let resource = cause.resource.as_ref();
    let resource = resource.map(|(id, kind)| format!("{id} ({kind}): ")).unwrap_or_default();
    format!("{resource}{}: {}", cause.code, without_own(&cause.text, tenant, None))
}

/// A text with `…` for ARNs, ids, regions, times, long numbers, every name that has the tenant's in
/// it, and the name of the stack.
pub fn without_own(text: &str, tenant: Option<&str>, stack: Option<&str>) -> String {
    let mut common = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // The end of a sentence is no part of a name.
        let name = word.trim_end_matches(['.', ':']);
        let is_stack = stack == Some(name);
        if is_stack || is_own(name, tenant) {
            common.push_str(OWN);
            common.push_str(&word[name.len()..]);
        } else {
            common.push_str(word);
        }
        let between = after.find(is_of_word).unwrap_or(after.len());
        common.push_str(&after[..between]);
        rest = &after[between..];
    }
    common
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || "-_:/.+=@".contains(letter)
}

fn is_own(name: &str, tenant: Option<&str>) -> bool {
    name.starts_with("arn:")
        || is_region(name)
        || is_time(name)
        || is_id(name)
        || tenant.is_some_and(|tenant| has_part(name, tenant))
}

/// `2026-11-23T20:21:00.000Z`
fn is_time(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[bytes.len() - 1] == b'Z'
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
                "User: … is not authorized",
            ),
            ("bucket scans-acme-eu exists.", "bucket … exists."),
            ("not in eu-central-1: see us-gov-west-1", "not in …: see …"),
            ("account 111122223333, id 3fa85f64-5717-4562-b3fc-2c963f66afa6", "account …, id …"),
            ("(Request ID: 9Q1KQ0ZZ2ABCDE)", "(Request ID: …)"),
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
