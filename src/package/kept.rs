//! What was packaged of one revision, so that the next one packages only what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::package::built::Built;
use crate::package::packages::Package;
use crate::snapshot::Snapshot;

/// The sound packages of one revision.
#[derive(Clone, Debug, Default)]
pub struct Packaged {
    /// `None` of no revision at all.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) built: BTreeMap<String, Built>,
    /// By the paths of their templates.
    pub(super) packages: BTreeMap<String, Kept>,
}

/// A package, and the paths that it depends on.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) package: Arc<Package>,
    pub(super) trail: Arc<BTreeSet<String>>,
}

/// The packages that would come out the same in another revision.
pub(super) fn unchanged(
    before: &Packaged,
    snapshot: &Snapshot,
    built: &BTreeMap<String, Built>,
) -> BTreeMap<String, Kept> {
    let Some(previous) = &before.snapshot else { return BTreeMap::new() };
    let mut changed = previous.differing(snapshot);
    let differs = |path: &&String| before.built.get(*path) != built.get(*path);
    changed.extend(before.built.keys().chain(built.keys()).filter(differs).cloned());
    let is_same = |kept: &Kept| !changed.iter().any(|path| touches(path, &kept.trail));
    let same = before.packages.iter().filter(|(_, kept)| is_same(kept));
    same.map(|(path, kept)| (path.clone(), kept.clone())).collect()
}

/// Whether a path is on the trail, in a folder that is, or a folder on the way to what is.
fn touches(changed: &str, trail: &BTreeSet<String>) -> bool {
    let cuts = changed.match_indices('/').map(|(at, _)| at);
    let ways = [0].into_iter().chain(cuts).chain([changed.len()]);
    let below = format!("{changed}/");
    ways.into_iter().any(|end| trail.contains(&changed[..end]))
        || trail.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, Revision};
    use crate::package::{BuiltAt, Packages};
    use crate::snapshot::{ContentId, Entry, Unread};
    use crate::template::Template;

    const ROOT: &str = "Resources:\n  In: { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: in/t.yaml } }\n";
    const INNER: &str =
        "Resources:\n  F: { Type: 'AWS::Lambda::Function', Properties: { Code: ../code } }\n";
    const OTHER: &str =
        "Resources:\n  F: { Type: 'AWS::Lambda::Function', Properties: { Code: built.zip } }\n";

    fn snapshot(more: &[(&str, &str)]) -> Snapshot {
        let usual = [
            ("s/root.yaml", ROOT),
            ("s/in/t.yaml", INNER),
            ("o/root.yaml", OTHER),
            ("s/code", "-> ../shared"),
            ("shared/app.py", "1"),
        ];
        let entries = usual.iter().chain(more).filter(|(_, text)| !text.is_empty());
        let entries = entries.map(|(path, text)| {
            let bytes = text.len() as u64;
            let entry = match text.strip_prefix("-> ") {
                Some(to) => Entry::Link(to.to_owned()),
                None if path.ends_with(".yaml") => Entry::File(text.as_bytes().into()),
                None => Entry::Unread(Unread { id: ContentId::of(text.as_bytes()), bytes }),
            };
            ((*path).to_owned(), entry)
        });
        let mut entries: BTreeMap<_, _> = entries.collect();
        for (path, _) in more.iter().filter(|(_, text)| text.is_empty()) {
            entries.remove(*path);
        }
        Snapshot::of(Revision::of("folder"), None, entries)
    }

    fn built(digest: &str) -> BTreeMap<String, Built> {
        let digest = Digest::of(digest.as_bytes());
        [("o/built.zip".to_owned(), Built { from: BuiltAt::File("x".to_owned()), digest })].into()
    }

    /// What came of both templates, after what came of them before.
    fn packaged(snapshot: &Snapshot, build: &str, before: Option<&Packaged>) -> Packaged {
        let mut packages = Packages::of(snapshot).with_built(built(build));
        if let Some(before) = before {
            packages = packages.after(before);
        }
        for path in ["s/root.yaml", "o/root.yaml"] {
            let text = std::str::from_utf8(snapshot.read(path).expect("there")).expect("text");
            let template = Arc::new(Template::parse(text).expect("a template"));
            packages.package(path, &template);
        }
        packages.finish()
    }

    fn same(one: &Packaged, two: &Packaged) -> Vec<String> {
        let is_same = |path: &&String| match (one.packages.get(*path), two.packages.get(*path)) {
            (Some(one), Some(two)) => Arc::ptr_eq(&one.package, &two.package),
            (_, _) => false,
        };
        one.packages.keys().filter(is_same).cloned().collect()
    }

    #[test]
    fn only_what_depends_on_a_change_is_packaged_again() {
        let first = packaged(&snapshot(&[]), "1", None);
        assert_eq!(first.packages.len(), 3);
        let all = ["o/root.yaml", "s/in/t.yaml", "s/root.yaml"].as_slice();
        let (none, others, theirs): (&[&str], &[&str], &[&str]) =
            (&[], &["o/root.yaml"], &["s/in/t.yaml", "s/root.yaml"]);
        for (change, build, expected) in [
            (&[][..], "1", all),
            (&[("docs/readme", "x"), ("s/tenant.yaml", "x")], "1", all),
            // Behind a link, beside what was there, and the link itself.
            (&[("shared/app.py", "2")], "1", others),
            (&[("shared/new.py", "1")], "1", others),
            (&[("s/code", "-> ../other"), ("other/app.py", "1")], "1", others),
            (&[("s/in/t.yaml", "Resources: { Q: { Type: 'AWS::SQS::Queue' } }")], "1", others),
            (&[("o/root.yaml", ROOT), ("o/in/t.yaml", INNER)], "1", theirs),
            (&[], "2", theirs),
            // A folder that becomes a link.
            (&[("s/in", "-> ../p"), ("s/in/t.yaml", ""), ("p/t.yaml", INNER)], "1", others),
            (&[("shared/app.py", "2")], "2", none),
        ] {
            let next = packaged(&snapshot(change), build, Some(&first));
            assert_eq!(same(&first, &next), expected, "{change:?} {build}");
            let anew = packaged(&snapshot(change), build, None);
            let bodies = |packaged: &Packaged| {
                let all = packaged.packages.iter();
                let told = all.map(|(path, kept)| {
                    let names = kept.package.blobs.keys().map(ToString::to_string);
                    (path.clone(), kept.package.template.body().to_owned(), names.collect())
                });
                told.collect::<Vec<(String, String, Vec<String>)>>()
            };
            let expected: Vec<_> = bodies(&anew);
            assert_eq!(bodies(&next), expected, "{change:?} {build}");
        }
    }
}
