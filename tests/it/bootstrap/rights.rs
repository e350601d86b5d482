//! The made role may do what driftless does, and no more: a fleet lives through it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use driftless::aws::{Access, Api, AwsError};
use driftless::ids::StackId;
use driftless::plan::bootstrap::ROLE_STACK;
use driftless::sim::{Asked, Ending, Phase, ResourceFault, Status, Witness};
use driftless::template::Template;
use serde_json::{Value, json};

use crate::bootstrap::{aws, bootstrap, counts, desired, id, role_stack, say, world};
use crate::world::{World, key};

/// What AWS asks for besides the calls themselves: one detection looks at every resource.
const BESIDES: &[&str] = &["BatchDescribeTypeConfigurations", "DetectStackResourceDrift"];
/// What is made with the credentials of the machine, or takes no right.
const NOT_HERE: &[Api] = &[
    Api::AssumeRole,
    Api::GetCallerIdentity,
    Api::DescribeStackSet,
    Api::ListStackSets,
    Api::ListStackInstances,
    Api::DescribeStackInstance,
    Api::HeadBucket,
    Api::HeadObject,
    Api::GetObject,
    Api::PutObject,
];

/// Remembers which calls came, and which were refused.
#[derive(Debug, Default)]
struct Watch {
    apis: Mutex<BTreeSet<String>>,
    denied: Mutex<Vec<String>>,
}

impl Witness for Watch {
    fn comes(&self, asked: Asked<'_>) -> bool {
        self.apis.lock().unwrap().insert(asked.call.api.to_owned());
        true
    }

    fn ended(&self, _: Asked<'_>, ending: Ending<'_>) -> bool {
        if let Ending::Refused("AccessDenied", text) = ending {
            self.denied.lock().unwrap().push(text.to_owned());
        }
        true
    }
}

