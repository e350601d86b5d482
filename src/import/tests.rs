//! Values in, documents out, and the documents read again.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::check;
use crate::desired::Desired;
use crate::fleet::load;
use crate::ids::{Revision, StackId, StackKey, Target};
use crate::moment::Moment;
use crate::observed::{Seen, StackStatus};
use crate::snapshot::{Entry, Snapshot};

mod taking;

const HEAD: &str = "apiVersion: driftless.dev/v1\nkind: ";
const TEMPLATE: &str = "Parameters:
  MemorySize: { Type: Number, Default: 128 }
  Bucket: { Type: String }
  Endpoint: { Type: String, Default: none }
  Level: { Type: String, Default: info }
Resources:
  Queue: { Type: AWS::SQS::Queue }
";

type Files = BTreeMap<String, String>;

fn fleet(more: &str) -> (String, String) {
    let text = format!(
        "{HEAD}Fleet\nmetadata: {{ name: gloves }}\nspec:\n  cloud: aws\n  access: {{ roleArn: \
         \"arn:aws:iam::${{account.id}}:role/driftless\" }}\n  regions: [eu-central-1] # ours\n{more}"
    );
    ("fleet.yaml".to_owned(), text)
}

fn tenant(name: &str, account: u64, more: &str) -> (String, String) {
    let text = format!(
        "# {name} is ours\n{HEAD}Tenant\nmetadata: {{ name: {name} }}\nspec:\n  account: \"{account:012}\" # bought\n  \
         regions: [eu-central-1, us-east-1]\n{more}"
    );
    (format!("tenants/{name}.yaml"), text)
}

fn snapshot(files: &Files) -> Snapshot {
    let file =
        |(path, text): (&String, &String)| (path.clone(), Entry::File(text.as_bytes().into()));
    Snapshot::of(Revision::of("files"), None, files.iter().map(file).collect())
}

