//! Whether a complete stack is as git says, and in which of its inputs it is not.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::Digest;
use crate::observed::{KnownTemplate, NO_ECHO_MASK, Seen};
use crate::outcome::Memory;
use crate::plan::Rendered;

/// One input in which a stack is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// The template is another one.
    Template,
    /// The template cannot be known without an update: the last one was rolled back.
    TemplateUnknown,
    /// The value of a parameter. Values are not kept here: they belong into no log.
    Parameter(String),
    /// The value of a tag, or whether there is one.
    Tag(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template => f.write_str("template"),
            Self::TemplateUnknown => f.write_str("template unknown after a rollback"),
            Self::Parameter(name) => write!(f, "parameter {name}"),
            Self::Tag(name) => write!(f, "tag {name}"),
        }
    }
}

/// The inputs in which `seen` is not as `rendered`; empty when an update would change nothing.
///
/// `no_echo` are the keyed hashes of the wanted NoEcho values: what AWS masks is compared by what
/// we gave last, and what is unknown counts as the same.
pub fn differences(
    seen: &Seen,
    rendered: &Rendered,
    memory: &Memory,
    no_echo: &BTreeMap<String, Digest>,
) -> Vec<Difference> {
    let version = seen.version();
    if memory.taught == Some((version.clone(), rendered.digest)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    match &memory.known {
        Some(KnownTemplate { version: known, template: Some(template), .. })
            if *known == version =>
        {
            if *template != rendered.package.returned_digest() {
                found.push(Difference::Template);
            }
        }
        Some(_) | None => found.push(Difference::TemplateUnknown),
    }
    for (name, parameter) in rendered.template.parameters() {
        let wanted = rendered.parameters.get(name).or(parameter.default.as_ref());
        let same = match (seen.parameters.get(name), wanted) {
            (Some(_), _) if rendered.kept.contains(name) => true,
            (Some(mask), _) if mask == NO_ECHO_MASK && parameter.no_echo => {
                match (memory.no_echo.get(name), no_echo.get(name)) {
                    (Some(given), Some(wanted)) => given == wanted,
                    (Some(_) | None, None) | (None, Some(_)) => true,
                }
            }
            (seen, wanted) => {
                seen.map(String::as_str) == wanted.map(|text| returned(text)).as_deref()
            }
        };
        if !same {
            found.push(Difference::Parameter(name.clone()));
        }
    }
    let names = seen.tags.keys().chain(rendered.tags.keys());
    let mut tags: Vec<&String> =
        names.filter(|name| seen.tags.get(*name) != rendered.tags.get(*name)).collect();
    tags.sort();
    tags.dedup();
    found.extend(tags.into_iter().cloned().map(Difference::Tag));
    found
}

/// A parameter's value as AWS gives it back.
fn returned(text: &str) -> String {
    crate::template::mangle(text)
}
