//! The program as people run it against a cloud that somebody else wrote: ministack, from PyPI.
//! Where ministack and AWS's documentation differ, the program keeps to the documentation.

mod bootstrapped;
mod broken;
mod drift;
pub(crate) mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::python::{Ran, clean, not_run, run};
use crate::world::commit_all;
use server::{HOME, Ministack, REGION, SECRET};

const FLEET: &str = "apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: third }
spec:
  cloud: aws
  access:
    roleArn: arn:aws:iam::${account.id}:role/driftless-execution
    externalId: third-party
  regions: [eu-central-1]
  tags: { tenant: \"${tenant.name}\" }
  limits: { deletes: { tenants: 1, stacks: 25, percent: 100 } }
";

/// A queue and a parameter, and another parameter where a name is given for it.
const STORE: &str = "Parameters:
  Depth: { Type: String }
  ExtraName: { Type: String, Default: \"\" }
Conditions:
  HasExtra: !Not [!Equals [!Ref ExtraName, \"\"]]
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { QueueName: jobs } }
  DepthSetting:
    Type: AWS::SSM::Parameter
    Properties: { Name: /store/depth, Type: String, Value: !Ref Depth }
  Extra:
    Type: AWS::SSM::Parameter
    Condition: HasExtra
    Properties: { Name: !Ref ExtraName, Type: String, Value: more }
Outputs:
  JobsName: { Value: !GetAtt Jobs.QueueName }
";

const STORE_SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: store }
spec:
  template: template.yaml
  parameters: { Depth: \"1\" }
";

const NOTICES: &str = "Parameters:
  Jobs: { Type: String }
Resources:
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: notices } }
  About:
    Type: AWS::SSM::Parameter
    Properties: { Name: /notices/about, Type: String, Value: !Ref Jobs }
";

const NOTICES_SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: notices }
spec:
  template: template.yaml
  parameters: { Jobs: \"${services.store.outputs.JobsName}\" }
";

const AUDIT: &str = "Resources:
  Level:
    Type: AWS::SSM::Parameter
    Properties: { Name: /audit/level, Type: String, Value: all }
";

const AUDIT_SERVICE: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: audit }
spec: { template: template.yaml }
";

/// How the names of calls begin that change nothing.
const READING: &[&str] = &["Describe", "Get", "List"];

/// ministack with the accounts of some tenants, and the repository of their fleet.
struct Scene {
    cloud: Ministack,
    folder: TempDir,
    tenants: usize,
}

fn account(tenant: usize) -> String {
    format!("{:012}", 300_000_000_000 + tenant)
}

fn target(tenant: usize) -> String {
    format!("{}/{REGION}", account(tenant))
}

