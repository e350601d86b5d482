//! What must never happen, checked at each changing call as it meets the cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use driftless::ids::AccountId;
use driftless::plan::{ApprovalKind, Scope};
use driftless::sim::{ResourceView, Running, StackView, Status};

use crate::swarm::model::{FLEET, KINDS, Kind, Model, SECRET, Value, Want};
use crate::swarm::witness::{Deed, State};

/// A change that a person has just made may not have been seen when a call was decided: it waits
/// for its turn and is repeated for a minute.
const JUST_NOW: Duration = Duration::from_secs(90);
/// A listing shows what was a minute ago at most; with a second controller nobody knows whose
/// listing the last one was, and a pass takes minutes when answers are late.
const SHOWN_AFTER: Duration = Duration::from_secs(60);
const SHOWN_TO_BOTH_AFTER: Duration = Duration::from_secs(5 * 60);
/// Whoever suspends is heard within this time.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// A day, less the most by which two clocks of a machine differ.
const DAY: Duration = Duration::from_secs(86_400 - 240);
/// The minutes of an hour in which a fleet that freezes is frozen, by whichever clock.
const FROZEN: std::ops::Range<u64> = 19..26;
/// What keeps data.
const PROTECTED: &str = "AWS::DynamoDB::Table";

pub(super) fn starts_operation(api: &str) -> bool {
    let calls = ["CreateStack", "ExecuteChangeSet", "DeleteStack", "UpdateStack"];
    calls.contains(&api) || ["ContinueUpdateRollback", "RollbackStack"].contains(&api)
}

/// The controller that made a token of ours.
pub(super) fn controller_of(token: &str) -> Option<&str> {
    token.strip_prefix("driftless-")?.rsplit_once('-').map(|(controller, _)| controller)
}

pub(super) fn token(fields: &BTreeMap<String, String>) -> Option<&str> {
    fields.get("ClientRequestToken").or(fields.get("ClientToken")).map(String::as_str)
}

