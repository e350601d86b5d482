//! From what was found to files: a Service with its template, Tenants new or edited in place, and the
//! regions of the Fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fleet::edit::{Document, push, quoted, set, written};
use crate::fleet::{Documents, Tenant};
use crate::ids::{AccountId, Region, ServiceName, Target, TenantName};
use crate::import::lift::{Around, Lifted, Own, Places, lift};
use crate::import::sorting::{refuse_left_out, sorted};
use crate::import::words::hidden;
use crate::import::writing::{self, Regions, ServicePage};
use crate::import::{Found, Instance};
use crate::template::Template;

/// What is wanted of the documents.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The name of the service.
    pub service: ServiceName,
    /// The folder of its files, below the fleet folder.
    pub folder: String,
    /// The folder of new tenants.
    pub tenants_folder: String,
    /// First lines by which editors find the schemas of Service and Tenant documents.
    pub schema_lines: [Option<String>; 2],
    /// Names of new tenants.
    pub names: BTreeMap<AccountId, TenantName>,
    /// Dynamic references instead of values that the template hides.
    pub secrets: BTreeMap<String, String>,
    /// Whether the service selects its tenants even where it is for all of them.
    pub selects: bool,
    /// Whether what cannot be taken over is left out, instead of refusing all.
    pub skips: bool,
}

/// Files that are not written yet, and what is in them.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The service.
    pub service: ServiceName,
    /// Whole texts by path, below the fleet folder.
    pub files: BTreeMap<String, String>,
    /// Those of them that are new.
    pub made: BTreeSet<String>,
    /// Where the service is written.
    pub service_path: String,
    /// How many instances were found: those that are taken over and those that are left out.
    pub found: usize,
    /// The stacks that are taken over, with the values that they have.
    pub taken: BTreeMap<Target, BTreeMap<String, String>>,
    /// What is left out.
    pub left_out: Vec<LeftOut>,
    /// Tenants that are made.
    pub new_tenants: Vec<NewTenant>,
    /// Tenants whose documents are edited.
    pub edited_tenants: Vec<TenantName>,
    /// Regions that the Fleet document gets.
    pub new_regions: BTreeSet<Region>,
    /// What became of the parameters, in the order of their names.
    pub parameters: Vec<Inferred>,
    /// What people should know, a sentence each.
    pub notes: Vec<String>,
}

/// A tenant that is made for an account without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// Its name.
    pub name: TenantName,
    /// Its account.
    pub account: AccountId,
}

/// A stack that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it stands.
    pub target: Target,
    /// Its name, if it is known.
    pub stack: Option<String>,
    /// Why it is not, a sentence without a full stop, in words that hold for others too.
    pub why: String,
    /// What is so only here.
    pub detail: Option<String>,
}

impl LeftOut {
    /// Where it stands, with what is so only there.
    pub(super) fn place(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} ({detail})", self.target),
            None => self.target.to_string(),
        }
    }
}

/// What became of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// Its name.
    pub name: String,
    /// The value of the service with its variables, if it has one that may be shown.
    pub value: Option<String>,
    /// Of how many stacks it is the value.
    pub holds_for: usize,
    /// How many tenants have an exception.
    pub exceptions: usize,
    /// Whether the template hides it: its values are not known.
    pub is_hidden: bool,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong; lines after the first are details.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

/// Writes the documents of what was found into a fleet; `file` gives the text at a path of it.
pub fn draft(
    found: &Found,
    documents: &Documents,
    file: &dyn Fn(&str) -> Option<String>,
    wish: &Wish,
) -> Result<Draft, Refusal> {
    refuse_known(documents, wish)?;
    let by_account = documents.tenants.values().map(|tenant| (tenant.account, Arc::clone(tenant)));
    let tenants: BTreeMap<AccountId, Arc<Tenant>> = by_account.collect();
    let (places, left_out) = sorted(found, documents, &tenants);
    refuse_left_out(found, &left_out, wish)?;
    // Where nothing can be taken over there may be no template either.
    let template = Template::parse(&found.template_body).map_err(|error| {
        let what = format!("the template of {} cannot be read: {error}", found.origin.words());
        Refusal::new(what, "deploy a template that is well formed, and run it again")
    })?;
    refuse_secrets(&template, wish)?;
    let around = Around {
        found,
        template: &template,
        documents,
        service: &wish.service,
        secrets: &wish.secrets,
        tenants,
    };
    let lifted = lift(&around, &places);
    let drafting = Drafting { wish, around: &around, places: &places, lifted: &lifted, file };
    drafting.whole(left_out)
}