impl Scene {
    /// Nothing is deployed yet; the role is there as it is before a tenant is onboarded.
    fn of(cloud: Ministack, tenants: usize, services: &[(&str, &str, &str)]) -> Self {
        let scene = Self { cloud, folder: tempfile::tempdir().expect("a folder"), tenants };
        let name = "driftless-execution";
        let role = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust("third-party") });
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let rights = json!({ "RoleName": name, "PolicyArn": admin });
        let calls = |tenant| {
            let account = account(tenant);
            let made = json!([account, "iam", "create_role", role]);
            [made, json!([account, "iam", "attach_role_policy", rights])]
        };
        scene.ask_every(&(1..=tenants).flat_map(calls).collect::<Vec<Value>>());
        for tenant in 1..=tenants {
            scene.write_tenant(tenant, "");
        }
        scene.write("fleet.yaml", FLEET);
        for (name, service, template) in services {
            scene.write(&format!("{name}/service.yaml"), service);
            scene.write(&format!("{name}/template.yaml"), template);
        }
        git2::Repository::init(scene.repository()).expect("a repository");
        scene.commit();
        scene
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("fleet")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn write_tenant(&self, tenant: usize, more: &str) {
        let text = format!(
            "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: {{ name: t{tenant} }}\nspec:\n  \
             account: \"{}\"\n  regions: [{REGION}]\n{more}",
            account(tenant)
        );
        self.write(&format!("tenants/t{tenant}.yaml"), &text);
    }

    fn commit(&self) {
        commit_all(&self.repository());
    }

    /// Runs the program as a person does who has the keys of the account it runs in.
    fn driftless(&self, arguments: &[&str]) -> Ran {
        let mut command = clean(Path::new(env!("CARGO_BIN_EXE_driftless")));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.cloud.endpoint())
            .env("AWS_ACCESS_KEY_ID", HOME)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", REGION);
        run(&mut command, "")
    }

    fn expect(&self, arguments: &[&str], code: i32) -> Ran {
        let ran = self.driftless(arguments);
        let Ran { out, err, .. } = &ran;
        assert_eq!(ran.code, Some(code), "driftless {arguments:?}\n{out}\n{err}");
        ran
    }

    fn status(&self, code: i32) -> Value {
        let out = self.expect(&["status", "--format", "json"], code).out;
        serde_json::from_str(&out).expect("json")
    }

    /// One call as the root user of a tenant's account.
    fn ask(&self, tenant: usize, service: &str, operation: &str, arguments: Value) -> Value {
        self.ask_every(&[json!([account(tenant), service, operation, arguments])]).remove(0)
    }

    fn ask_every(&self, calls: &[Value]) -> Vec<Value> {
        let answers = self.cloud.ask_all(calls);
        for (call, answer) in calls.iter().zip(&answers) {
            assert_eq!(answer.get("error"), None, "{call}: {answer}");
        }
        answers
    }

    /// The stacks of every tenant's account: name and status, without those that are deleted.
    fn stacks(&self) -> Vec<BTreeMap<String, String>> {
        let calls: Vec<Value> = (1..=self.tenants)
            .map(|tenant| json!([account(tenant), "cloudformation", "describe_stacks", {}]))
            .collect();
        let answers = self.ask_every(&calls);
        let text = |stack: &Value, field: &str| stack[field].as_str().unwrap().to_owned();
        let stacks = |answer: &Value| {
            let stacks = answer["Stacks"].as_array().unwrap().iter();
            stacks.map(|stack| (text(stack, "StackName"), text(stack, "StackStatus"))).collect()
        };
        answers.iter().map(stacks).collect()
    }

    /// What driftless changed in each account: its calls that are not in `read` yet, the oldest
    /// first.
    fn mutations(&self, read: &mut BTreeSet<String>) -> BTreeMap<usize, Vec<String>> {
        let only = json!([{ "AttributeKey": "EventSource",
            "AttributeValue": "cloudformation.amazonaws.com" }]);
        let calls: Vec<Value> = (1..=self.tenants)
            .map(|tenant| {
                json!([account(tenant), "cloudtrail", "lookup_events",
                    { "MaxResults": 50, "LookupAttributes": only }])
            })
            .collect();
        let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (tenant, answer) in (1..=self.tenants).zip(self.ask_every(&calls)) {
            let events = answer["Events"].as_array().unwrap();
            let fresh: Vec<&Value> = events
                .iter()
                .filter(|event| read.insert(event["EventId"].as_str().unwrap().to_owned()))
                .collect();
            assert!(fresh.len() < 50, "the log has more than was read of it");
            let actions = fresh.into_iter().rev().filter_map(mutation_by_driftless);
            let actions: Vec<String> = actions.collect();
            if !actions.is_empty() {
                found.insert(tenant, actions);
            }
        }
        found
    }
}

/// The action of a call in ministack's log, if it changes something and the role's session made it.
fn mutation_by_driftless(event: &Value) -> Option<String> {
    if !event["AccessKeyId"].as_str()?.starts_with("ASIA") {
        return None;
    }
    // ministack names the event after the path; the action is among the parameters.
    let event: Value = serde_json::from_str(event["CloudTrailEvent"].as_str()?).unwrap();
    let action = event["requestParameters"]["Action"].as_str().unwrap();
    let is_reading = READING.iter().any(|prefix| action.starts_with(prefix));
    (!is_reading).then(|| action.to_owned())
}

fn trust(external_id: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{HOME}:root") },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
        }],
    })
    .to_string()
}

fn both(status: &str) -> BTreeMap<String, String> {
    ["notices", "store"].map(|name| (name.to_owned(), status.to_owned())).into()
}

fn count(status: &Value, weight: &str) -> u64 {
    status["counts"][weight].as_u64().unwrap()
}

/// One stack of a status.
fn line<'a>(status: &'a Value, tenant: usize, service: &str) -> &'a Value {
    let name = format!("{}/{service}", target(tenant));
    let mut lines = status["stacks"].as_array().unwrap().iter();
    lines.find(|line| line["stack"] == name).unwrap_or_else(|| panic!("no {name} in {status:#}"))
}

