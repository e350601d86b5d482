//! Parameters and tags of every stack: present, resolvable, and as template and AWS want them.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::error;
use crate::desired::{Desired, Hole, Origin, Wanted};
use crate::fleet::{Complaint, Exception, Gathering, Source, Text};
use crate::ids::{ServiceName, Target};
use crate::template::Parameter;

/// CloudFormation's limit on the value of a tag, in characters.
const MAX_TAG_CHARACTERS: usize = 256;
const CORRECT_VALUE: &str = "correct the value, or the parameter in the template";

/// Looks at every stack that is to stay. What is the same for all tenants is looked at once.
pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    let mut seen = Seen::new();
    for stacks in desired.stacks.values() {
        // Services of this target, looked up only when an output is used.
        let mut staying = None;
        for wanted in stacks.values().filter(|wanted| !wanted.asked_to_go) {
            let known = seen.entry(&wanted.service.name).or_default();
            let mut stack = Stack { desired, wanted, findings: &mut *findings, known };
            stack.parameters();
            stack.tags();
            if wanted.depends_on.is_empty() {
                continue;
            }
            let staying = staying.get_or_insert_with(|| {
                let stay = stacks.values().filter(|wanted| !wanted.asked_to_go);
                stay.map(|wanted| &wanted.service.name).collect()
            });
            stack.outputs_of_strangers(staying);
        }
    }
}

type Seen<'d> = BTreeMap<&'d ServiceName, BTreeSet<(Origin, &'d str)>>;

struct Stack<'d, 'f> {
    desired: &'d Desired,
    wanted: &'d Wanted,
    findings: &'f mut Gathering,
    /// Literal values of this service, fleet or service, that were looked at.
    known: &'f mut BTreeSet<(Origin, &'d str)>,
}

