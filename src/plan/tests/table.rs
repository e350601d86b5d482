//! The table's rows for one stack, and what the stacks beside it mean for it.

use crate::ids::{Digest, StackId};
use crate::observed::StackStatus;
use crate::outcome::{Attempt, OnRemoval, StepKind};
use crate::plan::tests::{ALONE, DROPPED, NOW, World, attempt, failure, key};
use crate::plan::{FormerStack, Hold, Insight, LeftBehind, Scope, Suspension, is_waiting_to_go};

fn suspension(scope: &str) -> Suspension {
    let scope: Scope = scope.parse().expect("a scope");
    Suspension { scope, by: "ann".to_owned(), reason: "wait".to_owned(), at: NOW }
}

#[test]
fn a_call_whose_effect_was_not_seen_is_waited_for() {
    let mut world = World::at_rest(&[]);
    assert_eq!(world.code("network"), "in-sync");
    world.memory("network").attempt = Some(attempt(StepKind::Create, false));
    assert_eq!(world.code("network"), "effect-pending");
    world.memory("network").attempt = Some(attempt(StepKind::Create, true));
    assert_eq!(world.code("network"), "in-sync");
}

#[test]
fn another_controller_in_the_target_stops_all_of_its_stacks() {
    let mut world = World::of(&[]);
    world.deploy("network");
    world.another_controller = Some("c0ffee".to_owned());
    assert_eq!(world.code("network"), "another-controller");
    assert_eq!(world.code("api"), "another-controller");
}

#[test]
fn a_stack_made_for_another_tenant_or_service_waits_for_a_person() {
    for (tag, value) in [("driftless:tenant", "globex"), ("driftless:service", "api")] {
        let mut world = World::of(&[]);
        world.deploy("network");
        world.seen("network").tags.insert(tag.to_owned(), value.to_owned());
        assert_eq!(world.code("network"), "renamed", "{tag}");
        world.approve("network");
        assert_eq!(world.text("network"), format!("prepare-update: tag {tag}"));
    }
}

#[test]
fn a_stack_is_not_made_again_beside_one_of_the_same_tenant_and_service() {
    let mut world = World::of(&[]);
    world.put("old-network", "network", StackStatus::CreateComplete);
    assert_eq!(world.code("network"), "renamed");
    world.approve("network");
    assert_eq!(world.code("network"), "create");
}

#[test]
fn stacks_of_other_tenants_other_services_and_gone_ones_are_no_twins() {
    let mut world = World::of(&[ALONE]);
    world.put("old-network", "network", StackStatus::DeleteComplete);
    world.put("old-api", "something", StackStatus::CreateComplete);
    world.put("other", "network", StackStatus::CreateComplete);
    world.seen("other").tags.insert("driftless:tenant".to_owned(), "globex".to_owned());
    assert_eq!(world.code("network"), "create");
    assert_eq!(world.code("api"), "create");
}

#[test]
fn a_stack_in_an_account_that_the_tenant_had_before_holds_its_service_alone() {
    let mut world = World::of(&[ALONE]);
    let service = "network".parse().expect("a name");
    world.former = vec![FormerStack { service, id: StackId::of("arn:before") }];
    assert_eq!(world.code("network"), "renamed");
    assert_eq!(world.code("api"), "create");
}

#[test]
fn an_output_is_taken_from_the_stack_that_git_gives() {
    for other in ["a-network", "z-network"] {
        let mut world = World::of(&[]);
        world.deploy("network");
        world.put(other, "network", StackStatus::CreateComplete);
        world.seen(other).outputs.insert("VpcName".to_owned(), "vpc-0".to_owned());
        let rendered = world.decided("api").rendered.expect("the output is there");
        assert_eq!(rendered.parameters["Vpc"], "vpc-1", "{other}");
    }
}

#[test]
fn an_output_of_another_tenant_or_service_is_not_taken() {
    let mut world = World::of(&[]);
    world.put("z-network", "network", StackStatus::CreateComplete);
    assert!(world.decided("api").rendered.is_some(), "not given by git, and all there is");
    world.seen("z-network").tags.insert("driftless:tenant".to_owned(), "globex".to_owned());
    assert!(world.decided("api").rendered.is_none(), "another tenant's");
    world.put("z-network", "something", StackStatus::CreateComplete);
    assert!(world.decided("api").rendered.is_none(), "another service's");
}

#[test]
fn outputs_are_those_of_a_stack_that_stands() {
    let mut world = World::of(&[]);
    world.deploy("network");
    let stands = [
        (StackStatus::UpdateInProgress, true),
        (StackStatus::UpdateFailed, true),
        (StackStatus::UpdateRollbackFailed, true),
        (StackStatus::RollbackComplete, false),
        (StackStatus::DeleteFailed, false),
    ];
    for (status, stands) in stands {
        world.seen("network").status = status.clone();
        assert_eq!(world.decided("api").rendered.is_some(), stands, "{status}");
    }
    world.seen("network").status = StackStatus::CreateInProgress;
    world.seen("network").updated_at = None;
    assert!(world.decided("api").rendered.is_none(), "being made");
}

