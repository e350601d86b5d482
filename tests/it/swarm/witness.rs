//! Sees every call as it meets the cloud, checks what must never happen, and lets the program die
//! between two effects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use driftless::ids::{AccountId, StackKey, StackName, Target};
use driftless::moment::Moment;
use driftless::plan::{ApprovalKind, Scope};
use driftless::sim::{Asked, ChangeSetView, Cloud, Ending, Running, StackView, Status, Witness};

use crate::swarm::model::{FLEET, KINDS, Kind, Model, Value, Want};
use crate::swarm::truth::Truth;

/// A change that a person has just made may not have been seen when a call was decided: it waits
/// for its turn and is repeated for a minute.
const JUST_NOW: Duration = Duration::from_secs(90);
/// Whoever suspends is heard within this time.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// When the program dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// Before or after the how manieth changing call from now.
    pub(crate) call: u32,
    pub(crate) before: bool,
}

#[derive(Debug, Default)]
struct State {
    truth: Truth,
    death: Option<Death>,
    dead: bool,
    violations: Vec<String>,
    trace: Vec<String>,
    ever_complete: BTreeSet<String>,
    /// Deletions that nobody approved, of stacks that ever were complete.
    deletions: Vec<(Moment, String, String)>,
    counts: BTreeMap<&'static str, u64>,
    secrets: BTreeSet<String>,
    mutating: u64,
    /// The operations that were started, by stack and call; a repeated call starts none.
    started: BTreeMap<(StackKey, &'static str), BTreeSet<String>>,
    /// Changing calls that had an effect, in order.
    deeds: Vec<Done>,
}

/// A changing call that had an effect.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) at: Moment,
    pub(crate) target: Target,
    pub(crate) api: &'static str,
}

/// The witness of one run.
#[derive(Debug)]
pub(crate) struct Watch {
    cloud: Cloud,
    state: Mutex<State>,
    pub(crate) died: tokio::sync::Notify,
}

/// What one changing call is about.
struct Deed<'a> {
    at: Moment,
    api: &'static str,
    fields: &'a BTreeMap<String, String>,
    key: StackKey,
    seen: Option<StackView>,
    /// Those of the stack that were not executed.
    sets: Vec<ChangeSetView>,
}

impl Watch {
    pub(crate) fn of(cloud: &Cloud) -> Arc<Self> {
        let watch = Self {
            cloud: cloud.clone(),
            state: Mutex::default(),
            died: tokio::sync::Notify::new(),
        };
        let watch = Arc::new(watch);
        cloud.set_witness(Some(watch.clone()));
        watch
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is true.
    pub(crate) fn truth<T>(&self, change: impl FnOnce(&mut Truth) -> T) -> T {
        change(&mut self.state().truth)
    }

    pub(crate) fn kill_at(&self, death: Death) {
        self.state().death = Some(death);
    }

    /// A new process: its calls arrive again.
    pub(crate) fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.death) = (false, None);
    }

    /// Nothing of the process reaches the cloud any more.
    pub(crate) fn kill(&self) {
        self.state().dead = true;
    }

    pub(crate) fn violate(&self, text: String) {
        self.state().violations.push(text);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub(crate) fn note(&self, at: Moment, text: &str) {
        self.state().trace.push(format!("{at} {text}"));
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    /// How many changing calls have come so far.
    pub(crate) fn mutating(&self) -> u64 {
        self.state().mutating
    }

    /// How often each changing call had an effect.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.clone()
    }

    /// How many operations each call has started on each stack.
    pub(crate) fn started(&self) -> BTreeMap<(StackKey, &'static str), usize> {
        let started = self.state().started.clone();
        started.into_iter().map(|(what, tokens)| (what, tokens.len())).collect()
    }

    /// The changing calls that had an effect, in order.
    pub(crate) fn deeds(&self) -> Vec<Done> {
        self.state().deeds.clone()
    }

    /// Every secret that AWS has given away so far.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        self.state().secrets.clone()
    }

    fn deed<'a>(&self, asked: Asked<'a>) -> Option<Deed<'a>> {
        let call = asked.call;
        let key = key_of(asked)?;
        let console = self.cloud.console();
        let seen = console.stack(&key).expect("the cloud answers");
        let sets = console.change_sets(&key).expect("the cloud answers");
        Some(Deed { at: call.at, api: call.api, fields: asked.fields, key, seen, sets })
    }

    fn learn_history(&self, seen: &StackView, key: &StackKey) {
        let complete = |status: &Status| {
            *status == Status::CREATE_COMPLETE || *status == Status::UPDATE_COMPLETE
        };
        let events = self.cloud.console().events(key).expect("the cloud answers");
        let was = events.iter().any(|event| event.resource.is_none() && complete(&event.status));
        if was {
            self.state().ever_complete.insert(seen.id.clone());
        }
    }

    fn check(&self, deed: &Deed<'_>) {
        if let Some(seen) = &deed.seen {
            self.learn_history(seen, &deed.key);
        }
        let running = self.cloud.console().running().expect("the cloud answers");
        let mut state = self.state();
        let mut broken = Vec::new();
        state.truth.learn(deed.at, &mut broken);
        state.check_identity(deed, &mut broken);
        state.check_steering(deed, &mut broken);
        state.check_attempt(deed, &mut broken);
        if starts_operation(deed.api) {
            state.check_flight(deed, &running, &mut broken);
        }
        let well = state.truth.followed.iter().any(|model| state.is_wanted(deed, model).is_ok());
        if !well {
            let why = state.truth.followed.first().map(|model| state.is_wanted(deed, model));
            broken.push(match why {
                Some(Err(why)) => why,
                Some(Ok(())) | None => "no revision is followed".to_owned(),
            });
        }
        if deed.api == "DeleteStack" {
            state.check_deletion_limit(deed, &mut broken);
        }
        let at = deed.at;
        let what = format!("{at} {} {}", deed.api, deed.key);
        state.violations.extend(broken.into_iter().map(|why| format!("{what}: {why}")));
    }
}

