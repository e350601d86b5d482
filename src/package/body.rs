//! A package as the journal keeps it, beside the text of its template: what is needed to make its
//! contents again, though git's history may have been rewritten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::package::blob::{Blob, BlobName, Packed};
use crate::package::packages::Package;
use crate::template::Template;

/// More levels than any package has.
const MAX_DEPTH: usize = 16;

/// All of a package but the text of its template. The templates of nested stacks are there once, however
/// many stacks are made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageBody {
    #[serde(flatten)]
    root: Pointed,
    /// Templates of nested stacks by the names of their contents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    templates: BTreeMap<String, Nested>,
}

/// What one template points to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pointed {
    /// Files as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<Packed>,
    /// Files by their names in each zip.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    zips: Vec<Arc<BTreeMap<String, Packed>>>,
    /// The names of the templates of nested stacks by their logical ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    nested: BTreeMap<String, String>,
}

/// The template of nested stacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Nested {
    template: String,
    #[serde(flatten)]
    pointed: Pointed,
}

/// What the template of a nested stack is called.
fn name(nested: &Package) -> String {
    Blob::Template(Arc::clone(&nested.template)).name().to_string()
}

impl Pointed {
    /// That of a package, with what it adds to the templates of nested stacks. What nested stacks point to
    /// is theirs.
    fn of(package: &Package, templates: &mut BTreeMap<String, Nested>) -> Self {
        let mut pointed = Self::default();
        let mut below: BTreeSet<&BlobName> = BTreeSet::new();
        for (id, nested) in &package.nested {
            let name = name(nested);
            if !templates.contains_key(&name) {
                let (template, within) = (nested.template.body(), Self::of(nested, templates));
                let template = Nested { template: template.to_owned(), pointed: within };
                templates.insert(name.clone(), template);
            }
            if !pointed.nested.values().any(|known| *known == name) {
                below.extend(nested.blobs.keys());
            }
            pointed.nested.insert(id.clone(), name);
        }
        for (_, blob) in package.blobs.iter().filter(|(name, _)| !below.contains(*name)) {
            match blob {
                Blob::File(file) => pointed.files.push(file.clone()),
                Blob::Zip(files) => pointed.zips.push(Arc::clone(files)),
                // Those are the templates of nested stacks, or the package's own.
                Blob::Template(_) => {}
            }
        }
        pointed
    }
}

impl PackageBody {
    /// That of a package.
    pub fn of(package: &Package) -> Self {
        let mut templates = BTreeMap::new();
        Self { root: Pointed::of(package, &mut templates), templates }
    }

    /// Whether the template points to nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The package of this with the text of its template; `None` where a text is no template any
    /// more. Its source is the packaged template.
    pub fn with(&self, template: &str) -> Option<Package> {
        self.made(template, &self.root, &mut BTreeMap::new(), 0)
    }

    /// One package; `made` are those of nested stacks so far, by the names of their templates.
    fn made(
        &self,
        template: &str,
        pointed: &Pointed,
        made: &mut BTreeMap<String, Arc<Package>>,
        depth: usize,
    ) -> Option<Package> {
        if depth > MAX_DEPTH {
            return None;
        }
        let template = Arc::new(Template::parse(template).ok()?);
        let files = pointed.files.iter().cloned().map(Blob::File);
        let all = files.chain(pointed.zips.iter().cloned().map(Blob::Zip));
        let mut blobs: BTreeMap<_, _> = all.map(|blob| (blob.name(), blob)).collect();
        let mut nested = BTreeMap::new();
        for (id, name) in &pointed.nested {
            let known = match made.get(name) {
                Some(known) => Arc::clone(known),
                None => {
                    let body = self.templates.get(name)?;
                    let package = self.made(&body.template, &body.pointed, made, depth + 1)?;
                    let package = Arc::new(package);
                    made.insert(name.clone(), Arc::clone(&package));
                    package
                }
            };
            if !nested.values().any(|other| Arc::ptr_eq(other, &known)) {
                let template = Blob::Template(Arc::clone(&known.template));
                blobs.insert(template.name(), template);
                blobs.extend(known.blobs.iter().map(|(name, blob)| (*name, blob.clone())));
            }
            nested.insert(id.clone(), known);
        }
        Some(Package::of("", (Arc::clone(&template), template), (blobs, nested)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Revision;
    use crate::package::Packages;
    use crate::snapshot::{ContentId, Entry, Snapshot, Unread};

    #[test]
    fn a_package_can_be_made_from_what_the_journal_keeps() {
        let file = |text: &str| Entry::File(text.as_bytes().into());
        let code = Entry::Unread(Unread { id: ContentId::of(b"x"), bytes: 1 });
        let entries = [
            (
                "root.yaml",
                file(
                    "Resources:\n  In: { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: in.yaml } }\n  \
                     F: { Type: 'AWS::Lambda::Function', Properties: { Code: code } }\n",
                ),
            ),
            (
                "in.yaml",
                file(
                    "Resources:\n  G: { Type: 'AWS::Lambda::Function', Properties: { Code: code } }\n  \
                     H: { Type: 'AWS::Glue::Job', Properties: { Command: { ScriptLocation: code/a.py } } }\n",
                ),
            ),
            ("code/a.py", code),
        ];
        let entries = entries.map(|(path, entry)| (path.to_owned(), entry));
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
        let text = std::str::from_utf8(snapshot.read("root.yaml").expect("there")).expect("text");
        let template = Arc::new(Template::parse(text).expect("a template"));
        let package = Packages::of(&snapshot).package("root.yaml", &template).expect("sound");
        let body = serde_json::to_string(&PackageBody::of(&package)).expect("json");
        let body: PackageBody = serde_json::from_str(&body).expect("the same");
        let again = body.with(package.template.body()).expect("sound");
        assert_eq!(package.blobs.len(), 3);
        assert_eq!(
            package.blobs.keys().collect::<Vec<_>>(),
            again.blobs.keys().collect::<Vec<_>>()
        );
        assert_eq!(again.template.digest(), package.template.digest());
        assert_eq!(again.nested["In"].template.body(), package.nested["In"].template.body());
        assert!(PackageBody::of(&Package::plain(template)).is_empty());
    }

    #[test]
    fn the_text_of_a_nested_template_is_kept_once_however_many_stacks_have_it() {
        let nests = |below: &str| -> String {
            let stacks = (0..30).map(|number| {
                format!(
                    "  S{number}: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {below} }} }}\n"
                )
            });
            format!("Resources:\n{}", stacks.collect::<String>())
        };
        let texts = [
            ("0.yaml", nests("1.yaml")),
            ("1.yaml", nests("2.yaml")),
            ("2.yaml", "Resources: { Q: { Type: t } }".to_owned()),
        ];
        let entries = texts
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Entry::File(text.as_bytes().into())));
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries.collect());
        let template = Arc::new(Template::parse(&texts[0].1).expect("a template"));
        let package = Packages::of(&snapshot).package("0.yaml", &template).expect("sound");
        let body = PackageBody::of(&package);
        assert_eq!(body.templates.len(), 2);
        let again = body.with(package.template.body()).expect("sound");
        assert_eq!((again.all().len(), package.all().len()), (931, 931));
        assert!(Arc::ptr_eq(&again.nested["S0"], &again.nested["S1"]));
        assert!(again.blobs.keys().eq(package.blobs.keys()));
    }
}
