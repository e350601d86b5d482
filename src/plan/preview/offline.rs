//! What would happen between two revisions, known without AWS.

use std::collections::{BTreeMap, BTreeSet};

use crate::cost::{Bill, Policy};
use crate::desired::{Desired, Wanted};
use crate::fleet::Severity;
use crate::ids::{ServiceName, StackId, StackKey, Target, TenantName};
use crate::moment::Moment;
use crate::outcome::OnRemoval;
use crate::plan::Hold;
use crate::plan::deletions::{self, DeletionBook, Waiting};
use crate::plan::preview::allowed::{self, allowed, follow, readers};
use crate::plan::preview::arrivals::arrivals;
use crate::plan::preview::compare::{Side, Wording, differences, made_of, rules};
use crate::plan::preview::consequence::Consequences;
use crate::plan::preview::grouping::{Common, Grouping};
use crate::plan::preview::releases::releases;
use crate::plan::preview::{Basis, Deletions, Group, Kind, Line, Member, Preview, fleet, template};
use crate::template::Effect;

/// What would happen to every stack if `new` took the place of `old`; without `old` everything is
/// new. The same revisions give the same preview.
pub fn preview(old: Option<&Desired>, new: &Desired) -> Preview {
    let mut previewing = Previewing::new(old, new);
    for wanted in new.all_wanted() {
        previewing.wanted(wanted);
    }
    for wanted in old.into_iter().flat_map(Desired::all_wanted) {
        if new.wanted(&wanted.key).is_none() && !wanted.asked_to_go {
            previewing.dropped(wanted);
        }
    }
    previewing.finish()
}

/// A stack before and after.
#[derive(Clone, Copy)]
struct Pair<'a> {
    old: Option<&'a Wanted>,
    new: Option<&'a Wanted>,
}

struct Previewing<'a> {
    old: Option<&'a Desired>,
    new: &'a Desired,
    /// Whether the Fleet document is the very same.
    same_fleet: bool,
    /// Stacks that are no longer given, by whose they are.
    dropped: BTreeMap<(&'a TenantName, &'a ServiceName), Vec<&'a Wanted>>,
    /// Stacks that are shown as what another one was before.
    renamed: BTreeSet<&'a StackKey>,
    grouping: Grouping<Pair<'a>>,
    consequences: Consequences<'a>,
    /// What happens to resources, and which nested stacks hide it, each once; the first is nothing.
    variants: Vec<(Vec<Effect>, BTreeSet<String>)>,
    /// Services with resources that macros make.
    partial: BTreeSet<&'a ServiceName>,
    bill: Bill,
    waiting: Waiting,
    unchanged: usize,
}

impl<'a> Previewing<'a> {
    fn new(old: Option<&'a Desired>, new: &'a Desired) -> Self {
        let mut dropped: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for wanted in old.into_iter().flat_map(Desired::all_wanted) {
            if new.wanted(&wanted.key).is_none() && !wanted.asked_to_go {
                let owner = (&wanted.tenant.name, &wanted.service.name);
                dropped.entry(owner).or_default().push(wanted);
            }
        }
        Self {
            same_fleet: old.is_some_and(|old| old.fleet.source.is_same(&new.fleet.source)),
            dropped,
            renamed: BTreeSet::new(),
            grouping: Grouping::default(),
            consequences: Consequences::of(old, new),
            variants: vec![Default::default()],
            partial: BTreeSet::new(),
            bill: Bill::default(),
            waiting: Waiting::new(),
            unchanged: 0,
            old,
            new,
        }
    }

    /// Another name means another ownership tag, so that no stack is ours any more.
    fn disowns(&self) -> bool {
        self.old.is_some_and(|old| old.fleet.name != self.new.fleet.name)
    }

    /// A stack that the new revision gives, also one that it asks to go.
    fn wanted(&mut self, new: &'a Wanted) {
        let old = self.old.and_then(|old| old.wanted(&new.key));
        let stood = old.filter(|old| !old.asked_to_go);
        match (stood, new.asked_to_go) {
            (None, true) => {}
            (Some(_), _) if self.disowns() => {
                let note = "not ours any more, as the fleet has another name: nothing is done";
                self.add(Kind::Stuck, Pair { old, new: Some(new) }, vec![note.to_owned()], None);
            }
            (Some(old), true) => self.deleted(old, Some(new), "asked to go"),
            (None, false) => self.created(old, new),
            (Some(old), false) => self.kept(old, new),
        }
    }

