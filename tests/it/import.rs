//! Documents written from what others deployed, and the stacks taken over with them.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::aws::{Access, Aws, GivenTemplate, StackInputs};
use driftless::fleet::Deployment;
use driftless::ids::{StackKey, StackName, Target};
use driftless::sim::{ResourceView, StackView};
use serde_json::{Value, json};

use crate::moto::Moto;
use crate::python::not_run;
use crate::world::{World, account};

const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];
const ACCOUNTS: usize = 40;
const TEMPLATE: &str = "# Made by hand,   and kept so.
Parameters:
  MemorySize: { Type: Number, Default: 128 }
  Bucket: { Type: String }
  Endpoint: { Type: String, Default: none }
  Level: { Type: String, Default: info }
Resources:
  Memory:
    Type: AWS::SSM::Parameter
    Properties: { Name: /scan/memory, Type: String, Value: !Ref MemorySize }
  Place:
    Type: AWS::SSM::Parameter
    Properties: { Name: /scan/place, Type: String, Value: !Sub '${Bucket} ${Endpoint} ${Level}' }
";

type Values = BTreeMap<String, String>;

fn overrides(number: usize, region: &str) -> Values {
    let account = account(number);
    let mut own = Values::new();
    let mut put = |name: &str, value: &str| own.insert(name.to_owned(), value.to_owned());
    put("Bucket", &format!("scans-{account}-{region}"));
    match (number, region) {
        (1..=5, _) => drop(put("MemorySize", "1024")),
        (6, "us-east-1") => drop(put("MemorySize", "2048")),
        (7, _) => drop(put("Bucket", "legacy")),
        (8, "us-east-1") => drop(put("Level", "trace")),
        (8, _) => drop(put("Level", "debug")),
        (9, _) => drop(put("Level", "warn")),
        (10, _) => drop(put("Endpoint", "https://${host}/?a=\"b\"")),
        _ => {}
    }
    own
}

fn wish() -> Value {
    let instance = |number: usize, region: &str| {
        let account = account(number).to_string();
        json!({ "account": account, "region": region, "overrides": overrides(number, region) })
    };
    let instances: Vec<Value> =
        (1..=ACCOUNTS).flat_map(|number| REGIONS.map(|region| instance(number, region))).collect();
    json!({
        "name": "scan-api",
        "template": TEMPLATE,
        "parameters": { "MemorySize": "512", "Bucket": "none", "Level": "warn" },
        "instances": instances,
    })
}

/// A fleet in AWS that has three of the accounts as tenants already, and one more.
fn world() -> World {
    let world = World::with_tenants(3);
    world.write_tenant(50, "");
    world.edit("fleet.yaml", "cloud: simulated", "cloud: aws");
    for path in ["api/service.yaml", "api/api.yaml", "network/service.yaml", "network/network.yaml"]
    {
        world.remove(path);
    }
    world.commit();
    world
}

const IMPORT: [&str; 7] =
    ["import", "stackset", "scan-api", "--match", "StackSet-scan-api*", "--format", "json"];

#[tokio::test(start_paused = true)]
async fn a_stack_set_of_eighty_instances_is_imported_and_taken_over_with_no_resource_changed() {
    let moto = match Moto::start() {
        Ok(moto) => moto,
        Err(why) => return not_run("the test of imports", &why),
    };
    let world = world();
    let stacks = moto.stack_set(&wish());
    assert_eq!(stacks.len(), ACCOUNTS * REGIONS.len());
    imported(&moto, &world);
    refused(&moto, &world);
    rendered_to_the_same(&moto, &world, &stacks);
    one_region_is_edited(&moto, &world);
    drop(moto);
    taken_over(&world, &stacks).await;
}

