//! What differs between two wanted stacks, as lines.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::desired::{Desired, Scope, Wanted};
use crate::fleet::{DriftSettings, Text, Variable};
use crate::ids::ServiceName;
use crate::package::is_nested;
use crate::plan::preview::{HIDDEN, Line, Part};
use crate::template::Parameter;

/// How values with variables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// As in the document, so that stacks of many tenants are alike.
    Symbolic,
    /// As this one stack gets it.
    Resolved,
}

/// A wanted stack with the revision that wants it.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) desired: &'a Desired,
    pub(super) wanted: &'a Wanted,
}

/// A value before and after it is known.
pub(super) enum Value<'a> {
    Text(&'a Text),
    Default(&'a str),
}

impl<'a> Side<'a> {
    fn scope(&self) -> Scope<'a> {
        self.desired.scope(self.wanted)
    }

    /// All parameters of the template that have a value, in the order of their names.
    pub(super) fn parameters(&self) -> Vec<(&'a str, &'a Parameter, Value<'a>)> {
        let mut explicit = self.wanted.parameters(&self.desired.fleet).peekable();
        let declared = self.wanted.service.template.parameters().iter();
        declared
            .filter_map(|(name, parameter)| {
                let value = match explicit.next_if(|(given, ..)| given == name) {
                    Some((_, _, text)) => Value::Text(text),
                    None => Value::Default(parameter.default.as_deref()?),
                };
                Some((name.as_str(), parameter, value))
            })
            .collect()
    }

    fn tags(&self) -> BTreeMap<&'a str, &'a Text> {
        self.wanted.tags(&self.desired.fleet).collect()
    }

    /// The value as AWS would get it. Outputs stay symbolic, with a mark in front that no document
    /// can contain, so that a literal is never taken for an output.
    pub(super) fn resolved(&self, value: &Value<'_>) -> String {
        let output = |service: &ServiceName, output: &str| {
            let output = output.to_owned();
            let variable = Variable::Output { service: service.clone(), output };
            Some(format!("\0${{{variable}}}"))
        };
        match value {
            Value::Default(text) => (*text).to_owned(),
            Value::Text(text) => {
                self.scope().resolve(text, &output).unwrap_or_else(|_| text.to_string())
            }
        }
    }
}

fn symbolic(value: &Value<'_>) -> String {
    match value {
        Value::Default(text) => (*text).to_owned(),
        Value::Text(text) => text.as_literal().map_or_else(|| text.to_string(), str::to_owned),
    }
}

/// Parameters, tags, policy and termination protection that differ. The template is left out.
pub(super) fn differences(old: Side<'_>, new: Side<'_>, wording: Wording) -> Vec<Line> {
    let mut lines = parameters(old, new, wording);
    let (before, after) = (old.tags(), new.tags());
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for name in names {
        let before = before.get(name).map(|text| Value::Text(text));
        let after = after.get(name).map(|text| Value::Text(text));
        lines.extend(line(Part::Tag, name, (old, before), (new, after), wording));
    }
    let (from, to) = (&old.wanted.service, &new.wanted.service);
    let digest = |side: &Side<'_>| {
        let policy = side.wanted.service.stack_policy.as_ref();
        policy.map(|policy| policy.digest.short())
    };
    if digest(&old) != digest(&new) {
        lines.push(Line::of(Part::StackPolicy, "", digest(&old), digest(&new)));
    }
    if from.termination_protection != to.termination_protection {
        let word = |on| Some(if on { "on" } else { "off" }.to_owned());
        let (before, after) = (word(from.termination_protection), word(to.termination_protection));
        lines.push(Line::of(Part::TerminationProtection, "", before, after));
    }
    lines
}

fn parameters(old: Side<'_>, new: Side<'_>, wording: Wording) -> Vec<Line> {
    let (mut before, mut after) =
        (old.parameters().into_iter().peekable(), new.parameters().into_iter().peekable());
    let mut lines = Vec::new();
    loop {
        let name = match (before.peek(), after.peek()) {
            (None, None) => return lines,
            (Some((name, ..)), None) | (None, Some((name, ..))) => *name,
            (Some((a, ..)), Some((b, ..))) => *a.min(b),
        };
        let from = before.next_if(|(found, ..)| *found == name);
        let to = after.next_if(|(found, ..)| *found == name);
        let hidden = [&from, &to]
            .iter()
            .any(|side| side.as_ref().is_some_and(|(_, parameter, _)| parameter.no_echo));
        let (from, to) = (from.map(|(_, _, value)| value), to.map(|(_, _, value)| value));
        let found = line(Part::Parameter, name, (old, from), (new, to), wording);
        lines.extend(found.map(|line| if hidden { veiled(line) } else { line }));
    }
}

fn veiled(line: Line) -> Line {
    let veil = |value: Option<String>| value.map(|_| HIDDEN.to_owned());
    Line { old: veil(line.old), new: veil(line.new), ..line }
}

fn line(
    part: Part,
    name: &str,
    (old, before): (Side<'_>, Option<Value<'_>>),
    (new, after): (Side<'_>, Option<Value<'_>>),
    wording: Wording,
) -> Option<Line> {
    if let (Some(Value::Text(a)), Some(Value::Text(b))) = (&before, &after)
        && a.as_literal().is_some()
        && a == b
    {
        return None;
    }
    let from = before.as_ref().map(|value| old.resolved(value));
    let to = after.as_ref().map(|value| new.resolved(value));
    if from == to {
        return None;
    }
    let written = (before.as_ref().map(symbolic), after.as_ref().map(symbolic));
    let (from, to) = match wording {
        // Texts that are alike differ by what their variables stand for.
        Wording::Symbolic if written.0 != written.1 => written,
        Wording::Symbolic | Wording::Resolved => (from.map(plain), to.map(plain)),
    };
    Some(Line::of(part, name, from, to))
}

