//! Roles that are real: those that stacks of an account have made, whom they trust, and what sessions
//! of them may ask of CloudFormation. Without `bootstrap_role` in the settings none of this counts.

pub(crate) mod policy;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::ids::{AccountId, Region};
use crate::moment::Moment;
use crate::sim::HUB_ACCOUNT;
use crate::sim::folder::CloudError;
use crate::sim::front::Inner;
use crate::sim::machine;
use crate::sim::reality::object;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::roles::policy::{Verdict, Wish, weigh};
use crate::sim::sessions::Caller;
use crate::sim::state::{Account, Resource};
use crate::sim::status::Status;
use crate::sim::sts::{AssumeRole, arn_of};

/// The one policy of AWS's own that is known.
const EVERYTHING: &str = "policy/AdministratorAccess";

/// A role that a stack has made.
struct Role {
    trust: Value,
    policies: Vec<Value>,
    made_at: Moment,
}

impl Inner {
    /// The role that every account has from the beginning; `None` where roles are not real.
    fn bootstrap_role(&self, account: AccountId) -> Option<String> {
        let role = self.settings.bootstrap_role.as_ref()?;
        Some(role.replace("{account}", &account.to_string()))
    }

    /// Whether the role that `wish` names trusts the caller; always where roles are not real.
    pub(crate) fn trusts(
        &self,
        wish: &AssumeRole,
        (caller, region): (&Caller, &Region),
        now: Moment,
    ) -> Answer<bool> {
        let Some(first) = self.bootstrap_role(wish.account) else { return Ok(true) };
        let arn = iam_arn(wish.account, region, &format!("role/{}", wish.role));
        match self.permits((caller, region), now, "sts:AssumeRole", |_| arn.clone()) {
            Err(refusal) if refusal.code == "AccessDenied" => return Ok(false),
            permitted => permitted?,
        }
        if wish.role == first {
            return Ok(caller.account.to_string() == HUB_ACCOUNT);
        }
        let Some(role) = self.role(wish.account, &wish.role, now)? else { return Ok(false) };
        let delay = Duration::from_secs(u64::from(self.settings.role_seconds));
        if now < role.made_at + delay {
            return Ok(false);
        }
        let (account, who) = who(caller, region);
        let mut context = context(caller, region);
        context.extend(wish.external_id.clone().map(|id| ("sts:ExternalId", id)));
        let wish =
            Wish { action: "sts:AssumeRole", resource: &arn, who: (&account, &who), context };
        Ok(weigh([&role.trust], &wish)? == Verdict::Allowed)
    }

    /// Refuses what the caller's role does not permit; `resource` names what the call is about.
    pub(crate) fn permits(
        &self,
        (caller, region): (&Caller, &Region),
        now: Moment,
        action: &str,
        resource: impl Fn(&Account) -> String,
    ) -> Answer<()> {
        let Some(first) = self.bootstrap_role(caller.account) else { return Ok(()) };
        let Some((name, _)) = caller.role.as_ref().filter(|(name, _)| *name != first) else {
            return Ok(());
        };
        let Some(role) = self.role(caller.account, name, now)? else {
            let text = "The security token included in the request is invalid";
            return Err(Refusal::new("InvalidClientTokenId", text).with_status(403));
        };
        let resource = self
            .with_account(caller.account, |account| (resource(account), false))
            .map_err(|error| internal(&error))?;
        let (account, who) = who(caller, region);
        let wish = Wish {
            action,
            resource: &resource,
            who: (&account, &who),
            context: context(caller, region),
        };
        let why = match weigh(&role.policies, &wish)? {
            Verdict::Allowed => return Ok(()),
            Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            Verdict::Silent => {
                format!("because no identity-based policy allows the {action} action")
            }
        };
        let text = format!(
            "User: {} is not authorized to perform: {action} on resource: {resource} {why}",
            arn_of(caller, region)
        );
        Err(Refusal::new("AccessDenied", text).with_status(403))
    }

    fn role(&self, account: AccountId, name: &str, now: Moment) -> Answer<Option<Role>> {
        let found = self.with_account(account, |account| {
            let advanced = machine::advance(account, now);
            (role_in(account, name), advanced)
        });
        found.map_err(|error| internal(&error))?
    }
}

