//! `driftless drift accept`: the change to git that would make a drift wanted, as a patch.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clap::Args;
use similar::TextDiff;

use crate::cli::Failure;
use crate::cli::context::{Context, Ending};
use crate::cli::drift::WhichFindings;
use crate::cli::opening::open;
use crate::controller::checked;
use crate::desired::Desired;
use crate::drift::{DriftRecord, Finding, Remedy, remedy};
use crate::fleet::edit::{Document, push, quoted, replace, set};
use crate::ids::{Revision, ServiceName, TenantName};
use crate::settings::Settings;
use crate::snapshot::{Entry, Snapshot};
use crate::template::Template;

/// Print, as a patch to the fleet, what would make the drift wanted
///
/// Another value of a parameter (of the tenants that have it, or of the service when all have it), or
/// another value in the template. With --ignore a rule that says that it is no drift, which holds for
/// every tenant. Nothing is written: read it, then pipe it into `git apply`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example: driftless drift accept --service scan-api --property /MemorySize \
                        | git apply"
)]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    which: WhichFindings,
    /// By rules that say that it is no drift, of any tenant, whatever the value
    #[arg(long)]
    ignore: bool,
    /// What the rule says to those who read it
    #[arg(long, value_name = "TEXT", default_value = "accepted")]
    reason: String,
}

/// The files as they become, and what could not be done.
struct Work<'a> {
    desired: &'a Desired,
    snapshot: &'a Snapshot,
    files: BTreeMap<String, String>,
    by_hand: BTreeSet<String>,
    reason: &'a str,
}

/// Prints the patch.
pub(super) fn run(
    args: &AcceptArgs,
    settings: &Settings,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let journal = context.known_journal()?;
    let records = args.which.among(journal.drifts(&args.which.which.filter(), true)?);
    if records.is_empty() {
        return Err(Failure::new(
            "no drift of this kind is known",
            "`driftless drift report` shows what drifted, `driftless drift detect` looks now",
        ));
    }
    let opened = open(settings, &context.clock)?;
    let desired = opened.wanted(settings)?;
    let snapshot = &opened.snapshot;
    let mut work = Work {
        desired,
        snapshot,
        files: BTreeMap::new(),
        by_hand: BTreeSet::new(),
        reason: &args.reason,
    };
    for (service, finding, tenants) in alike(&records) {
        work.accept(&service, finding, &tenants, args.ignore);
    }
    if let Some(wrong) = work.first_error() {
        return Err(Failure::new(
            format!("the fleet would have an error then: {wrong}"),
            "change it by hand, or accept fewer findings with --resource and --property",
        ));
    }
    let by_hand: Vec<String> = work.by_hand.iter().map(|line| format!("\n  {line}")).collect();
    if work.files.is_empty() {
        return Err(Failure::new(
            format!("nothing of this can be written as a patch:{}", by_hand.concat()),
            "change it by hand, or say --ignore for rules that say that it is no drift",
        ));
    }
    out.write_all(work.patch(settings).as_bytes())?;
    if !by_hand.is_empty() {
        // What git reads must stay what git can read.
        writeln!(io::stderr(), "not in the patch:{}", by_hand.concat())?;
    }
    Ok(Ending::Good)
}

type Alike<'a> = (ServiceName, &'a Finding, BTreeSet<TenantName>);

/// Service, subject of the finding, and the value that is there.
type Wish = (ServiceName, String, Option<String>);

/// Findings that want the same change, with the tenants that have them.
fn alike(records: &[DriftRecord]) -> Vec<Alike<'_>> {
    let mut groups: BTreeMap<Wish, (&Finding, BTreeSet<TenantName>)> = BTreeMap::new();
    for record in records {
        let Some((service, tenant)) = record.service.clone().zip(record.tenant.clone()) else {
            continue;
        };
        for finding in &record.findings {
            let actual = match &finding.what {
                crate::drift::What::Property { actual, .. } => actual.clone(),
                crate::drift::What::Deleted => None,
            };
            let group = groups.entry((service.clone(), finding.subject(), actual));
            group.or_insert((finding, BTreeSet::new())).1.insert(tenant.clone());
        }
    }
    groups
        .into_iter()
        .map(|((service, ..), (finding, tenants))| (service, finding, tenants))
        .collect()
}

