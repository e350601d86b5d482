//! What holds for every plan that is written as several comments.

use proptest::prelude::*;

use crate::ids::Revision;
use crate::plan::preview::{Group, KINDS, Line, Part, Preview};
use crate::report::plan::golden::{Files, is_balanced, member, plan, previews};
use crate::report::plan::{
    MAX_COMMENT, comments, markdown, part_of, refused_comments, refused_markdown,
};

const SMALL: usize = MAX_COMMENT / 2;
const ENDLESS: usize = usize::MAX / 2;

/// What stands in fences, in order.
fn rows(comments: &[String]) -> Vec<&str> {
    let mut rows = Vec::new();
    for comment in comments {
        let mut fenced = false;
        for line in comment.lines() {
            match line {
                "```diff" => fenced = true,
                "```" => fenced = false,
                row if fenced => rows.push(row),
                _ => {}
            }
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn each_comment_is_within_the_limit_and_no_row_is_lost_between_them(preview in previews()) {
        let parts = comments(&preview, "fleet", SMALL);
        for (index, part) in parts.iter().enumerate() {
            prop_assert!(part.len() <= SMALL, "{} bytes", part.len());
            prop_assert!(is_balanced(part), "{part}");
            prop_assert_eq!(part_of(part, "fleet"), Some(index + 1));
        }
        let whole = comments(&preview, "fleet", ENDLESS);
        prop_assert_eq!(whole.len(), 1);
        let (all, shown) = (rows(&whole), rows(&parts));
        prop_assert_eq!(&all[..shown.len()], &shown[..]);
        let last = parts.last().expect("one at least");
        let says_so = last.contains(" left out for the size of a comment");
        prop_assert_eq!(shown.len() < all.len(), says_so);
    }
}

/// One stack whose template has so many outputs more than before.
fn with_outputs(count: usize) -> Preview {
    let mut preview = plan(&Files::of(1), &Files::of(1));
    let line = |n: usize| Line {
        part: Part::Output,
        name: format!("Output{n:04}"),
        old: None,
        new: Some(String::new()),
        paths: Vec::new(),
    };
    preview.groups = vec![Group {
        kind: KINDS[5],
        service: Some("scan-api".parse().expect("a name")),
        lines: (0..count).map(line).collect(),
        effects: Vec::new(),
        notes: Vec::new(),
        members: vec![member(1)],
    }];
    preview
}

#[test]
fn a_plan_that_fits_is_one_comment_as_it_is_printed() {
    let preview = plan(&Files::of(2), &Files::of(3));
    assert_eq!(comments(&preview, "fleet", MAX_COMMENT), [markdown(&preview)]);
    let findings = [];
    let revision = Revision::of("2222222bbbb");
    assert_eq!(
        refused_comments(&revision, &findings, "fleet", MAX_COMMENT),
        [refused_markdown(&revision, &findings, "fleet")]
    );
}

#[test]
fn a_longer_one_goes_on_in_the_next_comment_and_says_of_how_many() {
    let parts = comments(&with_outputs(5_000), "fleet", MAX_COMMENT);
    let heads: Vec<_> = parts.iter().filter_map(|part| part.lines().nth(1)).collect();
    assert_eq!(heads.len(), 2, "{heads:?}");
    assert!(heads[0].ends_with(" (part 1 of 2)") && heads[1].ends_with(" (part 2 of 2)"));
    assert!(parts[0].contains("+ output Output0000\n"));
    assert!(parts[1].contains(" (continued)**") && parts[1].contains("+ output Output4999\n"));
}

#[test]
fn nobody_gets_more_than_five_comments() {
    let parts = comments(&with_outputs(30_000), "fleet", MAX_COMMENT);
    assert_eq!(parts.len(), 5);
    assert!(parts[4].contains(" left out for the size of a comment"));
    assert!(parts[..4].iter().all(|part| !part.contains("left out for the size")));
}