#[test]
fn a_fleet_of_ten_accounts_converges_on_a_cloud_by_other_people() {
    let started: Result<Vec<Ministack>, String> = (0..4).map(|_| Ministack::start()).collect();
    let mut clouds = match started {
        Ok(clouds) => clouds.into_iter(),
        Err(why) => return not_run("the test against ministack", &why),
    };
    let mut next = || clouds.next().expect("four were started");
    let (first, second, third, fourth) = (next(), next(), next(), next());
    // All of them wait more than they work.
    std::thread::scope(|scope| {
        scope.spawn(|| broken::rollbacks_and_deletes_that_fail_are_mended_or_held(first));
        scope.spawn(|| drift::what_others_changed_is_found_and_said(second));
        scope.spawn(|| bootstrapped::accounts_get_a_role_that_lets_us_in(fourth));
        ten_accounts_live_through_a_day(third);
    });
}

fn ten_accounts_live_through_a_day(cloud: Ministack) {
    let services = [("store", STORE_SERVICE, STORE), ("notices", NOTICES_SERVICE, NOTICES)];
    let scene = Scene::of(cloud, 10, &services);
    let mut log = BTreeSet::new();
    ten_accounts_get_their_stacks(&scene, &mut log);
    nothing_is_done_when_nothing_is_to_do(&scene, &mut log);
    an_update_goes_through_change_sets(&scene, &mut log);
    a_stack_deleted_by_hand_is_made_again(&scene, &mut log);
    an_offboarded_tenant_goes(&scene, &mut log);
    what_fails_is_named_and_stops_nobody_else(&scene, &mut log);
    what_was_put_right_converges(&scene);
}

fn ten_accounts_get_their_stacks(scene: &Scene, log: &mut BTreeSet<String>) {
    scene.expect(&["plan", "--live"], 2);
    assert_eq!(scene.mutations(log), BTreeMap::new(), "a plan changes nothing");
    scene.expect(&["apply", "--yes"], 0);
    assert_eq!(scene.stacks(), vec![both("CREATE_COMPLETE"); 10]);
    let about = json!({ "Name": "/notices/about" });
    let about = scene.ask(7, "ssm", "get_parameter", about);
    assert_eq!(about["Parameter"]["Value"], "jobs", "an output of the other stack");
    let status = scene.status(0);
    assert_eq!((status["stackCount"].as_u64(), count(&status, "settled")), (Some(20), 20));
    let created = vec!["CreateStack".to_owned(); 2];
    assert_eq!(scene.mutations(log), (1..=10).map(|one| (one, created.clone())).collect());
}

fn nothing_is_done_when_nothing_is_to_do(scene: &Scene, log: &mut BTreeSet<String>) {
    scene.expect(&["apply", "--yes"], 0);
    scene.expect(&["plan", "--live"], 0);
    assert_eq!(scene.mutations(log), BTreeMap::new());
}

fn an_update_goes_through_change_sets(scene: &Scene, log: &mut BTreeSet<String>) {
    scene.write("store/service.yaml", &STORE_SERVICE.replace("\"1\"", "\"2\""));
    scene.commit();
    scene.expect(&["apply", "--yes"], 0);
    let depth = json!({ "Name": "/store/depth" });
    let calls: Vec<Value> =
        (1..=10).map(|tenant| json!([account(tenant), "ssm", "get_parameter", depth])).collect();
    for answer in scene.ask_every(&calls) {
        assert_eq!(answer["Parameter"]["Value"], "2");
    }
    let made = ["CreateChangeSet", "ExecuteChangeSet"].map(str::to_owned).to_vec();
    assert_eq!(scene.mutations(log), (1..=10).map(|one| (one, made.clone())).collect());
}

fn a_stack_deleted_by_hand_is_made_again(scene: &Scene, log: &mut BTreeSet<String>) {
    scene.ask(3, "cloudformation", "delete_stack", json!({ "StackName": "notices" }));
    let plan = scene.expect(&["plan", "--live"], 2).out;
    assert!(plan.contains("notices") && plan.contains("t3"), "{plan}");
    scene.expect(&["apply", "--yes"], 0);
    assert_eq!(scene.stacks()[2]["notices"], "CREATE_COMPLETE");
    let repaired = BTreeMap::from([(3, vec!["CreateStack".to_owned()])]);
    assert_eq!(scene.mutations(log), repaired);
}

