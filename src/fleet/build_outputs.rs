//! `spec.artifacts` of a Service: files that templates point to and that are not in git, by place and
//! digest.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

use schemars::JsonSchema;

use crate::fleet::document::documents;
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::{Node, Place};
use crate::ids::Digest;
use crate::package::{Built, BuiltAt};
use crate::snapshot::{Snapshot, join};

/// What stands before the hex digits of a digest.
const ALGORITHM: &str = "sha256:";

documents! {
    /// A file that templates point to and that is not in git, as a build made it.
    struct BuildOutputSpec {
        /// Where templates point to, relative to this file, inside the fleet folder.
        path as "path": String,
        /// Where the build left it: `s3://BUCKET/KEY`, or `file:PATH` on the machine that driftless runs
        /// on, from the fleet folder where it does not begin with `/`.
        from as "from": BuiltAt,
        /// The SHA-256 of the file: `sha256:` and 64 hex digits. What has another is not deployed.
        digest as "digest": ContentDigest,
    }
}

/// `sha256:` and 64 hex digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContentDigest(Digest);

/// A file that a service takes from a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutput {
    /// Where templates find it in the fleet folder.
    pub path: String,
    /// Where it lies, and what is in it.
    pub built: Built,
}

impl Read for BuiltAt {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        let read = text.parse().map_err(|error: String| {
            let (message, help) = error.split_once(": ").unwrap_or((&error, ""));
            reader.error(node.place, "bad-artifact", message, Some(help.to_owned()));
        });
        read.ok()
    }
}

impl Read for ContentDigest {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        let digest = text.strip_prefix(ALGORITHM).and_then(|digits| digits.parse().ok());
        if digest.is_none() {
            let message = format!("`{text}` is no digest");
            let help = "write `sha256:` and the 64 hex digits that `sha256sum FILE` prints";
            reader.error(node.place, "bad-artifact", message, Some(help.to_owned()));
        }
        digest.map(Self)
    }
}

/// The build outputs of all services, by their paths in the fleet folder.
#[derive(Debug, Default)]
pub(super) struct BuildOutputs {
    all: BTreeMap<String, (Built, Arc<str>, Place)>,
}

impl BuildOutputs {
    /// Takes in those of a service. One path is one file, whoever names it; findings tell of others.
    pub(super) fn take(
        &mut self,
        specs: Vec<BuildOutputSpec>,
        snapshot: &Snapshot,
        (path, node): (&Arc<str>, &Node),
        reader: &mut Reader<'_>,
    ) -> Vec<BuildOutput> {
        let mut taken = Vec::new();
        for (number, spec) in specs.into_iter().enumerate() {
            let place = node.find(&["spec", "artifacts", &number.to_string(), "path"]);
            let mut complain = |code, message: String, help: String| {
                reader.error(place, code, message, Some(help));
            };
            let Some(at) = join(path, &spec.path).filter(|at| !at.is_empty()) else {
                let message = format!("`{}` leaves the fleet folder", spec.path);
                let help = "name the path that templates point to; `from` may lie anywhere";
                complain("outside-fleet", message, help.to_owned());
                continue;
            };
            if snapshot.entry(&at).is_some() {
                let message = format!("`{at}` is in git too");
                complain(
                    "artifact-in-git",
                    message,
                    "keep one: remove it there or here".to_owned(),
                );
                continue;
            }
            let built = Built { from: spec.from, digest: spec.digest.0 };
            match self.all.entry(at.clone()) {
                Entry::Vacant(slot) => {
                    slot.insert((built.clone(), Arc::clone(path), place));
                }
                Entry::Occupied(slot) if slot.get().0 == built => {}
                Entry::Occupied(slot) => {
                    let (_, other, (line, _)) = slot.get();
                    let message = format!("`{at}` is another file elsewhere");
                    let help =
                        format!("see {other}:{line}; give both the same `from` and `digest`");
                    complain("duplicate-artifact", message, help);
                    continue;
                }
            }
            taken.push(BuildOutput { path: at, built });
        }
        taken
    }

    /// All of them, as packages find them.
    pub(super) fn into_built(self) -> BTreeMap<String, Built> {
        self.all.into_iter().map(|(path, (built, ..))| (path, built)).collect()
    }
}
