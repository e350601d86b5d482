//! Reverting at its edges: what is ignored, ordered, held, broken or gone meanwhile; and looking at its.

use super::*;
use driftless::plan::{ApprovalKind, ApprovalRequest, order_member};
use driftless::sim::ResourceFault;

#[tokio::test(start_paused = true)]
async fn an_order_is_over_when_it_was_obeyed() {
    let world = world(1, "{ every: 1h, policy: report }").await;
    touch(&world, 1, "other");
    run_for(&world, 2 * HOUR).await;
    let record = world.journal().drift_in(&key(1, "api").target).expect("records");
    let record = &record[&key(1, "api").name];
    let stack = &record.version.as_ref().expect("a version").id;
    let members = record.findings.iter().map(|finding| order_member(stack, finding));
    let order = ApprovalRequest::of(ApprovalKind::Revert, members.collect(), "x".to_owned());
    let (journal, now) = (world.journal(), world.clock.now());
    journal.put_request(&order, now).expect("written");
    journal
        .approve(&order.id, "ann", "", now, now + Duration::from_secs(24 * HOUR))
        .expect("given");
    run_for(&world, HOUR).await;
    assert_eq!(drifted(&world), [""; 0]);
    world.mutating_calls();
    let mut executed = 0;
    for round in 0..8 {
        touch(&world, 1, &format!("wanted {round}"));
        run_for(&world, 2 * HOUR).await;
        executed +=
            world.mutating_calls().iter().filter(|call| call.starts_with("Execute")).count();
    }
    assert_eq!(executed, 0, "nobody asked for that");
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_git_has_now_is_heeded() {
    let world = world(1, "{ every: 12h, policy: revert }").await;
    world.edit("fleet.yaml", "spec:\n", "spec:\n  suspend: true\n");
    world.commit();
    touch(&world, 1, "other");
    run_for(&world, 13 * HOUR).await;
    world.edit(
        "fleet.yaml",
        "policy: revert }",
        "policy: revert, ignore: [{ type: \"AWS::SSM::Parameter\", property: /Value }] }",
    );
    world.edit("fleet.yaml", "  suspend: true\n", "");
    world.commit();
    run_for(&world, 30 * MINUTE).await;
    assert_eq!(drifted(&world), ["api/Setting"], "git says that it is no drift");
}

#[tokio::test(start_paused = true)]
async fn what_stands_beside_the_template_does_not_wait_for_a_revert() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    touch(&world, 1, "other");
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Phantom { logical_ids: ["Table".to_owned()].into() },
        times: None,
    });
    run_for(&world, 3 * HOUR).await;
    world.edit(
        "api/service.yaml",
        "  template: api.yaml\n",
        "  template: api.yaml\n  terminationProtection: true\n",
    );
    world.commit();
    run_for(&world, 6 * HOUR).await;
    assert!(world.stack(1, "api").expect("there").protected);
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_starves_nobody() {
    let world = World::with_tenants(1);
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 24h }\n");
    world.edit("fleet.yaml", "  limits: { ", "  limits: { driftCalls: { perAccount: 10 }, ");
    world.commit();
    world.apply().await.assert_converged(2);
    run_for(&world, 5 * 24 * HOUR).await;
    let all = records(&world);
    let calls: u64 = world
        .cloud
        .call_counts()
        .iter()
        .filter(|((.., api), _)| *api == "DetectStackDrift")
        .map(|(_, n)| n)
        .sum();
    let troubles: Vec<_> =
        all.iter().map(|one| (&one.key.name, one.checked_at, &one.trouble, one.failed)).collect();
    assert!(all.iter().all(|record| record.checked_at.is_some()), "{calls} {troubles:?}");
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_only_reported_holds_what_it_follows() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }\n  News:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: !Ref Note, TracingConfig: PassThrough }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h, policy: revert, exceptions: [{ type: \"AWS::SNS::*\", policy: report }] }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console
        .change_property(&key(1, "shop"), "News", "/TracingConfig", json!("Active"))
        .expect("changed");
    console.delete_resource(&key(1, "shop"), "Note").expect("deleted");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), ["shop/News", "shop/Note"]);
}