/// The ARN of the stack that a call names, as policies see it: that of the stack if there is one.
pub(crate) fn stack_resource(
    account: &Account,
    region: &Region,
    fields: &BTreeMap<String, String>,
) -> String {
    let named = ["StackName", "ChangeSetName"].into_iter().find_map(|field| fields.get(field));
    let of = |path: &str| {
        let (partition, id) = (region.partition(), account.id);
        format!("arn:{partition}:cloudformation:{region}:{id}:stack/{path}")
    };
    match named {
        Some(arn) if arn.starts_with("arn:") => arn.clone(),
        Some(name) => {
            let stack = account.regions.get(region).and_then(|place| place.find(name));
            stack.map_or_else(|| of(&format!("{name}/*")), |stack| stack.id.to_string())
        }
        None => of("*/*"),
    }
}

/// Account and ARN of the caller as principals are written.
fn who(caller: &Caller, region: &Region) -> (String, String) {
    let arn = match &caller.role {
        Some((role, _)) => iam_arn(caller.account, region, &format!("role/{role}")),
        None => arn_of(caller, region),
    };
    (caller.account.to_string(), arn)
}

fn iam_arn(account: AccountId, region: &Region, path: &str) -> String {
    format!("arn:{}:iam::{account}:{path}", region.partition())
}

fn context(caller: &Caller, region: &Region) -> BTreeMap<&'static str, String> {
    let (account, arn) = who(caller, region);
    BTreeMap::from([
        ("aws:PrincipalAccount", account),
        ("aws:PrincipalArn", arn),
        ("aws:RequestedRegion", region.to_string()),
    ])
}

/// A role by its name with its path, such as `deploy/driftless`.
fn role_in(account: &Account, wanted: &str) -> Answer<Option<Role>> {
    for resource in standing(account).filter(|one| &*one.kind == "AWS::IAM::Role") {
        let Some(properties) = resource.actual() else { continue };
        let properties = object(properties);
        let path = properties.get("Path").and_then(Value::as_str).unwrap_or("/");
        let name = &resource.physical_id;
        if format!("{}{name}", path.trim_start_matches('/')) != wanted {
            continue;
        }
        if properties.contains_key("PermissionsBoundary") {
            return Err(Refusal::not_simulated(format!("the permissions boundary of {name}")));
        }
        let list = |key: &str| properties.get(key).and_then(Value::as_array).into_iter().flatten();
        let inline = list("Policies").filter_map(|one| one.get("PolicyDocument").cloned());
        let managed = list("ManagedPolicyArns").map(of_aws).collect::<Answer<Vec<Value>>>()?;
        let attached = attached(account, name);
        return Ok(Some(Role {
            trust: properties.get("AssumeRolePolicyDocument").cloned().unwrap_or_default(),
            policies: inline.chain(managed).chain(attached).collect(),
            made_at: resource.changed_at,
        }));
    }
    Ok(None)
}

fn of_aws(arn: &Value) -> Answer<Value> {
    let arn = arn.as_str().unwrap_or_default();
    if arn.ends_with(EVERYTHING) {
        let all = serde_json::json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        return Ok(serde_json::json!({ "Statement": [all] }));
    }
    Err(Refusal::not_simulated(format!("the managed policy `{arn}` of a role")))
}

/// The policies that are resources of their own and name the role.
fn attached(account: &Account, role: &str) -> Vec<Value> {
    let of_policies = ["AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"];
    let policies = standing(account).filter(|one| of_policies.contains(&&*one.kind));
    let documents = policies.filter_map(|one| {
        let mut properties = object(one.actual()?);
        let roles = properties.get("Roles").and_then(Value::as_array);
        let names_it = roles.is_some_and(|roles| roles.iter().any(|one| one == role));
        properties.remove("PolicyDocument").filter(|_| names_it)
    });
    documents.collect()
}

/// The resources of all stacks that are really there.
fn standing(account: &Account) -> impl Iterator<Item = &Resource> {
    let stacks = account.regions.values().flat_map(|place| place.stacks.values());
    stacks.flat_map(|stack| stack.resources.values()).filter(|one| {
        ![Status::CREATE_IN_PROGRESS, Status::CREATE_FAILED].contains(&one.status)
            && ![Status::DELETE_IN_PROGRESS, Status::DELETE_COMPLETE].contains(&one.status)
    })
}

fn internal(error: &CloudError) -> Refusal {
    Refusal::new("InternalFailure", error.to_string()).with_status(500)
}
