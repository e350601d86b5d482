//! What people read of adoption, before and after.

use std::collections::BTreeMap;

use super::{AWHILE, adopt, inherited};
use crate::world::World;

/// Of three tenants one has nothing that fits, and one has more than tags to change.
async fn mixed() -> World {
    let world = inherited(3).await;
    let console = world.cloud.console();
    for service in ["api", "network"] {
        console.delete_stack(&super::instance_key(3, service)).expect("deleted");
        world.clock.sleep(AWHILE).await;
    }
    let size = BTreeMap::from([("Size".to_owned(), "3".to_owned())]);
    console.update_parameters(&super::instance_key(2, "api"), &size).expect("updated");
    world.clock.sleep(AWHILE).await;
    adopt(&world, "");
    world
}

/// What a command says, without what differs from run to run: times, and what is only known by them.
fn said(world: &World, arguments: &[&str]) -> String {
    let text = world.driftless(arguments);
    let replaced = [
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
        (r"\b([0-9a-f]{8}|[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{64})\b", "ID"),
        (r"revision [0-9a-f]+", "revision ID"),
        (r" \(for [^)]*\)", ""),
        (r"(began|accepted) .* ago", "$1 AGO"),
        (r"  +", "  "),
    ];
    let text = replaced.into_iter().fold(text, |text, (pattern, with)| {
        regex::Regex::new(pattern).expect("valid").replace_all(&text, with).into_owned()
    });
    let lines = text.lines().filter(|line| {
        let dated = [" ago", "looked", "  now", "just now"];
        !dated.iter().any(|word| line.contains(word)) && !line.starts_with("  for ")
    });
    // The table at the end says the same again, cut to the width of a terminal.
    let told = lines.take_while(|line| !line.starts_with("TENANT"));
    told.map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn status_counts_what_is_held_and_explain_names_the_stack_in_aws() {
    let world = mixed().await;
    world.apply().await;
    insta::assert_snapshot!(said(&world, &["status"]));
    insta::assert_snapshot!(said(&world, &["explain", "t1/network"]));
    insta::assert_snapshot!(said(&world, &["explain", "t2/api"]));
    insta::assert_snapshot!(said(
        &world,
        &["explain", "100000000001/eu-central-1/StackSet-api-100000000001"]
    ));
}
