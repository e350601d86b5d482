//! What many tenants change together goes through the waves, and what one changes alone does not.

use driftless::rollout::ChangeKind;

use super::{MINUTE, WAVES, happened, run, settled, sizes};
use crate::world::{World, key};

/// The tenants change their own size: all from this one to that one.
fn resize_tenants(world: &World, tenants: std::ops::RangeInclusive<usize>, size: u32) {
    for tenant in tenants {
        let name = format!("t{tenant}");
        let path = format!("tenants/{name}.yaml");
        let text = std::fs::read_to_string(world.repository().join(&path)).expect("a document");
        let kept: String = text
            .lines()
            .filter(|line| !line.starts_with("  services:"))
            .map(|line| format!("{line}\n"))
            .collect();
        let own = format!("  services: {{ api: {{ parameters: {{ Size: \"{size}\" }} }} }}\n");
        world.write(&path, &format!("{kept}{own}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_in_ten_tenants_goes_out_at_once_and_one_in_eleven_goes_through_the_waves() {
    let world = settled(13, WAVES).await;
    resize_tenants(&world, 4..=13, 3);
    world.commit();
    run(&world, 3 * MINUTE).await;
    assert_eq!(sizes(&world, 13)[..4], ["1", "1", "1", "3"]);
    assert_eq!(sizes(&world, 13)[4..], ["3"; 9]);
    resize_tenants(&world, 2..=13, 4);
    world.commit();
    let ended = run(&world, 3 * MINUTE).await;
    let began = &happened(&ended)[0];
    assert_eq!(began.1, "13 stacks get it, as 12 tenants changed what they give it");
    assert_eq!(sizes(&world, 13)[..4], ["1", "4", "1", "3"], "the canary only");
    assert_eq!(sizes(&world, 13)[4..], ["3"; 9]);
    world.apply().await.assert_converged(26);
    assert_eq!(sizes(&world, 13)[1], "4");
    assert_eq!(sizes(&world, 13)[3..], ["4"; 10]);
}

#[tokio::test(start_paused = true)]
async fn tenants_that_changed_together_go_back_and_one_that_changes_alone_takes_its_own_at_once() {
    let world = settled(13, WAVES).await;
    resize_tenants(&world, 2..=13, 4);
    world.commit();
    // Each run is a new process.
    run(&world, 3 * MINUTE).await;
    resize_tenants(&world, 9..=9, 7);
    world.commit();
    run(&world, 3 * MINUTE).await;
    assert_eq!(sizes(&world, 13)[..3], ["1", "4", "1"]);
    assert_eq!(sizes(&world, 13)[7..10], ["1", "7", "1"], "one takes its own at once");
    resize_tenants(&world, 9..=9, 4);
    world.commit();
    run(&world, MINUTE).await;
    resize_tenants(&world, 2..=13, 1);
    world.commit();
    let ended = run(&world, 3 * MINUTE).await;
    assert_eq!(happened(&ended)[0].0, ChangeKind::Superseded, "{:?}", happened(&ended));
    assert_eq!(sizes(&world, 13), ["1"; 13]);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_given_to_an_earlier_release_that_does_not_hide_it() {
    let world = settled(13, WAVES).await;
    resize_tenants(&world, 2..=13, 3);
    world.commit();
    world.apply().await.assert_converged(26);
    let hidden = "Size: { Type: String, NoEcho: true }";
    world.edit("api/api.yaml", "Size: { Type: String }", hidden);
    resize_tenants(&world, 2..=13, 77);
    world.commit();
    run(&world, 3 * MINUTE).await;
    // A new process knows of no value that the new template hides.
    world.cloud.console().delete_stack(&key(7, "api")).expect("a person may");
    run(&world, 3 * MINUTE).await;
    assert_eq!(sizes(&world, 13)[..3], ["1", "77", "3"]);
    assert_eq!(sizes(&world, 13)[5..8], ["3", "-", "3"]);
    let verdict = world.verdict(7, "api");
    assert!(verdict.starts_with("waits-for-wave: "), "{verdict}");
    world.apply().await.assert_converged(26);
    assert_eq!(sizes(&world, 13)[1..], ["77"; 12]);
}

#[tokio::test(start_paused = true)]
async fn many_tenants_that_change_while_nobody_runs_go_through_the_waves_as_well() {
    let world = settled(13, WAVES).await;
    resize_tenants(&world, 2..=13, 4);
    world.commit();
    world.write("README", "nothing else\n");
    world.commit();
    run(&world, 3 * MINUTE).await;
    assert_eq!(sizes(&world, 13)[..4], ["1", "4", "1", "1"]);
}
