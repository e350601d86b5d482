//! Starting operations: what the calls of an API client and a person at the console have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::sim::blueprint::Blueprint;
use crate::sim::cloudformation::context::Context;
use crate::sim::cloudformation::differences::Difference;
use crate::sim::cloudformation::nested::denials_inside;
use crate::sim::cloudformation::policy;
use crate::sim::evaluate::Trouble;
use crate::sim::reality::{standing, without_reality};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Definition, Operation, Previous, Stack, Step};
use crate::sim::status::Status;
use crate::sim::timeline::{self, Creation, Deletion, Fate, OnFailure};
use crate::sim::wire::Form;

/// Tokens are repeated within minutes; this many of the newest are more than a day's operations.
const TOKENS_KEPT: usize = 100;
/// AWS's limit for a token, in characters.
const MAX_TOKEN: usize = 128;

/// How an operation runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    /// The action with a fingerprint of what it asks for.
    pub(crate) request: String,
    pub(crate) token: Option<String>,
    pub(crate) express: bool,
    pub(crate) disable_rollback: bool,
    pub(crate) retain_except_on_create: bool,
}

impl Launch {
    /// Takes the fields that operations have in common out of a form. Rollback is off in express
    /// mode unless it is asked for.
    pub(crate) fn take(action: &str, fingerprint: &str, form: &mut Form) -> Answer<Self> {
        let token = form.optional("ClientRequestToken");
        token.as_deref().map(check_token).transpose()?;
        let (express, of_config) = match action {
            // The change set says it for the first, and the others have no such field.
            "ExecuteChangeSet" | "ContinueUpdateRollback" | "CancelUpdateStack" => (false, None),
            _ => deployment_config(form)?,
        };
        let disable_rollback = form.boolean("DisableRollback")?.or(of_config).unwrap_or(express);
        Ok(Self {
            request: format!("{action} {fingerprint}"),
            token,
            express,
            disable_rollback,
            retain_except_on_create: form.boolean("RetainExceptOnCreate")?.unwrap_or(false),
        })
    }

    /// Whether the very same request was made before; refused when its token was used otherwise.
    pub(crate) fn repeats(&self, stack: &Stack) -> Answer<bool> {
        let Some(token) = &self.token else { return Ok(false) };
        match stack.request_of(token) {
            None => Ok(false),
            Some(request) if request == self.request => Ok(true),
            Some(_) => Err(Refusal::new(
                "TokenAlreadyExistsException",
                format!(
                    "The client request token {token} has already been used for this stack. Retry \
                     the request with a different client request token"
                ),
            )),
        }
    }
}

/// Whether the mode is express, and what is said about rollback with it.
pub(crate) fn deployment_config(form: &mut Form) -> Answer<(bool, Option<bool>)> {
    let express = match form.optional("DeploymentConfig.Mode").as_deref() {
        None | Some("STANDARD") => false,
        Some("EXPRESS") => true,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [STANDARD, EXPRESS]";
            return Err(Refusal::constraint(other, "deploymentConfig.mode", rule));
        }
    };
    Ok((express, form.boolean("DeploymentConfig.DisableRollback")?))
}

/// AWS's rule for the tokens of operations.
fn check_token(token: &str) -> Answer<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let well_formed = token.len() <= MAX_TOKEN
        && token.starts_with(|first: char| first.is_ascii_alphanumeric())
        && token.bytes().all(legal);
    if well_formed {
        return Ok(());
    }
    let rule = "Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*";
    Err(Refusal::constraint(token, "clientRequestToken", rule))
}

/// Installs an operation on a stack.
pub(crate) fn install(stack: &mut Stack, launch: &Launch, steps: Vec<Step>) {
    if let Some(token) = &launch.token {
        stack.tokens.push((token.clone(), launch.request.clone()));
        if stack.tokens.len() > TOKENS_KEPT {
            stack.tokens.remove(0);
        }
    }
    let token = launch.token.as_deref().map(Arc::from);
    stack.operation = Some(Operation { token, steps: steps.into() });
}

/// Starts the creation of a stack that is in the account already as a shell.
pub(crate) fn start_creation(
    context: &mut Context<'_>,
    name: &str,
    definition: Definition,
    on_failure: OnFailure,
    launch: &Launch,
) -> Answer<()> {
    let body = context.library.find(&definition.template)?;
    let id = context.live(name)?.id.clone();
    let planned = context.blueprint(&body, &definition, (name, &id), &BTreeMap::new());
    let (blueprint, failure) = match planned {
        Ok(blueprint) => {
            let failure = blueprint.broken.clone();
            let failure = failure.or_else(|| export_conflict(context, name, &blueprint));
            (blueprint, failure)
        }
        Err(Trouble::NoExport(text) | Trouble::NoOutput(text)) => (nothing(), Some(text)),
        Err(Trouble::Refused(refusal)) => return Err(refusal),
    };
    let stack = context.stack(name).cloned();
    let stack = stack.ok_or_else(|| Refusal::validation("the stack has gone"))?;
    let mut draft = context.draft(&stack, launch.express);
    draft.records.clear();
    let mut decide = context.fate(BTreeMap::new());
    let creation = Creation {
        blueprint: &blueprint,
        failure,
        on_failure,
        retain_except_on_create: launch.retain_except_on_create,
    };
    let steps = timeline::creation(&creation, draft, &mut Fate { of: &mut decide });
    let stack = context.live(name)?;
    stack.definition = definition;
    stack.disable_rollback = on_failure == OnFailure::DoNothing;
    install(stack, launch, steps);
    Ok(())
}

