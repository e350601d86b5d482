//! What `driftless bootstrap` does with one account: the stack that the execution role is made by, as
//! it is and as it shall be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::fleet::{Bootstrap, Principal};
use crate::ids::{AccountId, Digest, StackId};
use crate::observed::{Seen, Standing};
use crate::template::{Parameter, Template};

/// What the stack of the role is called.
pub const ROLE_STACK: &str = "driftless-execution-role";
/// Its tag says that it was made here, and from what: the digest of the template.
pub const ROLE_TAG: &str = "driftless:bootstrap";

/// The stack of the role as it shall be in one account.
#[derive(Clone, Debug)]
pub struct RoleStack {
    /// What it is made from.
    pub template: Arc<Template>,
    /// Values of all parameters of the template, defaults among them: an update without one would
    /// leave open which value it takes.
    pub parameters: BTreeMap<String, String>,
    /// Whether the made role lets in whoever makes it: otherwise nobody here can try.
    pub lets_us_in: bool,
}

/// What is done with one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Course {
    /// The role can be assumed, and its stack is as it shall be, or somebody else made the role.
    Ready,
    /// The stack is made.
    Make,
    /// The stack never was complete: it is deleted and made.
    MakeAnew(StackId),
    /// The stack was made from another template or with other values.
    Update(StackId),
    /// Something is at work on the stack, or the role is made and not known everywhere yet.
    Wait,
    /// A person has to look; the text says why. Nothing is changed.
    Stuck(String),
}

/// What an update of the stack changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleChange {
    /// Parameters with their values before and after; `None` where there was, or will be, none.
    pub parameters: Vec<(String, Option<String>, Option<String>)>,
    /// What the role may do afterwards and may not do before, such as `sqs:*`; `not iam:*` is a denial.
    pub gains: BTreeSet<String>,
    /// What it may do before and may not do afterwards.
    pub loses: BTreeSet<String>,
    /// Whether the template says otherwise whom the role trusts; parameters are told of by themselves.
    pub trust: bool,
    /// Whether its rights are given, or denied, for other resources or under other conditions.
    pub scope: bool,
}

impl RoleStack {
    /// The stack that makes the role of this ARN in `account`, to be assumed by `trusted` with this
    /// external id, where `caller` is the ARN of whoever makes it. The error says why there can be
    /// none.
    pub fn of(
        bootstrap: &Bootstrap,
        account: AccountId,
        (role_arn, external_id): (&str, Option<&str>),
        trusted: &Principal,
        caller: &str,
    ) -> Result<Self, String> {
        let (path, name) = role_name(role_arn, account)?;
        let given = [
            ("ExternalId", external_id.unwrap_or_default().to_owned()),
            ("RoleName", name),
            ("RolePath", path),
            ("TrustedAccount", trusted.account.to_string()),
            ("TrustedPrincipals", trusted.patterns.join(",")),
        ];
        let given = given.into_iter().map(|(name, value)| (name.to_owned(), value));
        let own = bootstrap.parameters.iter();
        // Those with variables were refused when the document was read.
        let own =
            own.filter_map(|(name, text)| Some((name.clone(), text.as_literal()?.to_owned())));
        let declared = bootstrap.template.parameters();
        let default =
            |(name, one): (&String, &Parameter)| Some((name.clone(), one.default.clone()?));
        let mut parameters: BTreeMap<String, String> =
            declared.iter().filter_map(default).collect();
        parameters.extend(given.chain(own).filter(|(name, _)| declared.contains_key(name)));
        let template = Arc::clone(&bootstrap.template);
        let stack = Self { template, parameters, lets_us_in: trusted.covers(caller) };
        stack.check()?;
        Ok(stack)
    }

    fn check(&self) -> Result<(), String> {
        let declared = self.template.parameters();
        for (name, value) in &self.parameters {
            if let Some(Err(why)) = declared.get(name).map(|parameter| parameter.check(value)) {
                return Err(format!("the template does not take what `{name}` would be: {why}"));
            }
        }
        Ok(())
    }

