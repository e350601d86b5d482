//! What is done about drift: policies, exceptions and what is ignored, as documents say it, with the
//! findings that one document shows alone.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fleet::build::selector;
use crate::fleet::document::{DriftExceptionSpec, DriftSpec, IgnoreSpec};
use crate::fleet::reader::Reader;
use crate::fleet::yaml::Node;
use crate::fleet::{Exception, Fleet, Selector, Service};

/// Each stack is looked into once in this time unless documents say otherwise.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// More often than this a detection would meet the one before it.
const MOST_OFTEN: Duration = Duration::from_secs(15 * 60);
const LEAST_OFTEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What is done about resources that are not as the template made them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename_all = "lowercase")]
pub enum DriftPolicy {
    /// It is not even looked for.
    Ignore,
    /// It is said.
    #[default]
    Report,
    /// It is said, and brought back.
    Revert,
}

impl fmt::Display for DriftPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ignore => "ignore",
            Self::Report => "report",
            Self::Revert => "revert",
        })
    }
}

/// `spec.drift` of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriftSettings {
    /// What is done, where it is said.
    pub policy: Option<DriftPolicy>,
    /// How often each stack is looked into, where it is said.
    pub every: Option<Duration>,
    /// Drift that is no drift.
    pub ignore: Vec<IgnoreRule>,
    /// Where another policy holds: the first that fits.
    pub exceptions: Vec<DriftException>,
}

/// Drift that is no drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreRule {
    /// The resource's type.
    pub kind: Glob,
    /// The resource's name in the template.
    pub logical_id: Glob,
    /// A property and all that is in it; `None` for the whole resource.
    pub property: Option<Pointer>,
    /// Why.
    pub reason: Option<String>,
}

/// Where another policy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftException {
    /// Which tenants.
    pub selector: Selector,
    /// Which resource types.
    pub kind: Glob,
    /// What holds there.
    pub policy: DriftPolicy,
}

/// A text in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Everything.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// This pattern.
    pub fn of(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Whether the whole text fits.
    pub fn fits(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }

    /// Whether all that fits this pattern fits the other one, and not the other way round.
    pub fn is_narrower_than(&self, other: &Self) -> bool {
        // A star fits another pattern only where that has a star too.
        other.fits(&self.0) && !self.fits(&other.0)
    }
}

/// A pattern as it is written.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A JSON pointer of which a part `*` stands for one name or place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer. The error is the end of a sentence that starts with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(parts) = text.strip_prefix('/') else { return Err("does not start with `/`") };
        let parts: Vec<String> = parts.split('/').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            return Err("has an empty part");
        }
        Ok(Self(parts))
    }

    /// Whether it names the property at `path` or something that the property is in.
    pub fn covers(&self, path: &str) -> bool {
        let mut parts = path.trim_start_matches('/').split('/');
        self.0.iter().all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
    }
}

/// What documents say about the drift of one stack.
#[derive(Clone, Copy, Debug)]
pub struct DriftRules<'a> {
    fleet: &'a DriftSettings,
    service: &'a DriftSettings,
    tenant: Option<DriftPolicy>,
    labels: &'a BTreeMap<String, String>,
}

impl<'a> DriftRules<'a> {
    /// Those of a stack of `service`; `exception` and `labels` are its tenant's.
    pub fn of(
        fleet: &'a Fleet,
        service: &'a Service,
        exception: Option<&Exception>,
        labels: &'a BTreeMap<String, String>,
    ) -> Self {
        let tenant = exception.and_then(|exception| exception.drift);
        Self { fleet: &fleet.drift, service: &service.drift, tenant, labels }
    }

    /// Those of two documents, for a tenant with these labels.
    pub fn of_settings(
        fleet: &'a DriftSettings,
        service: &'a DriftSettings,
        labels: &'a BTreeMap<String, String>,
    ) -> Self {
        Self { fleet, service, tenant: None, labels }
    }

    /// How often the stack is looked into.
    pub fn every(&self) -> Duration {
        self.service.every.or(self.fleet.every).unwrap_or(EVERY)
    }

    /// What is done about drift of a resource of this type.
    pub fn policy(&self, kind: &str) -> DriftPolicy {
        let fits = |exception: &&DriftException| {
            exception.kind.fits(kind) && exception.selector.matches(self.labels)
        };
        let excepted = |settings: &DriftSettings| {
            settings.exceptions.iter().find(fits).map(|exception| exception.policy)
        };
        self.tenant
            .or_else(|| excepted(self.service))
            .or(self.service.policy)
            .or_else(|| excepted(self.fleet))
            .or(self.fleet.policy)
            .unwrap_or_default()
    }

    /// Whether there is anything to look for.
    pub fn looks(&self) -> bool {
        let exceptions = self.service.exceptions.iter().chain(&self.fleet.exceptions);
        let mut excepted = exceptions.map(|exception| exception.policy);
        // No resource has the type "", so exceptions for single types do not count.
        self.policy("") != DriftPolicy::Ignore
            || (self.tenant.is_none() && excepted.any(|policy| policy != DriftPolicy::Ignore))
    }

    /// The rules that say what is no drift.
    pub fn ignored(&self) -> impl Iterator<Item = &'a IgnoreRule> {
        self.service.ignore.iter().chain(&self.fleet.ignore)
    }
}