#[tokio::test(start_paused = true)]
async fn no_set_of_ours_is_left_behind() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    let template = std::fs::read_to_string(world.repository().join("api/api.yaml")).expect("read");
    world.edit("api/api.yaml", "TableName: things", "TableName: others");
    world.commit();
    run_for(&world, 10 * MINUTE).await;
    touch(&world, 1, "other");
    run_for(&world, 4 * HOUR).await;
    world.write("api/api.yaml", &template);
    world.commit();
    run_for(&world, 2 * MINUTE).await;
    let sets = world.cloud.console().change_sets(&key(1, "api")).expect("sets");
    assert!(
        !sets.iter().any(|set| format!("{set:?}").contains("Available")
            || format!("{set:?}").contains("AVAILABLE")
            || format!("{set:?}").contains("OBSOLETE")),
        "{sets:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_cannot_be_looked_into_is_not_looked_at_all_day() {
    let world = world(1, "{ every: 24h }").await;
    run_for(&world, 25 * HOUR).await;
    world.edit("fleet.yaml", "spec:\n", "spec:\n  suspend: true\n");
    world.commit();
    run_for(&world, 10 * MINUTE).await;
    // A foreign change that lands in a status in which nobody can look into it.
    let console = world.cloud.console();
    console
        .update_parameters(
            &key(1, "network"),
            &[("Cidr".to_owned(), "10.9.0.0/16".to_owned())].into(),
        )
        .expect("updated");
    tokio::time::sleep(Duration::from_secs(5 * MINUTE)).await;
    console.set_status(&key(1, "network"), driftless::sim::Status::UPDATE_FAILED).expect("set");
    world.cloud.clear_calls();
    let before: u64 = world.cloud.call_counts().values().sum();
    run_for(&world, 6 * HOUR).await;
    let after: u64 = world.cloud.call_counts().values().sum();
    assert!(after - before < 100, "{} calls in six hours", after - before);
}

#[tokio::test(start_paused = true)]
async fn a_revert_that_aws_broke_is_tried_again() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    touch(&world, 1, "other");
    world.cloud.script().resource(ResourceFault {
        account: None, region: None, stack: None,
        logical_id: "Setting".to_owned(),
        phase: driftless::sim::Phase::Change,
        text: "Rate exceeded (Service: AmazonSSM; Status Code: 400; Error Code: ThrottlingException; Request ID: x)".to_owned(),
        times: Some(1),
    });
    run_for(&world, 12 * HOUR).await;
    assert_eq!(drifted(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_nested_set_that_is_gone_blinds_nobody() {
    let (world, child) = super::nested::world("{ every: 4h, policy: revert }").await;
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: Some(child.name.clone()),
        trouble: DriftTrouble::Phantom { logical_ids: ["Note".to_owned()].into() },
        times: None,
    });
    run_for(&world, 10 * HOUR).await;
    world.cloud.console().delete_stack(&child).expect("deleted");
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    let ended = world.run_until(tokio::time::sleep(Duration::from_secs(6 * HOUR))).await;
    assert_eq!(ended.standing.blind, 0);
}

#[tokio::test(start_paused = true)]
async fn looks_while_a_revert_runs_are_paced() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  Site:\n    Type: AWS::CloudFront::Distribution\n    Properties: { DistributionConfig: { Enabled: true, Comment: x, DefaultCacheBehavior: { TargetOriginId: a, ViewerProtocolPolicy: allow-all }, Origins: [{ Id: a, DomainName: a.example }] } }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h, policy: revert }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    world
        .cloud
        .console()
        .change_property(&key(1, "shop"), "Site", "/DistributionConfig/Comment", json!("y"))
        .expect("changed");
    world.mutating_calls();
    run_for(&world, 3 * HOUR).await;
    let calls = world.cloud.calls();
    let at = calls.iter().position(|call| call.api == "ExecuteChangeSet").expect("executed");
    let next = calls[at..]
        .iter()
        .position(|call| call.api == "DetectStackDrift")
        .unwrap_or(calls.len() - at);
    let looks = calls[at..at + next].iter().filter(|call| call.api == "DescribeStacks").count();
    // Nobody knows yet how long it takes: about twenty looks, and some for what comes after.
    assert!(looks <= 30, "{looks} looks");
}

