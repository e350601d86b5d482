//! A text as a YAML scalar: plain where every reader of YAML takes it for that text, else in quotes.

/// Words that readers of YAML 1.1, which many editors are, take for something else than text.
const WORDS: [&str; 11] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];

/// How a text is written as a key or a value, in a line of its own and between brackets alike.
pub fn written(text: &str) -> String {
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    // Numbers, dates and times begin so, and versions; all of them are clearer in quotes.
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if begins_well && !is_word && text.chars().all(is_safe) {
        return text.to_owned();
    }
    quoted(text)
}

/// A text in double quotes. What some program takes for the end of a line is escaped, as is what
/// nobody can see.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter if letter.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fleet::reader::{Scalar, scalar};
    use crate::fleet::yaml;

    #[test]
    fn only_what_nobody_takes_for_something_else_goes_without_quotes() {
        for plain in ["paid", "eu-central-1", "a/b.c", "Yesterday", "x1"] {
            assert_eq!(written(plain), plain);
        }
        for (text, expected) in [
            ("012345678901", "\"012345678901\""),
            ("yes", "\"yes\""),
            ("No", "\"No\""),
            ("1e3", "\"1e3\""),
            ("2026-11-30", "\"2026-11-30\""),
            ("", "\"\""),
            ("~", "\"~\""),
            ("a b", "\"a b\""),
            ("${tenant.name}", "\"${tenant.name}\""),
            ("a\"\\\n\u{2028}\u{7}", "\"a\\\"\\\\\\n\\u2028\\u0007\""),
        ] {
            assert_eq!(written(text), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_as_that_text(text in "\\PC{0,12}|[ -~\n\t\r\u{85}\u{2028}]{0,12}") {
            for yaml in [format!("a: {}\n", written(&text)), format!("{{ a: {}, b: 1 }}", written(&text))] {
                let (documents, error) = yaml::parse(&yaml);
                prop_assert!(error.is_none(), "{yaml}");
                let entry = documents[0].root.child("a").expect("the key");
                prop_assert_eq!(scalar(&entry.value), Some(Scalar::Text(&text)), "{}", yaml);
            }
        }
    }
}
