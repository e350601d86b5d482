//! A package as the journal keeps it, beside the text of its template: what is needed to make its
//! contents again, though git's history may have been rewritten.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::package::blob::{Blob, Packed};
use crate::package::packing::Package;
use crate::template::Template;

/// All of a package but the text of its template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageBody {
    /// Files as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<Packed>,
    /// Files by their names in each zip.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    zips: Vec<BTreeMap<String, Packed>>,
    /// Nested stacks by their logical ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    nested: BTreeMap<String, NestedBody>,
}

/// A nested stack with its own template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NestedBody {
    template: String,
    #[serde(flatten)]
    package: PackageBody,
}

impl PackageBody {
    /// That of a package. What nested stacks point to is theirs.
    pub fn of(package: &Package) -> Self {
        let below = |name| package.nested.values().any(|nested| nested.blobs.contains_key(name));
        let own = package.blobs.iter().filter(|(name, _)| !below(*name)).map(|(_, blob)| blob);
        let mut body = Self::default();
        for blob in own {
            match blob {
                Blob::File(file) => body.files.push(file.clone()),
                Blob::Zip(files) => body.zips.push(files.clone()),
                // Those are the templates of nested stacks, or the package's own.
                Blob::Template(_) => {}
            }
        }
        let nested = package.nested.iter().map(|(name, nested)| {
            let template = nested.template.body().to_owned();
            (name.clone(), NestedBody { template, package: Self::of(nested) })
        });
        body.nested = nested.collect();
        body
    }

    /// Whether the template points to nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The package of this with the text of its template; `None` where a text is no template any
    /// more. Its source is the packaged template.
    pub fn with(&self, template: &str) -> Option<Package> {
        let template = Arc::new(Template::parse(template).ok()?);
        let mut package = Package::plain(template);
        let files = self.files.iter().cloned().map(Blob::File);
        let blobs = files.chain(self.zips.iter().cloned().map(Blob::Zip));
        package.blobs.extend(blobs.map(|blob| (blob.name(), blob)));
        for (name, body) in &self.nested {
            let nested = Arc::new(body.package.with(&body.template)?);
            let template = Blob::Template(Arc::clone(&nested.template));
            package.blobs.insert(template.name(), template);
            package.blobs.extend(nested.blobs.iter().map(|(name, blob)| (*name, blob.clone())));
            package.nested.insert(name.clone(), nested);
        }
        Some(package)
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
}