impl Work<'_> {
    fn accept(
        &mut self,
        service: &ServiceName,
        finding: &Finding,
        tenants: &BTreeSet<TenantName>,
        only_ignore: bool,
    ) {
        let Some(known) = self.desired.services.get(service).cloned() else {
            self.by_hand.insert(format!("the service {service} is not in this revision"));
            return;
        };
        let with_it = self.desired.stacks.values().flat_map(BTreeMap::values);
        let with_it = with_it.filter(|wanted| &wanted.service.name == service);
        let all: BTreeSet<&TenantName> = with_it.map(|wanted| &wanted.tenant.name).collect();
        let is_everywhere = all.iter().all(|tenant| tenants.contains(*tenant));
        let remedy = if only_ignore { Remedy::Rule } else { remedy(finding, &known.package) };
        let done = match &remedy {
            Remedy::Parameter { name, value } => {
                self.parameter(service, name, value, tenants, is_everywhere)
            }
            Remedy::Template { path, pointer, value } if is_everywhere => {
                let path = if path.is_empty() { &known.template_path } else { path };
                self.edit(path, |text| in_template(text, pointer, value))
            }
            Remedy::Rule if only_ignore => self.ignore(service, finding),
            // A template is the same for all: what only some have is no other template.
            Remedy::Template { .. } | Remedy::Rule => false,
        };
        if !done {
            let place = finding.place();
            let why = match &remedy {
                Remedy::Parameter { name, .. } => {
                    format!("the documents cannot be edited for parameter {name}")
                }
                Remedy::Template { .. } => {
                    "the template says it itself, and not all tenants drifted alike".to_owned()
                }
                Remedy::Rule => {
                    "no parameter and no plain value in the template is behind it".to_owned()
                }
            };
            self.by_hand.insert(format!("{service}: {place} {}: {why}", finding.what));
        }
    }

    /// Gives the parameter where it comes from: in the exception of each tenant that has a value of its
    /// own, and else in the service when all tenants drifted.
    fn parameter(
        &mut self,
        service: &ServiceName,
        name: &str,
        value: &str,
        tenants: &BTreeSet<TenantName>,
        is_everywhere: bool,
    ) -> bool {
        let has_own = |tenant: &TenantName| {
            let tenant = self.desired.tenants.get(tenant);
            tenant.is_some_and(|tenant| {
                let exception = tenant.services.get(service);
                tenant.parameters.contains_key(name)
                    || exception.is_some_and(|one| one.parameters.contains_key(name))
            })
        };
        let (own, others): (Vec<&TenantName>, Vec<&TenantName>) =
            tenants.iter().partition(|tenant| !is_everywhere || has_own(tenant));
        let Some(path) = self.desired.services.get(service).map(|known| known.source.path.clone())
        else {
            return false;
        };
        let is_given = own.into_iter().all(|tenant| self.give(tenant, service, name, value));
        if others.is_empty() {
            return is_given;
        }
        let document = Document { kind: "Service", name: service.as_str() };
        let value = literal(value);
        is_given
            && self
                .edit(&path, |text| set(text, document, &["spec", "parameters", name], &value).ok())
    }

    fn give(
        &mut self,
        tenant: &TenantName,
        service: &ServiceName,
        name: &str,
        value: &str,
    ) -> bool {
        let Some(path) = self.desired.tenants.get(tenant).map(|tenant| tenant.source.path.clone())
        else {
            return false;
        };
        let document = Document { kind: "Tenant", name: tenant.as_str() };
        let keys = ["spec", "services", service.as_str(), "parameters", name];
        let value = literal(value);
        self.edit(&path, |text| set(text, document, &keys, &value).ok())
    }

    fn ignore(&mut self, service: &ServiceName, finding: &Finding) -> bool {
        let Some(path) = self.desired.services.get(service).map(|known| known.source.path.clone())
        else {
            return false;
        };
        let property = finding.property().map(|path| format!(", property: {}", quoted(&path)));
        let rule = format!(
            "{{ type: {}, logicalId: {}{}, reason: {} }}",
            quoted(&finding.kind),
            quoted(&finding.place()),
            property.unwrap_or_default(),
            quoted(self.reason)
        );
        let document = Document { kind: "Service", name: service.as_str() };
        self.edit(&path, |text| push(text, document, &["spec", "drift", "ignore"], &rule))
    }

    fn edit(&mut self, path: &str, edit: impl FnOnce(&str) -> Option<String>) -> bool {
        let before = match self.files.get(path) {
            Some(text) => Some(text.clone()),
            None => self.original(path),
        };
        let Some(after) = before.as_deref().and_then(edit) else { return false };
        self.files.insert(path.to_owned(), after);
        true
    }

    fn original(&self, path: &str) -> Option<String> {
        let bytes = self.snapshot.read(path).ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// What `git apply` takes from the folder in which the command runs.
    fn patch(&self, settings: &Settings) -> String {
        let folder = settings.fleet_folder();
        let folder = folder.display().to_string();
        let prefix = match folder.trim_start_matches("./").trim_end_matches('/') {
            "." | "" => String::new(),
            folder if folder.starts_with('/') => String::new(),
            folder => format!("{folder}/"),
        };
        let mut patch = String::new();
        for (path, after) in &self.files {
            let before = self.original(path).unwrap_or_default();
            let diff = TextDiff::from_lines(&before, after);
            let (a, b) = (format!("a/{prefix}{path}"), format!("b/{prefix}{path}"));
            patch.push_str(&diff.unified_diff().context_radius(3).header(&a, &b).to_string());
        }
        patch
    }

    /// What would be wrong with the fleet after the patch.
    fn first_error(&self) -> Option<String> {
        let mut entries: BTreeMap<String, Entry> =
            self.snapshot.entries().map(|(path, entry)| (path.to_owned(), entry.clone())).collect();
        for (path, text) in &self.files {
            entries.insert(path.clone(), Entry::File(text.as_bytes().into()));
        }
        let snapshot = Snapshot::of(Revision::of("accepted"), None, entries);
        let mut findings = checked(&snapshot).findings.into_iter();
        findings.find(|finding| finding.is_error()).map(|finding| {
            format!("{}:{}:{}: {}", finding.path, finding.line, finding.column, finding.message)
        })
    }
}

/// The template with another value at a pointer.
fn in_template(text: &str, pointer: &str, value: &str) -> Option<String> {
    // Read anew: an edit before this one may have moved it.
    let template = Template::parse(text).ok()?;
    let old = template.value().pointer(pointer)?;
    let place = template.position(pointer)?;
    replace(text, (place.line, place.column), &plain(old), &like(Some(old), value))
}

/// A value of a parameter, in which `${` stands for itself.
fn literal(value: &str) -> String {
    quoted(&value.replace("${", "$${"))
}

/// A value as the one before it was written: a number stays a number.
fn like(old: Option<&serde_json::Value>, value: &str) -> String {
    let is_text = old.is_none_or(serde_json::Value::is_string);
    let is_plain = value.parse::<f64>().is_ok() || ["true", "false"].contains(&value);
    if !is_text && is_plain { value.to_owned() } else { quoted(value) }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_a_number_and_a_text_a_text() {
        let number = serde_json::json!(512);
        assert_eq!(like(Some(&number), "1024"), "1024");
        assert_eq!(like(Some(&number), "a lot"), "\"a lot\"");
        assert_eq!(like(Some(&serde_json::json!("512")), "1024"), "\"1024\"");
    }
}
