//! Which calls share a quota.

use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;

use crate::sim::tests::{client, clock, sts};
use crate::sim::{Cloud, CloudSettings};

#[tokio::test(start_paused = true)]
async fn sessions_in_all_accounts_are_charged_to_the_hub() {
    let clock = clock();
    let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
    let cloud = Cloud::in_memory(settings, clock.clone());
    let hub = sts(&cloud, &clock);
    let assume = |account: u64| {
        let arn = format!("arn:aws:iam::{account:012}:role/driftless");
        hub.assume_role().role_arn(arn).role_session_name("test").send()
    };
    for account in 1..=599 {
        assume(account).await.expect("within the quota");
    }
    hub.get_caller_identity().send().await.expect("the last of the same quota");
    let throttled = assume(600).await.expect_err("an account that nobody called yet");
    assert_eq!(throttled.code(), Some("Throttling"));
    clock.sleep(Duration::from_millis(10)).await;
    for account in 600..606 {
        assume(account).await.expect("600 a second come back");
    }
    assert!(assume(606).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn each_account_and_api_of_cloudformation_has_its_own_quota() {
    let clock = clock();
    let settings = CloudSettings { quotas: Some(true), ..CloudSettings::default() };
    let cloud = Cloud::in_memory(settings, clock.clone());
    let one = client(&cloud, &clock, "111122223333").await;
    while one.describe_stacks().send().await.is_ok() {}
    one.list_stacks().send().await.expect("another API");
    let other = client(&cloud, &clock, "444455556666").await;
    other.describe_stacks().send().await.expect("another account");
}
