//! What packaging costs: services with functions of some files each, read for the first time, and again
//! after one of the files changed.

use std::collections::BTreeMap;

use driftless::controller::checked_after;
use driftless::desired::Desired;
use driftless::ids::Revision;
use driftless::package::Packaged;
use driftless::snapshot::{ContentId, Entry, Snapshot, Unread, is_text};

use crate::Usage;

const SERVICES: usize = 50;
const FUNCTIONS: usize = 150;
const FILES: usize = 3;

pub(crate) fn packages() {
    println!("package {SERVICES} services x {FUNCTIONS} functions x {FILES} files");
    let mut files = files();
    let first = read("the first time", &Packaged::default(), &files, "1111111111");
    read("again, nothing changed", &first.packaged, &files, "2222222222");
    files.insert("s7/f7/app.py".to_owned(), "print('changed')".to_owned());
    let one = read("again, one function changed", &first.packaged, &files, "3333333333");
    let same = one.services.iter().filter(|(name, service)| {
        first
            .services
            .get(*name)
            .is_some_and(|before| std::sync::Arc::ptr_eq(&before.package, &service.package))
    });
    println!("  packages used again: {} of {}", same.count(), one.services.len());
    println!("  peak memory {:.0} MB", Usage::now().peak_mb);
}

fn read(
    what: &str,
    before: &Packaged,
    files: &BTreeMap<String, String>,
    revision: &str,
) -> Desired {
    let snapshot = snapshot(files, revision);
    let start = Usage::now();
    let found = checked_after(before, &snapshot);
    let end = Usage::now();
    let desired = found.desired.unwrap_or_else(|| panic!("{:#?}", found.findings));
    let blobs: usize = desired.services.values().map(|service| service.package.blobs.len()).sum();
    println!("  {what}: {:.2} s CPU, {blobs} contents", end.cpu - start.cpu);
    desired
}

fn snapshot(files: &BTreeMap<String, String>, revision: &str) -> Snapshot {
    let entries = files.iter().map(|(path, text)| {
        let entry = if is_text(path) {
            Entry::File(text.as_bytes().into())
        } else {
            let (id, bytes) = (ContentId::of(text.as_bytes()), text.len() as u64);
            Entry::Unread(Unread { id, bytes })
        };
        (path.clone(), entry)
    });
    Snapshot::of(Revision::of(revision), None, entries.collect())
}

fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let fleet = "apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: bench }
spec:
  cloud: simulated
  access: { roleArn: \"arn:aws:iam::${account.id}:role/driftless-execution\" }
  regions: [eu-central-1]
  artifacts: { bucket: \"bench-${region}\" }
";
    files.insert("fleet.yaml".to_owned(), fleet.to_owned());
    let tenant = "apiVersion: driftless.dev/v1
kind: Tenant
metadata: { name: t }
spec: { account: \"111122223333\", regions: [eu-central-1] }
";
    files.insert("t.yaml".to_owned(), tenant.to_owned());
    for service in 0..SERVICES {
        let document = format!(
            "apiVersion: driftless.dev/v1
kind: Service
metadata: {{ name: s{service} }}
spec: {{ template: root.yaml }}
"
        );
        files.insert(format!("s{service}/service.yaml"), document);
        let mut root = "Resources:\n".to_owned();
        for function in 0..FUNCTIONS {
            root.push_str(&format!(
                "  F{function}:
    Type: AWS::Lambda::Function
    Properties:
      Code: f{function}
      Handler: app.handler
      Runtime: python3.13
      Role: !Sub \"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/f\"
      Environment: {{ Variables: {{ STAGE: prod, NUMBER: \"{function}\" }} }}
"
            ));
            for file in 0..FILES {
                let name = ["app.py", "lib/one.py", "lib/two.py"][file];
                let text = format!("print('{service} {function} {file}')");
                files.insert(format!("s{service}/f{function}/{name}"), text);
            }
        }
        files.insert(format!("s{service}/root.yaml"), root);
    }
    files
}