/// The stack that a call names, by name or id.
fn key_of(asked: Asked<'_>) -> Option<StackKey> {
    let named = asked.fields.get("StackName")?;
    let name = named.split(":stack/").nth(1).and_then(|rest| rest.split('/').next());
    let name: StackName = name.unwrap_or(named).parse().ok()?;
    let target = Target { account: asked.call.account, region: asked.call.region.clone() };
    Some(StackKey { target, name })
}

fn starts_operation(api: &str) -> bool {
    matches!(api, "CreateStack" | "ExecuteChangeSet" | "DeleteStack" | "UpdateStack")
}

fn token(fields: &BTreeMap<String, String>) -> Option<&str> {
    fields.get("ClientRequestToken").or(fields.get("ClientToken")).map(String::as_str)
}

impl State {
    /// Calls on a stack that is there name it by its id, and the stack is ours.
    fn check_identity(&self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let named = deed.fields.get("StackName").map(String::as_str).unwrap_or_default();
        if deed.api != "CreateStack" && !named.starts_with("arn:") {
            broken.push("it names the stack by its name".to_owned());
        }
        let touched = self.truth.touched.get(&deed.key);
        let just_now = touched.is_some_and(|at| deed.at.since(*at) < JUST_NOW);
        let Some(seen) = &deed.seen else { return };
        if deed.api == "CreateStack" || seen.id != named || just_now {
            return;
        }
        let owner = seen.tags.get("driftless:fleet").map(String::as_str);
        if owner != Some(FLEET) {
            broken.push(format!("the stack is not ours, but of {owner:?}"));
        }
    }

    /// Nothing new starts where somebody said stop.
    fn check_steering(&self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let service = deed.key.name.as_str();
        let tenant = tenant_of(&deed.key.target.account);
        for (scope, since) in &self.truth.suspended {
            let meant = match scope {
                Scope::Fleet => true,
                Scope::Service(name) => name.as_str() == service,
                Scope::Tenant(name) => name.as_str() == tenant,
            };
            if meant && deed.at.since(*since) > HEARD_WITHIN {
                broken.push(format!("{scope} is suspended since {since}"));
            }
        }
        if self.truth.shutdown.is_some_and(|at| deed.at > at) {
            broken.push("the program was told to stop before".to_owned());
        }
    }

    /// A call that starts something is written down before: a crash must not lose it.
    fn check_attempt(&self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let Some(token) = token(deed.fields) else { return };
        if !self.truth.is_written(&deed.key, token) {
            broken.push("no journal knows of the attempt".to_owned());
        }
    }

    /// One operation on a stack at a time, and no more than the limits say.
    fn check_flight(&self, deed: &Deed<'_>, running: &[Running], broken: &mut Vec<String>) {
        let token = token(deed.fields);
        let ours = |one: &&Running| {
            one.token.as_ref().is_some_and(|token| token.starts_with("driftless-"))
        };
        let ours: Vec<_> = running.iter().filter(ours).collect();
        if let Some(same) = ours.iter().find(|one| one.key == deed.key) {
            if same.token.as_deref() != token && !self.truth.has_twin() {
                broken.push(format!("our operation {:?} runs on it", same.token));
            }
            return;
        }
        if self.truth.has_twin() {
            return;
        }
        let here = ours.iter().filter(|one| one.key.target == deed.key.target).count();
        let most =
            |limit: fn(&Model) -> usize| self.truth.followed.iter().map(|one| limit(one)).max();
        let (all, each) = (most(|one| one.in_flight), most(|one| one.per_target));
        if all.is_some_and(|limit| ours.len() >= limit) {
            broken.push(format!("{} operations run already, the limit is {all:?}", ours.len()));
        }
        if each.is_some_and(|limit| here >= limit) {
            broken.push(format!("{here} operations run in the target, the limit is {each:?}"));
        }
    }

