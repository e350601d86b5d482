//! What the plan of a pull request costs: both revisions read and checked, compared, and written as a
//! comment.

use std::collections::BTreeMap;

use driftless::controller::checked;
use driftless::desired::Desired;
use driftless::ids::Revision;
use driftless::plan::preview::preview;
use driftless::report::plan::{MAX_COMMENT, comments, json};
use driftless::snapshot::{Entry, Snapshot};

use crate::Usage;

/// Changes of the sample fleet, each with what is replaced in which file.
const CHANGES: [(&str, &str, &str, &str); 4] = [
    ("a parameter of a service", "s1/service.yaml", "${labels.tier}", "free"),
    (
        "a template",
        "s1/template.yaml",
        "Type: String, Value: !Ref Upstream",
        "Type: String, Value: x",
    ),
    ("a tag of the fleet, on every stack", "fleet.yaml", "owner: platform", "owner: people"),
    ("nothing", "fleet.yaml", "owner: platform", "owner: platform"),
];

pub(crate) fn plans(files: &BTreeMap<String, String>) {
    println!("plan from one revision to another, both read (goal < 2 s CPU for one service)");
    for (name, path, from, to) in CHANGES {
        let mut changed = files.clone();
        let text = changed.get_mut(path).expect("a file");
        *text = text.replace(from, to);
        let before = Usage::now();
        let (old, new) = (read(files, "1111111111"), read(&changed, "2222222222"));
        let read = Usage::now();
        let plan = preview(Some(&old), &new);
        let compared = Usage::now();
        let comments = comments(&plan, "fleet", MAX_COMMENT);
        let bytes: usize = comments.iter().map(String::len).sum();
        let stacks: usize = plan.groups.iter().map(|group| group.members.len()).sum();
        let written = Usage::now();
        println!("  {name}: {stacks} stacks, {} comment(s) of {bytes} bytes", comments.len());
        println!(
            "    read {:.2} s, compare {:.2} s, write {:.2} s: together {:.2} s CPU; json {} kB",
            read.cpu - before.cpu,
            compared.cpu - read.cpu,
            written.cpu - compared.cpu,
            written.cpu - before.cpu,
            json(&plan).to_string().len() / 1_000,
        );
    }
}

fn read(files: &BTreeMap<String, String>, revision: &str) -> Desired {
    let entries = files.iter();
    let entries =
        entries.map(|(path, text)| (path.clone(), Entry::File(text.as_bytes().into()))).collect();
    let snapshot = Snapshot::of(Revision::of(revision), None, entries);
    checked(&snapshot).desired.expect("a clean fleet")
}
