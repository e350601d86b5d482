//! The course of one account by what is there, and what an update changes.

use super::*;
use crate::ids::Target;
use crate::moment::Moment;
use crate::observed::StackStatus;
use crate::snapshot::{Entry, Snapshot};

const ACCOUNT: &str = "111122223333";
const BASE: &str = "arn:aws:sts::999999999999:assumed-role/deployer/one";

/// The stack of a fleet whose `bootstrap` has these further fields.
fn stack(more: &str, role: &str) -> Result<RoleStack, String> {
    let fleet = format!(
        "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: {{ name: gloves }}\nspec:\n  cloud: aws\n  \
         regions: [eu-central-1]\n  access:\n    roleArn: arn:aws:iam::${{account.id}}:role/x\n    \
         bootstrap: {{ roleArn: \"arn:aws:iam::${{account.id}}:role/Admin\"{more} }}\n"
    );
    let entries = [("fleet.yaml".to_owned(), Entry::File(fleet.into_bytes().into()))];
    let snapshot = Snapshot::of(crate::ids::Revision::of("folder"), None, entries.into());
    let (documents, findings) = crate::fleet::load(&snapshot);
    let documents = documents.unwrap_or_else(|| panic!("{findings:#?}"));
    let bootstrap = documents.fleet.access.bootstrap.expect("it is given");
    let trusted = Principal::calling(BASE).expect("a caller");
    let trusted = bootstrap.principal.clone().unwrap_or(trusted);
    RoleStack::of(&bootstrap, ACCOUNT.parse().unwrap(), (role, Some("shared")), &trusted, BASE)
}

fn usual() -> RoleStack {
    stack("", "arn:aws:iam::111122223333:role/ci/driftless").expect("a stack")
}

fn seen(of: &RoleStack, status: StackStatus) -> Seen {
    let target: Target = format!("{ACCOUNT}/eu-central-1").parse().unwrap();
    Seen {
        id: StackId::of("arn:x"),
        key: crate::ids::StackKey { target, name: ROLE_STACK.parse().unwrap() },
        status,
        status_reason: Some("for a reason".into()),
        created_at: Moment::default(),
        updated_at: None,
        parameters: of.parameters.clone(),
        tags: of.tags(),
        outputs: BTreeMap::new(),
        termination_protection: true,
    }
}

#[test]
fn the_parameters_follow_from_access_and_from_who_calls() {
    let given = usual().parameters;
    let of = |name: &str| given.get(name).map(String::as_str);
    assert_eq!(of("RoleName"), Some("driftless"));
    assert_eq!(of("RolePath"), Some("/ci/"));
    assert_eq!(of("ExternalId"), Some("shared"));
    assert_eq!(of("TrustedAccount"), Some("999999999999"));
    assert_eq!(
        of("TrustedPrincipals"),
        Some("arn:aws:iam::999999999999:role/deployer,arn:aws:iam::999999999999:role/*/deployer")
    );
    let more = ", parameters: { Actions: [sqs:*, ssm:*] }";
    let own = stack(more, "arn:aws:iam::111122223333:role/x").expect("a stack").parameters;
    assert_eq!(own.get("Actions").map(String::as_str), Some("sqs:*,ssm:*"));
}

#[test]
fn a_role_of_another_account_is_none_to_make() {
    let error = stack("", "arn:aws:iam::444455556666:role/x").expect_err("not this account's");
    assert!(error.contains("no role of this account"), "{error}");
}