#[tokio::test(start_paused = true)]
async fn an_ignored_property_is_not_brought_back_along() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  News:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: x, TracingConfig: PassThrough }\n");
    world.edit(
        "fleet.yaml",
        "spec:\n",
        "spec:\n  drift: { every: 1h, policy: revert, ignore: [{ property: /TracingConfig }] }\n",
    );
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console
        .change_property(&key(1, "shop"), "News", "/TracingConfig", json!("Active"))
        .expect("changed");
    console.change_property(&key(1, "shop"), "News", "/DisplayName", json!("y")).expect("changed");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), ["shop/News"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_for_one_property_leaves_the_others() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  News:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: x, TracingConfig: PassThrough }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console
        .change_property(&key(1, "shop"), "News", "/TracingConfig", json!("Active"))
        .expect("changed");
    console.change_property(&key(1, "shop"), "News", "/DisplayName", json!("y")).expect("changed");
    run_for(&world, 3 * HOUR).await;
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), ["shop/News"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_reverted_does_not_spoil_what_can() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Misread {
            kind: "AWS::SQS::Queue".to_owned(),
            path: "/QueueName".to_owned(),
            shown: Shown::Value("\"other\"".to_owned()),
        },
        times: None,
    });
    run_for(&world, 3 * HOUR).await;
    world.mutating_calls();
    touch(&world, 1, "other");
    run_for(&world, 12 * HOUR).await;
    assert_eq!(drifted(&world), [""; 0]);
}

/// Every look at the stack while the set is computed, the policy of git becomes another.
#[tokio::test(start_paused = true)]
async fn orders_are_obeyed_soon() {
    let world = world(1, "{ every: 1h, policy: report }").await;
    touch(&world, 1, "other");
    run_for(&world, 2 * HOUR).await;
    let ordering = async {
        tokio::time::sleep(Duration::from_secs(10 * MINUTE)).await;
        let said = world.driftless(&["drift", "revert", "--yes"]);
        assert!(said.contains("ordered: "), "{said}");
        tokio::time::sleep(Duration::from_secs(5 * MINUTE)).await;
    };
    world.run_until(ordering).await;
    assert_eq!(drifted(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_does_not_unsettle_what_drifted() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world.edit(
        "fleet.yaml",
        "spec:\n",
        "spec:\n  freeze: [{ cron: \"0 0 * * *\", duration: 24h, timezone: UTC }]\n",
    );
    world.commit();
    run_for(&world, 10 * MINUTE).await;
    let during = world.record(1, "api").memory.mark.clone();
    touch(&world, 1, "other");
    run_for(&world, 3 * HOUR).await;
    let after = world.record(1, "api").memory.mark.clone();
    assert_eq!(during, after);
}

#[tokio::test(start_paused = true)]
async fn a_patch_can_be_applied() {
    let world = world(2, "{ every: 1h, policy: report }").await;
    world.write_tenant(1, "  services: { api: { parameters: { Size: \"7\" } } }\n");
    world.write_tenant(2, "  services: { api: { parameters: { Size: \"7\" } } }\n");
    world.commit();
    world.apply().await.assert_converged(4);
    for tenant in [1, 2] {
        touch(&world, tenant, "9");
    }
    run_for(&world, 3 * HOUR).await;
    let patch = world.journal_path().with_file_name("accepted.patch");
    let run = |fleet: &str| {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_driftless"))
            .env_clear()
            .current_dir(world.repository())
            .args(["--fleet", fleet, "--state"])
            .arg(world.journal_path())
            .args(["drift", "accept", "--ignore"])
            .output()
            .expect("runs");
        let text = String::from_utf8(ran.stdout).unwrap();
        std::fs::write(&patch, &text).unwrap();
        let applied = std::process::Command::new("git")
            .args(["apply", "--check"])
            .arg(&patch)
            .current_dir(world.repository())
            .output()
            .unwrap();
        applied.status.success()
    };
    assert!(run("."));
}

const TOPIC: &str = "Parameters:\n  Size: { Type: String }\nResources:\n  News:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: !Ref Size, TracingConfig: PassThrough }\n";

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_wanted_then() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec:\n  template: shop.yaml\n  parameters: { Size: \"1\" }\n");
    world.write("shop/shop.yaml", TOPIC);
    world.write_tenant(1, "  services: { shop: { parameters: { Size: \"7\" } } }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    world
        .cloud
        .console()
        .change_property(&key(1, "shop"), "News", "/DisplayName", json!("9"))
        .expect("changed");
    run_for(&world, 3 * HOUR).await;
    let patch = world.driftless(&["drift", "accept"]);
    assert!(patch.contains("tenants/t1.yaml"), "the exception of the tenant wins over the service");
}

#[tokio::test(start_paused = true)]
async fn a_value_with_a_dollar_is_accepted_as_it_is() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec:\n  template: shop.yaml\n  parameters: { Size: \"1\" }\n");
    world.write("shop/shop.yaml", TOPIC);
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    world
        .cloud
        .console()
        .change_property(&key(1, "shop"), "News", "/DisplayName", json!("${tenant.name}"))
        .expect("changed");
    run_for(&world, 3 * HOUR).await;
    let patch = world.driftless(&["drift", "accept"]);
    assert!(patch.contains("$${tenant.name}"));
}

#[tokio::test(start_paused = true)]
async fn a_suspension_does_not_unsettle_what_drifted() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world.edit(
        "fleet.yaml",
        "spec:\n",
        "spec:\n  freeze: [{ cron: \"0 0 * * *\", duration: 23h, timezone: UTC }]\n",
    );
    world.commit();
    run_for(&world, 10 * MINUTE).await;
    let during = world.record(1, "api").memory.mark.clone();
    touch(&world, 1, "other");
    run_for(&world, 3 * HOUR).await;
    let after = world.record(1, "api").memory.mark.clone();
    assert_eq!(during, after);
}

