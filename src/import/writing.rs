//! The texts of new documents, with comments that say where their values come from.

use std::collections::BTreeMap;

use crate::fleet::edit::{quoted, written};
use crate::ids::{AccountId, Region, ServiceName, TenantName};
use crate::import::lift::{Around, Lifted, Own, Places, Shared};
use crate::import::words::{comment, counted, extent, grouped, hidden, losses};
use crate::import::{LeftOut, Origin};

/// So many reasons why stacks are left out are named in a document.
const MAX_NAMED: usize = 20;
/// Few take a release first, and all are left time to see how it went.
const WAVES: [&str; 5] = [
    "rollout:",
    "  waves:",
    "    - { name: first, percent: 1, soak: 30m }",
    "    - { name: tenth, percent: 10, soak: 30m }",
    "    - { name: all }",
];

/// Where the service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Regions {
    /// In all regions of each tenant.
    OfTenant,
    /// In these, but for tenants that say otherwise.
    Listed(Vec<Region>),
}

impl Regions {
    /// The regions that a tenant's exception has to name.
    pub(super) fn exception<'a>(
        &self,
        here: impl Iterator<Item = &'a Region>,
    ) -> Option<Vec<&'a Region>> {
        let here: Vec<&Region> = here.collect();
        match self {
            Self::OfTenant => None,
            Self::Listed(listed) => (!listed.iter().eq(here.iter().copied())).then_some(here),
        }
    }
}

/// What a Service document is written from.
pub(super) struct ServicePage<'a> {
    pub(super) around: &'a Around<'a>,
    pub(super) places: &'a Places<'a>,
    pub(super) lifted: &'a Lifted,
    pub(super) left_out: &'a [LeftOut],
    pub(super) template: &'a str,
    pub(super) label: Option<&'a str>,
    pub(super) regions: &'a Regions,
    pub(super) schema_line: Option<&'a str>,
}

/// The Service document.
pub(super) fn service(page: &ServicePage<'_>) -> String {
    let ServicePage { around, places, .. } = page;
    let found = around.found;
    let mut lines: Vec<String> = page.schema_line.map(str::to_owned).into_iter().collect();
    lines.extend(head(page));
    lines.push("apiVersion: driftless.dev/v1".to_owned());
    lines.push("kind: Service".to_owned());
    lines.push("metadata:".to_owned());
    lines.push(format!("  name: {}", written(around.service.as_str())));
    lines.push("spec:".to_owned());
    lines.extend(comment(
        2,
        "Byte for byte what the stacks were made from: taking them over changes no resource.",
    ));
    lines.push(format!("  template: {}", page.template));
    lines.extend(comment(
        2,
        "The stacks keep their names. Leave this in place: it says which stack is meant.",
    ));
    lines.push(format!("  adopt: {{ match: {} }}", quoted(&found.pattern)));
    if let Regions::Listed(regions) = page.regions {
        let is_everywhere = page.places.values().all(|here| here.keys().eq(regions.iter()));
        lines.extend(comment(
            2,
            match is_everywhere {
                true => "Where all of them are, whatever regions their tenants have.",
                false => "Where most of them are; tenants with others say so themselves.",
            },
        ));
        lines.push(format!("  regions: [{}]", listed(regions.iter())));
    }
    if let Some(label) = page.label {
        let text = format!(
            "For the {} that have it, whose documents have this label.",
            counted(places.len(), "tenant")
        );
        lines.extend(comment(2, &text));
        lines.push(format!("  selector: {{ matchLabels: {{ {}: \"yes\" }} }}", written(label)));
    }
    lines.extend(rollout(page));
    lines.extend(parameters(page));
    if !found.capabilities.is_empty() {
        lines.push(format!("  capabilities: [{}]", found.capabilities.join(", ")));
    }
    lines.extend(tags(&found.tags));
    if found.termination_protection {
        lines.extend(comment(2, "As all of them have it."));
        lines.push("  terminationProtection: true".to_owned());
    }
    ended(&lines)
}

/// The waves in which the stacks are taken over, since to take over is a release as well. They need no
/// labels. A single tenant has no one to go first.
fn rollout(page: &ServicePage<'_>) -> Vec<String> {
    let tenants = page.places.len();
    if page.around.documents.fleet.rollout.is_some() {
        let text =
            "The stacks are taken over in the waves of the Fleet document, as each release is.";
        return comment(2, text);
    }
    if tenants < 2 {
        return Vec::new();
    }
    let text = format!(
        "The stacks are taken over in these waves, as each release will be. Without them all {tenants} \
         tenants would begin at once when this is merged. A percentage takes one tenant at least."
    );
    let mut lines = comment(2, &text);
    lines.extend(WAVES.map(|line| format!("  {line}")));
    lines
}

