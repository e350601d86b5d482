//! What seeds have found, each as a short story that does not change with the dice.

use std::time::Duration;

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
    (fleet.in_flight, fleet.per_target, fleet.deletes) = (50, 5, 4);
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