    /// Whether a revision wants what the call does.
    fn is_wanted(&self, deed: &Deed<'_>, model: &Model) -> Result<(), String> {
        let wanted = model.wanted();
        let want = wanted.get(&deed.key);
        if want.is_some_and(|want| want.suspended) {
            return Err("git suspends the tenant".to_owned());
        }
        let present = want.filter(|want| !want.gone);
        match deed.api {
            "CreateStack" | "CreateChangeSet" => {
                let want = present.ok_or("git does not want the stack")?;
                content(deed, want)
            }
            "ExecuteChangeSet" => {
                let want = present.ok_or("git does not want the stack")?;
                self.may_execute(deed, want)
            }
            "DeleteChangeSet" => {
                let name = deed.fields.get("ChangeSetName").map(String::as_str);
                if name.is_some_and(|name| name.starts_with("driftless-")) {
                    return Ok(());
                }
                Err(format!("the change set {name:?} is not ours"))
            }
            "SetStackPolicy" => {
                let want = present.ok_or("git does not want the stack")?;
                let body = deed.fields.get("StackPolicyBody").map(String::as_str);
                if body == want.policy { Ok(()) } else { Err(format!("another policy: {body:?}")) }
            }
            "UpdateTerminationProtection" => {
                let on = deed.fields.get("EnableTerminationProtection");
                let on = on.is_some_and(|flag| flag == "true");
                match present {
                    Some(want) if want.protected == on => Ok(()),
                    _ if !on => self.may_delete(deed, model, want),
                    _ => Err("nobody wants it protected".to_owned()),
                }
            }
            "DeleteStack" => self.may_delete(deed, model, want),
            other => Err(format!("nobody calls {other}")),
        }
    }

    fn may_execute(&self, deed: &Deed<'_>, want: &Want) -> Result<(), String> {
        let name = deed.fields.get("ChangeSetName").ok_or("no change set is named")?;
        let Some(seen) = &deed.seen else { return Ok(()) };
        let Some(set) = deed.sets.iter().find(|set| set.name == *name) else { return Ok(()) };
        if set.template != want.template {
            return Err("the set was made for another template".to_owned());
        }
        compare(&set.parameters, &want.parameters)?;
        let harms = set.changes.iter().any(|(action, _, kind, replacement)| {
            kind == "AWS::DynamoDB::Table"
                && (action == "Remove"
                    || replacement.as_deref().is_some_and(|word| word != "False"))
        });
        let approved = self.truth.protected_approved.iter();
        let approved = approved.into_iter().any(|(key, then)| *key == deed.key && same(then, want));
        if harms && !approved {
            return Err(format!("it replaces or removes the table of {} unapproved", seen.name));
        }
        Ok(())
    }

    /// A stack may go when git asks for it or no longer gives it and says so; else only what never
    /// was complete, to be made again.
    fn may_delete(
        &self,
        deed: &Deed<'_>,
        model: &Model,
        want: Option<&Want>,
    ) -> Result<(), String> {
        let Some(seen) = &deed.seen else { return Ok(()) };
        if deed.fields.get("StackName") != Some(&seen.id) {
            // It is gone, and another stands in its place: AWS takes this for done.
            return Ok(());
        }
        let is_new = !self.ever_complete.contains(&seen.id);
        match want {
            Some(want) if want.gone => Ok(()),
            Some(_) if is_new => Ok(()),
            Some(_) => Err("it was complete, and is wanted".to_owned()),
            None => {
                let kind = KINDS.into_iter().find(|kind| kind.name() == deed.key.name.as_str());
                let says = kind.and_then(|kind: Kind| model.deletes_dropped(kind));
                let said = kind.is_some_and(|kind| self.truth.said_delete(kind));
                if says.unwrap_or(said) {
                    return Ok(());
                }
                Err("it was dropped, and is retained".to_owned())
            }
        }
    }

    fn check_deletion_limit(&mut self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let Some(seen) = deed.seen.clone() else { return };
        let at = deed.at;
        let is_approved = self.truth.approvals.iter().any(|approval| {
            approval.kind == ApprovalKind::Deletions
                && at < approval.expires_at
                && approval.members.contains(&seen.id)
        });
        let counted = self.ever_complete.contains(&seen.id) && !is_approved;
        if !counted || self.deletions.iter().any(|(_, id, _)| *id == seen.id) {
            return;
        }
        self.deletions.retain(|(when, _, _)| at.since(*when) < DAY);
        self.deletions.push((at, seen.id, tenant_of(&deed.key.target.account)));
        let tenants: BTreeSet<&String> = self.deletions.iter().map(|(_, _, who)| who).collect();
        let limit = self.truth.followed.iter().map(|model| model.deletes).max().unwrap_or(0);
        if self.deletions.len() > limit || tenants.len() > 1 {
            broken.push(format!(
                "{} unapproved deletions of {} tenants in a day, the limit is {limit} of one",
                self.deletions.len(),
                tenants.len()
            ));
        }
    }
}

