//! What seeds have found, each as a short story that does not change with the dice.

use std::time::Duration;

use driftless::sim::{CallFault, Calls};

use crate::swarm::dice::Dice;
use crate::swarm::model::{Kind, Model};
use crate::swarm::play::Play;
use crate::swarm::witness::Death;

/// Two tenants in one region, and services that delete what is dropped.
fn fleet() -> Model {
    let mut fleet = Model::of(&mut Dice::of(1));
    let mut tenant = fleet.tenants[&1].clone();
    (tenant.regions, tenant.second_ring) = (1, true);
    fleet.tenants = [(1, tenant.clone()), (2, tenant)].into();
    (fleet.in_flight, fleet.per_target) = (50, 5);
    (fleet.deletes, fleet.percent) = (4, 100);
    for service in fleet.services.values_mut() {
        (service.deletes, service.protected, service.policy) = (true, false, false);
    }
    fleet
}

#[tokio::test(start_paused = true)]
async fn a_stack_whose_tenant_leaves_while_it_is_made_and_the_process_dies_is_not_forgotten() {
    let mut without_first = fleet();
    without_first.tenants.remove(&1);
    for call in 0..4 {
        let mut play = Play::calm(1, fleet());
        play.kill_at_start = Some(Death { call, before: false });
        // It dies within a second, and is not started again before ten.
        play.pass(Duration::from_secs(9)).await;
        play.commit(without_first.clone());
        for _ in 0..4 {
            play.pass(Duration::from_secs(1_800)).await;
            play.approve_all();
        }
        assert_eq!(play.unconverged(), Vec::<String>::new(), "{call}");
        let left = play.stacks().into_keys().filter(|key| key.name.as_str() == Kind::Store.name());
        assert_eq!(left.count(), 1, "{call}");
        assert_eq!(play.end().await.violations, Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_works_keeps_its_place_though_a_page_lacks_it() {
    let mut fleet = fleet();
    fleet.in_flight = 1;
    let mut play = Play::calm(1, fleet.clone());
    play.pass(Duration::from_secs(3_600)).await;
    fleet.services.values_mut().for_each(|service| service.generation += 1);
    play.commit(fleet);
    // The third of four is the first of the second page.
    let works = |play: &Play| {
        let running = play.cloud.console().running().expect("the cloud answers");
        running.into_iter().find(|one| one.key.name.as_str() == Kind::Job.name())
    };
    let job = loop {
        play.pass(Duration::from_millis(500)).await;
        if let Some(found) = works(&play) {
            break found.key;
        }
    };
    let api = Some("DescribeStacks".to_owned());
    let calls = Calls { account: Some(job.target.account), region: None, api };
    play.cloud.script().calls(calls.clone(), CallFault::PageShifted, None);
    play.pass(Duration::from_secs(60)).await;
    play.cloud.script().restore(&calls);
    play.pass(Duration::from_secs(3_600)).await;
    assert_eq!(play.unconverged(), Vec::<String>::new());
    assert_eq!(play.end().await.violations, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_arrived_is_repeated_under_its_token() {
    let mut play = Play::calm(1, fleet());
    let calls = Calls { api: Some("CreateStack".to_owned()), ..Calls::default() };
    // Eight tries within one pass, and then the passes after it.
    play.cloud.script().calls(calls, CallFault::Unreachable, Some(70));
    play.pass(Duration::from_secs(3_600)).await;
    assert_eq!(play.unconverged(), Vec::<String>::new());
    let trace = play.watch.trace();
    let creates = trace.iter().filter(|line| line.contains(" CreateStack "));
    let tokens: std::collections::BTreeSet<&str> =
        creates.clone().filter_map(|line| line.split(' ').nth(5)).collect();
    assert!(creates.count() > 70);
    assert_eq!(tokens.len(), play.stacks().len(), "{tokens:?}");
    assert_eq!(play.end().await.violations, Vec::<String>::new());
}