    fn created(&mut self, old: Option<&'a Wanted>, new: &'a Wanted) {
        let mut notes = suspended(new);
        if let Some(from) = self.twin(new) {
            let was = from.key.to_string();
            self.renamed.insert(&from.key);
            let pair = Pair { old: Some(from), new: Some(new) };
            notes.insert(
                0,
                format!(
                    "a stack of the same service and tenant stands elsewhere: held until approved; \
                     the old stack is {} (onRemoval)",
                    match self.on_removal(from) {
                        OnRemoval::Retain => "retained",
                        OnRemoval::Delete => "deleted",
                    }
                ),
            );
            let before = self.consequences.find(Some(from), None, &[]);
            let after = self.consequences.find(None, Some(new), &[]);
            // Until a person approves it nothing is done; then the old one goes or stays.
            let goes = self.on_removal(from) == OnRemoval::Delete;
            let old = before.before.as_ref().filter(|_| goes);
            self.bill.add(new.key.target.account, old, after.after.as_ref());
            return self.add(Kind::Rename, pair, notes, Some(was));
        }
        if old.is_some() {
            notes.push("was asked to go before; what is left of it is updated".to_owned());
        }
        let pair = Pair { old: None, new: Some(new) };
        if let Some(adoption) = &new.service.adopt {
            let pattern = &adoption.pattern;
            notes.push(match adoption.or_create {
                true => format!("one that fits `{pattern}` is taken over instead"),
                false => {
                    format!("what fits `{pattern}` is taken over; where nothing fits, none is made")
                }
            });
            if !adoption.or_create {
                return self.add(Kind::Adopt, pair, notes, None);
            }
        }
        let found = self.consequences.find(None, Some(new), &[]);
        self.bill.add(new.key.target.account, None, found.after.as_ref());
        self.add(Kind::Create, pair, notes, None);
    }

