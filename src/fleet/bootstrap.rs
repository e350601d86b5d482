//! How the role of `access.roleArn` comes into accounts that lack it: the role that makes it, and the
//! template that it is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use schemars::JsonSchema;

use crate::fleet::document::{AccessSpec, ParameterValue, documents};
use crate::fleet::files::Files;
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::Node;
use crate::fleet::{Access, Cloud, Glob, Text, Variable};
use crate::ids::{AccountId, Region};
use crate::template::{MAX_INLINE_BYTES, Parameter, Template};

documents! {
    /// How the role is made in accounts that lack it.
    struct BootstrapSpec {
        /// A role that every account has already and that may make roles and stacks, such as
        /// `arn:aws:iam::${account.id}:role/OrganizationAccountAccessRole`. It may use `account.id`,
        /// `partition` and `fleet.name`.
        role_arn as "roleArn": Text,
        /// The external id that it asks for.
        external_id as "externalId": Option<String>,
        /// Who may assume the made role: the ARN of a role or user, in which `*` stands for anything,
        /// or of an account's root. Whoever runs `driftless bootstrap` unless given; where it is somebody
        /// else, nobody tries whether the role can be assumed.
        principal as "principal": Option<String>,
        /// The CloudFormation template of the made role, relative to this file, inside the fleet
        /// folder; one with the least rights unless given.
        template as "template": Option<String>,
        /// Values of that template's parameters, such as `Actions`: what CloudFormation may do in the
        /// role's name.
        parameters as "parameters": Option<BTreeMap<String, ParameterValue>>,
        /// The region in which the stack of the made role stands; the fleet's first one in the order
        /// of the alphabet, retired ones left out, unless given.
        region as "region": Option<Region>,
    }
}

/// The role of a simulated fleet that names none.
const SIMULATED_ROLE: &str = "arn:${partition}:iam::${account.id}:role/driftless-execution";
/// The template that is used unless the fleet has one: the least rights.
const BUILT_IN: &str = include_str!("../../fleet/access/execution-role.yaml");
/// The parameters that are given to every template that declares them.
pub const GIVEN: &[&str] =
    &["ExternalId", "RoleName", "RolePath", "TrustedAccount", "TrustedPrincipals"];

/// How the execution role is made.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The role that makes it, with account, partition and fleet name interpolated.
    pub role_arn: Text,
    /// The external id to assume that role with.
    pub external_id: Option<String>,
    /// The ARN of who may assume the made role; whoever makes it unless given.
    pub principal: Option<Principal>,
    /// What the stack of the made role is made from.
    pub template: Arc<Template>,
    /// Values of parameters of the template other than [`GIVEN`].
    pub parameters: BTreeMap<String, Text>,
    /// Where that stack stands; the fleet's first region that is not retired unless given.
    pub region: Option<Region>,
}

/// Somebody in an account whom a role can trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose they are.
    pub account: AccountId,
    /// Patterns that one of `aws:PrincipalArn` must fit.
    pub patterns: Vec<String>,
}

impl Principal {
    /// From what a document says: the ARN of a role or user, in which `*` and `?` stand for anything,
    /// or of an account's `root`, which means everybody there. `None` for anything else.
    pub fn written(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
            return None;
        };
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-*?".contains(&byte);
        if !resource.bytes().all(is_legal) {
            return None;
        }
        let pattern = match *resource {
            "root" => format!("arn:{partition}:*::{account}:*"),
            _ if resource.starts_with("role/") || resource.starts_with("user/") => arn.to_owned(),
            _ => return None,
        };
        Some(Self { account: account.parse().ok()?, patterns: vec![pattern] })
    }

    /// From what STS calls the caller. A session does not tell the path of its role, so that it may
    /// have any; and only the name is kept, which a role has again that is deleted and made anew.
    pub fn calling(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts.as_slice() else {
            return None;
        };
        let of = |path: &str| format!("arn:{partition}:iam::{account}:role/{path}");
        let patterns = match (*service, resource.split('/').collect::<Vec<_>>().as_slice()) {
            ("sts", ["assumed-role", role, _]) => vec![of(role), of(&format!("*/{role}"))],
            ("sts" | "iam", _) => vec![arn.to_owned()],
            (_, _) => return None,
        };
        Some(Self { account: account.parse().ok()?, patterns })
    }

    /// Whether this lets in whom STS calls so, as far as that can be told without the path of a role.
    pub fn covers(&self, caller: &str) -> bool {
        let Some(caller) = Self::calling(caller) else { return false };
        let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
        // A user is no role of the same name.
        let kind = |arn: &str| arn.split('/').next().unwrap_or(arn).to_owned();
        let fits = |pattern: &str, one: &str| {
            kind(pattern) == kind(one) && Glob::of(&name(pattern)).fits(&name(one))
        };
        let covers = |pattern: &String| {
            pattern.ends_with(":*") || caller.patterns.iter().any(|one| fits(pattern, one))
        };
        caller.account == self.account && self.patterns.iter().any(covers)
    }
}