fn refuse_known(documents: &Documents, wish: &Wish) -> Result<(), Refusal> {
    let Some(known) = documents.services.get(&wish.service) else { return Ok(()) };
    let (line, _) = known.source.position(&["metadata", "name"]);
    Err(Refusal::new(
        format!("there is a service `{}` already, in {}:{line}", wish.service, known.source.path),
        "give the new one another name with --service",
    ))
}

/// Only hidden values are given by hand: all others are read.
fn refuse_secrets(template: &Template, wish: &Wish) -> Result<(), Refusal> {
    let is_hidden = |name: &String| hidden(template).any(|other| other == name);
    let Some(name) = wish.secrets.keys().find(|name| !is_hidden(name)) else { return Ok(()) };
    let what = format!("the template hides no parameter `{name}` (NoEcho)");
    Err(Refusal::new(what, "leave out its --secret: other values are read"))
}

/// What the files are made from.
struct Drafting<'a> {
    wish: &'a Wish,
    around: &'a Around<'a>,
    places: &'a Places<'a>,
    lifted: &'a Lifted,
    file: &'a dyn Fn(&str) -> Option<String>,
}

impl Drafting<'_> {
    fn whole(&self, left_out: Vec<LeftOut>) -> Result<Draft, Refusal> {
        let found = self.around.found;
        let mut draft = Draft {
            service: self.wish.service.clone(),
            files: BTreeMap::new(),
            made: BTreeSet::new(),
            service_path: format!("{}/service.yaml", self.wish.folder),
            found: found.instances.len(),
            taken: self.taken(),
            left_out,
            new_tenants: Vec::new(),
            edited_tenants: Vec::new(),
            new_regions: BTreeSet::new(),
            parameters: self.inferred(),
            notes: found.notes.clone(),
        };
        let label = self.label()?;
        let regions = self.regions();
        self.fleet(&mut draft)?;
        self.service(&mut draft, label.as_deref(), &regions)?;
        for (account, here) in self.places {
            let nothing = Own::default();
            let own = self.lifted.own.get(account).unwrap_or(&nothing);
            let own_regions = regions.exception(here.keys());
            match self.around.tenants.get(account) {
                Some(tenant) => {
                    self.edit(&mut draft, tenant, own, own_regions, label.as_deref())?;
                }
                None => {
                    let name = self.name(*account, &draft)?;
                    let page = writing::TenantPage {
                        name: &name,
                        account: *account,
                        regions: here.keys().collect(),
                        own,
                        own_regions,
                        label: label.as_deref(),
                        schema_line: self.wish.schema_lines[1].as_deref(),
                    };
                    let text =
                        writing::tenant(&self.around.found.origin, &self.wish.service, &page);
                    let path = below(&self.wish.tenants_folder, &format!("{name}.yaml"));
                    self.make(&mut draft, path, text)?;
                    draft.new_tenants.push(NewTenant { name, account: *account });
                }
            }
        }
        Ok(draft)
    }

    /// The values that the stacks have, those that nobody can read left out.
    fn taken(&self) -> BTreeMap<Target, BTreeMap<String, String>> {
        let template = self.around.template;
        let names: Vec<&String> = template
            .parameters()
            .iter()
            .filter(|(_, one)| !one.no_echo)
            .map(|(name, _)| name)
            .collect();
        let all = self.places.values().flat_map(BTreeMap::values);
        all.map(|instance| {
            let value = |name: &&String| {
                let value = self.around.effective(instance, name)?;
                Some(((*name).clone(), value.to_owned()))
            };
            (instance.target.clone(), names.iter().filter_map(value).collect())
        })
        .collect()
    }

    fn inferred(&self) -> Vec<Inferred> {
        let one = |(name, declared): (&String, &crate::template::Parameter)| {
            let shared = self.lifted.shared.get(name);
            let has_own = |own: &&Own| {
                let mut regional = own.per_region.values();
                own.everywhere.contains_key(name) || regional.any(|one| one.contains_key(name))
            };
            Inferred {
                name: name.clone(),
                value: shared.filter(|_| !declared.no_echo).map(|shared| shared.text.clone()),
                holds_for: shared.map_or(0, |shared| shared.holds_for),
                exceptions: self.lifted.own.values().filter(has_own).count(),
                is_hidden: declared.no_echo,
            }
        };
        self.around.template.parameters().iter().map(one).collect()
    }

    /// The label by which the service selects its tenants, unless it is for all.
    fn label(&self) -> Result<Option<String>, Refusal> {
        let tenants = self.around.documents.tenants.values();
        let others = || tenants.clone().filter(|one| !self.places.contains_key(&one.account));
        if !self.wish.selects && others().next().is_none() {
            return Ok(None);
        }
        let label = format!("gets-{}", self.wish.service);
        let has = |tenant: &&Arc<Tenant>| tenant.labels.get(&label).is_some_and(|it| it == "yes");
        match others().find(has) {
            None => Ok(Some(label)),
            Some(tenant) => Err(Refusal::new(
                format!(
                    "the tenant `{}` has the label `{label}`, and no stack that is taken over",
                    tenant.name
                ),
                "remove the label, or give the service another name with --service",
            )),
        }
    }

    /// All regions of each tenant, if the stacks are there; else those that most of them have.
    fn regions(&self) -> Regions {
        let is_tenants = |(account, here): (&AccountId, &BTreeMap<Region, &Instance>)| {
            self.around.tenants.get(account).is_none_or(|tenant| {
                let regions: BTreeSet<&Region> = tenant.regions.iter().collect();
                regions == here.keys().collect()
            })
        };
        if self.places.iter().all(is_tenants) {
            return Regions::OfTenant;
        }
        let mut counts: BTreeMap<Vec<&Region>, usize> = BTreeMap::new();
        for here in self.places.values() {
            *counts.entry(here.keys().collect()).or_default() += 1;
        }
        let most = crate::import::lift::commonest(counts);
        let (most, _) = most.unwrap_or_default();
        Regions::Listed(most.into_iter().cloned().collect())
    }

    /// The regions that the Fleet document lacks are added to it.
    fn fleet(&self, draft: &mut Draft) -> Result<(), Refusal> {
        let fleet = &self.around.documents.fleet;
        let all = self.places.values().flat_map(BTreeMap::keys);
        let missing = all.filter(|region| !fleet.regions.contains_key(*region)).cloned();
        draft.new_regions = missing.collect();
        let path = &*fleet.source.path;
        for region in draft.new_regions.clone().iter().rev() {
            let document = Document { kind: "Fleet", name: fleet.name.as_str() };
            let text = self.text(draft, path)?;
            let edited = push(&text, document, &["spec", "regions"], region.as_str());
            let edited = edited.ok_or_else(|| {
                let what = format!("{path}: the fleet has no region `{region}`");
                Refusal::new(what, format!("add `{region}` to `spec.regions` by hand"))
            })?;
            draft.files.insert(path.to_owned(), edited);
        }
        Ok(())
    }

    fn service(
        &self,
        draft: &mut Draft,
        label: Option<&str>,
        regions: &Regions,
    ) -> Result<(), Refusal> {
        let is_json = self.around.found.template_body.trim_start().starts_with('{');
        let template = if is_json { "template.json" } else { "template.yaml" };
        let page = ServicePage {
            around: self.around,
            places: self.places,
            lifted: self.lifted,
            left_out: &draft.left_out,
            template,
            label,
            regions,
            schema_line: self.wish.schema_lines[0].as_deref(),
        };
        let text = writing::service(&page);
        self.make(draft, draft.service_path.clone(), text)?;
        let body = self.around.found.template_body.clone();
        self.make(draft, format!("{}/{template}", self.wish.folder), body)
    }

    fn make(&self, draft: &mut Draft, path: String, text: String) -> Result<(), Refusal> {
        if (self.file)(&path).is_some() || draft.files.contains_key(&path) {
            let what = format!("there is a file `{path}` already");
            return Err(Refusal::new(what, "rename it, or choose another folder with --out"));
        }
        draft.made.insert(path.clone());
        draft.files.insert(path, text);
        Ok(())
    }

    /// The name of a new tenant.
    fn name(&self, account: AccountId, draft: &Draft) -> Result<TenantName, Refusal> {
        let given = self.wish.names.get(&account).cloned();
        let name = match given {
            Some(name) => name,
            None => format!("account-{account}").parse().map_err(|error| {
                Refusal::new(format!("{error}"), "name the accounts with --names FILE")
            })?,
        };
        let tenants = &self.around.documents.tenants;
        let is_taken = draft.new_tenants.iter().any(|other| other.name == name);
        if is_taken || tenants.contains_key(&name) {
            let what = format!("account {account} cannot be tenant `{name}`: there is one already");
            return Err(Refusal::new(what, "give it another name with --names FILE"));
        }
        Ok(name)
    }

    /// The text of a file as it is to be, so far.
    fn text(&self, draft: &Draft, path: &str) -> Result<String, Refusal> {
        let known = draft.files.get(path).cloned().or_else(|| (self.file)(path));
        known.ok_or_else(|| Refusal::new(format!("`{path}` cannot be read"), "run it again"))
    }

    /// What a tenant that is there already has otherwise.
    fn edit(
        &self,
        draft: &mut Draft,
        tenant: &Tenant,
        own: &Own,
        own_regions: Option<Vec<&Region>>,
        label: Option<&str>,
    ) -> Result<(), Refusal> {
        let path = &*tenant.source.path;
        let service = self.wish.service.as_str();
        let mut wishes: Vec<(Vec<&str>, String)> = Vec::new();
        let has = |label: &&str| tenant.labels.get(*label).is_some_and(|value| value == "yes");
        if let Some(label) = label.filter(|label| !has(label)) {
            wishes.push((vec!["metadata", "labels", label], quoted("yes")));
        }
        if let Some(regions) = own_regions {
            let regions: Vec<&str> = regions.iter().map(|region| region.as_str()).collect();
            wishes.push((
                vec!["spec", "services", service, "regions"],
                format!("[{}]", regions.join(", ")),
            ));
        }
        for (name, text) in &own.everywhere {
            wishes.push((vec!["spec", "services", service, "parameters", name], written(text)));
        }
        for (region, values) in &own.per_region {
            let start = ["spec", "services", service, "perRegion", region.as_str(), "parameters"];
            for (name, text) in values {
                wishes.push(([&start[..], &[name.as_str()]].concat(), written(text)));
            }
        }
        if wishes.is_empty() {
            return Ok(());
        }
        let mut text = self.text(draft, path)?;
        for (keys, value) in wishes {
            let document = Document { kind: "Tenant", name: tenant.name.as_str() };
            text = set(&text, document, &keys, &value).map_err(|refusal| {
                let (line, column) = refusal.place;
                let what = format!("{path}:{line}:{column}: {refusal}");
                Refusal::new(what, format!("write `{}: {value}` by hand", keys.join(".")))
            })?;
        }
        draft.files.insert(path.to_owned(), text);
        draft.edited_tenants.push(tenant.name.clone());
        Ok(())
    }
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