#[test]
fn a_question_mark_in_an_output_is_mangled_only_where_other_characters_went_in() {
    let mut world = World::at_rest(&[]);
    let mut ask = |question: &str| {
        world.seen("network").outputs.insert("VpcName".to_owned(), question.to_owned());
        world.code("api")
    };
    assert_eq!(ask("vpc-1?a=b"), "prepare-update", "all of it is ASCII");
    world.seen("network").parameters.insert("Note".to_owned(), "caf?".to_owned());
    assert_eq!(world.code("api"), "mangled-output");

    let mut world = World::at_rest(&[("Resources:\n  Vpc", "# ü\nResources:\n  Vpc")]);
    assert_eq!(world.code("api"), "in-sync", "no question mark");
    world.seen("network").outputs.insert("VpcName".to_owned(), "vpc-?".to_owned());
    assert_eq!(world.code("api"), "mangled-output");
}

#[test]
fn what_never_was_complete_and_could_not_be_deleted_is_deleted_further() {
    let mut world = World::of(&[]);
    world.put("network", "network", StackStatus::DeleteFailed);
    let left = LeftBehind {
        logical_id: "Vpc".into(),
        kind: "AWS::EC2::VPC".into(),
        failed: true,
        reason: "no".into(),
        ..LeftBehind::default()
    };
    let insight = Insight { left_behind: vec![left], ..Insight::default() };
    world.insights.insert(key("network").name, insight);
    assert_eq!(world.code("network"), "delete-failed");
    world.memory("network").never_complete = Some(StackId::of("arn:network"));
    let step = world.step("network");
    assert_eq!(step.kind, StepKind::Delete { retain: vec!["Vpc".to_owned()] });
    assert!(!step.is_deletion, "nobody ever used it");
}

#[test]
fn a_rollback_that_failed_before_any_resource_did_says_what_the_stack_says() {
    let mut world = World::of(&[]);
    world.put("network", "network", StackStatus::UpdateRollbackFailed);
    let reason = "Role arn:aws:iam::1:role/deploy is invalid or cannot be assumed.";
    world.seen("network").status_reason = Some(reason.to_owned());
    let first = world.step("network");
    assert_eq!(first.kind, StepKind::ContinueRollback { skip: [].into() });
    let version = world.seen("network").version();
    let at = world.now - std::time::Duration::from_secs(600);
    world.memory("network").attempt =
        Some(Attempt { version: Some(version), at, ..attempt(first.kind, true) });
    let Hold::NeedsPerson { cause, .. } = world.hold("network") else { panic!("a person") };
    let cause = cause.expect("a cause").to_string();
    assert!(cause.ends_with("deploy is invalid or cannot be assumed"), "{cause}");
}

#[test]
fn making_a_stack_again_counts_as_a_deletion_where_resources_are_left() {
    let mut world = World::of(&[]);
    world.put("network", "network", StackStatus::RollbackComplete);
    assert_eq!(
        (world.code("network").as_str(), world.step("network").is_deletion),
        ("delete", false)
    );
    world.seen("network").status = StackStatus::CreateFailed;
    assert_eq!(
        (world.code("network").as_str(), world.step("network").is_deletion),
        ("delete", true)
    );
}

#[test]
fn a_failure_holds_what_it_was_about_for_its_time() {
    let mut world = World::of(&[]);
    let digest = world.digest("network");
    world.memory("network").failure = Some(failure("ValidationError", digest));
    assert_eq!(world.code("network"), "failed");
    world.memory("network").failure = Some(failure("ValidationError", Digest::of(b"before")));
    assert_eq!(world.code("network"), "create");
    world.memory("network").failure = Some(failure("Throttling", digest));
    let Hold::Cooldown { until, .. } = world.hold("network") else { panic!("a cooldown") };
    world.now = until - std::time::Duration::from_millis(1);
    assert_eq!(world.code("network"), "cooldown");
    world.now = until;
    assert_eq!(world.code("network"), "create");
}

#[test]
fn what_uses_a_service_waits_until_that_is_as_wanted_or_suspended_while_complete() {
    let mut world = World::of(&[]);
    world.deploy("network");
    assert_eq!(world.code("api"), "create");
    world.seen("network").tags.insert("more".to_owned(), "tags".to_owned());
    assert_eq!(world.code("api"), "waits-for-service");
    world.steering.suspensions = vec![suspension("service/network")];
    assert_eq!((world.code("network"), world.code("api")), ("suspended".into(), "create".into()));
    world.seen("network").status = StackStatus::RollbackComplete;
    let both = (world.code("network"), world.code("api"));
    assert_eq!(both, ("suspended".into(), "waits-for-service".into()));
}