/// Reads `spec.access`; `None` after errors, which are then recorded.
pub(super) fn access(
    spec: Option<AccessSpec>,
    cloud: Cloud,
    regions: &BTreeMap<Region, bool>,
    (files, node): (&mut Files<'_>, &Node),
    reader: &mut Reader<'_>,
) -> Option<Access> {
    let Some(spec) = spec else {
        if cloud == Cloud::Simulated {
            let role_arn = SIMULATED_ROLE.parse().ok()?;
            return Some(Access { role_arn, external_id: None, bootstrap: None });
        }
        let help = "write `access: { roleArn: ... }` below `spec`".to_owned();
        let message = "`cloud: aws` needs a role that gives access to the accounts";
        reader.error(node.find(&["spec", "cloud"]), "missing-field", message, Some(help));
        return None;
    };
    check_role(&spec.role_arn, "driftless-execution", &["spec", "access", "roleArn"], node, reader);
    let bootstrap = match spec.bootstrap {
        Some(bootstrap) => {
            one_for_all_regions(&spec.role_arn, &["spec", "access", "roleArn"], node, reader);
            Some(Arc::new(self::bootstrap(bootstrap, regions, (files, node), reader)?))
        }
        None => None,
    };
    Some(Access { role_arn: spec.role_arn, external_id: spec.external_id, bootstrap })
}

fn check_role(role: &Text, example: &str, pointer: &[&str], node: &Node, reader: &mut Reader<'_>) {
    for variable in role.variables() {
        match variable {
            Variable::AccountId | Variable::Region | Variable::Partition | Variable::FleetName => {}
            Variable::TenantName
            | Variable::Label(_)
            | Variable::ServiceName
            | Variable::Output { .. } => {
                let message = format!("the role cannot use `${{{variable}}}`");
                let help = "accounts outlive their tenants: use `${account.id}`, `${region}`, \
                            `${partition}` or `${fleet.name}`";
                reader.error(node.find(pointer), "bad-variable", message, Some(help.into()));
            }
        }
    }
    let first = role.to_string();
    if !first.starts_with("arn:") || !first.contains(":role/") {
        let help = format!("write one such as `arn:aws:iam::${{account.id}}:role/{example}`");
        let message = format!("`{first}` is not the ARN of a role");
        reader.error(node.find(pointer), "bad-role", message, Some(help));
    }
}

/// A role is made once in an account.
fn one_for_all_regions(text: &Text, pointer: &[&str], node: &Node, reader: &mut Reader<'_>) {
    if text.variables().any(|variable| *variable == Variable::Region) {
        let message =
            "`bootstrap` makes one role in an account, and this is another in each region";
        let help = "leave `${region}` out: IAM's roles hold in all regions".to_owned();
        reader.error(node.find(pointer), "bad-variable", message, Some(help));
    }
}

fn bootstrap(
    spec: BootstrapSpec,
    regions: &BTreeMap<Region, bool>,
    (files, node): (&mut Files<'_>, &Node),
    reader: &mut Reader<'_>,
) -> Option<Bootstrap> {
    let here = ["spec", "access", "bootstrap"];
    let below = |field| [&here[..], &[field]].concat();
    let role = below("roleArn");
    check_role(&spec.role_arn, "OrganizationAccountAccessRole", &role, node, reader);
    one_for_all_regions(&spec.role_arn, &role, node, reader);
    if let Some(region) = spec.region.as_ref().filter(|region| regions.get(*region) != Some(&false))
    {
        let message = format!("`{region}` is no region of the fleet, or a retired one");
        let help = "name one of `spec.regions`, or leave it out".to_owned();
        reader.error(node.find(&below("region")), "unknown-region", message, Some(help));
    }
    let principal = spec.principal.as_deref().map(Principal::written);
    if principal == Some(None) {
        let message = "this is not the ARN of a role, a user or an account's root";
        let help = "write one such as `arn:aws:iam::111122223333:role/driftless`".to_owned();
        reader.error(node.find(&below("principal")), "bad-principal", message, Some(help));
    }
    let template = match &spec.template {
        Some(named) => files.template_at(named, &below("template"), node, reader)?.1,
        None => Arc::new(Template::parse(BUILT_IN).ok()?),
    };
    let bytes = template.body().len();
    if bytes > MAX_INLINE_BYTES {
        let message = format!("the template has {bytes} bytes; {MAX_INLINE_BYTES} is the most");
        let help = "shorten it: there is no bucket yet when a role is made".to_owned();
        reader.error(node.find(&below("template")), "template-limit", message, Some(help));
    }
    let parameters = parameters(spec.parameters, &template, node, reader);
    Some(Bootstrap {
        role_arn: spec.role_arn,
        external_id: spec.external_id,
        principal: principal.flatten(),
        template,
        parameters,
        region: spec.region,
    })
}

fn parameters(
    given: Option<BTreeMap<String, ParameterValue>>,
    template: &Template,
    node: &Node,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, Text> {
    let here = ["spec", "access", "bootstrap", "parameters"];
    let declared = template.parameters();
    let texts: BTreeMap<String, Text> =
        given.unwrap_or_default().into_iter().map(|(name, value)| (name, value.0)).collect();
    for (name, text) in &texts {
        let problem = problem_of(name, text, declared.get(name));
        if let Some((message, help)) = problem {
            let place = node.find(&[&here[..], &[name.as_str()]].concat());
            reader.error(place, "bad-parameter", message, Some(help));
        }
    }
    let known: BTreeSet<&str> =
        GIVEN.iter().copied().chain(texts.keys().map(String::as_str)).collect();
    let missing = declared.iter().filter(|(_, parameter)| parameter.default.is_none());
    for (name, _) in missing.filter(|(name, _)| !known.contains(name.as_str())) {
        let message = format!("the template of the role needs a value for `{name}`");
        let help = format!("write `parameters: {{ {name}: ... }}` below `bootstrap`");
        reader.error(node.find(&here[..3]), "missing-parameter", message, Some(help));
    }
    texts
}

fn problem_of(name: &str, text: &Text, declared: Option<&Parameter>) -> Option<(String, String)> {
    if GIVEN.contains(&name) {
        let help = "leave it out: it follows from `access`".to_owned();
        return Some((format!("`{name}` is given by `driftless bootstrap` itself"), help));
    }
    let Some(declared) = declared else {
        let help = "remove it, or declare it in the template".to_owned();
        return Some((format!("the template of the role declares no `{name}`"), help));
    };
    let Some(value) = text.as_literal() else {
        let help = "write it out".to_owned();
        return Some(("variables cannot be used here".to_owned(), help));
    };
    let why = declared.check(value).err()?;
    Some((format!("the template of the role does not take this: {why}"), "correct it".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_trusted_is_named_so_that_it_outlives_the_role_that_calls() {
        let of = |arn| Principal::calling(arn).map(|found| found.patterns);
        assert_eq!(
            of("arn:aws:sts::111122223333:assumed-role/deployer/session"),
            Some(vec![
                "arn:aws:iam::111122223333:role/deployer".to_owned(),
                "arn:aws:iam::111122223333:role/*/deployer".to_owned(),
            ])
        );
        let user = "arn:aws:iam::111122223333:user/team/ann";
        assert_eq!(of(user), Some(vec![user.to_owned()]));
        assert_eq!(of("nobody"), None);
    }

    #[test]
    fn a_principal_covers_callers_of_its_kind_and_name() {
        let covers = |written: &str, caller: &str| {
            let written = Principal::written(&format!("arn:aws:iam::111122223333:{written}"));
            written.expect("a principal").covers(&format!("arn:aws:{caller}"))
        };
        let (role, user) =
            ("sts::111122223333:assumed-role/deploy/ann", "iam::111122223333:user/team/deploy");
        for (written, of_role, of_user) in [
            ("root", true, true),
            ("role/ci/deploy", true, false),
            ("role/dep*", true, false),
            ("role/other", false, false),
            ("user/team/deploy", false, true),
        ] {
            assert_eq!(covers(written, role), of_role, "{written}");
            assert_eq!(covers(written, user), of_user, "{written}");
        }
        assert!(!covers("root", "iam::999999999999:user/deploy"));
    }

    #[test]
    fn a_principal_is_a_role_a_user_or_everybody_of_an_account() {
        let of = |arn| Principal::written(arn).map(|found| found.patterns.join(" "));
        let role = "arn:aws:iam::111122223333:role/ci/*";
        assert_eq!(of(role).as_deref(), Some(role));
        let root = "arn:aws:iam::111122223333:root";
        assert_eq!(of(root).as_deref(), Some("arn:aws:*::111122223333:*"));
        for bad in
            ["", "111122223333", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:role/a,b"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
