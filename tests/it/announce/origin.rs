//! A repository that cannot be fetched for long is told to people, who would wait for their merge.

use driftless::announce::Means;

use crate::announce::stand_in::StandIn;
use crate::announce::{HOUR, MINUTE, SLACK};
use crate::remote::Hub;

/// A fleet at a URL that tells the receivers of the test what happens.
fn hub() -> (Hub, StandIn) {
    let mut hub = Hub::with_tenants(1);
    let fleet = std::fs::read_to_string(hub.world.repository().join("fleet.yaml")).expect("a file");
    hub.world.write("fleet.yaml", &format!("{fleet}{SLACK}"));
    hub.commit_and_push();
    let receivers = StandIn::new(&hub.world.clock);
    let means: Means = receivers.means();
    hub.world.announcing = Some(means);
    (hub, receivers)
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_is_lost_is_told_once_and_told_again_when_it_is_back() {
    let (hub, receivers) = hub();
    hub.run_until(tokio::time::sleep(HOUR)).await;
    assert_eq!(receivers.titles("slack"), [""; 0]);
    hub.rename("bare.git", "elsewhere.git");
    hub.run_until(tokio::time::sleep(2 * HOUR)).await;
    let titles = receivers.titles("slack");
    let [only] = titles.as_slice() else { panic!("once, not {titles:#?}") };
    let what = "test: Warning: The repository of the fleet cannot be fetched";
    assert!(only.ends_with(what), "{only}");
    let body = receivers.got()[0].body.clone();
    for part in [hub.url().as_str(), "is no repository", "nothing that is merged goes out"] {
        assert!(body.contains(part), "`{part}` is not in {body}");
    }
    // A restart is no news.
    hub.run_until(tokio::time::sleep(HOUR)).await;
    assert_eq!(receivers.titles("slack").len(), 1);
    hub.rename("elsewhere.git", "bare.git");
    hub.run_until(tokio::time::sleep(HOUR)).await;
    let titles = receivers.titles("slack");
    assert_eq!(titles.len(), 2, "{titles:#?}");
    assert!(titles[1].contains("Resolved: The repository of the fleet cannot be fetched"));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_failed_once_or_twice_is_told_to_nobody() {
    let (hub, receivers) = hub();
    hub.run_until(tokio::time::sleep(10 * MINUTE)).await;
    hub.rename("bare.git", "elsewhere.git");
    let away = async {
        // Fetched every half minute, and again after a pause that grows: two tries in this time.
        tokio::time::sleep(MINUTE).await;
        hub.rename("elsewhere.git", "bare.git");
        tokio::time::sleep(2 * HOUR).await;
    };
    hub.run_until(away).await;
    let origin = hub.world.journal().origin().expect("the journal answers").expect("fetched");
    assert_eq!(origin.trouble, None);
    assert_eq!(receivers.titles("slack"), [""; 0]);
}