impl State {
    /// Calls on a stack that is there name it by its id, and the stack is ours.
    pub(super) fn check_identity(&self, deed: &Deed<'_>, broken: &mut Vec<String>) {
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
    pub(super) fn check_steering(&self, deed: &Deed<'_>, broken: &mut Vec<String>) {
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
        let minute = deed.at.as_millis() / 60_000 % 60;
        let followed = &self.truth.followed;
        let all_freeze = !followed.is_empty() && followed.iter().all(|model| model.freezes());
        if all_freeze && FROZEN.contains(&minute) && starts_operation(deed.api) {
            broken.push(format!("everything is frozen in minute {minute}"));
        }
        if self.truth.shutdown.is_some_and(|at| deed.at > at) {
            broken.push("the program was told to stop before".to_owned());
        }
    }

    /// A call that starts something is written down before: a crash must not lose it.
    pub(super) fn check_attempt(&self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let Some(token) = token(deed.fields) else { return };
        if !self.truth.is_written(&deed.key, token) {
            broken.push("no journal knows of the attempt".to_owned());
        }
    }

    /// One operation on a stack at a time, whoever started it, and no more than the limits say.
    pub(super) fn check_flight(
        &self,
        deed: &Deed<'_>,
        running: &[Running],
        broken: &mut Vec<String>,
    ) {
        let own = token(deed.fields).and_then(controller_of);
        if let Some(same) = running.iter().find(|one| one.key == deed.key) {
            if same.token.as_deref() != token(deed.fields) {
                self.check_alone(deed, same, own, broken);
            }
            return;
        }
        // Of two controllers each counts its own; what an earlier one began it finds by looking. What
        // no answer has shown at work nobody knows: listings lag, and a new journal has nothing to
        // compare them with.
        let is_twin = |id: &str| self.truth.twins.contains(id);
        let counts = |one: &&Running| {
            let other = one.token.as_deref().and_then(controller_of);
            let is_found = self.shown_at_work.contains(&one.key);
            other.is_some_and(|id| {
                Some(id) == own || (is_found && !is_twin(id) && !own.is_some_and(is_twin))
            })
        };
        let ours: Vec<_> = running.iter().filter(counts).collect();
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

    /// Nothing is started on a stack on which something runs that we started, or that the last
    /// listing must have shown.
    fn check_alone(
        &self,
        deed: &Deed<'_>,
        runs: &Running,
        own: Option<&str>,
        broken: &mut Vec<String>,
    ) {
        let is_own = own.is_some() && runs.token.as_deref().and_then(controller_of) == own;
        let since = deed.last.as_ref().and_then(|last| last.runs_since);
        let (looked_at, after) = match self.truth.has_twin() {
            true => (Some(deed.at), SHOWN_TO_BOTH_AFTER),
            false => (self.listed.get(&deed.key.target).copied(), SHOWN_AFTER),
        };
        let is_shown =
            looked_at.zip(since).is_some_and(|(looked_at, since)| looked_at > since + after);
        if is_own || is_shown {
            broken.push(format!("the operation {:?} runs on it since {since:?}", runs.token));
        }
    }

    /// Whether a revision wants what the call does.
    pub(super) fn is_wanted(&self, deed: &Deed<'_>, model: &Model) -> Result<(), String> {
        let wanted = model.wanted();
        let want = wanted.get(&deed.key);
        // A stack that was dropped is its tenant's still.
        let tenant = tenant_number(&deed.key.target.account);
        if model.tenants.get(&tenant).is_some_and(|tenant| tenant.suspended) {
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
            "ContinueUpdateRollback" | "RollbackStack" => {
                present.ok_or("git does not want the stack")?;
                may_repair(deed)
            }
            other => Err(format!("nobody calls {other}")),
        }
    }

    /// Nobody takes what git says now before the wave has begun that takes it. Who began to take it
    /// then goes on, and who has it keeps it: tenants may change their wave meanwhile.
    pub(super) fn check_wave(&mut self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        if !["CreateStack", "ExecuteChangeSet"].contains(&deed.api) || self.is_kept_back(deed) {
            return;
        }
        let kind = KINDS.into_iter().find(|kind| kind.name() == deed.key.name.as_str());
        let tenant = tenant_number(&deed.key.target.account);
        let own = token(deed.fields).and_then(controller_of);
        let Some((kind, own)) = kind.zip(own) else { return };
        let Some((run, has)) = self.truth.going_out(&deed.key, own) else { return };
        // Whoever follows what is told by what it may do.
        let has_begun = |model: &Arc<Model>| match model.wave(kind, tenant) {
            Some(wave) => run.opened.keys().any(|name| name.as_str() == wave),
            None => true,
        };
        let took = (deed.key.clone(), run.release);
        if self.truth.followed.iter().any(has_begun) {
            self.took.insert(took);
        } else if has != Some(run.release) && !self.took.contains(&took) {
            broken.push(format!("its wave has not begun: {run:?}"));
        }
    }

    /// Whether the call brings a release that the stack may still have while another goes out. What a
    /// secret was then, a new process does not know: one that stands keeps its own, and a new one
    /// gets that of today.
    pub(super) fn is_kept_back(&self, deed: &Deed<'_>) -> bool {
        let brings = ["CreateStack", "CreateChangeSet", "ExecuteChangeSet", "SetStackPolicy"];
        let protects = deed.api == "UpdateTerminationProtection"
            && deed.fields.get("EnableTerminationProtection").is_some_and(|flag| flag == "true");
        if !brings.contains(&deed.api) && !protects {
            return false;
        }
        let secrets: Vec<u32> = match (deed.api, &deed.seen) {
            ("CreateStack", _) => {
                self.truth.followed.iter().filter_map(|one| one.secret()).collect()
            }
            (_, Some(seen)) => secret(&seen.parameters).into_iter().collect(),
            (_, None) => Vec::new(),
        };
        let mut models = self.truth.kept_back(&deed.key);
        let then = models.clone();
        models.extend(secrets.iter().flat_map(|one| then.iter().map(|then| then.hiding(*one))));
        models.iter().any(|model| self.is_wanted(deed, model).is_ok())
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
            kind == PROTECTED
                && (action == "Remove"
                    || replacement.as_deref().is_some_and(|word| word != "False"))
        });
        let approved = self.truth.protected_approved.iter();
        let approved =
            approved.into_iter().any(|(key, then)| *key == deed.key && then.brings_the_same(want));
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
        if deed.api == "DeleteStack" {
            may_retain(deed, seen, is_new)?;
        }
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

    pub(super) fn check_deletion_limit(&mut self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let Some(seen) = deed.seen.clone() else { return };
        let at = deed.at;
        if deed.fields.get("StackName") != Some(&seen.id) {
            // It is gone, and another stands in its place: nothing goes once more.
            return;
        }
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
        let limit = self.truth.followed.iter().map(|model| model.most_deletions()).max();
        let limit = limit.unwrap_or(0);
        if self.deletions.len() > limit || tenants.len() > 1 {
            broken.push(format!(
                "{} unapproved deletions of {} tenants in a day, the limit is {limit} of one",
                self.deletions.len(),
                tenants.len()
            ));
        }
    }
}

fn tenant_number(account: &AccountId) -> u32 {
    let number: u64 = account.to_string().parse().unwrap_or(0);
    u32::try_from(number % 1_000).unwrap_or(0)
}

fn tenant_of(account: &AccountId) -> String {
    format!("t{}", tenant_number(account))
}

/// Resources are left behind only by a delete that failed before, and then all that keeps data is.
fn may_retain(deed: &Deed<'_>, seen: &StackView, is_new: bool) -> Result<(), String> {
    let numbers = 1..;
    let named = numbers
        .map_while(|number| deed.fields.get(&format!("RetainResources.member.{number}")).cloned());
    let retained: BTreeSet<String> = named.collect();
    if seen.status != Status::DELETE_FAILED {
        // The same call again, whose answer was lost.
        let by = deed.last.as_ref().and_then(|last| last.token.as_deref());
        if retained.is_empty() || by == token(deed.fields) {
            return Ok(());
        }
        return Err(format!("it leaves {retained:?} behind in {}", seen.status));
    }
    let is_left = |(id, one): &(&String, &ResourceView)| {
        one.kind == PROTECTED
            && one.status.as_str() != "DELETE_COMPLETE"
            && !retained.contains(id.as_str())
    };
    match seen.resources.iter().find(is_left) {
        Some((id, _)) if !is_new => Err(format!("it deletes {id} with a second delete")),
        Some(_) | None => Ok(()),
    }
}

/// A rollback is begun or continued where one is missing, and never without what is protected.
fn may_repair(deed: &Deed<'_>) -> Result<(), String> {
    let Some(seen) = &deed.seen else { return Ok(()) };
    let fits = match deed.api {
        "RollbackStack" => Status::UPDATE_FAILED,
        _ => Status::UPDATE_ROLLBACK_FAILED,
    };
    // The same call again, whose answer was lost.
    let by = deed.last.as_ref().and_then(|last| last.moved_by.as_deref());
    if seen.status != fits && by != token(deed.fields) {
        return Err(format!("its status is {}", seen.status));
    }
    let numbers = 1..;
    let mut skipped =
        numbers.map_while(|number| deed.fields.get(&format!("ResourcesToSkip.member.{number}")));
    let is_kept =
        |id: &&String| seen.resources.get(*id).is_some_and(|resource| resource.kind == PROTECTED);
    match skipped.find(is_kept) {
        Some(id) => Err(format!("it skips {id}")),
        None => Ok(()),
    }
}

/// The generation of the secret among these parameters.
fn secret(parameters: &BTreeMap<String, String>) -> Option<u32> {
    parameters.get("Secret")?.strip_prefix(SECRET)?.parse().ok()
}

/// Whether template, parameters and tags of a request are what is wanted.
fn content(deed: &Deed<'_>, want: &Want) -> Result<(), String> {
    let body = deed.fields.get("TemplateBody");
    if body != Some(&want.template) {
        return Err("it brings another template".to_owned());
    }
    let mut given = members(deed.fields, "Parameters", "ParameterKey", "ParameterValue");
    for name in members(deed.fields, "Parameters", "ParameterKey", "UsePreviousValue")
        .into_iter()
        .filter_map(|(name, flag)| (flag == "true").then_some(name))
    {
        let kept = deed.seen.as_ref().and_then(|seen| seen.parameters.get(&name));
        given.extend(kept.map(|value| (name, value.clone())));
    }
    compare(&given, &want.parameters)?;
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

pub(super) fn members(
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
