//! A small fleet for tests of rollouts.

use crate::check;
use crate::desired::Desired;
use crate::ids::Revision;
use crate::snapshot::{Entry, Snapshot};

const HEAD: &str = "apiVersion: driftless.dev/v1\nkind: ";

/// One service whose parameter has this value, with the waves that are written so, and so many
/// tenants, every third of which is a canary.
pub(super) fn fleet(waves: &str, tenants: usize, value: &str) -> Desired {
    let fleet = format!(
        "{HEAD}Fleet\nmetadata: {{ name: f }}\nspec:\n  cloud: simulated\n  regions: \
         [eu-central-1]\n  rollout: {{ {waves} }}\n"
    );
    let service = format!(
        "{HEAD}Service\nmetadata: {{ name: api }}\nspec: {{ template: t.yaml, parameters: {{ V: \
         \"{value}\" }} }}\n"
    );
    let template =
        "Parameters: { V: { Type: String } }\nResources: { Q: { Type: AWS::SQS::Queue } }";
    let mut files = vec![
        ("fleet.yaml".to_owned(), fleet),
        ("s.yaml".to_owned(), service),
        ("t.yaml".to_owned(), template.to_owned()),
    ];
    files.extend((1..=tenants).map(|number| {
        let ring = if number % 3 == 0 { "canary" } else { "other" };
        let text = format!(
            "{HEAD}Tenant\nmetadata: {{ name: t{number}, labels: {{ ring: {ring} }} }}\nspec: \
             {{ account: \"{number:012}\", regions: [eu-central-1] }}\n"
        );
        (format!("t{number}.yaml"), text)
    }));
    let entries = files.into_iter().map(|(path, text)| {
        let bytes: Vec<u8> = text.into_bytes();
        (path, Entry::File(bytes.into()))
    });
    let snapshot = Snapshot::of(Revision::of(value), None, entries.collect());
    check::read(&snapshot).unwrap_or_else(|all| panic!("{all:#?}")).0
}