fn values(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn target(account: u64, region: &str) -> Target {
    Target { account: format!("{account:012}").parse().unwrap(), region: region.parse().unwrap() }
}

fn instance(account: u64, region: &str, own: &[(&str, &str)]) -> Instance {
    Instance {
        target: target(account, region),
        stack: Some(format!("StackSet-scan-api-{account}")),
        values: values(own),
        trouble: None,
    }
}

fn stack_set(parameters: &[(&str, &str)], instances: Vec<Instance>) -> Found {
    let set = StackSet {
        name: "scan-api".to_owned(),
        description: None,
        is_service_managed: false,
        auto_deployment: false,
        template_body: TEMPLATE.to_owned(),
        parameters: values(parameters),
        capabilities: Vec::new(),
        tags: BTreeMap::new(),
    };
    Found {
        origin: Origin::StackSet(set),
        pattern: "StackSet-scan-api-*".to_owned(),
        template_body: TEMPLATE.to_owned(),
        parameters: values(parameters),
        capabilities: Vec::new(),
        tags: BTreeMap::new(),
        termination_protection: false,
        instances,
        notes: Vec::new(),
    }
}

fn wish() -> Wish {
    Wish {
        service: "scan-api".parse().unwrap(),
        folder: "services/scan-api".to_owned(),
        tenants_folder: "tenants".to_owned(),
        schema_lines: [None, None],
        names: BTreeMap::new(),
        secrets: BTreeMap::new(),
        selects: false,
        skips: false,
    }
}

/// The draft and the fleet with its files, proved.
fn drafted(found: &Found, files: &Files, wish: &Wish) -> Result<(Draft, Desired), Refusal> {
    let documents = load(&snapshot(files)).0.expect("documents");
    let draft = draft(found, &documents, &|path| files.get(path).cloned(), wish)?;
    let mut after = files.clone();
    after.extend(draft.files.clone());
    let (desired, _) = check::read(&snapshot(&after))
        .unwrap_or_else(|findings| panic!("{findings:#?}\n{:#?}", draft.files));
    prove(&draft, &desired)?;
    Ok((draft, desired))
}

fn ids(draft: &Draft) -> (usize, usize, usize) {
    (draft.found, draft.taken.len(), draft.left_out.len())
}

#[test]
fn what_most_instances_have_is_the_services_and_the_rest_are_exceptions() {
    let mut instances = Vec::new();
    for account in 1..=4 {
        for region in ["eu-central-1", "us-east-1"] {
            let mut own = vec![("Bucket", format!("scans-{account:012}-{region}"))];
            match (account, region) {
                (2, _) => own.push(("MemorySize", "1024".to_owned())),
                (3, "us-east-1") => own.push(("MemorySize", "2048".to_owned())),
                (4, "us-east-1") => own.push(("Level", "${debug}".to_owned())),
                (4, _) => own[0].1 = "legacy".to_owned(),
                _ => {}
            }
            let own: Vec<(&str, &str)> =
                own.iter().map(|(name, value)| (*name, value.as_str())).collect();
            instances.push(instance(account, region, &own));
        }
    }
    let found = stack_set(&[("MemorySize", "512"), ("Bucket", "unused")], instances);
    let files = Files::from([fleet(""), tenant("acme", 1, ""), tenant("beta", 2, "")]);
    let names = BTreeMap::from([("000000000003".parse().unwrap(), "gamma".parse().unwrap())]);
    let (draft, _) = drafted(&found, &files, &Wish { names, ..wish() }).expect("a draft");
    assert_eq!(ids(&draft), (8, 8, 0));
    let written: Vec<String> =
        draft.files.iter().map(|(path, text)| format!("== {path}\n{text}")).collect();
    insta::assert_snapshot!(written.join(""));
}

#[test]
fn the_template_is_written_byte_for_byte() {
    let body = "{\r\n\t\"Resources\": { \"Q\": { \"Type\": \"AWS::SQS::Queue\" } } }   ";
    let mut found = stack_set(&[], vec![instance(1, "eu-central-1", &[])]);
    found.template_body = body.to_owned();
    let (draft, _) = drafted(&found, &Files::from([fleet("")]), &wish()).expect("a draft");
    assert_eq!(draft.files["services/scan-api/template.json"], body);
}

#[test]
fn tenants_that_have_it_are_selected_unless_all_have_it() {
    let found = stack_set(&[("Bucket", "b")], vec![instance(1, "eu-central-1", &[])]);
    let files = Files::from([
        fleet("  parameters: { Level: warn }\n"),
        tenant("acme", 1, "  parameters: { MemorySize: 256 }\n"),
        tenant("beta", 2, ""),
    ]);
    let mut files = files;
    files.get_mut("fleet.yaml").unwrap().push_str("  # the end\n");
    let text = files["fleet.yaml"].replace("[eu-central-1]", "[eu-central-1, us-east-1]");
    files.insert("fleet.yaml".to_owned(), text);
    let (draft, desired) = drafted(&found, &files, &wish()).expect("a draft");
    assert_eq!(desired.stack_count(), 1, "beta has nothing");
    // The tenant's value and the fleet's would win over what the stack has.
    let acme = &draft.files["tenants/acme.yaml"];
    assert!(acme.contains("MemorySize: \"128\"") && acme.contains("# bought"), "{acme}");
    assert!(acme.contains("gets-scan-api: \"yes\""), "{acme}");
    let service = &draft.files["services/scan-api/service.yaml"];
    assert!(service.contains("Level: info"), "{service}");
    assert!(!draft.files.contains_key("tenants/beta.yaml"));
}

#[test]
fn regions_that_the_fleet_lacks_are_added_to_it_and_retired_ones_are_left_alone() {
    let instances = vec![
        instance(1, "eu-central-1", &[]),
        instance(1, "us-east-1", &[]),
        instance(2, "ap-south-1", &[]),
    ];
    let found = stack_set(&[("Bucket", "b")], instances);
    let (draft, _) = drafted(&found, &Files::from([fleet("")]), &wish()).expect("a draft");
    let fleet_text = &draft.files["fleet.yaml"];
    assert!(fleet_text.contains("[ap-south-1, us-east-1, eu-central-1] # ours"), "{fleet_text}");
    let mut files = Files::from([fleet("")]);
    let text = files["fleet.yaml"].replace(
        "[eu-central-1]",
        "[eu-central-1, us-east-1, { name: ap-south-1, retired: true }]",
    );
    files.insert("fleet.yaml".to_owned(), text);
    let refusal = drafted(&found, &files, &wish()).expect_err("a retired region");
    assert!(refusal.what.contains("000000000002/ap-south-1: its region is retired"), "{refusal:?}");
}

#[test]
fn what_cannot_be_taken_over_is_named_and_left_out_only_when_that_is_asked_for() {
    let seen = |status: &str, operation: Option<&str>, has_stack: bool| {
        let stack = "arn:aws:cloudformation:eu-central-1:000000000001:stack/StackSet-scan-api-1/x";
        trouble(&InstanceSeen {
            target: target(1, "eu-central-1"),
            stack_id: has_stack.then(|| stack.to_owned()),
            status: status.to_owned(),
            operation: operation.map(str::to_owned),
            reason: None,
        })
    };
    assert_eq!(seen("CURRENT", Some("SUCCEEDED"), true), None);
    assert_eq!(seen("CURRENT", None, true), None);
    for (status, operation, has_stack, word) in [
        ("CURRENT", Some("SUCCEEDED"), false, "no stack"),
        ("OUTDATED", Some("SUCCEEDED"), true, "OUTDATED"),
        ("OUTDATED", Some("FAILED"), true, "ended as FAILED"),
        ("INOPERABLE", Some("INOPERABLE"), true, "INOPERABLE"),
        ("CURRENT", Some("RUNNING"), true, "under way"),
        ("OUTDATED", Some("PENDING"), true, "under way"),
        ("OUTDATED", Some("SKIPPED_SUSPENDED_ACCOUNT"), true, "suspended"),
        ("CURRENT", Some("FAILED_IMPORT"), true, "FAILED_IMPORT"),
        ("CURRENT", Some("CANCELLED"), true, "CANCELLED"),
        ("", None, true, "not known"),
    ] {
        let why = seen(status, operation, has_stack).expect(word);
        assert!(why.contains(word), "{status} {operation:?}: {why}");
    }
    let mut instances: Vec<Instance> =
        (1..=4).map(|account| instance(account, "eu-central-1", &[])).collect();
    instances.push(instance(1, "us-east-1", &[]));
    instances[1].trouble = Some("it is OUTDATED".to_owned());
    instances[2].stack = Some("legacy".to_owned());
    instances[4].trouble = Some("it has no stack".to_owned());
    let found = stack_set(&[("Bucket", "b")], instances);
    let files = Files::from([fleet(""), tenant("gone", 4, "  lifecycle: offboarded\n")]);
    let mut files = files;
    let text = files["fleet.yaml"].replace("[eu-central-1]", "[eu-central-1, us-east-1]");
    files.insert("fleet.yaml".to_owned(), text);
    let refusal = drafted(&found, &files, &wish()).expect_err("refused");
    insta::assert_snapshot!(format!("{}\n{}", refusal.what, refusal.help));
    let (draft, desired) =
        drafted(&found, &files, &Wish { skips: true, ..wish() }).expect("a draft");
    assert_eq!(ids(&draft), (5, 1, 4));
    assert_eq!(desired.all_standing().count(), 1);
    let service = &draft.files["services/scan-api/service.yaml"];
    assert!(service.contains("# - 000000000001/us-east-1: it has no stack"), "{service}");
}

#[test]
fn two_stacks_in_one_place_are_both_named() {
    let mut twin = instance(1, "eu-central-1", &[]);
    twin.stack = Some("StackSet-scan-api-other".to_owned());
    let found = stack_set(&[], vec![instance(1, "eu-central-1", &[]), twin]);
    let refusal = drafted(&found, &Files::from([fleet("")]), &wish()).expect_err("refused");
    let both = "2 fit in one place: 000000000001/eu-central-1 (StackSet-scan-api-1, StackSet-scan-api-other)";
    assert!(refusal.what.contains(both), "{refusal:?}");
}

#[test]
fn a_stack_set_without_instances_is_nothing_to_take_over() {
    let files = Files::from([fleet("")]);
    let refusal = drafted(&stack_set(&[], Vec::new()), &files, &wish()).expect_err("refused");
    assert!(refusal.what.starts_with("there is nothing to take over"), "{refusal:?}");
    let mut alone = instance(1, "eu-central-1", &[]);
    alone.trouble = Some("it has no stack".to_owned());
    let found = stack_set(&[], vec![alone]);
    let refusal = drafted(&found, &files, &Wish { skips: true, ..wish() }).expect_err("refused");
    assert!(refusal.what.contains("it has no stack"), "{refusal:?}");
}

#[test]
fn hidden_values_are_named_and_never_written() {
    let template = TEMPLATE.replace(
        "Resources:",
        "  Password: { Type: String, NoEcho: true }\n  Token: { Type: String, NoEcho: true, Default: x }\nResources:",
    );
    let own = [("Password", "****"), ("Token", "****")];
    let mut found = stack_set(&[("Bucket", "b")], vec![instance(1, "eu-central-1", &own)]);
    found.template_body = template;
    let files = Files::from([fleet("")]);
    let (draft, _) = drafted(&found, &files, &wish()).expect("a draft");
    let service = &draft.files["services/scan-api/service.yaml"];
    assert!(service.contains("# Password is hidden (NoEcho)"), "{service}");
    let reference = "{{resolve:secretsmanager:db:SecretString:password}}";
    let secrets = values(&[("Password", reference)]);
    let (draft, _) = drafted(&found, &files, &Wish { secrets, ..wish() }).expect("a draft");
    let service = &draft.files["services/scan-api/service.yaml"];
    assert!(service.contains(&format!("Password: \"{reference}\"")), "{service}");
    assert!(service.contains("# Token is hidden (NoEcho)"), "{service}");
    assert!(draft.files.values().all(|text| !text.contains("****")), "{service}");
    assert!(draft.parameters.iter().all(|one| !one.is_hidden || one.value.is_none()));
    let secrets = values(&[("Bucket", reference)]);
    let refusal = drafted(&found, &files, &Wish { secrets, ..wish() }).expect_err("not hidden");
    assert!(refusal.what.contains("hides no parameter `Bucket`"), "{refusal:?}");
}

#[test]
fn names_and_files_that_are_taken_are_refused() {
    let found = stack_set(&[("Bucket", "b")], vec![instance(1, "eu-central-1", &[])]);
    let taken = [
        ("services/scan-api/template.yaml", "there is a file"),
        ("tenants/account-000000000001.yaml", "there is a file"),
    ];
    for (path, what) in taken {
        let files = Files::from([fleet(""), (path.to_owned(), "# theirs\n".to_owned())]);
        let refusal = drafted(&found, &files, &wish()).expect_err(path);
        assert!(refusal.what.starts_with(what), "{refusal:?}");
    }
    let mut files = Files::from([fleet(""), tenant("acme", 2, "")]);
    let text = files["fleet.yaml"].replace("[eu-central-1]", "[eu-central-1, us-east-1]");
    files.insert("fleet.yaml".to_owned(), text);
    let names = BTreeMap::from([("000000000001".parse().unwrap(), "acme".parse().unwrap())]);
    let refusal = drafted(&found, &files, &Wish { names, ..wish() }).expect_err("taken");
    assert!(refusal.what.contains("cannot be tenant `acme`"), "{refusal:?}");
}

#[test]
fn a_label_that_somebody_has_already_means_nothing_else() {
    let found = stack_set(&[("Bucket", "b")], vec![instance(1, "eu-central-1", &[])]);
    let labelled = |name: &str, account, value: &str| {
        let (path, text) = tenant(name, account, "");
        let labels = format!("{{ name: {name}, labels: {{ gets-scan-api: \"{value}\" }} }}");
        (path, text.replace(&format!("{{ name: {name} }}"), &labels))
    };
    let mut files = Files::from([fleet(""), labelled("acme", 1, "no"), tenant("beta", 2, "")]);
    let text = files["fleet.yaml"].replace("[eu-central-1]", "[eu-central-1, us-east-1]");
    files.insert("fleet.yaml".to_owned(), text);
    let (draft, _) = drafted(&found, &files, &wish()).expect("a draft");
    let acme = &draft.files["tenants/acme.yaml"];
    assert!(acme.contains("labels: { gets-scan-api: \"yes\" }"), "{acme}");
    files.extend([labelled("beta", 2, "yes")]);
    let refusal = drafted(&found, &files, &wish()).expect_err("beta would get it");
    assert!(refusal.what.starts_with("the tenant `beta` has the label"), "{refusal:?}");
}

#[test]
fn a_second_stack_set_gives_its_new_tenants_nothing_of_the_first() {
    let first = stack_set(&[("Bucket", "b")], vec![instance(1, "eu-central-1", &[])]);
    let mut files = Files::from([fleet("")]);
    let (draft, before) = drafted(&first, &files, &wish()).expect("a draft");
    files.extend(draft.files);
    let mut second = stack_set(&[("Bucket", "b")], vec![instance(2, "eu-central-1", &[])]);
    second.pattern = "StackSet-scan-*".to_owned();
    let other =
        Wish { service: "scan".parse().unwrap(), folder: "services/scan".to_owned(), ..wish() };
    let (draft, after) = drafted(&second, &files, &other).expect("a draft");
    let refusal = overtaken(&draft, Some(&before), &after).expect_err("it would be created");
    assert!(refusal.what.contains("`scan-api`: 1 new"), "{refusal:?}");
    // One that selects its tenants is not given to others.
    let mut files = Files::from([fleet("")]);
    let selecting = Wish { selects: true, ..wish() };
    let (draft, before) = drafted(&first, &files, &selecting).expect("a draft");
    files.extend(draft.files);
    let (draft, after) = drafted(&second, &files, &other).expect("a draft");
    overtaken(&draft, Some(&before), &after).expect("nothing of the first");
}

fn seen(account: u64, name: &str, tags: &[(&str, &str)], status: StackStatus) -> Seen {
    let target = target(account, "eu-central-1");
    Seen {
        id: StackId::of(&format!(
            "arn:aws:cloudformation:eu-central-1:{account:012}:stack/{name}/x"
        )),
        key: StackKey { target, name: name.parse().unwrap() },
        status,
        status_reason: None,
        created_at: Moment::default(),
        updated_at: None,
        parameters: values(&[
            ("MemorySize", "128"),
            ("Bucket", "b"),
            ("Endpoint", "none"),
            ("Level", "info"),
        ]),
        tags: values(tags),
        outputs: BTreeMap::new(),
        termination_protection: true,
    }
}

#[test]
fn stacks_of_the_commonest_template_make_the_service_and_others_are_named() {
    let sighted = |account, tags: &[(&str, &str)], status, template: &str| Sighted {
        seen: seen(account, "scan-api", tags, status),
        template: Some(template.into()),
    };
    let complete = || StackStatus::CreateComplete;
    let all = vec![
        sighted(1, &[("team", "scan"), ("of", "1")], complete(), TEMPLATE),
        sighted(2, &[("team", "scan"), ("of", "2")], complete(), TEMPLATE),
        sighted(3, &[], complete(), "Resources: { T: { Type: AWS::SNS::Topic } }"),
        sighted(4, &[], StackStatus::UpdateRollbackFailed, TEMPLATE),
        sighted(5, &[("driftless:fleet", "other")], complete(), TEMPLATE),
    ];
    let search = Search { pattern: "scan-api*".to_owned(), ..Search::default() };
    let found = gather(&search, all, vec!["CAPABILITY_IAM".to_owned()]);
    let why: Vec<Option<&str>> = found.instances.iter().map(|one| one.trouble.as_deref()).collect();
    assert_eq!(
        why,
        [
            None,
            None,
            Some("its template is not that of 4 stacks of 5"),
            Some("it is in UPDATE_ROLLBACK_FAILED"),
            Some("it belongs to the fleet `other`"),
        ]
    );
    assert_eq!(found.tags, values(&[("team", "scan")]));
    assert!(found.notes[0].ends_with(": `of`."), "{:?}", found.notes);
    let files = Files::from([
        fleet("").to_owned(),
        tenant("acme", 1, "").to_owned(),
        tenant("beta", 2, ""),
        tenant("gamma", 3, ""),
    ]);
    let mut files = files;
    let text = files["fleet.yaml"].replace("[eu-central-1]", "[eu-central-1, us-east-1]");
    files.insert("fleet.yaml".to_owned(), text);
    let (draft, _) = drafted(&found, &files, &Wish { skips: true, ..wish() }).expect("a draft");
    assert_eq!(ids(&draft), (5, 2, 3));
    let service = &draft.files["services/scan-api/service.yaml"];
    // What only the template says stays there.
    assert!(!service.contains("MemorySize") && service.contains("    Bucket: b\n"), "{service}");
    assert!(service.contains("terminationProtection: true"), "{service}");
    assert!(service.contains("regions: [eu-central-1]"), "{service}");
}

/// A value of any kind that an instance may have.
fn value() -> impl Strategy<Value = usize> {
    0..9_usize
}

fn spelled(kind: usize, target: &Target) -> String {
    let (account, region) = (target.account.to_string(), target.region.as_str());
    match kind {
        0 => "a".to_owned(),
        1 => "b".to_owned(),
        2 => account,
        3 => region.to_owned(),
        4 => format!("x-{account}-{region}-{account}"),
        5 => format!("${account}"),
        6 => "${region} $${x} $".to_owned(),
        7 => "no: \"way\" # {} '".to_owned(),
        _ => String::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_instances_have_the_documents_say_exactly_that(
        shared in prop::collection::btree_map("[A-C]", value(), 0..3),
        own in prop::collection::vec(prop::collection::btree_map("[A-C]", value(), 0..4), 1..9),
        of_fleet in prop::option::of(value()),
        of_tenant in prop::option::of(value()),
        known in 0..4_u64,
    ) {
        let places: Vec<Target> = (0..own.len())
            .map(|at| target(1 + at as u64 / 2, ["eu-central-1", "us-east-1"][at % 2]))
            .collect();
        let anywhere = &target(9, "eu-west-1");
        let mut found = stack_set(&[], Vec::new());
        found.template_body = "Parameters:\n  A: { Type: String, Default: a }\n  B: { Type: String, Default: '' }\n  \
            C: { Type: String, Default: d }\nResources: { Q: { Type: AWS::SQS::Queue } }\n".to_owned();
        found.parameters =
            shared.iter().map(|(name, kind)| (name.clone(), spelled(*kind, anywhere))).collect();
        found.instances = places.iter().zip(&own).map(|(place, own)| Instance {
            target: place.clone(),
            stack: None,
            values: own.iter().map(|(name, kind)| (name.clone(), spelled(*kind, place))).collect(),
            trouble: None,
        }).collect();
        let parameters = |kind: Option<usize>| kind.map_or(String::new(), |kind| {
            let text = crate::fleet::Text::literal(&spelled(kind, anywhere)).to_string();
            format!("  parameters: {{ A: {} }}\n", crate::fleet::edit::quoted(&text))
        });
        let mut files = Files::from([fleet(&parameters(of_fleet))]);
        let text = files["fleet.yaml"].replace("[eu-central-1]", "[eu-central-1, us-east-1]");
        files.insert("fleet.yaml".to_owned(), text);
        for account in 1..=known {
            let (path, text) = tenant(&format!("t{account}"), account, &parameters(of_tenant));
            files.insert(path, text);
        }
        let (draft, _) = match drafted(&found, &files, &wish()) {
            Ok(drafted) => drafted,
            Err(refusal) => return Err(TestCaseError::fail(format!("{refusal:?}"))),
        };
        prop_assert_eq!(draft.taken.len(), own.len());
        for (place, own) in places.iter().zip(&own) {
            for name in ["A", "B", "C"] {
                let set = || shared.get(name).map(|kind| spelled(*kind, anywhere));
                let own = own.get(name).map(|kind| spelled(*kind, place));
                let default = match name { "A" => "a", "B" => "", _ => "d" };
                let is = own.or_else(set).unwrap_or_else(|| default.to_owned());
                prop_assert_eq!(draft.taken[place].get(name), Some(&is));
            }
        }
    }
}

#[test]
fn protection_that_not_all_stacks_have_is_said_to_be_lost() {
    let sighted = |account, protected| {
        let seen = seen(account, "scan-api", &[], StackStatus::CreateComplete);
        let seen = Seen { termination_protection: protected, ..seen };
        Sighted { seen, template: Some(TEMPLATE.into()) }
    };
    let said = |protected: [bool; 3]| {
        let all = (1..).zip(protected).map(|(account, protected)| sighted(account, protected));
        let search = Search { pattern: "scan-api*".to_owned(), ..Search::default() };
        let found = gather(&search, all.collect(), Vec::new());
        (found.termination_protection, found.notes.join(" "))
    };
    let (all, note) = said([true, false, true]);
    assert!(
        !all && note.starts_with("2 of 3 are protected from deletion, and lose that"),
        "{note}"
    );
    assert_eq!(said([true; 3]), (true, String::new()));
    assert_eq!(said([false; 3]), (false, String::new()));
}