fn nothing() -> Blueprint {
    let (resources, imports) = (Vec::new(), Vec::new());
    Blueprint { resources, outputs: BTreeMap::new(), imports, broken: None }
}

/// An update that has been found to change something.
pub(crate) struct Update {
    pub(crate) definition: Definition,
    pub(crate) blueprint: Blueprint,
    pub(crate) difference: Difference,
    /// Logical ids of what it brings back to what the template says.
    pub(crate) reverts: BTreeSet<String>,
}

/// Starts an update.
pub(crate) fn start_update(
    context: &mut Context<'_>,
    name: &str,
    update: Update,
    launch: &Launch,
) -> Answer<()> {
    let stack = context.stack(name).cloned();
    let stack = stack.ok_or_else(|| Refusal::validation("the stack has gone"))?;
    let Update { definition, blueprint, difference, reverts } = update;
    let (denied, denied_removal) = match &stack.policy {
        Some(text) => policy::denials(text, &difference)?,
        None => (BTreeMap::new(), None),
    };
    let failure = denied_removal
        .or_else(|| blueprint.broken.clone())
        .or_else(|| export_conflict(context, name, &blueprint))
        .or_else(|| export_in_use(context, &stack, &blueprint));
    let previous = stack.previous.clone().unwrap_or_else(|| {
        let records = &stack.resources;
        let is_plain = reverts.is_empty();
        let resources = if is_plain { without_reality(records) } else { records.clone() };
        let definition = stack.definition.clone();
        Box::new(Previous { definition, resources, outputs: None })
    });
    let mut draft = context.draft(&stack, launch.express);
    draft.records = standing(&draft.records, &reverts);
    let mut denied = BTreeMap::from([(name.to_owned(), denied)]);
    denials_inside(&blueprint, &mut denied);
    let mut decide = context.fate(denied);
    let steps = timeline::update(
        &timeline::Update {
            blueprint: &blueprint,
            tags_changed: difference.tags_changed,
            failure,
            disable_rollback: launch.disable_rollback,
            previous: &previous.resources,
            reverts: &reverts,
        },
        draft,
        &mut Fate { of: &mut decide },
    );
    let now = context.now;
    let stack = context.live(name)?;
    stack.definition = definition;
    stack.updated_at = Some(now);
    stack.forget_verdict();
    stack.previous = Some(previous);
    stack.disable_rollback = launch.disable_rollback;
    stack.change_sets.values_mut().for_each(|set| set.obsolete = true);
    install(stack, launch, steps);
    Ok(())
}

/// Starts a deletion.
pub(crate) fn start_deletion(
    context: &mut Context<'_>,
    name: &str,
    deletion: &Deletion,
    launch: &Launch,
) -> Answer<()> {
    let stack = context.stack(name).cloned();
    let stack = stack.ok_or_else(|| Refusal::validation("the stack has gone"))?;
    let importer = context.look().and_then(|place| place.import_of(&stack));
    let mut draft = context.draft(&stack, launch.express);
    let steps = match importer {
        Some((export, importer)) => {
            let text = format!(
                "Delete canceled. Cannot delete export {export} as it is in use by {importer}."
            );
            draft.stack(Status::DELETE_IN_PROGRESS, Some("User Initiated".to_owned()));
            draft.wait(1.0);
            draft.stack(stack.status.clone(), Some(text));
            draft.steps
        }
        None => {
            let mut decide = context.fate(BTreeMap::new());
            timeline::deletion(draft, deletion, &mut Fate { of: &mut decide })
        }
    };
    install(context.live(name)?, launch, steps);
    Ok(())
}

/// An export name that another stack has already.
pub(crate) fn export_conflict(
    context: &Context<'_>,
    name: &str,
    blueprint: &Blueprint,
) -> Option<String> {
    let exports = context.look()?.exports();
    let wanted = blueprint.outputs.values().filter_map(|output| output.export.as_ref());
    wanted.into_iter().find_map(|export| {
        let (owner, _) = exports.get(export).filter(|(owner, _)| **owner != *name)?;
        Some(format!("Export with name {export} is already exported by stack {owner}."))
    })
}

/// An export that an update would change or remove while another stack imports it.
pub(crate) fn export_in_use(
    context: &Context<'_>,
    stack: &Stack,
    blueprint: &Blueprint,
) -> Option<String> {
    let place = context.look()?;
    let kept: BTreeSet<(&String, &String)> = blueprint
        .outputs
        .values()
        .filter_map(|output| Some((output.export.as_ref()?, &output.value)))
        .collect();
    let names: BTreeSet<&String> = kept.iter().map(|(name, _)| *name).collect();
    stack.outputs.values().find_map(|output| {
        let export = output.export.as_ref()?;
        if kept.contains(&(export, &output.value)) {
            return None;
        }
        let importer = place.stacks.values().find(|other| other.imports.contains(export))?;
        let verb = if names.contains(export) { "updated" } else { "deleted" };
        Some(format!("Export {export} cannot be {verb} as it is in use by {}", importer.name))
    })
}