fn plain(text: String) -> String {
    text.replace('\0', "")
}

/// What a new stack is made of: its template, and the parameters that are given explicitly.
pub(super) fn made_of(new: Side<'_>, wording: Wording) -> Vec<Line> {
    let service = &new.wanted.service;
    let all = service.package.all();
    let made = all.iter().map(|(_, package)| package.template.processed_by_default());
    let own = made.map(|made| {
        let resources = made.template().resources().values();
        resources.filter(|resource| !is_nested(&resource.kind)).count()
    });
    let mut resources = match own.sum() {
        1 => "1 resource".to_owned(),
        count => format!("{count} resources"),
    };
    let unseen = service.template.resources().values().filter(|one| is_nested(&one.kind)).count();
    if let Some(nested) = Some(all.len() - 1).filter(|nested| *nested > 0 || unseen > 0) {
        let nested = nested.max(unseen);
        resources.push_str(&format!(
            ", with {nested} nested stack{}",
            if nested == 1 { "" } else { "s" }
        ));
    }
    let mut lines = vec![Line::of(Part::Template, &service.template_path, None, Some(resources))];
    lines.extend(new.wanted.parameters(&new.desired.fleet).map(|(name, _, text)| {
        let value = Value::Text(text);
        let parameter = service.template.parameters().get(name);
        let shown = match wording {
            _ if parameter.is_some_and(|parameter| parameter.no_echo) => HIDDEN.to_owned(),
            Wording::Symbolic => symbolic(&value),
            Wording::Resolved => plain(new.resolved(&value)),
        };
        Line::of(Part::Parameter, name, None, Some(shown))
    }));
    lines
}

/// Fields that change what may be done with the stack, and not the stack.
pub(super) fn rules(old: &Wanted, new: &Wanted) -> Vec<Line> {
    let (from, to) = (&old.service, &new.service);
    let mut lines = Vec::new();
    let mut add = |name: &str, old: Option<String>, new: Option<String>| {
        if old != new {
            lines.push(Line::of(Part::Setting, name, old, new));
        }
    };
    add("suspended by", old.suspended.clone(), new.suspended.clone());
    if from.on_removal != to.on_removal {
        let word = |value| Some(format!("{value:?}").to_lowercase());
        add("onRemoval", word(from.on_removal), word(to.on_removal));
    }
    let adopted = |side: &Wanted| {
        let it = side.service.adopt.as_deref()?;
        let made = if it.or_create { ", made where none fits" } else { "" };
        Some(format!("{}{made}", it.pattern))
    };
    add("adopt", adopted(old), adopted(new));
    if from.protected != to.protected {
        let of = |side: &crate::fleet::Protection| Some(format!("{} types", side.types().len()));
        let gone: Vec<&str> =
            from.protected.types().difference(to.protected.types()).map(String::as_str).collect();
        let extra: Vec<&str> =
            to.protected.types().difference(from.protected.types()).map(String::as_str).collect();
        let words = |types: &[&str], all| {
            if types.is_empty() { of(all) } else { Some(types.join(", ")) }
        };
        add("protect", words(&gone, &from.protected), words(&extra, &to.protected));
    }
    if from.capabilities != to.capabilities {
        let words = |list: &[String]| Some(list.join(", "));
        add("capabilities", words(&from.capabilities), words(&to.capabilities));
    }
    for (name, old, new) in drift_rules(&from.drift, &to.drift) {
        add(&format!("drift.{name}"), Some(old), Some(new));
    }
    if from.rollout != to.rollout {
        add("rollout", Some("as it was".to_owned()), Some("otherwise".to_owned()));
    }
    if (&old.depends_on, &old.depends_on_home) != (&new.depends_on, &new.depends_on_home) {
        let words = |wanted: &Wanted| {
            let home = wanted.depends_on_home.iter().map(|name| format!("{name} at home"));
            let beside = wanted.depends_on.iter().map(ServiceName::to_string);
            Some(beside.chain(home).collect::<Vec<_>>().join(", "))
        };
        add("depends on", words(old), words(new));
    }
    lines
}

/// What is done about drift, field by field where it differs.
pub(super) fn drift_rules(
    old: &DriftSettings,
    new: &DriftSettings,
) -> Vec<(&'static str, String, String)> {
    let default = || "default".to_owned();
    let policy = |side: &DriftSettings| side.policy.map_or_else(default, |one| one.to_string());
    let every = |side: &DriftSettings| {
        side.every.map_or_else(default, |every| format!("{} s", every.as_secs()))
    };
    let of = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    let mut found = Vec::new();
    let mut add = |name, old: String, new: String, differs: bool| {
        // Rules that are others by as many are said to be others.
        let new = if differs && old == new { format!("{new}, others") } else { new };
        if old != new {
            found.push((name, old, new));
        }
    };
    add("policy", policy(old), policy(new), false);
    add("every", every(old), every(new), false);
    let (before, after) = (of(old.ignore.len(), "rule"), of(new.ignore.len(), "rule"));
    add("ignore", before, after, old.ignore != new.ignore);
    let (before, after) =
        (of(old.exceptions.len(), "exception"), of(new.exceptions.len(), "exception"));
    add("exceptions", before, after, old.exceptions != new.exceptions);
    found
}