impl<'d> Stack<'d, '_> {
    fn parameters(&mut self) {
        let mut declared = self.wanted.service.template.parameters().iter();
        let fleet = &self.desired.fleet;
        for (name, origin, text) in self.wanted.parameters(fleet) {
            for (other, parameter) in declared.by_ref() {
                if other == name {
                    self.parameter(name, origin, text);
                    break;
                }
                self.without_value(other, parameter);
            }
        }
        for (name, parameter) in declared {
            self.without_value(name, parameter);
        }
    }

    fn without_value(&mut self, name: &str, parameter: &Parameter) {
        let service = &self.wanted.service;
        // What is only ever taken over keeps the hidden value that it has.
        let is_kept = parameter.no_echo && service.adopt.as_ref().is_some_and(|it| !it.or_create);
        if parameter.default.is_some() || is_kept {
            return;
        }
        let mut complaint = error(&service.source, &["spec", "parameters"], "missing-parameter");
        complaint.subject = name;
        complaint.help = Some(format!(
            "give `{name}` in the service, the tenant or the fleet, or a default in the template"
        ));
        let message =
            format!("`{}` needs a value for the parameter `{name}`", service.template_path);
        self.findings.add(complaint, Some(&self.tenant()), message);
    }

    fn tenant(&self) -> String {
        format!("tenant `{}`", self.wanted.tenant.name)
    }

    fn parameter(&mut self, name: &'d str, origin: Origin, text: &Text) {
        let shared = matches!(origin, Origin::Service | Origin::Fleet);
        let literal = text.as_literal().is_some();
        if literal && shared && !self.known.insert((origin, name)) {
            return;
        }
        let service = &self.wanted.service;
        let wrong = match self.resolve(text) {
            Ok(None) => return,
            Ok(Some(value)) => {
                let parameter = service.template.parameters().get(name);
                match parameter.map_or(Ok(()), |parameter| parameter.check(&value)) {
                    Ok(()) => return,
                    Err(wrong) => ("bad-value", wrong, CORRECT_VALUE.to_owned()),
                }
            }
            Err((wrong, help)) => ("bad-variable", wrong, help),
        };
        let (source, pointer) = self.written(name, origin);
        let mut complaint = error(source, &pointer, wrong.0);
        complaint.subject = service.name.as_str();
        complaint.help = Some(wrong.2);
        let message = format!("parameter `{name}` of service `{}`: {}", service.name, wrong.1);
        let whom = (shared && !literal).then(|| self.tenant());
        self.findings.add(complaint, whom.as_deref(), message);
    }

    /// The value without outputs of stacks; none when one is used, an error and its fix when it has
    /// no value.
    fn resolve(&self, text: &Text) -> Result<Option<String>, (String, String)> {
        match self.desired.scope(self.wanted).resolve(text, &|_, _| None) {
            Ok(value) => Ok(Some(value)),
            Err(Hole::Output { .. }) => Ok(None),
            Err(Hole::Label(label)) => Err((
                format!("the tenant has no label `{label}`"),
                format!("add the label `{label}` to the tenant, or use another variable"),
            )),
            Err(Hole::OutOfScope(variable)) => {
                let help = "use another variable".to_owned();
                Err((format!("`${{{variable}}}` has no value here"), help))
            }
        }
    }

    /// Where the value of a parameter is written.
    fn written(&self, name: &'d str, origin: Origin) -> (&'d Source, Vec<&'d str>) {
        let Wanted { tenant, service, .. } = self.wanted;
        match origin {
            Origin::Regional => {
                let region = Some(&self.wanted.key.target.region);
                (&tenant.source, Exception::pointer_to(&service.name, region, name))
            }
            Origin::Exception => (&tenant.source, Exception::pointer_to(&service.name, None, name)),
            Origin::Tenant => (&tenant.source, vec!["spec", "parameters", name]),
            Origin::Service => (&service.source, vec!["spec", "parameters", name]),
            Origin::Fleet => (&self.desired.fleet.source, vec!["spec", "parameters", name]),
        }
    }

    fn tags(&mut self) {
        let fleet = &self.desired.fleet;
        for (key, text) in self.wanted.tags(fleet) {
            let own = self.wanted.service.tags.contains_key(key);
            let literal = text.as_literal();
            if literal.is_some_and(|value| value.len() <= MAX_TAG_CHARACTERS) {
                continue;
            }
            let wrong = match self.resolve(text) {
                Ok(Some(value)) if value.chars().count() > MAX_TAG_CHARACTERS => {
                    let wrong = format!("the value has more than {MAX_TAG_CHARACTERS} characters");
                    ("bad-tag", wrong, "shorten it".to_owned())
                }
                Ok(_) => continue,
                Err((wrong, help)) => ("bad-variable", wrong, help),
            };
            let source = if own { &self.wanted.service.source } else { &fleet.source };
            let pointer = ["spec", "tags", key];
            let mut complaint: Complaint<'_> = error(source, &pointer, wrong.0);
            complaint.help = Some(wrong.2);
            let whom = literal.is_none().then(|| self.tenant());
            self.findings.add(complaint, whom.as_deref(), format!("tag `{key}`: {}", wrong.1));
        }
    }

    /// Outputs of services that this target does not have, so that they will never be known.
    fn outputs_of_strangers(&mut self, staying: &BTreeSet<&ServiceName>) {
        let fleet = &self.desired.fleet;
        let service = &self.wanted.service;
        for (name, origin, text) in self.wanted.parameters(fleet) {
            let (source, pointer) = self.written(name, origin);
            self.strangers(text, source, &pointer, staying);
        }
        for (key, text) in &service.tags {
            self.strangers(text, &service.source, &["spec", "tags", key], staying);
        }
    }

    fn strangers(
        &mut self,
        text: &Text,
        source: &Source,
        pointer: &[&str],
        staying: &BTreeSet<&ServiceName>,
    ) {
        let beside = |other: &&ServiceName| !self.wanted.depends_on_home.contains(*other);
        for other in text.services_used().filter(beside).filter(|other| !staying.contains(other)) {
            // A service that is not there at all is reported as such.
            if !self.desired.services.contains_key(other) {
                continue;
            }
            let mut complaint = error(source, pointer, "unreachable-output");
            complaint.subject = other.as_str();
            complaint.help = Some(format!(
                "select the same tenants and regions for both, or give the value otherwise where \
                 `{other}` is missing"
            ));
            let Target { account, region } = &self.wanted.key.target;
            let message = format!(
                "`{}` uses an output of `{other}`, which is not deployed in {account}/{region}",
                self.wanted.service.name
            );
            self.findings.add(complaint, Some(&self.tenant()), message);
        }
    }
}
