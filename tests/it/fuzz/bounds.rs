//! What holds for the findings on any input, and mutations of bytes.

use std::collections::BTreeMap;

use driftless::check;
use driftless::fleet::{Finding, load};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fuzz::snapshot;

type Files = BTreeMap<String, Vec<u8>>;

/// Findings about a whole file or the whole folder: these have no line.
const WITHOUT_LINE: [&str; 6] =
    ["too-large", "submodule", "bad-link", "empty-fleet", "no-fleet", "more-findings"];
/// A finding is read by people.
const MAX_MESSAGE: usize = 3_000;
/// A snapshot without end has findings with an end.
const MAX_FINDINGS: usize = 30_000;

/// Reads the files as `validate` does, and asserts what must hold for any.
#[track_caller]
pub(super) fn assert_bounds(files: &Files) -> Result<Vec<Finding>, Vec<Finding>> {
    let snapshot = snapshot(files);
    let (_, early) = load(&snapshot);
    let read = check::read(&snapshot).map(|(_, findings)| findings);
    let again = check::read(&snapshot).map(|(_, findings)| findings);
    assert_eq!(read, again, "the same files twice");
    let findings = read.as_ref().unwrap_or_else(|findings| findings);
    for finding in &early {
        assert!(findings.contains(finding), "{finding:?} is lost");
    }
    assert_eq!(read.is_err(), findings.iter().any(Finding::is_error), "{findings:#?}");
    assert!(findings.is_sorted());
    assert!(findings.len() <= MAX_FINDINGS, "{} findings", findings.len());
    for finding in findings {
        assert_sound(finding, files);
    }
    read
}

#[track_caller]
fn assert_sound(finding: &Finding, files: &Files) {
    assert!(!finding.message.trim().is_empty(), "{finding:?}");
    assert!(finding.message.len() <= MAX_MESSAGE, "{} bytes", finding.message.len());
    if finding.is_error() {
        assert!(finding.help.as_ref().is_some_and(|help| !help.trim().is_empty()), "{finding:?}");
    }
    let help = finding.help.as_deref().unwrap_or_default();
    assert!(help.len() <= MAX_MESSAGE, "help of {} bytes: {:?}", help.len(), finding.code);
    if finding.line == 0 {
        assert!(WITHOUT_LINE.contains(&finding.code), "{finding:?}");
        return;
    }
    let bytes = files.get(&finding.path);
    let text = String::from_utf8_lossy(bytes.unwrap_or_else(|| panic!("no file: {finding:?}")));
    assert!(is_inside(&text, finding), "outside the file: {finding:?}\n{text:?}");
}

/// YAML ends a line at a carriage return too, and editors do not agree on that.
fn is_inside(text: &str, finding: &Finding) -> bool {
    let fits = |text: &str| {
        let line = text.split('\n').nth(finding.line - 1);
        line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&finding.column))
    };
    fits(text) || fits(&text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// What happens to the bytes of a file.
#[derive(Clone, Debug)]
pub(super) enum Damage {
    Cut(Index),
    Delete(Index, usize),
    Insert(Index, Vec<u8>),
    Flip(Index, u8),
    Repeat(Index, usize, usize),
    LineEnds(&'static str),
}

impl Damage {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |index: &Index| index.index(bytes.len() + 1);
        match self {
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Delete(at, length) => {
                let start = place(at);
                bytes.drain(start..(start + length).min(bytes.len()));
            }
            Self::Insert(at, what) => {
                let start = place(at);
                bytes.splice(start..start, what.iter().copied());
            }
            Self::Flip(at, mask) if !bytes.is_empty() => {
                let place = at.index(bytes.len());
                bytes[place] ^= mask;
            }
            Self::Flip(..) => {}
            Self::Repeat(at, length, times) => {
                let start = place(at);
                let slice = bytes[start..(start + length).min(bytes.len())].repeat(*times);
                bytes.splice(start..start, slice);
            }
            Self::LineEnds(with) => {
                let text = String::from_utf8_lossy(bytes).replace('\n', with);
                *bytes = text.into_bytes();
            }
        }
    }
}

pub(super) fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    let odd: Vec<Vec<u8>> = [
        "\0",
        "\u{feff}",
        "\r",
        "\r\n",
        "\n",
        "\t",
        "\u{85}",
        "\u{2028}",
        "\u{a0}",
        "é",
        "😀",
        "\n---\n",
        "\n...\n",
        "\n%YAML 1.2\n---\n",
        "\n%FOO\n",
        "#",
        ": ",
        "- ",
        "? ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a ",
        "!Ref ",
        "!!",
        "${",
        "$${",
        "}",
        ",",
        "\\",
        "\u{1b}[31m",
        "\u{202e}",
        "e\u{301}",
        "\u{7f}",
        "\u{8}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into_iter()
    .chain([vec![0xff], vec![0xc3], vec![0xed, 0xa0, 0x80], vec![0xff, 0xfe]])
    .collect();
    prop_oneof![
        2 => index().prop_map(Damage::Cut),
        3 => (index(), 0_usize..30).prop_map(|(at, length)| Damage::Delete(at, length)),
        6 => (index(), proptest::sample::select(odd)).prop_map(|(at, what)| Damage::Insert(at, what)),
        2 => (index(), 1_u8..=255).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        1 => (index(), 1_usize..60, 1_usize..60)
            .prop_map(|(at, length, times)| Damage::Repeat(at, length, times)),
        1 => proptest::sample::select(vec!["\r\n", "\r", "\n\n", "\u{85}", "\u{2028}", " \n"])
            .prop_map(Damage::LineEnds),
    ]
}
