//! Fleet documents, sound ones and broken ones, through all that `driftless validate` does.

use std::collections::BTreeMap;

use driftless::check;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fuzz::bounds::{assert_bounds, damage};
use crate::fuzz::tree::{Tree, any_break, list, map, plain};
use crate::fuzz::{cases, snapshot};

const TEMPLATE: &str = "\
Parameters:
  Table: { Type: String, AllowedPattern: \"[a-z0-9-]+\", MaxLength: 20, Default: t }
  LogLevel: { Type: String, Default: info, AllowedValues: [info, debug] }
  Size: { Type: Number, Default: 1, MaxValue: 10 }
  Secret: { Type: String, NoEcho: true, Default: x }
  Names: { Type: CommaDelimitedList, Default: \"\" }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub \"${Table}-x\" } }
Outputs:
  QueueUrl: { Value: !Ref Queue }
";

fn document(kind: &str, name: &str, labels: Option<Tree>, spec: Tree) -> Tree {
    let mut metadata = vec![("name".to_owned(), plain(name))];
    metadata.extend(labels.map(|labels| ("labels".to_owned(), labels)));
    map([
        ("apiVersion", plain("driftless.dev/v1")),
        ("kind", plain(kind)),
        ("metadata", Tree::Map(metadata)),
        ("spec", spec),
    ])
}

fn fleet() -> Tree {
    let role = Tree::Quoted("arn:aws:iam::${account.id}:role/driftless-execution".into());
    let deletes = map([("tenants", plain("1")), ("stacks", plain("25")), ("percent", plain("1"))]);
    let retired = map([("name", plain("eu-west-1")), ("retired", plain("true"))]);
    document(
        "Fleet",
        "gloves",
        None,
        map([
            ("cloud", plain("aws")),
            ("access", map([("roleArn", role), ("externalId", plain("shared"))])),
            ("regions", list([plain("eu-central-1"), plain("us-east-1"), retired])),
            ("parameters", map([("LogLevel", plain("info"))])),
            ("tags", map([("owner", plain("platform")), ("of", plain("${fleet.name}"))])),
            ("limits", map([("stacksInFlight", plain("3000")), ("deletes", deletes)])),
            ("resync", plain("30m")),
            ("suspend", plain("false")),
        ]),
    )
}

fn tenant(name: &str, account: &str) -> Tree {
    let parameters = map([("Size", plain("4")), ("Names", list([plain("a"), plain("2")]))]);
    let exception = map([
        ("parameters", map([("Secret", plain("hunter2")), ("Table", plain("t-${region}"))])),
        ("regions", list([plain("us-east-1")])),
        ("stackName", plain("legacy-${tenant.name}")),
        ("suspend", plain("true")),
        ("absent", plain("false")),
    ]);
    document(
        "Tenant",
        name,
        Some(map([("tier", plain("paid")), ("ring", plain("canary"))])),
        map([
            ("account", Tree::Quoted(account.into())),
            ("regions", list([plain("eu-central-1"), plain("us-east-1")])),
            ("lifecycle", plain("active")),
            ("parameters", parameters),
            ("services", map([("web", exception)])),
        ]),
    )
}

fn api() -> Tree {
    let expression = map([
        ("key", plain("ring")),
        ("operator", plain("In")),
        ("values", list([plain("canary"), plain("all")])),
    ]);
    let selector = map([
        ("matchLabels", map([("tier", plain("paid"))])),
        ("matchExpressions", list([expression])),
    ]);
    document(
        "Service",
        "api",
        None,
        map([
            ("template", plain("template.yaml")),
            ("stackName", plain("api-${tenant.name}")),
            ("selector", selector),
            ("regions", plain("tenant")),
            ("parameters", map([("Table", plain("scans-${tenant.name}"))])),
            ("capabilities", list([plain("CAPABILITY_IAM")])),
            ("tags", map([("of", Tree::Quoted("${service.name} $${x}".into()))])),
            ("terminationProtection", plain("true")),
            ("stackPolicy", plain("policy.json")),
            ("protect", list([plain("default"), plain("AWS::SQS::Queue")])),
            ("onRemoval", plain("delete")),
        ]),
    )
}

fn web() -> Tree {
    let parameters =
        map([("Table", plain("${services.api.outputs.QueueUrl}")), ("Size", plain("2"))]);
    document(
        "Service",
        "web",
        None,
        map([
            ("template", plain("template.yaml")),
            ("dependsOn", list([plain("api")])),
            ("parameters", parameters),
        ]),
    )
}

/// The sound fleet; every field of every kind is in it.
fn documents() -> Vec<Tree> {
    vec![fleet(), tenant("acme", "111122223333"), tenant("zoo", "000000000007"), api(), web()]
}

/// The Fleet and the services each in a file, the tenants together in one.
fn files(documents: &[Tree]) -> BTreeMap<String, Vec<u8>> {
    let text = |number: usize| documents[number].write();
    let texts = [
        ("fleet.yaml", text(0)),
        ("tenants.yaml", format!("# all tenants\n{}---\n{}", text(1), text(2))),
        ("api.yaml", text(3)),
        ("web.yaml", text(4)),
        ("template.yaml", TEMPLATE.to_owned()),
        ("policy.json", "{\"Statement\": []}".to_owned()),
    ];
    texts.map(|(path, text)| (path.to_owned(), text.into_bytes())).into()
}

#[test]
fn the_unbroken_fleet_is_sound() {
    let files = files(&documents());
    let findings = assert_bounds(&files).expect("no errors");
    assert!(findings.is_empty(), "{findings:#?}");
    let (desired, _) = check::read(&snapshot(&files)).expect("no errors");
    assert_eq!(desired.stack_count(), 6);
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_document_broken_in_its_structure_is_told_where_and_how_to_fix_it(
        breaks in proptest::collection::vec((0_usize..5, any_break()), 1..5),
    ) {
        let mut documents = documents();
        for (number, how) in breaks {
            documents[number] = documents[number].clone().broken(how);
        }
        let _ = assert_bounds(&files(&documents));
    }

    #[test]
    fn a_file_damaged_in_its_bytes_is_told_where_and_how_to_fix_it(
        damages in proptest::collection::vec((any::<Index>(), damage()), 1..5),
    ) {
        let mut files = files(&documents());
        for (index, damage) in damages {
            let path = index.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
            damage.apply(files.get_mut(&path).unwrap());
        }
        let _ = assert_bounds(&files);
    }

    /// What is dropped without a word would be taken for no longer wanted.
    #[test]
    fn a_document_is_read_or_the_revision_is_refused(
        number in 1_usize..5,
        damage in damage(),
        how in any_break(),
        in_bytes in any::<bool>(),
    ) {
        let mut documents = documents();
        if !in_bytes {
            documents[number] = documents[number].clone().broken(how);
        }
        let mut files = files(&documents);
        if in_bytes {
            let path = ["tenants.yaml", "tenants.yaml", "api.yaml", "web.yaml"][number - 1];
            damage.apply(files.get_mut(path).unwrap());
        }
        // What no longer says whose it is belongs to somebody else.
        let ours = |text: &[u8]| String::from_utf8_lossy(text).matches("driftless.dev/v1").count();
        let whole = files.values().map(|text| ours(text)).sum::<usize>() >= 5;
        if let (true, Ok((desired, _))) = (whole, check::read(&snapshot(&files))) {
            let all = desired.tenants.len() + desired.services.len();
            let read: usize = files.values().map(|text| ours(text)).sum();
            prop_assert!(all >= 4, "{} documents of {read}\n{:#?}", all + 1,
                files.values().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>());
        }
    }
}
