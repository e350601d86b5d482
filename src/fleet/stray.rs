//! What was meant to be a document and would be passed over as somebody else's: passed over, it is
//! no longer wanted, and its stacks are dropped.

use crate::fleet::document::{API_GROUP, API_VERSION};
use crate::fleet::reader::nearest;
use crate::fleet::yaml::{Content, Node, Place};
use crate::fleet::{Finding, Severity};

/// Characters that end a line for some programs and not for others, and their names.
const AMBIGUOUS: [(char, &str); 3] =
    [('\u{85}', "U+0085"), ('\u{2028}', "U+2028"), ('\u{2029}', "U+2029")];

/// What Git LFS commits in the place of a file.
const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/";

/// Looks at the text of a YAML file before it is parsed.
pub(super) fn of_text(path: &str, text: &str) -> Option<Finding> {
    let finding = |at: usize, code, message: String, help: String| {
        let before = &text[..at];
        let line = before.rsplit('\n').next().unwrap_or(before);
        Some(Finding {
            code,
            severity: Severity::Error,
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            message,
            help: Some(help),
        })
    };
    // The parser takes a zero byte for the end and would drop the rest without a word.
    if let Some(at) = text.find('\0') {
        let help = "save it as UTF-8 text".to_owned();
        return finding(at, "odd-character", "there is a zero byte in the file".into(), help);
    }
    if text.starts_with(LFS_POINTER) {
        let help =
            "commit the file itself: end its tracking with `git lfs untrack`, and add it again";
        let message = "this is a pointer of Git LFS, whose files are not fetched".to_owned();
        return finding(0, "lfs-pointer", message, help.to_owned());
    }
    if !text.contains(API_GROUP) {
        let (at, version) = near_miss(text)?;
        let message = format!("`{version}` is not known to this program");
        return finding(at, "wrong-api-version", message, format!("did you mean `{API_VERSION}`?"));
    }
    let (at, (_, name)) = text.char_indices().find_map(|(at, letter)| {
        let found = AMBIGUOUS.into_iter().find(|(character, _)| *character == letter);
        Some((at, found?))
    })?;
    let message = format!("the character {name} ends a line for some programs, and not for YAML");
    finding(at, "odd-character", message, "end the line otherwise, or remove it".to_owned())
}

/// An `apiVersion` at the start of a line that is nearly ours, and where its value stands.
fn near_miss(text: &str) -> Option<(usize, &str)> {
    text.match_indices("apiVersion:").find_map(|(at, key)| {
        let starts_line = text[..at].ends_with(['\n', '\r']) || at == 0;
        let rest = &text[at + key.len()..];
        let line = rest.split(['\n', '\r', '#']).next().unwrap_or(rest);
        let version = line.trim().trim_matches(['"', '\'']);
        let blanks = line.len() - line.trim_start().len();
        let is_near = nearest(version, [API_VERSION].into_iter()).is_some();
        (starts_line && is_near).then_some((at + key.len() + blanks, version))
    })
}

/// Where a document that has no `apiVersion` of ours says that it was meant to be one.
pub(super) fn of_document(root: &Node) -> Option<(Place, String)> {
    // A template may name us in its metadata.
    if root.child("Resources").is_some() {
        return None;
    }
    within(root)
}

fn within(node: &Node) -> Option<(Place, String)> {
    match &node.content {
        // Nobody else has a use for exactly this text.
        Content::Scalar { text, .. } if text == API_VERSION => Some((
            node.place,
            format!("`{API_VERSION}` stands here without being the `apiVersion`"),
        )),
        Content::Scalar { .. } => None,
        Content::List(items) => items.iter().find_map(|item| within(item)),
        Content::Map(entries) => entries.iter().find_map(|entry| {
            let is_named = nearest(&entry.key, ["apiVersion"].into_iter()).is_some();
            let is_ours = entry.value.text().is_some_and(|text| text.starts_with(API_GROUP));
            if is_ours && is_named {
                let message = match entry.key.as_str() {
                    "apiVersion" => "this document would be taken for somebody else's".to_owned(),
                    key => format!("the field `{key}` stands where `apiVersion` should"),
                };
                return Some((entry.key_place, message));
            }
            within(&entry.value)
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::fleet::load;
    use crate::ids::Revision;
    use crate::snapshot::{Entry, Snapshot};

    const FLEET: &str = "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: a }\n\
        spec: { cloud: simulated, regions: [eu-central-1] }\n";
    const TENANT: &str = "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: { name: acme }\n\
        spec: { account: \"111122223333\", regions: [eu-central-1] }\n";

    /// The findings on a fleet whose one tenant is written so, as `code line:column`.
    fn findings(tenant: &str) -> Vec<String> {
        let file = |text: &str| Entry::File(text.as_bytes().into());
        let files = [("fleet.yaml", file(FLEET)), ("acme.yaml", file(tenant))];
        let files: BTreeMap<String, Entry> = files.map(|(path, file)| (path.into(), file)).into();
        let (_, findings) = load(&Snapshot::of(Revision::of("folder"), None, files));
        findings.into_iter().map(|it| format!("{} {}:{}", it.code, it.line, it.column)).collect()
    }

    #[test]
    fn what_was_meant_to_be_a_document_is_never_passed_over() {
        let list = TENANT.replace('\n', "\n  ");
        for (tenant, finding) in [
            (TENANT.replace("apiVersion", "apiversion"), "stray-document 1:1"),
            (TENANT.replace("apiVersion", "apiVersoin"), "stray-document 1:1"),
            (TENANT.replace("driftless.dev/v1", "[driftless.dev/v1]"), "stray-document 1:14"),
            (TENANT.replace("apiVersion", "schema"), "stray-document 1:9"),
            ("driftless.dev/v1\n".to_owned(), "stray-document 1:1"),
            (format!("- {list}"), "stray-document 1:3"),
            (format!("items:\n- {list}"), "stray-document 2:3"),
            (TENANT.replace("driftless", "driftles"), "wrong-api-version 1:13"),
            (TENANT.replace("driftless.dev/v1", "'driftless/v1'"), "wrong-api-version 1:13"),
            (format!("# all\0{TENANT}"), "odd-character 1:6"),
            (
                "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 129\n"
                    .to_owned(),
                "lfs-pointer 1:1",
            ),
            (format!("{TENANT}\0---\n{TENANT}"), "odd-character 5:1"),
            (format!("# all\n# of them\u{2028}{TENANT}"), "odd-character 2:10"),
            (format!("# all\u{85}{TENANT}"), "odd-character 1:6"),
            (TENANT.chars().flat_map(|letter| [letter, '\0']).collect(), "odd-character 1:2"),
        ] {
            assert_eq!(findings(&tenant), [finding], "{tenant:?}");
        }
    }

    #[test]
    fn what_belongs_to_others_is_left_alone() {
        for other in [
            "apiVersion: apps/v1\nkind: Deployment\n",
            "Resources: { A: { Metadata: { apiVersion: driftless.dev/v1 } } }\n",
            "# see driftless.dev/v1\nkind: Service\n",
            "url: https://driftless.dev/\n",
            "values: { apiVersion: [{{ not yaml",
        ] {
            assert_eq!(findings(other), [""; 0], "{other:?}");
        }
    }
}