/// Reads `spec.drift` of a document; errors are recorded.
pub(super) fn settings(
    spec: Option<DriftSpec>,
    node: &Node,
    reader: &mut Reader<'_>,
) -> DriftSettings {
    let Some(spec) = spec else { return DriftSettings::default() };
    let every = spec.every.map(|length| length.0);
    if let Some(every) = every.filter(|every| !(MOST_OFTEN..=LEAST_OFTEN).contains(every)) {
        let message = format!("`every` is {} s: out of range", every.as_secs());
        let help = "write 15m to 30d; to stop looking, write `policy: ignore`".to_owned();
        reader.error(node.find(&["spec", "drift", "every"]), "bad-every", message, Some(help));
    }
    let rules = spec.ignore.unwrap_or_default().into_iter().enumerate();
    let exceptions = spec.exceptions.unwrap_or_default().into_iter().enumerate();
    DriftSettings {
        policy: spec.policy,
        every,
        ignore: rules.map(|(index, spec)| rule(spec, index, node, reader)).collect(),
        exceptions: exceptions.map(|(index, spec)| exception(spec, index, node, reader)).collect(),
    }
}

fn rule(spec: IgnoreSpec, index: usize, node: &Node, reader: &mut Reader<'_>) -> IgnoreRule {
    let index = index.to_string();
    let pointer = ["spec", "drift", "ignore", index.as_str()];
    if spec.kind.is_none() && spec.logical_id.is_none() && spec.property.is_none() {
        let help = "name a type, a logicalId or a property; to ignore all, write `policy: ignore`";
        let message = "this rule would ignore everything";
        reader.error(node.find(&pointer), "empty-rule", message, Some(help.to_owned()));
    }
    let property = spec.property.map(|text| Pointer::parse(&text).map_err(|wrong| (text, wrong)));
    if let Some(Err((text, wrong))) = &property {
        let place = node.find(&[&pointer[..], &["property"]].concat());
        let help = "write a JSON pointer such as `/MemorySize` or `/Tags/*/Value`".to_owned();
        reader.error(place, "bad-pointer", format!("`{text}` {wrong}"), Some(help));
    }
    let at = [&pointer[..], &["type"]].concat();
    let glob = |text: Option<String>| text.map_or_else(Glob::any, Glob);
    IgnoreRule {
        kind: kind(spec.kind, &at, node, reader),
        logical_id: glob(spec.logical_id),
        property: property.and_then(Result::ok),
        reason: spec.reason,
    }
}

fn exception(
    spec: DriftExceptionSpec,
    index: usize,
    node: &Node,
    reader: &mut Reader<'_>,
) -> DriftException {
    let index = index.to_string();
    let pointer = ["spec", "drift", "exceptions", index.as_str()];
    if spec.selector.is_none() && spec.kind.is_none() {
        let help = "give it a selector or a type, or write the policy above".to_owned();
        let message = "this exception holds everywhere";
        reader.error(node.find(&pointer), "empty-exception", message, Some(help));
    }
    let at = [&pointer[..], &["type"]].concat();
    let kind = kind(spec.kind, &at, node, reader);
    let at = [&pointer[..], &["selector"]].concat();
    let selector = spec.selector.map(|spec| selector(spec, &at, node, reader));
    DriftException { selector: selector.unwrap_or_default(), kind, policy: spec.policy }
}

/// A pattern of resource types.
fn kind(text: Option<String>, pointer: &[&str], node: &Node, reader: &mut Reader<'_>) -> Glob {
    let Some(text) = text else { return Glob::any() };
    if !text.contains("::") && !text.contains('*') {
        let help = "write one such as `AWS::Lambda::Function` or `AWS::IAM::*`".to_owned();
        let message = format!("`{text}` is not a resource type");
        reader.error(node.find(pointer), "bad-resource-type", message, Some(help));
    }
    Glob(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("*", "AWS::IAM::Role", true),
            ("AWS::IAM::*", "AWS::IAM::Role", true),
            ("AWS::IAM::*", "AWS::S3::Bucket", false),
            ("AWS::IAM::Role", "AWS::IAM::Role", true),
            ("AWS::IAM::Role", "AWS::IAM::RolePolicy", false),
            ("*Role", "ApiRole", true),
            ("*Role", "RoleApi", false),
            ("A*B*C", "AxBxxC", true),
            ("A*B*C", "AxCxxB", false),
            ("A*A", "A", false),
            ("", "", true),
        ] {
            assert_eq!(Glob::of(pattern).fits(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_is_narrower_where_all_that_it_fits_fits_the_other() {
        for (narrow, wide, is) in [
            ("api-v2-*", "api-*", true),
            ("api-*", "api-v2-*", false),
            ("api-*", "api-*", false),
            ("api-*", "*-one", false),
            ("api-one", "api-*", true),
        ] {
            let found = Glob::of(narrow).is_narrower_than(&Glob::of(wide));
            assert_eq!(found, is, "{narrow} {wide}");
        }
    }

    #[test]
    fn a_pointer_covers_a_property_and_what_is_in_it() {
        for (pattern, path, covers) in [
            ("/Tags", "/Tags", true),
            ("/Tags", "/Tags/0/Value", true),
            ("/Tags", "/TagsOfIt", false),
            ("/Tags/*/Value", "/Tags/3/Value", true),
            ("/Tags/*/Value", "/Tags/3/Key", false),
            ("/Tags/*/Value", "/Tags", false),
        ] {
            let pointer = Pointer::parse(pattern).expect("a pointer");
            assert_eq!(pointer.covers(path), covers, "{pattern} {path}");
        }
        assert!(Pointer::parse("MemorySize").is_err());
        assert!(Pointer::parse("/Tags//Value").is_err());
    }
}
