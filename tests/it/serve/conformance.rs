//! boto3 drives every call that is simulated, and every answer is held against botocore's model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use driftless::ids::{AccountId, StackKey};
use driftless::sim::{CallFault, Calls, Cloud, CloudSettings, Phase, ResourceFault};
use serde_json::{Value, json};

use crate::python::{clean, not_run, python, run};
use crate::serve::Served;

const REGION: &str = "eu-central-1";
/// The accounts of the script, each for one of its steps.
const ACCOUNTS: &[&str] = &[
    "kit",
    "guarded",
    "ended",
    "full",
    "updates",
    "failures",
    "sets",
    "nested",
    "drift",
    "server error",
    "lost",
    "truncated",
    "malformed",
];
/// The nested stack of the script.
const CHILD: &str = "Parameters:
  Visibility: { Type: String }
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: !Ref Visibility } }
";
/// Members of answers that came at least once; the models have some that are not simulated.
const FEWEST_SEEN: usize = 190;
/// The errors that the script meets.
const CODES: &[&str] = &[
    "AccessDenied",
    "AlreadyExistsException",
    "ChangeSetNotFound",
    "ExpiredToken",
    "InsufficientCapabilitiesException",
    "InternalFailure",
    "InvalidChangeSetStatus",
    "InvalidClientTokenId",
    "LimitExceededException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "Throttling",
    "TokenAlreadyExistsException",
    "ValidationError",
];

fn account(name: &str) -> AccountId {
    let place = ACCOUNTS.iter().position(|one| *one == name).expect("an account of the script");
    format!("{:012}", 400_000_000_000 + place).parse().expect("an account")
}

fn drifted() -> StackKey {
    format!("{}/{REGION}/kit", account("drift")).parse().expect("a key")
}

/// What the script meets on its way.
fn order(served: &Served) {
    let (script, console) = (served.cloud.script(), served.cloud.console());
    console.put_object("templates", "child.yaml", CHILD.as_bytes()).expect("put");
    console.require_external_id(account("guarded"), "shibboleth").expect("required");
    let resource = |stack: &str, phase| {
        script.resource(ResourceFault {
            account: Some(account("failures")),
            region: None,
            stack: Some(stack.parse().expect("a name")),
            logical_id: "Note".to_owned(),
            phase,
            text: "Internal Failure".to_owned(),
            times: Some(1),
        });
    };
    resource("never-made", Phase::Change);
    resource("half-made", Phase::Change);
    resource("stuck", Phase::Rollback);
    for stack in ["undeletable", "lost"] {
        resource(stack, Phase::Delete);
    }
    let describe = |name: &str| Calls {
        account: Some(account(name)),
        region: None,
        api: Some("DescribeStacks".to_owned()),
    };
    let (code, message) = ("ExpiredToken".to_owned(), "The token is expired".to_owned());
    script.calls(describe("ended"), CallFault::Refused { code, message }, None);
    for (name, fault) in [
        ("server error", CallFault::ServerError(500)),
        ("lost", CallFault::AnswerLost),
        ("truncated", CallFault::Truncated),
        ("malformed", CallFault::Malformed),
    ] {
        script.calls(describe(name), fault, Some(1));
    }
}

/// Runs one part of the script, which says what it did and what was wrong.
fn played(python: &Path, served: &Served, throttled: &Served, part: &str) -> Value {
    let mut accounts = BTreeMap::from([("hub", ("999999999999".to_owned(), None))]);
    for name in ACCOUNTS {
        accounts.insert(name, (account(name).to_string(), Some(account(name))));
    }
    let keys = |(id, account): &(String, Option<AccountId>)| {
        let (key, secret) = served.cloud.keys_of(*account);
        json!([id, key, secret])
    };
    let accounts: BTreeMap<_, _> =
        accounts.iter().map(|(name, account)| (*name, keys(account))).collect();
    let plan = json!({
        "endpoint": served.endpoint(),
        "throttled": throttled.endpoint(),
        "region": REGION,
        "accounts": accounts,
        "part": part,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/serve/conformance.py");
    let mut command = clean(python);
    let ran = run(command.arg("-B").arg(script), &plan.to_string());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}", ran.out))
}

#[test]
fn botocore_knows_everything_that_every_call_answers() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("boto3 against the simulated cloud", &why),
    };
    let settings = CloudSettings {
        speed: 200.0,
        stack_limit: 12,
        stacks_per_page: 5,
        events_per_page: 4,
        ..CloudSettings::default()
    };
    let throttled = Served::with(CloudSettings { quotas: Some(true), ..settings.clone() });
    let served = Served::with(settings);
    order(&served);
    let mut parts = vec![played(&python, &served, &throttled, "first")];
    let console = served.cloud.console();
    console.change_property(&drifted(), "Jobs", "/VisibilityTimeout", json!("9")).expect("changed");
    console.delete_resource(&drifted(), "One").expect("deleted");
    parts.push(played(&python, &served, &throttled, "drifted"));

    let findings = parts.iter().flat_map(|part| part["findings"].as_array().expect("a list"));
    let findings: Vec<&Value> = findings.collect();
    assert!(findings.is_empty(), "{findings:#?}");
    assert_eq!(served.cloud.refused(), Vec::<String>::new());
    let made = served.cloud.call_counts();
    let actions: BTreeSet<&str> = made.keys().map(|(_, _, api)| *api).collect();
    let missing: Vec<&str> = Cloud::actions().filter(|action| !actions.contains(action)).collect();
    assert!(missing.is_empty(), "not driven: {missing:?}");
    said(&parts, actions.len());
}

/// Counts, for whoever runs it with `--nocapture`.
#[allow(clippy::print_stdout, reason = "the harness shows it only to who asks for it")]
fn said(parts: &[Value], actions: usize) {
    let calls: u64 = parts.iter().filter_map(|part| part["calls"].as_u64()).sum();
    let names = |field: &str| -> BTreeSet<&str> {
        let lists = parts.iter().filter_map(|part| part[field].as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    };
    let (members, seen) = (names("members"), names("seen"));
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    for (code, count) in parts.iter().filter_map(|part| part["errors"].as_object()).flatten() {
        *codes.entry(code).or_default() += count.as_u64().unwrap_or_default();
    }
    println!(
        "{calls} calls of {actions} actions; {} of {} members of answers seen; errors: {codes:?}",
        seen.len(),
        members.len()
    );
    println!("never seen: {:?}", members.difference(&seen).collect::<Vec<_>>());
    assert!(seen.len() >= FEWEST_SEEN, "{seen:?}");
    assert_eq!(codes.into_keys().collect::<Vec<&str>>(), CODES);
}