fn imported(moto: &Moto, world: &World) {
    let ran = moto.driftless(world, &IMPORT);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let said: Value = serde_json::from_str(&ran.out).expect("json");
    assert_eq!((&said["found"], &said["takenOver"]), (&json!(80), &json!(80)), "{said:#}");
    assert_eq!(said["leftOut"], json!([]));
    let note = said["notes"][0].as_str().expect("a note");
    assert!(note.starts_with("The pattern also fits stacks of `scan-api-worker`"), "{note}");
    assert_eq!(said["newTenants"].as_array().map(Vec::len), Some(ACCOUNTS - 3));
    assert_eq!(said["editedTenants"], json!(["t1", "t2", "t3"]));
    let of = |name: &str| {
        let all = said["parameters"].as_array().expect("a list");
        let one = all.iter().find(|one| one["name"] == name).expect(name);
        (one["value"].clone(), one["holdsFor"].clone(), one["exceptions"].clone())
    };
    assert_eq!(of("Bucket"), (json!("scans-${account.id}-${region}"), json!(78), json!(1)));
    assert_eq!(of("MemorySize"), (json!("512"), json!(69), json!(6)));
    assert_eq!(of("Level"), (json!("warn"), json!(78), json!(1)));
    let read = |path: &str| std::fs::read_to_string(world.repository().join(path)).expect(path);
    assert_eq!(read("services/scan-api/template.yaml"), TEMPLATE);
    insta::assert_snapshot!("imported_service", read("services/scan-api/service.yaml"));
    insta::assert_snapshot!("imported_tenant", read("tenants/account-100000000008.yaml"));
    insta::assert_snapshot!("edited_tenant", read("tenants/t1.yaml"));
}

/// What is not there, and what was imported already: nothing is written.
fn refused(moto: &Moto, world: &World) {
    let ran = moto.driftless(world, &["import", "stackset", "scan-web"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.err.contains("there is no stack set `scan-web` in eu-central-1"), "{}", ran.err);
    let ran = moto.driftless(world, &IMPORT);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.err.contains("there is a service `scan-api` already"), "{}", ran.err);
}

