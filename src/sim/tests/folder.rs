//! A cloud in a folder survives its process and is shared by several.

use std::fs;

use super::*;
use crate::sim::CloudError;

fn open(path: &std::path::Path, clock: &Clock) -> Cloud {
    let settings = CloudSettings { quotas: Some(false), ..CloudSettings::default() };
    Cloud::in_folder(path, settings, clock.clone()).expect("a cloud")
}

async fn world_in(path: &std::path::Path) -> World {
    let clock = clock();
    let cloud = open(path, &clock);
    let aws = client(&cloud, &clock, ACCOUNT).await;
    World { cloud, clock, aws }
}

#[tokio::test(start_paused = true)]
async fn a_second_process_finds_what_the_first_began_and_its_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = world_in(folder.path()).await;
    let id = first.create("jobs", TEMPLATE).await;
    let second = open(folder.path(), &first.clock);
    first.pass(300).await;
    let seen = second.console().stack(&key("jobs")).expect("cloud").expect("stack");
    assert_eq!((seen.id.as_str(), seen.status.as_str()), (id.as_str(), "CREATE_COMPLETE"));
    assert_eq!(seen.template, TEMPLATE);
    second.console().delete_stack(&key("jobs")).expect("deleted by somebody else");
    assert_eq!(first.status("jobs").await, "DELETE_IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn two_clouds_over_one_folder_never_lose_a_write_of_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = world_in(folder.path()).await;
    let cloud = open(folder.path(), &first.clock);
    let aws = client(&cloud, &first.clock, ACCOUNT).await;
    let second = World { cloud, clock: first.clock.clone(), aws };
    let topic = "{Resources: {T: {Type: 'AWS::SNS::Topic'}}}";
    for index in 0..10 {
        first.create(&format!("one-{index}"), topic).await;
        second.create(&format!("two-{index}"), topic).await;
    }
    for world in [&first, &second] {
        let answer = world.aws.describe_stacks().send().await.expect("a list");
        assert_eq!(answer.stacks().len(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_file_is_an_error_and_never_an_empty_cloud() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = world_in(folder.path()).await;
    first.create("jobs", TEMPLATE).await;
    let file = folder.path().join("accounts").join(format!("{ACCOUNT}.json"));
    let text = fs::read_to_string(&file).expect("the account's file");
    fs::write(&file, &text[..text.len() / 2]).expect("broken");
    let settings = CloudSettings::default();
    let opened = Cloud::in_folder(folder.path(), settings, first.clock.clone());
    let refused = opened.expect_err("a broken file");
    assert!(matches!(refused, CloudError::Corrupt { .. }), "{refused}");
    let answer = first.aws.describe_stacks().send().await.expect_err("not an empty list");
    assert_eq!(answer.raw_response().map(|raw| raw.status().as_u16()), Some(500));
}