#[test]
fn every_state_of_the_stack_has_its_course() {
    use StackStatus::{
        CreateComplete, CreateInProgress, DeleteFailed, RollbackComplete, UpdateRollbackComplete,
        UpdateRollbackFailed,
    };
    let wanted = usual();
    let course = |is_assumable, status| wanted.course(is_assumable, Some(&seen(&wanted, status)));
    let id = || StackId::of("arn:x");
    assert_eq!(wanted.course(true, None), Course::Ready);
    assert_eq!(wanted.course(false, None), Course::Make);
    assert_eq!(course(true, CreateComplete), Course::Ready);
    assert_eq!(course(false, CreateComplete), Course::Wait);
    assert_eq!(course(false, CreateInProgress), Course::Wait);
    assert_eq!(course(false, RollbackComplete), Course::MakeAnew(id()));
    assert_eq!(course(true, UpdateRollbackComplete), Course::Ready);
    for status in [DeleteFailed, UpdateRollbackFailed] {
        let Course::Stuck(why) = course(false, status.clone()) else { panic!("{status}") };
        assert_eq!(why, format!("its stack {ROLE_STACK} is {status}: for a reason"));
    }
    let mut older = seen(&wanted, CreateComplete);
    older.parameters.insert("ExternalId".into(), "old".into());
    assert_eq!(wanted.course(true, Some(&older)), Course::Update(id()));
    assert_eq!(wanted.course(false, Some(&older)), Course::Update(id()));
}

#[test]
fn a_role_for_somebody_else_is_ready_when_its_stack_is() {
    let role = "arn:aws:iam::111122223333:role/x";
    for (principal, is_ours) in [("role/ci/deploy*", true), ("role/other", false), ("root", true)] {
        let more = format!(", principal: \"arn:aws:iam::999999999999:{principal}\"");
        let wanted = stack(&more, role).expect("a stack");
        let course = wanted.course(false, Some(&seen(&wanted, StackStatus::CreateComplete)));
        let expected = if is_ours { Course::Wait } else { Course::Ready };
        assert_eq!(course, expected, "{principal}");
    }
}

#[test]
fn a_stack_of_somebody_else_is_left_alone() {
    let wanted = usual();
    let mut foreign = seen(&wanted, StackStatus::RollbackComplete);
    foreign.tags.clear();
    assert!(matches!(wanted.course(false, Some(&foreign)), Course::Stuck(_)));
    assert_eq!(wanted.course(true, Some(&foreign)), Course::Ready);
}

#[test]
fn an_update_says_what_the_role_gains_and_loses() {
    let wanted = usual();
    let narrow = wanted.template.body();
    let before = narrow
        .replace("- cloudformation:ListStackResources", "- cloudformation:ListStacks")
        .replace("Action: iam:*", "Action: iam:Create*");
    let mut seen = seen(&wanted, StackStatus::CreateComplete);
    seen.parameters.insert("Actions".into(), "ec2:*, sqs:*".into());
    let change = wanted.change(&seen, &Template::parse(&before).expect("a template"));
    let list = |of: &BTreeSet<String>| of.iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(list(&change.loses), "cloudformation:ListStacks denied iam:* ec2:*");
    assert!(list(&change.gains).starts_with("apigateway:* budgets:* cloudformation:* "));
    assert!(change.gains.contains("cloudformation:ListStackResources"));
    assert!(change.gains.contains("no longer denied iam:Create*"));
    assert_eq!(change.parameters.len(), 1);
    assert_eq!(change.parameters[0].0, "Actions");
}

#[test]
fn an_update_says_that_the_role_trusts_others_or_may_do_the_same_to_more() {
    let wanted = usual();
    let body = wanted.template.body();
    let change = |from: &str, to: &str| {
        assert!(body.contains(from), "{from}");
        let before = Template::parse(&body.replace(from, to)).expect("a template");
        let change = wanted.change(&seen(&wanted, StackStatus::CreateComplete), &before);
        assert!(change.gains.is_empty() && change.loses.is_empty(), "{change:?}");
        (change.trust, change.scope)
    };
    assert_eq!(change("ArnLike:", "ArnEquals:"), (true, false));
    assert_eq!(change("aws:CalledVia:", "aws:CalledViaFirst:"), (false, true));
    let own = "stack/${AWS::StackName}/*";
    assert_eq!(change(own, "stack/another/*"), (false, true));
    assert_eq!(change("Sid: NotItself", "Sid: Itself"), (false, false));
}