/// A set that is held is asked about, and made, once; nothing changes.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_person_makes_no_calls() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world.cloud.console().delete_resource(&key(1, "api"), "Jobs").expect("deleted");
    run_for(&world, 3 * HOUR).await;
    world.mutating_calls();
    run_for(&world, 24 * HOUR).await;
    let calls = world.mutating_calls();
    assert_eq!(calls, Vec::<String>::new());
}

/// A rule of the documents beside the person who looks is not what git says to the controller.
#[tokio::test(start_paused = true)]
async fn a_detection_from_elsewhere_does_not_bring_back_what_git_ignores() {
    let world =
        world(1, "{ every: 24h, policy: revert, ignore: [{ type: \"AWS::SSM::Parameter\" }] }")
            .await;
    touch(&world, 1, "other");
    run_for(&world, 30 * HOUR).await;
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    // What `drift detect` in a checkout without the rule leaves in the journal.
    let mut record =
        records(&world).into_iter().find(|one| one.key == key(1, "api")).expect("a record");
    record.findings = vec![driftless::drift::Finding {
        within: String::new(),
        logical_id: "Setting".to_owned(),
        kind: "AWS::SSM::Parameter".to_owned(),
        physical_id: None,
        what: driftless::drift::What::Property {
            path: "/Value".to_owned(),
            direction: driftless::observed::Direction::Changed,
            expected: None,
            actual: None,
        },
    }];
    world.journal().put_drifts(&[record]).expect("put");
    run_for(&world, HOUR).await;
    assert_eq!(drifted(&world), ["api/Setting"]);
}