/// Every stack gets the parameters that it has, instance by instance.
fn rendered_to_the_same(moto: &Moto, world: &World, stacks: &BTreeMap<String, Values>) {
    let ran = moto.driftless(world, &["--worktree", "validate"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let render = ["--worktree", "render", "--service", "scan-api", "--format", "json"];
    let ran = moto.driftless(world, &render);
    let said: Value = serde_json::from_str(&ran.out).expect("json");
    let all = said["stacks"].as_array().expect("stacks");
    assert_eq!(all.len(), stacks.len());
    for one in all {
        let text = |name: &str| one[name].as_str().expect(name);
        let place = format!("{}/{}", text("account"), text("region"));
        let mut given: Values =
            serde_json::from_value(one["parameters"].clone()).expect("parameters");
        given.entry("Endpoint".to_owned()).or_insert_with(|| "none".to_owned());
        assert_eq!(Some(&given), stacks.get(&place), "{place}");
    }
}

/// A value of one stack is given and removed where it is written; the rest stays.
fn one_region_is_edited(moto: &Moto, world: &World) {
    let path = world.repository().join("tenants/account-100000000008.yaml");
    let before = std::fs::read_to_string(&path).expect("written");
    for (setting, expected) in [
        (
            "scan-api@us-east-1.MemorySize=3",
            "            Level: trace\n            MemorySize: \"3\"\n",
        ),
        ("scan-api@us-east-1.MemorySize-", "            Level: trace\n"),
    ] {
        let ran =
            moto.driftless(world, &["tenant", "set", "account-100000000008", "--service", setting]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let after = std::fs::read_to_string(&path).expect("written");
        assert!(after.ends_with(expected), "{after}");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("written"), before);
}

fn view(world: &World, target: &Target, name: &StackName) -> StackView {
    let key = StackKey { target: target.clone(), name: name.clone() };
    world.cloud.console().stack(&key).expect("an answer").expect("it stands")
}

/// The very same stacks in the simulated cloud, since moto's change sets know no tags and the names of
/// its instances are none that AWS would take.
async fn taken_over(world: &World, stacks: &BTreeMap<String, Values>) {
    world.edit("fleet.yaml", "cloud: aws", "cloud: simulated");
    world.commit();
    let region = "eu-central-1".parse().expect("a region");
    let (client, keys) = (world.cloud.http_client(), world.cloud.credentials());
    let aws = Aws::simulated(client, keys, world.clock.clone(), "stacksets", region);
    let mut made = Vec::new();
    for (number, (place, values)) in stacks.iter().enumerate() {
        let target: Target = place.parse().expect("a target");
        let name: StackName = format!("StackSet-scan-api-{number:08x}").parse().expect("a name");
        let role_arn = format!("arn:aws:iam::{}:role/driftless-execution", target.account);
        let api = aws.target(&target, &Access { role_arn, external_id: None });
        let inputs = StackInputs {
            template: GivenTemplate::Body(TEMPLATE.into()),
            parameters: values.clone(),
            kept_parameters: [].into(),
            tags: [("team".to_owned(), "scan".to_owned())].into(),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            termination_protection: false,
            stack_policy: None,
            deployment: Deployment::Standard,
        };
        api.create(&name, &inputs, &format!("token-{number}")).await.expect("created");
        made.push((target, name));
    }
    world.clock.sleep(Duration::from_secs(3_600)).await;
    let before: Vec<StackView> =
        made.iter().map(|(target, name)| view(world, target, name)).collect();
    world.mutating_calls();

    world.apply().await.assert_converged(stacks.len());
    for ((target, name), before) in made.iter().zip(before) {
        let after = view(world, target, name);
        assert_eq!(after.id, before.id);
        assert_eq!(after.tags.get("driftless:service").map(String::as_str), Some("scan-api"));
        assert_eq!(after.parameters, before.parameters);
        let resources = |stack: &StackView| {
            let all = stack.resources.iter();
            let one = |(id, one): (&String, &ResourceView)| {
                (id.clone(), one.physical_id.clone(), one.properties.clone())
            };
            all.map(one).collect::<Vec<_>>()
        };
        assert_eq!(resources(&after), resources(&before), "{target}");
        let stacks = world.cloud.console().stacks(target.account, &target.region);
        assert_eq!(stacks.expect("an answer").len(), 1, "no twin in {target}");
    }
    let calls = world.mutating_calls();
    let word = |call: &String| call.split(' ').next().unwrap_or_default().to_owned();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    calls.iter().for_each(|call| *counts.entry(word(call)).or_default() += 1);
    assert_eq!(counts.get("CreateStack"), None, "{counts:?}");
    assert_eq!(counts.get("ExecuteChangeSet"), Some(&stacks.len()), "{counts:?}");

    world.apply().await.assert_converged(stacks.len());
    assert_eq!(world.mutating_calls(), Vec::<String>::new(), "a second look is silent");
}

#[test]
fn stacks_that_lie_in_the_accounts_of_tenants_are_imported_by_their_names() {
    let moto = match Moto::start() {
        Ok(moto) => moto,
        Err(why) => return not_run("the test of imports", &why),
    };
    let world = world();
    for number in 1..=3 {
        moto.filled(&format!("{:012}", account(number)), 2);
    }
    let ran =
        moto.driftless(&world, &["import", "stacks", "--match", "other-*", "--service", "other"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let twins = "2 fit in one place: 100000000001/eu-central-1 (other-000, other-001)";
    assert!(ran.err.contains(twins), "{}", ran.err);
    assert!(!world.repository().join("services/other").exists(), "nothing is written");

    let match_one = ["import", "stacks", "--match", "other-001", "--service", "other"];
    let two = ["--tenant", "t1", "--tenant", "t3"];
    let ran = moto.driftless(&world, &[&match_one[..], &two].concat());
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    insta::assert_snapshot!(
        "imported_stacks",
        ran.out.replace(&format!("{}/", world.repository().display()), "FLEET/")
    );
    let text = std::fs::read_to_string(world.repository().join("services/other/service.yaml"));
    insta::assert_snapshot!("service_of_stacks", text.expect("written"));

    world.commit();
    let plan = moto.driftless(&world, &["plan", "--live"]);
    assert_eq!(plan.code, Some(2), "{}{}", plan.out, plan.err);
    let (_, told) = plan.out.split_once('\n').expect("lines");
    insta::assert_snapshot!("plan_of_imported_stacks", told);
}

#[test]
fn a_secret_that_is_given_in_place_of_its_reference_is_not_repeated() {
    let world = World::with_tenants(1);
    let stacks = ["import", "stacks", "--match", "scan-api*", "--service", "scan-api"];
    for given in ["Password=hunter2", "hunter2", "=hunter2"] {
        let said = world.driftless(&[&stacks[..], &["--secret", given]].concat());
        assert!(said.contains("is no NAME=REFERENCE") && !said.contains("hunter2"), "{said}");
    }
}