fn an_offboarded_tenant_goes(scene: &Scene, log: &mut BTreeSet<String>) {
    scene.write_tenant(10, "  lifecycle: offboarded\n");
    scene.commit();
    scene.expect(&["apply", "--yes"], 0);
    let stacks = scene.stacks();
    assert_eq!(stacks[9], BTreeMap::new());
    assert!(stacks[..9].iter().all(|stacks| stacks.len() == 2), "{stacks:?}");
    let gone = BTreeMap::from([(10, vec!["DeleteStack".to_owned(); 2])]);
    assert_eq!(scene.mutations(log), gone);
}

/// An update and a creation meet a name that is taken, and one account does not let us in.
fn what_fails_is_named_and_stops_nobody_else(scene: &Scene, log: &mut BTreeSet<String>) {
    let taken = |name: &str| json!({ "Name": name, "Value": "mine", "Type": "String" });
    scene.ask(2, "ssm", "put_parameter", taken("/taken"));
    scene.ask(4, "ssm", "put_parameter", taken("/audit/level"));
    let role = "driftless-execution";
    let other = json!({ "RoleName": role, "PolicyDocument": trust("somebody-else") });
    scene.ask(5, "iam", "update_assume_role_policy", other);
    scene.write_tenant(2, "  services: { store: { parameters: { ExtraName: /taken } } }\n");
    scene.write("audit/service.yaml", AUDIT_SERVICE);
    scene.write("audit/template.yaml", AUDIT);
    scene.commit();
    scene.expect(&["apply", "--yes"], 3);

    let stacks = scene.stacks();
    assert_eq!(stacks[1]["store"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(stacks[3]["audit"], "ROLLBACK_COMPLETE");
    assert_eq!(stacks[4], both_after_the_update(), "nothing was done in the account");
    for tenant in [1, 2, 3, 6, 7, 8, 9] {
        assert_eq!(stacks[tenant - 1]["audit"], "CREATE_COMPLETE", "tenant {tenant}");
    }
    let status = scene.status(3);
    let update = line(&status, 2, "store")["text"].as_str().unwrap();
    assert!(
        update.contains("Extra (AWS::SSM::Parameter)") && update.contains("already exists"),
        "{update}"
    );
    let create = line(&status, 4, "audit")["text"].as_str().unwrap();
    assert!(
        create.contains("Level (AWS::SSM::Parameter)") && create.contains("already exists"),
        "{create}"
    );
    let blind = status["blind"].as_array().unwrap();
    assert_eq!(blind.len(), 1, "{status:#}");
    assert_eq!(blind[0]["targets"], json!([target(5)]));
    let message = blind[0]["message"].as_str().unwrap();
    assert!(message.contains("sts:AssumeRole"), "{message}");

    scene.mutations(log);
    scene.expect(&["apply", "--yes"], 3);
    assert_eq!(scene.mutations(log), BTreeMap::new(), "not tried again before git changes");
}

fn both_after_the_update() -> BTreeMap<String, String> {
    let mut stacks = both("CREATE_COMPLETE");
    stacks.insert("store".to_owned(), "UPDATE_COMPLETE".to_owned());
    stacks
}

fn what_was_put_right_converges(scene: &Scene) {
    let trust =
        json!({ "RoleName": "driftless-execution", "PolicyDocument": trust("third-party") });
    scene.ask(5, "iam", "update_assume_role_policy", trust);
    scene.ask(4, "ssm", "delete_parameter", json!({ "Name": "/audit/level" }));
    scene.write_tenant(2, "  services: { store: { parameters: { ExtraName: /free } } }\n");
    // The same level in other words: what has failed is tried again when git changes.
    scene.write("audit/template.yaml", &AUDIT.replace("all", "most"));
    scene.commit();
    scene.expect(&["apply", "--yes"], 0);
    let stacks = scene.stacks();
    assert_eq!(stacks[1]["store"], "UPDATE_COMPLETE");
    assert_eq!(stacks[3]["audit"], "CREATE_COMPLETE");
    assert_eq!(stacks[4]["audit"], "CREATE_COMPLETE");
    assert_eq!(count(&scene.status(0), "settled"), 27);
}