#[tokio::test(start_paused = true)]
async fn a_revert_that_fails_says_nothing_of_the_release() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world
        .cloud
        .console()
        .change_property(&key(1, "api"), "Table", "/BillingMode", json!("PROVISIONED"))
        .expect("changed");
    for phase in [driftless::sim::Phase::Change, driftless::sim::Phase::Rollback] {
        world.cloud.script().resource(ResourceFault {
            account: None,
            region: None,
            stack: None,
            logical_id: "Table".to_owned(),
            phase,
            text: "Resource handler returned message: no".to_owned(),
            times: None,
        });
    }
    run_for(&world, 3 * HOUR).await;
    run_for(&world, 6 * HOUR).await;
    let mark = world.record(1, "api").memory.mark.clone();
    assert!(!format!("{mark:?}").starts_with("Troubled"), "{mark:?}");
}

#[tokio::test(start_paused = true)]
async fn looks_that_are_far_apart_see_drift_too() {
    let world = World::with_tenants(1);
    world.edit("fleet.yaml", "spec:\n", "spec:\n  resync: 3h\n  drift: { every: 24h }\n");
    world.commit();
    world.apply().await.assert_converged(2);
    run_for(&world, 4 * 24 * HOUR).await;
    let all = records(&world);
    let troubles: Vec<_> =
        all.iter().map(|one| (&one.key.name, one.checked_at, &one.trouble, one.failed)).collect();
    assert!(all.iter().all(|record| record.checked_at.is_some()), "{troubles:?}");
}

#[tokio::test(start_paused = true)]
async fn twenty_stacks_are_each_looked_into_in_time() {
    let world = World::with_tenants(1);
    for number in 0..18 {
        world.write(&format!("s{number}/service.yaml"), &format!("apiVersion: driftless.dev/v1\nkind: Service\nmetadata: {{ name: s{number} }}\nspec: {{ template: t.yaml }}\n"));
        world.write(&format!("s{number}/t.yaml"), "Resources:\n  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }\n");
    }
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 4h }\n");
    world.commit();
    world.apply().await.assert_converged(20);
    run_for(&world, 48 * HOUR).await;
    let now = world.clock.now();
    let mut ages: Vec<u64> = records(&world)
        .iter()
        .map(|one| one.checked_at.map_or(9999, |at| now.since(at).as_secs() / 60))
        .collect();
    ages.sort();
    let calls: u64 = world
        .cloud
        .call_counts()
        .iter()
        .filter(|((.., api), _)| *api == "DetectStackDrift")
        .map(|(_, n)| n)
        .sum();
    assert!(*ages.last().unwrap() <= 5 * 60, "{calls} detections, minutes since: {ages:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_tried_at_growing_distance() {
    let world = world(1, "{ every: 24h }").await;
    run_for(&world, 25 * HOUR).await;
    world.cloud.script().calls(
        driftless::sim::Calls { api: Some("DetectStackDrift".to_owned()), ..Default::default() },
        driftless::sim::CallFault::Refused {
            code: "AccessDenied".to_owned(),
            message: "not authorized".to_owned(),
        },
        None,
    );
    let count = || -> u64 {
        world
            .cloud
            .call_counts()
            .iter()
            .filter(|((.., api), _)| *api == "DetectStackDrift")
            .map(|(_, n)| n)
            .sum()
    };
    let before = count();
    run_for(&world, 3 * 24 * HOUR).await;
    let failed: Vec<u32> = records(&world).iter().map(|one| one.failed).collect();
    assert!(count() - before <= 40, "{} calls {failed:?}", count() - before);
}

#[tokio::test(start_paused = true)]
async fn a_revert_in_a_canary_and_marks() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    world.edit("fleet.yaml", "spec:\n", "spec:\n  suspend: true\n");
    world.commit();
    run_for(&world, 10 * MINUTE).await;
    let during = world.record(1, "api").memory.mark.clone();
    touch(&world, 1, "other");
    run_for(&world, 3 * HOUR).await;
    let after = world.record(1, "api").memory.mark.clone();
    assert_eq!(during, after);
}