fn same(then: &Want, now: &Want) -> bool {
    then.template == now.template && then.parameters == now.parameters && then.tags == now.tags
}

fn tenant_of(account: &AccountId) -> String {
    let number: u64 = account.to_string().parse().unwrap_or(0);
    format!("t{}", number % 1_000)
}

/// Whether template, parameters and tags of a request are what is wanted.
fn content(deed: &Deed<'_>, want: &Want) -> Result<(), String> {
    let body = deed.fields.get("TemplateBody");
    if body != Some(&want.template) {
        return Err("it brings another template".to_owned());
    }
    compare(
        &members(deed.fields, "Parameters", "ParameterKey", "ParameterValue"),
        &want.parameters,
    )?;
    let tags = members(deed.fields, "Tags", "Key", "Value");
    if tags != want.tags {
        return Err(format!("it brings other tags: {tags:?}"));
    }
    Ok(())
}

fn compare(
    given: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, Value>,
) -> Result<(), String> {
    let fits = |(name, value): (&String, &String)| match wanted.get(name) {
        Some(Value::Text(text)) => text == value,
        Some(Value::OutputOfBase) => value.starts_with("10."),
        None => false,
    };
    if given.len() == wanted.len() && given.iter().all(fits) {
        return Ok(());
    }
    Err(format!("it brings other parameters: {given:?} instead of {wanted:?}"))
}

fn members(
    fields: &BTreeMap<String, String>,
    list: &str,
    key: &str,
    value: &str,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for number in 1.. {
        let Some(name) = fields.get(&format!("{list}.member.{number}.{key}")) else { break };
        let text = fields.get(&format!("{list}.member.{number}.{value}"));
        found.insert(name.clone(), text.cloned().unwrap_or_default());
    }
    found
}

/// What stands between two marks of an answer.
fn between<'a>(body: &'a str, mark: &str) -> Option<&'a str> {
    let start = body.split_once(&format!("<{mark}>"))?.1;
    Some(start.split_once(&format!("</{mark}>"))?.0)
}

impl State {
    /// Whether the program dies at this call.
    fn dies(&mut self, before: bool, at: Moment) -> bool {
        let Some(death) = &mut self.death else { return false };
        if death.before != before {
            return false;
        }
        if death.call > 0 {
            death.call -= 1;
            return false;
        }
        self.dead = true;
        self.trace.push(format!("{at} dies {} a call", if before { "before" } else { "after" }));
        true
    }

    fn record(&mut self, asked: Asked<'_>, ending: Ending<'_>) {
        let call = asked.call;
        let word = match ending {
            Ending::Done(_) => "done",
            Ending::Refused(code, _) => code,
            Ending::Lost => "lost",
        };
        let mut line = format!("{} {} {} {}", call.at, call.account, call.region, call.api);
        for name in ["StackName", "ChangeSetName", "ClientRequestToken", "ClientToken"] {
            if let Some(value) = asked.fields.get(name) {
                let _ = write!(line, " {value}");
            }
        }
        let _ = write!(line, " {word}");
        self.trace.push(line);
        let Ending::Done(body) = ending else { return };
        if call.mutating {
            *self.counts.entry(call.api).or_default() += 1;
            let target = Target { account: call.account, region: call.region.clone() };
            if let (Some(token), Some(key)) = (token(asked.fields), key_of(asked)) {
                self.started.entry((key, call.api)).or_default().insert(token.to_owned());
            }
            self.deeds.push(Done { at: call.at, target, api: call.api });
        }
        for mark in ["SecretAccessKey", "SessionToken"] {
            self.secrets.extend(between(body, mark).map(str::to_owned));
        }
    }
}

impl Witness for Watch {
    fn comes(&self, asked: Asked<'_>) -> bool {
        if self.state().dead {
            return false;
        }
        if !asked.call.mutating {
            return true;
        }
        let dies = {
            let mut state = self.state();
            state.mutating += 1;
            state.dies(true, asked.call.at)
        };
        if dies {
            self.died.notify_one();
            return false;
        }
        if let Some(deed) = self.deed(asked) {
            self.check(&deed);
        }
        true
    }

    fn ended(&self, asked: Asked<'_>, ending: Ending<'_>) -> bool {
        let mut state = self.state();
        state.record(asked, ending);
        let dies = asked.call.mutating && state.dies(false, asked.call.at);
        if dies {
            self.died.notify_one();
        }
        !dies
    }
}
