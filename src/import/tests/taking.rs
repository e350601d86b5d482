//! How stacks are taken over, and what is said where they are not.

use std::collections::BTreeSet;

use crate::import::tests::*;

#[test]
fn the_service_takes_over_in_waves_unless_the_fleet_has_its_own_or_there_is_one_tenant() {
    let of = |tenants: u64, more: &str| {
        let instances = (1..=tenants).map(|account| instance(account, "eu-central-1", &[]));
        let found = stack_set(&[("Bucket", "b")], instances.collect());
        let (draft, desired) =
            drafted(&found, &Files::from([fleet(more)]), &wish()).expect("a draft");
        let plan = desired.services.values().next().expect("a service").rollout.clone();
        (draft.files["services/scan-api/service.yaml"].clone(), plan.map(|plan| plan.waves.len()))
    };
    let (text, waves) = of(3, "");
    assert_eq!(waves, Some(3));
    assert!(text.contains("Without them all 3 tenants"), "{text}");
    assert_eq!(of(1, "").1, None);
    let (text, waves) = of(3, "  rollout: { waves: [{ name: all, soak: 1h }] }\n");
    assert_eq!(waves, None);
    assert!(text.contains("in the waves of the Fleet document"), "{text}");
}

fn searched(pattern: &str) -> Search {
    Search { pattern: pattern.to_owned(), tenants: 11, targets: 24, ..Search::default() }
}

fn refused(found: &Found, skips: bool) -> String {
    let refusal = drafted(found, &Files::from([fleet("")]), &Wish { skips, ..wish() });
    let refusal = refusal.expect_err("refused");
    format!("{}\n{}", refusal.what, refusal.help)
}

#[test]
fn where_no_stack_fits_it_says_where_it_looked_and_nothing_of_templates() {
    let found = gather(&searched("nothing*"), Vec::new(), Vec::new());
    assert_eq!(
        refused(&found, false),
        "no stack fits `nothing*` in the 24 targets of 11 tenants\n\
         see that the pattern is right: * stands for anything, and capital letters count"
    );
    let unseen = BTreeSet::from([target(1, "us-east-1")]);
    let found = gather(&Search { unseen, ..searched("nothing*") }, Vec::new(), Vec::new());
    let said = refused(&found, false);
    let unseen = "; 1 target in regions that their tenants do not list cannot be seen";
    assert!(said.lines().next().is_some_and(|first| first.ends_with(unseen)), "{said}");
}

#[test]
fn stacks_that_all_belong_to_a_fleet_are_counted_by_their_reason() {
    let mut found = gather(&searched("scan*"), Vec::new(), Vec::new());
    found.instances = (1..=14).map(|account| instance(account, "eu-central-1", &[])).collect();
    for one in &mut found.instances {
        one.trouble = Some("it belongs to the fleet `gloves-demo`".to_owned());
    }
    for skips in [false, true] {
        assert_eq!(
            refused(&found, skips),
            "no stack that fits `scan*` in the 24 targets of 11 tenants can be taken over, so nothing is \
             written\n\
             14 stacks: it belongs to the fleet `gloves-demo`, such as 000000000001/eu-central-1, \
             000000000002/eu-central-1, 000000000003/eu-central-1\n\
             mend them first, or name other stacks: of these none can be left out"
        );
    }
}

#[test]
fn where_names_do_not_fit_the_pattern_is_what_to_mend_first() {
    let mut found = stack_set(&[("Bucket", "b")], vec![instance(1, "eu-central-1", &[])]);
    found.instances.extend((2..=6).map(|account| Instance {
        stack: Some(format!("other-{account}")),
        ..instance(account, "eu-central-1", &[])
    }));
    assert_eq!(
        refused(&found, false),
        "5 instances of 6 cannot be taken over, so nothing is written\n\
         5 instances: the name of its stack does not fit `StackSet-scan-api-*`, such as \
         000000000002/eu-central-1 (`other-2`), 000000000003/eu-central-1 (`other-3`), \
         000000000004/eu-central-1 (`other-4`)\n\
         give another pattern with --match: one that fits one stack in each place; or leave them out \
         with --skip-unadoptable: they stay as they are"
    );
    found.pattern = "scan-*".to_owned();
    let said = refused(&found, true);
    assert!(
        said.ends_with(
            "\ngive another pattern with --match: one that fits one stack in each place"
        ),
        "{said}"
    );
}

#[test]
fn stacks_in_regions_that_tenants_do_not_list_are_taken_over_and_named() {
    let sighted = |account, region: &str| {
        let mut seen = seen(account, "scan-api", &[], StackStatus::CreateComplete);
        seen.key.target = target(account, region);
        Sighted { seen, template: Some(TEMPLATE.into()) }
    };
    let outside = BTreeSet::from([target(1, "us-east-1"), target(2, "us-east-1")]);
    let unseen = (3..=7).map(|account| target(account, "us-east-1")).collect();
    let search = Search { outside, unseen, ..searched("scan-api*") };
    let found =
        gather(&search, vec![sighted(1, "us-east-1"), sighted(2, "eu-central-1")], Vec::new());
    assert_eq!(
        found.notes,
        [
            "One of the stacks is in regions that their tenants do not list: \
             000000000001/us-east-1. They are taken over too.",
            "5 targets in regions that their tenants do not list cannot be seen, so that stacks there \
             are not known: 000000000003/us-east-1, 000000000004/us-east-1, 000000000005/us-east-1 and \
             2 more.",
        ]
    );
}