    /// A dropped stack of the same service and tenant: under another name in the same target, or
    /// in an account that the tenant had before.
    fn twin(&self, new: &Wanted) -> Option<&'a Wanted> {
        let dropped = self.dropped.get(&(&new.tenant.name, &new.service.name))?;
        let (here, there) = (&new.key.target, |old: &Wanted| old.key.target.clone());
        let same_place = dropped.iter().find(|old| there(old) == *here);
        let elsewhere = dropped.iter().filter(|old| there(old).account != here.account);
        let same_region = elsewhere.clone().find(|old| there(old).region == here.region);
        same_place.or(same_region).or(elsewhere.clone().next()).copied()
    }

    fn kept(&mut self, old: &'a Wanted, new: &'a Wanted) {
        let pair = Pair { old: Some(old), new: Some(new) };
        if old.tenant.name != new.tenant.name || old.service.name != new.service.name {
            let was = format!("{} of {}", old.service.name, old.tenant.name);
            let note = "the stack was made as another's: held until approved".to_owned();
            return self.add(Kind::Rename, pair, vec![note], Some(was));
        }
        if self.is_same(old, new) {
            self.unchanged += 1;
            return;
        }
        let (from, to) = (&old.service.template, &new.service.template);
        let templates = (from.digest() != to.digest()).then(|| (from.digest(), to.digest()));
        let mut lines = self.differences(pair, Wording::Symbolic);
        let changes = templates.is_some() || !lines.is_empty();
        let variant = if changes { self.variant(old, new, &lines) } else { 0 };
        lines.extend(rules(old, new));
        if !changes && lines.is_empty() {
            self.unchanged += 1;
            return;
        }
        let kind = if changes { Kind::Update } else { Kind::Rules };
        let notes = if changes { suspended(new) } else { Vec::new() };
        let service = Some(new.service.name.clone());
        let common = Common { kind, service, lines, templates, variant, notes };
        self.grouping.add(common, pair, member(new, None));
    }

    /// What the change does to the resources of a stack, by its number.
    fn variant(&mut self, old: &'a Wanted, new: &'a Wanted, lines: &[Line]) -> usize {
        let found = self.consequences.find(Some(old), Some(new), lines);
        self.bill.add(new.key.target.account, found.before.as_ref(), found.after.as_ref());
        if found.is_partial {
            self.partial.insert(&new.service.name);
        }
        let is_it = |(effects, unseen): &(Vec<Effect>, BTreeSet<String>)| {
            *effects == found.effects && *unseen == found.unseen
        };
        let known = self.variants.iter().position(is_it);
        known.unwrap_or_else(|| {
            self.variants.push((found.effects.clone(), found.unseen.clone()));
            self.variants.len() - 1
        })
    }

    /// Whether all documents behind both stacks are the very same: most are, and are not compared
    /// any further.
    fn is_same(&self, old: &Wanted, new: &Wanted) -> bool {
        let (from, to) = (&old.service, &new.service);
        self.same_fleet
            && old.tenant.source.is_same(&new.tenant.source)
            && from.source.is_same(&to.source)
            && from.template.digest() == to.template.digest()
            && from.stack_policy == to.stack_policy
    }

    fn differences(&self, pair: Pair<'a>, wording: Wording) -> Vec<Line> {
        let (Some(before), Some(old), Some(new)) = (self.old, pair.old, pair.new) else {
            return Vec::new();
        };
        let old = Side { desired: before, wanted: old };
        differences(old, Side { desired: self.new, wanted: new }, wording)
    }

    fn on_removal(&self, old: &Wanted) -> OnRemoval {
        let service = self.new.services.get(&old.service.name).unwrap_or(&old.service);
        service.on_removal
    }

    fn dropped(&mut self, old: &'a Wanted) {
        if self.disowns() {
            return;
        }
        match self.on_removal(old) {
            OnRemoval::Delete if self.user_that_stays(old).is_some() => {
                let user = self.user_that_stays(old).map_or("", ServiceName::as_str);
                let note = format!("no longer given: kept while {user}, which uses it, stays");
                self.add(Kind::Retain, Pair { old: Some(old), new: None }, vec![note], None);
            }
            OnRemoval::Delete => self.deleted(old, None, "no longer given (onRemoval: delete)"),
            OnRemoval::Retain if self.renamed.contains(&old.key) => {}
            OnRemoval::Retain => {
                let note = "no longer given (onRemoval: retain): stays as it is".to_owned();
                self.add(Kind::Retain, Pair { old: Some(old), new: None }, vec![note], None);
            }
        }
    }

    /// The service of a stack that uses this one, beside it or from another region, and stays.
    fn user_that_stays(&self, old: &'a Wanted) -> Option<&'a ServiceName> {
        let (target, is_home) =
            (&old.key.target, old.tenant.home().as_ref() == Some(&old.key.target));
        let uses = |user: &Wanted| {
            let needed =
                if user.key.target == *target { &user.depends_on } else { &user.depends_on_home };
            needed.contains(&old.service.name)
        };
        let regions = old
            .tenant
            .regions
            .iter()
            .map(|region| Target { account: target.account, region: region.clone() });
        let elsewhere = regions.filter(|other| is_home && other != target);
        let targets = std::iter::once(target.clone()).chain(elsewhere);
        let before = self.old?;
        let mut users = targets
            .filter_map(|target| before.stacks.get(&target))
            .flat_map(BTreeMap::values)
            .filter(|user| {
                user.key != old.key
                    && user.tenant.name == old.tenant.name
                    && !user.asked_to_go
                    && uses(user)
            });
        let stays = |user: &&Wanted| match self.new.wanted(&user.key) {
            Some(new) => !new.asked_to_go && uses(new),
            None => self.on_removal(user) == OnRemoval::Retain,
        };
        users.find(stays).map(|user| &user.service.name)
    }

    fn deleted(&mut self, old: &'a Wanted, new: Option<&'a Wanted>, why: &str) {
        let id = StackId::of(&old.key.to_string());
        self.waiting.insert(id, old.tenant.name.clone());
        let found = self.consequences.find(Some(old), None, &[]);
        self.bill.add(old.key.target.account, found.before.as_ref(), None);
        let mut notes = vec![why.to_owned()];
        notes.extend(new.into_iter().flat_map(suspended));
        self.add(Kind::Delete, Pair { old: Some(old), new }, notes, None);
    }

    fn add(&mut self, kind: Kind, pair: Pair<'a>, notes: Vec<String>, was: Option<String>) {
        let Some(wanted) = pair.new.or(pair.old) else { return };
        let lines = match kind {
            Kind::Create => made_of(Side { desired: self.new, wanted }, Wording::Symbolic),
            Kind::Delete
            | Kind::Retain
            | Kind::Rename
            | Kind::Stuck
            | Kind::Blind
            | Kind::Update
            | Kind::Adopt
            | Kind::Wait
            | Kind::LeaveAlone
            | Kind::Rules => Vec::new(),
        };
        let service = Some(wanted.service.name.clone());
        let common = Common { kind, service, lines, templates: None, variant: 0, notes };
        self.grouping.add(common, pair, member(wanted, was));
    }

    fn finish(mut self) -> Preview {
        let grouping = std::mem::take(&mut self.grouping);
        let groups = grouping.finish(|common, pair, group| self.complete(common, *pair, group));
        let readers = readers(&groups, self.new);
        let follows = follow(&readers, self.new, &mut self.consequences);
        let reviewed = allowed(self.old, self.new, &groups, &follows);
        let mut notices = allowed::notices(&readers);
        notices.extend(self.partial.iter().map(|service| {
            format!("macros make resources of {service}: what becomes of these is not known here")
        }));
        let settings =
            self.old.map_or(Vec::new(), |old| fleet::settings(&old.fleet, &self.new.fleet));
        Preview {
            fleet: self.new.fleet.name.clone(),
            basis: self.old.map_or(Basis::Nothing, |old| Basis::Revision(old.revision.clone())),
            to: self.new.revision.clone(),
            settings,
            notices,
            groups,
            seen: Vec::new(),
            arrivals: arrivals(self.old, self.new),
            releases: releases(self.old, self.new),
            judged: self.judged(),
            bill: std::mem::take(&mut self.bill),
            drifted: Vec::new(),
            samples: Vec::new(),
            reviewed: Some(reviewed),
            requires_plan: self.new.fleet.requires_plan,
            unchanged: self.unchanged,
            deletions: self.deletions(),
        }
    }

    /// What is written once a group: values of a single stack, what differs between templates, and
    /// what becomes of protected resources.
    fn complete(&self, common: &Common, pair: Pair<'a>, group: &mut Group) {
        if let [_] = group.members.as_slice() {
            match (group.kind, pair.old, pair.new) {
                (Kind::Create, _, Some(new)) => {
                    let side = Side { desired: self.new, wanted: new };
                    group.lines = made_of(side, Wording::Resolved);
                }
                (Kind::Update, Some(old), Some(new)) => {
                    group.lines = self.differences(pair, Wording::Resolved);
                    group.lines.extend(rules(old, new));
                }
                _ => {}
            }
        }
        let (effects, unseen) = self.variants.get(common.variant).cloned().unwrap_or_default();
        group.effects = effects;
        if let (Some(_), Some(old), Some(new)) = (common.templates, pair.old, pair.new) {
            group.lines.extend(template::differences(&old.service.package, &new.service.package));
        }
        if let (Kind::Update, Some(new)) = (group.kind, pair.new) {
            let protected = &new.service.protected;
            group.notes.extend(template::protected_notes(&group.effects, &unseen, protected));
        }
        if let (Kind::Delete, Some(old)) = (group.kind, pair.old) {
            group.notes.extend(template::lost_note(&old.service));
        }
    }

    /// What the fleet's policy says to the cost; where the change itself moves the limit, what it said
    /// before is a warning.
    fn judged(&self) -> Option<(Severity, String)> {
        let added = self.bill.total_added_per_month();
        let judge = |desired: &Desired| Policy::of(&desired.fleet.idle_cost).judge(added);
        judge(self.new).or_else(|| {
            let (_, text) = self.old.and_then(judge)?;
            Some((Severity::Warning, format!("{text} before this change, which moves it")))
        })
    }

    fn deletions(&self) -> Option<Deletions> {
        let first = self.waiting.keys().next()?;
        let tenants: BTreeSet<&TenantName> = self.waiting.values().collect();
        let limits = &self.new.fleet.limits.deletes;
        let size = self.new.stack_count();
        // The limit asks for a time only to judge approvals, and there are none before the fact.
        let now = Moment::default();
        let book = DeletionBook::default();
        let held = match deletions::allow(first, &book, &self.waiting, limits, size, now) {
            Ok(()) => None,
            Err(hold) => Some(hold.to_string()),
        };
        let (stacks, tenants) = (self.waiting.len(), tenants.len());
        Some(Deletions { stacks, tenants, held, approval: None })
    }
}

fn member(wanted: &Wanted, was: Option<String>) -> Member {
    Member {
        target: wanted.key.target.clone(),
        name: Some(wanted.key.name.clone()),
        tenant: Some(wanted.tenant.name.clone()),
        was,
        own_name: None,
    }
}

fn suspended(wanted: &Wanted) -> Vec<String> {
    let by = wanted.suspended.iter().cloned();
    by.map(|by| Hold::Suspended { by }).map(|hold| format!("{hold}: nothing is done yet")).collect()
}