#[test]
fn a_stack_that_is_neither_wanted_nor_ours_is_no_business_of_ours() {
    let mut world = World::of(&[]);
    world.put("theirs", "network", StackStatus::CreateComplete);
    world.seen("theirs").tags.clear();
    assert!(!world.decide().contains_key(&key("theirs").name));
}

#[test]
fn every_document_that_gave_a_dropped_stack_can_suspend_its_deletion() {
    let tenant = "  account: \"111122223333\"\n";
    let suspended = format!("{tenant}  suspend: true\n");
    let exception = format!("{tenant}  services: {{ network: {{ suspend: true }} }}\n");
    let service = ("  onRemoval: delete\n---", "  onRemoval: delete\n  suspend: true\n---");
    for (edit, by) in [
        ((tenant, suspended.as_str()), "suspended by Tenant acme"),
        ((tenant, exception.as_str()), "suspended by Tenant acme"),
        (service, "suspended by Service network"),
        ((tenant, tenant), "delete: git no longer gives it, and says `delete`"),
    ] {
        let mut world = World::of(&[DROPPED, ALONE, edit]);
        world.deploy("network");
        assert_eq!(world.text("network"), by);
    }
}

#[test]
fn a_stack_that_lost_its_tags_is_stopped_by_what_stops_the_whole_fleet_alone() {
    let mut world = World::of(&[]);
    world.put("lost", "network", StackStatus::CreateComplete);
    world.seen("lost").tags.retain(|name, _| name == "driftless:fleet");
    world.memory("lost").on_removal = OnRemoval::Delete;
    world.steering.suspensions = vec![suspension("tenant/acme")];
    assert_eq!(world.code("lost"), "delete");
    world.steering.suspensions.push(suspension("fleet"));
    assert_eq!(world.code("lost"), "suspended");
}

#[test]
fn what_waits_to_go_is_ours_and_asked_to_go_or_dropped_with_delete() {
    let waits = |edits: &[(&str, &str)], fleet: &str| {
        let mut world = World::of(edits);
        world.put("network", "network", StackStatus::CreateComplete);
        let seen = world.seen("network");
        seen.tags.insert("driftless:fleet".to_owned(), fleet.to_owned());
        let seen = seen.clone();
        is_waiting_to_go(&world.desired, &seen, &Default::default())
    };
    let account = "  account: \"111122223333\"\n";
    let absent = format!("{account}  services: {{ network: {{ absent: true }} }}\n");
    assert!(!waits(&[], "test"), "wanted");
    assert!(waits(&[(account, &absent), ALONE], "test"), "asked to go");
    assert!(waits(&[DROPPED, ALONE], "test"), "dropped");
    assert!(!waits(&[DROPPED, ALONE], "another"), "not ours");
    assert!(!waits(&[DROPPED, ALONE, ("onRemoval: delete", "onRemoval: retain")], "test"));
}

#[test]
fn a_stack_in_the_way_is_said_to_be_whose_it_is_and_nobody_is_told_to_delete_it() {
    let hold = |fleet: Option<&str>| {
        let mut world = World::at_rest(&[]);
        let tags = &mut world.seen("network").tags;
        tags.remove("driftless:fleet");
        tags.extend(fleet.map(|fleet| ("driftless:fleet".to_owned(), fleet.to_owned())));
        world.hold("network").verdict()
    };
    let (theirs, nobody_s) = (hold(Some("gloves-demo")), hold(None));
    assert_eq!(theirs.text, "a stack of this name exists and belongs to the fleet `gloves-demo`");
    assert_eq!(nobody_s.text, "a stack of this name exists and belongs to nobody");
    let (theirs, nobody_s) = (theirs.help.expect("advice"), nobody_s.help.expect("advice"));
    assert!(nobody_s.contains("`adopt: { match: NAME }`"), "{nobody_s}");
    assert!(!theirs.contains("adopt") && theirs.contains("another `stackName`"), "{theirs}");
    assert!(!theirs.contains("delete") && !nobody_s.contains("delete"));
}

#[test]
fn a_hold_says_what_a_person_can_do_where_one_can() {
    let help = |world: &World| world.hold("network").help();
    let mut world = World::of(&[]);
    world.put("old-network", "network", StackStatus::CreateComplete);
    let request = world.hold("network").request().expect("a rename").id.clone();
    assert_eq!(help(&world), Some(format!("driftless approve {request}")));

    world = World::at_rest(&[]);
    world.seen("network").status = StackStatus::ImportRollbackFailed;
    let command = "aws cloudformation describe-stack-events --stack-name arn:network \
                   --region eu-central-1";
    assert_eq!(help(&world).as_deref(), Some(command));
    world.seen("network").status = StackStatus::UpdateInProgress;
    assert_eq!(help(&world), None, "it comes by itself");
}
