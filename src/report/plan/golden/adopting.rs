//! Plans of services that take over stacks that exist already.

use std::collections::BTreeMap;

use crate::desired::Desired;
use crate::ids::{Digest, StackId, Target};
use crate::moment::Moment;
use crate::observed::{Blind, Seen};
use crate::plan::deletions::DeletionBook;
use crate::plan::preview::{LiveScene, Preview, Sighted, preview, preview_live};
use crate::plan::{Steering, presented};
use crate::report::plan::golden::{Files, seen, sighted};
use crate::report::plan::text;

#[test]
fn a_live_plan_says_what_is_taken_over_and_what_could_not_be_meant() {
    let mut files = Files::of(6);
    let adopt = "spec:\n  adopt: { match: 'StackSet-scan-api-*' }\n";
    files.edit("scan-api/service.yaml", "spec:\n", adopt);
    let desired = files.desired("2222222bbbb");
    let stack = |number: usize, name: &str, more: &[(&str, &str)]| {
        let mut seen = seen(&format!("{number:012}/eu-central-1/{name}"), None);
        seen.termination_protection = number == 1;
        seen.id = StackId::of(&format!(
            "arn:aws:cloudformation:eu-central-1:{number:012}:stack/{name}/{number}"
        ));
        let table = format!("scans-t{number:04}");
        let values = [("TableName", table.as_str())].into_iter().chain(more.iter().copied());
        seen.parameters.extend(values.map(|(name, value)| (name.to_owned(), value.to_owned())));
        seen
    };
    let place = |number: usize, stacks: Vec<Seen>| {
        let target: Target = format!("{number:012}/eu-central-1").parse().expect("a target");
        let stacks = stacks.into_iter().map(|seen| (seen.key.name.clone(), seen)).collect();
        let stacks = presented(&desired, &target, stacks, &BTreeMap::new());
        let sighted = sighted(&desired, &target.to_string(), stacks.into_values().collect());
        (target, Ok(sighted))
    };
    let places: BTreeMap<Target, Result<Sighted, Blind>> = [
        place(0, vec![stack(0, "StackSet-scan-api-aa", &[])]),
        place(1, vec![stack(1, "StackSet-scan-api-ab", &[])]),
        place(2, vec![stack(2, "StackSet-scan-api-ac", &[("LogLevel", "debug")])]),
        place(
            3,
            vec![stack(3, "StackSet-scan-api-ad", &[]), stack(3, "StackSet-scan-api-ae", &[])],
        ),
        place(4, vec![]),
        place(5, vec![]),
    ]
    .into();
    insta::assert_snapshot!(text(&shown(&desired, &places), false));
}

/// What a plan shows of these places.
fn shown(desired: &Desired, places: &BTreeMap<Target, Result<Sighted, Blind>>) -> Preview {
    preview_live(&LiveScene {
        desired,
        steering: &Steering::default(),
        places,
        book: &DeletionBook::default(),
        keyed_hash: &|_| Digest::of(b""),
        now: Moment::from_millis(3),
    })
}

#[test]
fn what_needs_an_approval_is_never_hidden_behind_tags_that_differ_from_tenant_to_tenant() {
    let mut files = Files::of(30);
    let adopt =
        "spec:\n  adopt: { match: 'StackSet-scan-api-*' }\n  tags: { who: 'of ${tenant.name}' }\n";
    files.edit("scan-api/service.yaml", "spec:\n", adopt);
    let desired = files.desired("2222222bbbb");
    let place = |number: usize| {
        let name = format!("StackSet-scan-api-{number:02}");
        let mut seen = seen(&format!("{number:012}/eu-central-1/{name}"), None);
        seen.id = StackId::of(&format!(
            "arn:aws:cloudformation:eu-central-1:{number:012}:stack/{name}/{number}"
        ));
        seen.parameters.insert("TableName".to_owned(), format!("scans-t{number:04}"));
        seen.tags.insert("who".to_owned(), format!("somebody {number}"));
        if number >= 15 {
            // Each has another value: none of them is like another.
            seen.parameters.insert("LogLevel".to_owned(), format!("level-{number}"));
        }
        let target: Target = format!("{number:012}/eu-central-1").parse().expect("a target");
        let stacks = [(seen.key.name.clone(), seen)].into();
        let stacks = presented(&desired, &target, stacks, &BTreeMap::new());
        let sighted = sighted(&desired, &target.to_string(), stacks.into_values().collect());
        (target, Ok(sighted))
    };
    let preview = shown(&desired, &(0..30).map(place).collect());
    let told = text(&preview, false);
    assert!(told.contains("15 to adopt, 15 held until approved"), "{told}");
    assert_eq!(told.matches("held: more than tags would change").count(), 15, "{told}");
    assert_eq!(
        told.matches("only tags change: who and the three of ownership").count(),
        1,
        "{told}"
    );
    let (held, tags) = (told.find("held in 1:"), told.find("alike in 15:"));
    assert!(held.is_some() && held < tags, "{told}");
    assert!(preview.groups.iter().any(|group| group.is_held() && group.members.len() == 1));
}

#[test]
fn a_plan_of_a_service_that_takes_stacks_over_makes_nothing_of_them() {
    let mut old = Files::of(3);
    let adopt = "spec:\n  adopt: { match: 'StackSet-scan-api-*' }\n";
    let before = old.desired("1111111aaaa");
    old.edit("scan-api/service.yaml", "spec:\n", adopt);
    let after = old.desired("2222222bbbb");
    let told = text(&preview(Some(&before), &after), false);
    let new = text(&preview(None, &after), false);
    old.edit("scan-api/service.yaml", "-*' }", "-*', orCreate: true }");
    let made = text(&preview(None, &old.desired("3333333cccc")), false);
    insta::assert_snapshot!([told, new, made].join("\n"));
}