    /// Its tags: that of this program, which is none of the fleet's.
    pub fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(ROLE_TAG.to_owned(), short(self.template.digest()))])
    }

    /// Whether the stack was made from this.
    pub fn is_like(&self, seen: &Seen) -> bool {
        let of_template = seen.tags.get(ROLE_TAG) == Some(&short(self.template.digest()));
        of_template && self.parameters == seen.parameters
    }

    /// What becomes of the account, by whether the role can be assumed there and what of the stack is
    /// there.
    pub fn course(&self, is_assumable: bool, seen: Option<&Seen>) -> Course {
        let Some(seen) = seen else {
            return if is_assumable { Course::Ready } else { Course::Make };
        };
        if !seen.tags.contains_key(ROLE_TAG) {
            let why = format!("a stack {ROLE_STACK} is there that driftless did not make");
            return if is_assumable { Course::Ready } else { Course::Stuck(why) };
        }
        let stuck = || {
            let reason = seen.status_reason.as_ref().map(|why| format!(": {why}"));
            let reason = reason.unwrap_or_default();
            Course::Stuck(format!("its stack {ROLE_STACK} is {}{reason}", seen.status))
        };
        match seen.status.standing() {
            Standing::Complete if !self.is_like(seen) => Course::Update(seen.id.clone()),
            Standing::Complete if is_assumable || !self.lets_us_in => Course::Ready,
            Standing::Complete | Standing::Moving => Course::Wait,
            Standing::NeverComplete if !is_assumable => Course::MakeAnew(seen.id.clone()),
            Standing::Gone => Course::Make,
            // A role that can be assumed may be in use, whatever made it.
            Standing::NeverComplete
            | Standing::InReview
            | Standing::UpdateFailed
            | Standing::RollbackFailed
            | Standing::DeleteFailed
            | Standing::Unclear => stuck(),
        }
    }

    /// What an update of the stack changes, which was made from `template`.
    pub fn change(&self, seen: &Seen, template: &Template) -> RoleChange {
        let (before, after) = (&seen.parameters, &self.parameters);
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differs = |name: &&&String| before.get(**name) != after.get(**name);
        let parameters = names
            .iter()
            .filter(differs)
            .map(|name| ((*name).clone(), before.get(*name).cloned(), after.get(*name).cloned()));
        let old = rights(template, before);
        let new = rights(&self.template, after);
        let (gains, loses) = (new.difference(&old), old.difference(&new));
        // A denial that comes is a loss, and one that goes a gain.
        let is_denial = |right: &&String| right.starts_with(DENIAL);
        let (denied, gains): (Vec<_>, Vec<_>) = gains.cloned().partition(|one| is_denial(&one));
        let (freed, loses): (Vec<_>, Vec<_>) = loses.cloned().partition(|one| is_denial(&one));
        let free = |one: String| one.replacen(DENIAL, FREED, 1);
        RoleChange {
            parameters: parameters.collect(),
            gains: gains.into_iter().chain(freed.into_iter().map(free)).collect(),
            loses: loses.into_iter().chain(denied).collect(),
            trust: trusts(template) != trusts(&self.template),
            scope: scopes(template) != scopes(&self.template),
        }
    }
}

/// What stands before a right that is denied.
const DENIAL: &str = "denied ";
/// What stands before one that is denied no more.
const FREED: &str = "no longer denied ";

/// Path and name of a role in `account`.
fn role_name(arn: &str, account: AccountId) -> Result<(String, String), String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let role = match parts.as_slice() {
        ["arn", _, "iam", "", of, resource] if *of == account.to_string() => {
            resource.strip_prefix("role/")
        }
        _ => None,
    };
    let role = role.ok_or_else(|| {
        format!("`access.roleArn` gives `{arn}`, which is no role of this account")
    })?;
    let (path, name) = match role.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), role),
    };
    Ok((path, name.to_owned()))
}

/// Enough of a digest to tell templates apart; tags are shown to people.
fn short(digest: Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

/// Whom the roles of a template trust, as it is written.
fn trusts(template: &Template) -> Vec<&Value> {
    let roles = template.resources().values();
    roles.filter_map(|role| role.properties().get("AssumeRolePolicyDocument")).collect()
}

/// The policies of a template.
fn documents(template: &Template) -> Vec<&Value> {
    let properties = || template.resources().values().map(|resource| resource.properties());
    let inline = properties().filter_map(|of| of.get("Policies").and_then(Value::as_array));
    let inline = inline.flatten().filter_map(|one| one.get("PolicyDocument"));
    inline.chain(properties().filter_map(|of| of.get("PolicyDocument"))).collect()
}

/// For what, and when, policies allow or deny what they are about: all of their statements but the
/// actions and the names, as they are written.
fn scopes(template: &Template) -> BTreeSet<String> {
    let parts = ["Effect", "Resource", "NotResource", "Condition"];
    let of = |statement: &Value| parts.map(|part| statement.get(part).cloned());
    let all = documents(template).into_iter().flat_map(statements);
    all.map(|statement| format!("{:?}", of(statement))).collect()
}

fn statements(document: &Value) -> Vec<&Value> {
    match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// What all policies in a template allow and deny, without looking at resources and conditions.
fn rights(template: &Template, parameters: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    for document in documents(template) {
        add_rights(document, parameters, &mut rights);
    }
    for resource in template.resources().values() {
        for arn in resource
            .properties()
            .get("ManagedPolicyArns")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            rights.insert(arn.as_str().map_or_else(|| arn.to_string(), str::to_owned));
        }
    }
    rights
}

fn add_rights(
    document: &Value,
    parameters: &BTreeMap<String, String>,
    rights: &mut BTreeSet<String>,
) {
    for statement in statements(document) {
        let effect = statement.get("Effect").and_then(Value::as_str);
        let prefix = if effect == Some("Deny") { DENIAL } else { "" };
        for (key, not) in [("Action", ""), ("NotAction", "all but ")] {
            let Some(actions) = statement.get(key) else { continue };
            let actions = actions_of(actions, parameters).into_iter();
            rights.extend(actions.map(|action| format!("{prefix}{not}{action}")));
        }
    }
}

fn actions_of(actions: &Value, parameters: &BTreeMap<String, String>) -> Vec<String> {
    match actions {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list.iter().flat_map(|one| actions_of(one, parameters)).collect(),
        Value::Object(function) => {
            let named = function.get("Ref").and_then(Value::as_str);
            let value = named.and_then(|name| parameters.get(name));
            match value {
                Some(list) => list.split(',').map(|one| one.trim().to_owned()).collect(),
                // Said as it is written: a person can still see that it differs.
                None => vec![actions.to_string()],
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