/// The actions of one statement of the built-in template.
fn actions(sid: &str) -> BTreeSet<String> {
    let text = include_str!("../../../fleet/access/execution-role.yaml");
    let template = Template::parse(text).expect("a template");
    let policy = template.resources()["Role"].properties()["Policies"][0]["PolicyDocument"].clone();
    let statements = policy["Statement"].as_array().expect("statements").clone();
    let statement = statements.iter().find(|one| one["Sid"] == sid).expect("it is there");
    let actions = statement["Action"].as_array().expect("a list");
    actions.iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn the_role_may_make_the_calls_that_this_program_makes_and_no_other() {
    let of = |changes: bool| {
        let here = Api::ALL.iter().filter(|api| !NOT_HERE.contains(api));
        here.filter(move |api| api.changes() == changes).map(|api| api.word())
    };
    let right = |word: &str| format!("cloudformation:{word}");
    let looks = of(false).chain(BESIDES.iter().copied()).map(right);
    assert_eq!(actions("Look"), looks.collect::<BTreeSet<_>>());
    assert_eq!(actions("Change"), of(true).map(right).collect::<BTreeSet<_>>());
}

fn breaks(stack: &str, logical_id: &str, phase: Phase) -> ResourceFault {
    ResourceFault {
        account: None,
        region: None,
        stack: Some(stack.parse().expect("a name")),
        logical_id: logical_id.to_owned(),
        phase,
        text: "Internal Failure".to_owned(),
        times: Some(1),
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_lives_through_the_made_role() {
    let world = world(2, "");
    let said = world.driftless(&["status"]);
    assert!(said.contains("nothing is known yet"), "{said}");
    let blind = world.try_apply().await.expect("it ends");
    assert_eq!(blind.standing.blind, 2, "nobody is let in yet");
    assert_eq!(counts(&bootstrap(&world).await.1), "2 accounts: 2 made");
    let watch = Arc::new(Watch::default());
    world.cloud.set_witness(Some(Arc::clone(&watch) as Arc<dyn Witness>));
    world.edit("fleet.yaml", "spec:\n", "spec:\n  drift: { policy: revert, every: 15m }\n");
    world.edit("network/service.yaml", "spec:\n", "spec:\n  terminationProtection: true\n");
    world.write("policy.json", "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"Update:*\",\"Principal\":\"*\",\"Resource\":\"*\"}]}");
    world.edit("network/service.yaml", "spec:\n", "spec:\n  stackPolicy: ../policy.json\n");
    world.commit();
    world.apply().await.assert_converged(4);

    // An update that fails and whose rollback AWS breaks, then one that works.
    world.cloud.script().resource(breaks("network", "Notes", Phase::Change));
    world.cloud.script().resource(breaks("network", "Vpc", Phase::Rollback));
    let values = "{ Cidr: \"10.1.0.0/16\", Note: \"x\" }";
    world.edit("network/service.yaml", "{ Cidr: \"10.0.0.0/16\" }", values);
    world.commit();
    world.run_until(tokio::time::sleep(std::time::Duration::from_secs(4 * 3_600))).await;
    world.apply().await.assert_converged(4);

    world.edit("policy.json", "Update:*", "Update:Modify");
    world.commit();
    world.apply().await.assert_converged(4);

    // Drift, which is brought back.
    let console = world.cloud.console();
    let done = console.change_property(&key(1, "api"), "Setting", "/Value", json!("7"));
    done.expect("changed");
    world.run_until(tokio::time::sleep(std::time::Duration::from_secs(3_600))).await;
    assert!(console.drifted().expect("the cloud answers").is_empty());

    // A tenant that leaves.
    world.edit("network/service.yaml", "  terminationProtection: true\n", "");
    world.write_tenant(2, "  lifecycle: offboarded\n");
    world.commit();
    world.run_until(tokio::time::sleep(std::time::Duration::from_secs(3_600))).await;
    assert_eq!(world.stacks(2), [format!("{ROLE_STACK} CREATE_COMPLETE")], "only ours goes");

    assert_eq!(*watch.denied.lock().unwrap(), Vec::<String>::new());
    let seen = watch.apis.lock().unwrap().clone();
    let here = Api::ALL.iter().filter(|api| !NOT_HERE.contains(api));
    let words = here.map(|api| api.word());
    let never: Vec<&str> = words.filter(|word| !seen.contains(*word)).collect();
    assert_eq!(never, ["DescribeAccountLimits", "DeleteChangeSet", "RollbackStack"], "not made");
    assert_eq!(world.cloud.refused(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_stack_of_the_role_is_nothing_to_the_rest_of_the_program() {
    let world = world(1, "");
    bootstrap(&world).await;
    world.apply().await.assert_converged(2);
    world.mutating_calls();
    world.apply().await.assert_converged(2);
    assert_eq!(world.mutating_calls(), Vec::<String>::new());
    assert_eq!(role_stack(&world, 1).expect("it stands").status, Status::CREATE_COMPLETE);
}

#[tokio::test(start_paused = true)]
async fn the_role_can_change_neither_its_own_stack_nor_call_what_is_not_its_own() {
    let world = world(1, "");
    bootstrap(&world).await;
    let target = key(1, "x").target;
    let role_arn = desired(&world).role_arn(&target);
    let access = Access { role_arn, external_id: Some("shared".to_owned()) };
    let api = aws(&world).target(&target, &access);
    let id = StackId::of(&role_stack(&world, 1).expect("it stands").id);
    for error in [
        api.set_termination_protection(&id, false).await.expect_err("its own"),
        api.delete_stack(&id, &[], "token").await.expect_err("its own"),
    ] {
        assert!(matches!(error, AwsError::Denied(_)), "{error}");
        assert!(error.text().contains("assumed-role/driftless-execution/"), "{error}");
        assert!(error.text().ends_with("with an explicit deny in an identity-based policy"));
    }
    // A role without the right to look at templates.
    let built_in = include_str!("../../../fleet/access/execution-role.yaml");
    let narrow =
        built_in.replace("- cloudformation:GetTemplate\n", "- cloudformation:ListStacks\n");
    world.write("narrow.yaml", &narrow);
    say(&world, "driftless-execution", "shared", ", template: narrow.yaml");
    let (ahead, done) = bootstrap(&world).await;
    let text = ahead.text(driftless::report::bootstrap::Tense::Ahead);
    assert!(text.contains("the role loses cloudformation:GetTemplate\n"), "{text}");
    assert_eq!(counts(&done), "1 account: 1 updated");
    let error = api.template(&id).await.expect_err("denied");
    let why = "because no identity-based policy allows the cloudformation:GetTemplate action";
    assert!(error.text().ends_with(why), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_gone_opens_nothing_any_more() {
    let world: World = world(1, "");
    bootstrap(&world).await;
    world.apply().await.assert_converged(2);
    let console = world.cloud.console();
    console.protect(&key(1, ROLE_STACK), false).expect("switched");
    console.delete_stack(&key(1, ROLE_STACK)).expect("deleted");
    world.clock.sleep(std::time::Duration::from_secs(60)).await;
    let ended = world.apply().await;
    assert_eq!(ended.standing.blind, 1);
}

#[test]
fn the_role_trusts_patterns_and_no_principal_that_aws_would_turn_into_an_id() {
    let text = include_str!("../../../fleet/access/execution-role.yaml");
    let template = Template::parse(text).expect("a template");
    let trust = &template.resources()["Role"].properties()["AssumeRolePolicyDocument"];
    let statement = &trust["Statement"][0];
    let root = json!({ "Fn::Sub": "arn:${AWS::Partition}:iam::${TrustedAccount}:root" });
    assert_eq!(statement["Principal"]["AWS"], root);
    let condition: &Value = &statement["Condition"]["ArnLike"]["aws:PrincipalArn"];
    assert_eq!(*condition, json!({ "Ref": "TrustedPrincipals" }));
}

#[tokio::test(start_paused = true)]
async fn an_offboarded_account_that_was_never_entered_keeps_nobody_waiting() {
    let world = world(2, "");
    world.cloud.script().deny_role(id(2));
    bootstrap(&world).await;
    assert_eq!(
        world.try_apply().await.expect("it ends").standing.blind,
        1,
        "it is to stand, and is out of sight"
    );
    world.write_tenant(2, "  lifecycle: offboarded\n");
    world.commit();
    world.apply().await.assert_converged(2);
}