/// What the document is made from, and what is not in it.
fn head(page: &ServicePage<'_>) -> Vec<String> {
    let found = page.around.found;
    let origin = &found.origin;
    let all = extent(found.instances.iter(), origin);
    let mut text = format!("Written by `{}` from {all}", origin.command());
    if let Origin::StackSet(set) = origin {
        let permissions = if set.is_service_managed { "service" } else { "self" };
        text.push_str(&format!(" ({permissions}-managed permissions)"));
    }
    let mut lines = comment(0, &format!("{text}."));
    if let Origin::StackSet(set) = origin
        && let Some(description) = &set.description
    {
        lines.extend(comment(0, &format!("Its description: {description}")));
    }
    for loss in losses(found).iter().chain(&found.notes) {
        lines.extend(comment(0, loss));
    }
    if page.left_out.is_empty() {
        return lines;
    }
    let text = format!(
        "{} not taken over and left as {}:",
        match page.left_out.len() {
            1 => "One is".to_owned(),
            count => format!("{count} are"),
        },
        if page.left_out.len() == 1 { "it is" } else { "they are" },
    );
    lines.extend(comment(0, &text));
    let all = page.left_out.iter().map(|one| (one.why.as_str(), one.place()));
    let reasons = grouped(all, origin.member());
    for reason in reasons.iter().take(MAX_NAMED) {
        lines.extend(comment(0, &format!("- {reason}")));
    }
    if reasons.len() > MAX_NAMED {
        let more = counted(reasons.len() - MAX_NAMED, "more reason");
        lines.extend(comment(0, &format!("- and {more}")));
    }
    lines
}

fn parameters(page: &ServicePage<'_>) -> Vec<String> {
    let all = page.places.values().map(BTreeMap::len).sum::<usize>();
    let member = page.around.found.origin.member();
    let mut lines = Vec::new();
    for name in hidden(page.around.template) {
        if !page.lifted.shared.contains_key(name) {
            let text = format!(
                "{name} is hidden (NoEcho): nobody can read what the stacks have, and they keep it as \
                 long as git gives none. For new stacks name a dynamic reference: \
                 {{{{resolve:secretsmanager:...}}}}."
            );
            lines.extend(comment(4, &text));
        }
    }
    for (name, shared) in &page.lifted.shared {
        lines.extend(comment(4, &reason(name, shared, page, all, member)));
        lines.push(format!("    {}: {}", written(name), written(&shared.text)));
    }
    let is_said = !page.lifted.shared.is_empty();
    if is_said {
        lines.insert(0, "  parameters:".to_owned());
    }
    lines
}

/// Why the service has this value.
fn reason(name: &str, shared: &Shared, page: &ServicePage<'_>, all: usize, member: &str) -> String {
    let declared = page.around.template.parameters().get(name);
    if declared.is_some_and(|one| one.no_echo) {
        return "Hidden (NoEcho): nobody can read whether the stacks have it. That is asked once, \
                before they are taken over."
            .to_owned();
    }
    let what = if shared.is_inferred { "Inferred from the values of" } else { "The value of" };
    match shared.holds_for {
        count if count == all => format!("{what} all {}.", counted(all, member)),
        count => format!(
            "{what} {count} of {}; the others are exceptions of their tenants.",
            counted(all, member)
        ),
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    if !tags.is_empty() {
        lines.push("  tags:".to_owned());
    }
    for (key, value) in tags {
        let text = crate::fleet::Text::literal(value).to_string();
        lines.push(format!("    {}: {}", written(key), written(&text)));
    }
    lines
}

/// What a new Tenant document is written from.
pub(super) struct TenantPage<'a> {
    pub(super) name: &'a TenantName,
    pub(super) account: AccountId,
    pub(super) regions: Vec<&'a Region>,
    pub(super) own: &'a Own,
    pub(super) own_regions: Option<Vec<&'a Region>>,
    pub(super) label: Option<&'a str>,
    pub(super) schema_line: Option<&'a str>,
}

/// A new Tenant document.
pub(super) fn tenant(origin: &Origin, service: &ServiceName, page: &TenantPage<'_>) -> String {
    let mut lines: Vec<String> = page.schema_line.map(str::to_owned).into_iter().collect();
    let text = format!(
        "Written by `{}`: the account is in {} and had no tenant. Rename it before it is merged if \
         you like: afterwards the name is in the tags of its stacks.",
        origin.command(),
        origin.words()
    );
    lines.extend(comment(0, &text));
    lines.push("apiVersion: driftless.dev/v1".to_owned());
    lines.push("kind: Tenant".to_owned());
    lines.push("metadata:".to_owned());
    lines.push(format!("  name: {}", written(page.name.as_str())));
    if let Some(label) = page.label {
        lines.push(format!("  labels: {{ {}: \"yes\" }}", written(label)));
    }
    lines.push("spec:".to_owned());
    lines.push(format!("  account: {}", quoted(&page.account.to_string())));
    lines.extend(comment(2, "Where its stacks are; the first is its home region."));
    lines.push(format!("  regions: [{}]", listed(page.regions.iter().copied())));
    let Own { everywhere, per_region } = page.own;
    if everywhere.is_empty() && per_region.is_empty() && page.own_regions.is_none() {
        return ended(&lines);
    }
    lines.push("  services:".to_owned());
    lines.push(format!("    {}:", written(service.as_str())));
    if let Some(regions) = &page.own_regions {
        lines.push(format!("      regions: [{}]", listed(regions.iter().copied())));
    }
    if !everywhere.is_empty() {
        lines.push("      parameters:".to_owned());
        lines.extend(entries(8, everywhere));
    }
    if !per_region.is_empty() {
        lines.push("      perRegion:".to_owned());
    }
    for (region, values) in per_region {
        lines.push(format!("        {region}:"));
        lines.push("          parameters:".to_owned());
        lines.extend(entries(12, values));
    }
    ended(&lines)
}

fn entries(indent: usize, values: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    let indent = " ".repeat(indent);
    values.iter().map(move |(name, text)| format!("{indent}{}: {}", written(name), written(text)))
}

fn listed<'a>(regions: impl Iterator<Item = &'a Region>) -> String {
    regions.map(Region::as_str).collect::<Vec<_>>().join(", ")
}

fn ended(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