/// Somebody else's detection, or a revert of ours, between reading and writing.
#[tokio::test(start_paused = true)]
async fn a_pending_set_is_not_dropped() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    touch(&world, 1, "other");
    // Until the set is asked for.
    let asked = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if world.cloud.calls().iter().any(|call| call.api == "CreateChangeSet") {
                break;
            }
        }
        world.edit("fleet.yaml", "policy: revert", "policy: report");
        world.commit();
        tokio::time::sleep(Duration::from_secs(10 * MINUTE)).await;
    };
    world.run_until(asked).await;
    let drops = world.mutating_calls();
    let drops = drops.iter().filter(|call| call.starts_with("DeleteChangeSet")).count();
    assert_eq!(drops, 1, "it is dropped once, when AWS has computed it");
}

#[tokio::test(start_paused = true)]
async fn git_goes_on_while_a_revert_is_held() {
    let world = world(1, "{ every: 1h, policy: revert }").await;
    touch(&world, 1, "other");
    world.cloud.script().drift(DriftFault {
        account: None,
        region: None,
        stack: None,
        trouble: DriftTrouble::Phantom { logical_ids: ["Table".to_owned()].into() },
        times: None,
    });
    run_for(&world, 3 * HOUR).await;
    world.edit("api/service.yaml", "Size: \"1\"", "Size: \"2\"");
    world.commit();
    run_for(&world, 10 * MINUTE).await;
    assert_eq!(world.stack(1, "api").unwrap().parameters["Size"], "2");
}

/// What somebody only orders to happen after something else is no follower.
#[tokio::test(start_paused = true)]
async fn who_comes_after_by_order_alone_follows_nobody() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }\n  News:\n    Type: AWS::SNS::Topic\n    DependsOn: Note\n    Properties: { DisplayName: y, TracingConfig: PassThrough }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h, policy: revert, exceptions: [{ type: \"AWS::SNS::*\", policy: report }] }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console
        .change_property(&key(1, "shop"), "News", "/TracingConfig", json!("Active"))
        .expect("changed");
    console.delete_resource(&key(1, "shop"), "Note").expect("deleted");
    run_for(&world, 3 * HOUR).await;
    assert_eq!(drifted(&world), ["shop/News", "shop/Note"]);
}

/// A policy that is only for one type holds though another resource of the stack drifted too.
#[tokio::test(start_paused = true)]
async fn what_is_only_reported_holds_the_rest_of_its_stack_and_is_named() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  Note: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: x } }\n  News:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: y, TracingConfig: PassThrough }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h, policy: revert, exceptions: [{ type: \"AWS::SNS::*\", policy: report }] }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console
        .change_property(&key(1, "shop"), "News", "/TracingConfig", json!("Active"))
        .expect("changed");
    console.change_property(&key(1, "shop"), "Note", "/Value", json!("other")).expect("changed");
    run_for(&world, 5 * HOUR).await;
    assert_eq!(drifted(&world), ["shop/News", "shop/Note"]);
    let verdict = world.verdict(1, "shop");
    assert!(verdict.contains("would also touch News (AWS::SNS::Topic)"), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn two_values_of_one_line_are_both_accepted() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  News:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: \"abc\", SignatureVersion: \"1\", TracingConfig: \"Active\" }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console.change_property(&key(1, "shop"), "News", "/DisplayName", json!("z")).expect("changed");
    console
        .change_property(&key(1, "shop"), "News", "/SignatureVersion", json!("2"))
        .expect("changed");
    run_for(&world, 3 * HOUR).await;
}

/// Other regions of the tenant did not drift.
#[tokio::test(start_paused = true)]
async fn a_number_that_becomes_longer() {
    let world = World::with_tenants(1);
    world.write("shop/service.yaml", "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: shop }\nspec: { template: shop.yaml }\n");
    world.write("shop/shop.yaml", "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    Properties: { DelaySeconds: 5, VisibilityTimeout: 60 }\n");
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { every: 1h }\n");
    world.commit();
    world.apply().await.assert_converged(3);
    let console = world.cloud.console();
    console.change_property(&key(1, "shop"), "Jobs", "/DelaySeconds", json!(50)).expect("changed");
    console
        .change_property(&key(1, "shop"), "Jobs", "/VisibilityTimeout", json!(90))
        .expect("changed");
    run_for(&world, 3 * HOUR).await;
}
