//! What a person does behind our back, and what tests look at. Nothing here counts as a call, and no
//! fault or quota applies.

mod reality;
mod storage;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{AccountId, Region, StackKey, StackName, Target};
use crate::moment::Moment;
use crate::sim::cloudformation;
use crate::sim::folder::CloudError;
use crate::sim::front::{Inner, Light, locked};
use crate::sim::refusal::Refusal;
use crate::sim::state::{Account, Change, ChangeSet, Stack};
use crate::sim::status::Status;
use crate::sim::wire::Form;

pub use crate::sim::console::reality::{Drifted, Reality};

/// Why the console could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The cloud refuses it, as AWS would.
    #[error("{code}: {message}")]
    Refused {
        /// AWS's error code.
        code: String,
        /// AWS's text.
        message: String,
    },
    /// The files of the cloud cannot be used.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

impl From<Refusal> for ConsoleError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { code: refusal.code, message: refusal.message }
    }
}

/// A person with every right.
#[derive(Clone, Debug)]
pub struct Console(pub(crate) Arc<Inner>);

/// One stack as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackView {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: StackName,
    /// Its status.
    pub status: Status,
    /// Why it has this status.
    pub reason: Option<String>,
    /// When it was created.
    pub created_at: Moment,
    /// When its last update began.
    pub updated_at: Option<Moment>,
    /// The text of its template.
    pub template: String,
    /// The values of its parameters, secrets included.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The values of its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its resources by logical id.
    pub resources: BTreeMap<String, ResourceView>,
    /// The names of its change sets that were not executed.
    pub change_sets: Vec<String>,
    /// Whether it is protected from deletion.
    pub protected: bool,
    /// The text of its stack policy.
    pub policy: Option<String>,
    /// The ARN of the stack that it is nested in.
    pub parent: Option<String>,
}

/// One resource as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceView {
    /// Such as `AWS::SQS::Queue`.
    pub kind: String,
    /// What it is called outside its stack.
    pub physical_id: String,
    /// Its status.
    pub status: Status,
    /// Its evaluated properties as JSON.
    pub properties: String,
    /// What it really is.
    pub reality: Reality,
}

/// One change set as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetView {
    /// Its name.
    pub name: String,
    /// The text of the template that it would bring.
    pub template: String,
    /// The values of the parameters that it would bring, secrets included.
    pub parameters: BTreeMap<String, String>,
    /// The tags that it would bring.
    pub tags: BTreeMap<String, String>,
    /// Action, logical id, type and replacement of each change.
    pub changes: Vec<(String, String, String, Option<String>)>,
}

/// An operation that runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running {
    /// The stack.
    pub key: StackKey,
    /// The token of the operation, if it has one.
    pub token: Option<String>,
}

/// One line of a stack's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventView {
    /// When it happened.
    pub at: Moment,
    /// The logical id; `None` for the stack itself.
    pub resource: Option<String>,
    /// The status taken.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
    /// The token of the operation.
    pub token: Option<String>,
}

impl Console {
    /// Every account in which something was done.
    pub fn accounts(&self) -> Result<Vec<AccountId>, ConsoleError> {
        Ok(locked(&self.0.store).accounts()?)
    }

    /// The regions of an account in which something was done.
    pub fn regions(&self, account: AccountId) -> Result<Vec<Region>, ConsoleError> {
        let regions = |account: &mut Account| account.regions.keys().cloned().collect();
        Ok(self.0.with_account(account, |account| (regions(account), false))?)
    }

    /// The stacks of an account and region that are not deleted, by name.
    pub fn stacks(
        &self,
        account: AccountId,
        region: &Region,
    ) -> Result<Vec<StackView>, ConsoleError> {
        let target = Target { account, region: region.clone() };
        self.look(&target, |stacks| {
            stacks.into_iter().map(|stack| self.view(stack)).collect::<Result<_, Refusal>>()
        })
    }

    /// One stack that is not deleted.
    pub fn stack(&self, key: &StackKey) -> Result<Option<StackView>, ConsoleError> {
        self.look(&key.target, |stacks| {
            let found = stacks.into_iter().find(|stack| *stack.name == *key.name.as_str());
            found.map(|stack| self.view(stack)).transpose()
        })
    }

    /// The history of one stack that is not deleted, oldest first.
    pub fn events(&self, key: &StackKey) -> Result<Vec<EventView>, ConsoleError> {
        self.look(&key.target, |stacks| {
            let found = stacks.into_iter().find(|stack| *stack.name == *key.name.as_str());
            let events = found.into_iter().flat_map(|stack| &stack.events);
            let view = events.map(|event| EventView {
                at: event.at,
                resource: event.resource.as_ref().map(|one| one.logical_id.to_string()),
                status: event.status.clone(),
                reason: event.reason.clone(),
                token: event.token.as_deref().map(str::to_owned),
            });
            Ok(view.collect())
        })
    }

    /// Every operation that runs, in all accounts, sorted.
    pub fn running(&self) -> Result<Vec<Running>, ConsoleError> {
        let mut running = Vec::new();
        for account in self.accounts()? {
            for region in self.regions(account)? {
                let target = Target { account, region };
                running.extend(self.look(&target, |stacks| running_of(&target, &stacks))?);
            }
        }
        running.sort();
        Ok(running)
    }

    /// The change sets of a stack that were not executed.
    pub fn change_sets(&self, key: &StackKey) -> Result<Vec<ChangeSetView>, ConsoleError> {
        self.look(&key.target, |stacks| {
            let found = stacks.into_iter().find(|stack| *stack.name == *key.name.as_str());
            let sets = found.into_iter().flat_map(|stack| stack.change_sets.values());
            sets.filter(|set| !set.executed).map(|set| self.change_set_view(set)).collect()
        })
    }

    /// Goes on with a rollback that failed.
    pub fn continue_update_rollback(&self, key: &StackKey) -> Result<(), ConsoleError> {
        self.act(key, "ContinueUpdateRollback", Vec::new())
    }

    /// Takes back an update that failed and was left as it was.
    pub fn rollback_stack(&self, key: &StackKey) -> Result<(), ConsoleError> {
        self.act(key, "RollbackStack", Vec::new())
    }

    /// Creates a stack.
    pub fn create_stack(
        &self,
        key: &StackKey,
        template: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), ConsoleError> {
        let mut fields = vec![("TemplateBody".to_owned(), template.to_owned())];
        fields.extend(all_capabilities());
        fields.extend(tag_fields(tags));
        self.act(key, "CreateStack", fields)
    }

    /// Updates a stack to another template with the same parameters.
    pub fn update_template(&self, key: &StackKey, template: &str) -> Result<(), ConsoleError> {
        let mut fields = vec![("TemplateBody".to_owned(), template.to_owned())];
        fields.extend(self.parameter_fields(key, &BTreeMap::new())?);
        fields.extend(all_capabilities());
        self.act(key, "UpdateStack", fields)
    }

    /// Gives some parameters of a stack other values, and keeps what was done should it fail.
    pub fn update_without_rollback(
        &self,
        key: &StackKey,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), ConsoleError> {
        let keeping = ("DisableRollback".to_owned(), "true".to_owned());
        self.update_values(key, parameters, [keeping])
    }

    /// Gives some parameters of a stack other values.
    pub fn update_parameters(
        &self,
        key: &StackKey,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), ConsoleError> {
        self.update_values(key, parameters, [])
    }

    fn update_values<const N: usize>(
        &self,
        key: &StackKey,
        parameters: &BTreeMap<String, String>,
        more: [(String, String); N],
    ) -> Result<(), ConsoleError> {
        let mut fields = self.parameter_fields(key, parameters)?;
        fields.push(("UsePreviousTemplate".to_owned(), "true".to_owned()));
        fields.extend(more);
        fields.extend(all_capabilities());
        self.act(key, "UpdateStack", fields)
    }

    /// Gives a stack other tags.
    pub fn update_tags(
        &self,
        key: &StackKey,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), ConsoleError> {
        let mut fields = self.parameter_fields(key, &BTreeMap::new())?;
        fields.push(("UsePreviousTemplate".to_owned(), "true".to_owned()));
        fields.extend(all_capabilities());
        fields.extend(tag_fields(tags));
        self.act(key, "UpdateStack", fields)
    }

    /// Deletes a stack.
    pub fn delete_stack(&self, key: &StackKey) -> Result<(), ConsoleError> {
        self.act(key, "DeleteStack", Vec::new())
    }

    /// Creates a change set: on the stack, or one that creates it if there is none.
    pub fn create_change_set(
        &self,
        key: &StackKey,
        name: &str,
        template: &str,
    ) -> Result<(), ConsoleError> {
        let exists =
            self.stack(key)?.is_some_and(|stack| stack.status != Status::REVIEW_IN_PROGRESS);
        let mut fields = vec![
            ("ChangeSetName".to_owned(), name.to_owned()),
            ("ChangeSetType".to_owned(), if exists { "UPDATE" } else { "CREATE" }.to_owned()),
            ("TemplateBody".to_owned(), template.to_owned()),
        ];
        fields.extend(all_capabilities());
        if exists {
            fields.extend(self.parameter_fields(key, &BTreeMap::new())?);
        }
        self.act(key, "CreateChangeSet", fields)
    }

    /// Switches termination protection.
    pub fn protect(&self, key: &StackKey, enabled: bool) -> Result<(), ConsoleError> {
        let flag = if enabled { "true" } else { "false" };
        let fields = vec![("EnableTerminationProtection".to_owned(), flag.to_owned())];
        self.act(key, "UpdateTerminationProtection", fields)
    }

    /// Sets another stack policy.
    pub fn set_policy(&self, key: &StackKey, policy: &str) -> Result<(), ConsoleError> {
        let fields = vec![("StackPolicyBody".to_owned(), policy.to_owned())];
        self.act(key, "SetStackPolicy", fields)
    }

    /// Forces a status, known to AWS or not; what runs on the stack stops.
    pub fn set_status(&self, key: &StackKey, status: Status) -> Result<(), ConsoleError> {
        let now = self.0.clock.now();
        let Target { account, region } = &key.target;
        self.0.in_place(*account, region, now, Light::default(), |context| {
            let stack = context.live(key.name.as_str())?;
            stack.operation = None;
            stack.enter(now, status, None);
            Ok::<_, Refusal>(())
        })??;
        Ok(())
    }

    /// Makes roles of an account demand an external id.
    pub fn require_external_id(
        &self,
        account: AccountId,
        external_id: &str,
    ) -> Result<(), ConsoleError> {
        Ok(self.0.with_account(account, |account| {
            account.external_id = Some(external_id.to_owned());
            ((), true)
        })?)
    }

    fn look<T>(
        &self,
        target: &Target,
        act: impl FnOnce(Vec<&Stack>) -> Result<T, Refusal>,
    ) -> Result<T, ConsoleError> {
        let now = self.0.clock.now();
        let seen =
            self.0.in_place(target.account, &target.region, now, Light::default(), |context| {
                let place = context.look();
                act(place.into_iter().flat_map(|place| place.stacks.values()).collect())
            })?;
        Ok(seen?)
    }

    fn view(&self, stack: &Stack) -> Result<StackView, Refusal> {
        let definition = &stack.definition;
        let template = match &*definition.template {
            "" => String::new(),
            _ => self.0.library.find(&definition.template)?.template.body().to_owned(),
        };
        let parameters = definition.parameters.iter();
        let outputs = stack.outputs.iter();
        let waiting = stack.change_sets.values().filter(|set| !set.executed);
        let resources = stack.resources.iter().map(|(logical_id, resource)| {
            let view = ResourceView {
                kind: resource.kind.to_string(),
                physical_id: resource.physical_id.to_string(),
                status: resource.status.clone(),
                properties: resource.properties.to_string(),
                reality: Reality::of(resource),
            };
            (logical_id.clone(), view)
        });
        Ok(StackView {
            id: stack.id.to_string(),
            name: parsed_name(stack)?,
            status: stack.status.clone(),
            reason: stack.reason.clone(),
            created_at: stack.created_at,
            updated_at: stack.updated_at,
            template,
            parameters: parameters.map(|(name, one)| (name.clone(), one.value.clone())).collect(),
            tags: definition.tags.clone(),
            outputs: outputs.map(|(name, output)| (name.clone(), output.value.clone())).collect(),
            resources: resources.collect(),
            change_sets: waiting.map(|set| set.name.clone()).collect(),
            protected: stack.protected,
            policy: stack.policy.clone(),
            parent: stack.nested.as_ref().map(|nested| nested.parent.to_string()),
        })
    }

    fn change_set_view(&self, set: &ChangeSet) -> Result<ChangeSetView, Refusal> {
        let ChangeSet { name, definition, changes, .. } = set;
        let template = self.0.library.find(&definition.template)?.template.body().to_owned();
        let parameters = definition.parameters.iter();
        let change = |change: &Change| {
            let Change { action, logical_id, kind, replacement, .. } = change.clone();
            (action, logical_id, kind, replacement)
        };
        Ok(ChangeSetView {
            name: name.clone(),
            template,
            parameters: parameters.map(|(name, one)| (name.clone(), one.value.clone())).collect(),
            tags: definition.tags.clone(),
            changes: changes.iter().map(change).collect(),
        })
    }

    /// The stack's parameters, kept but for some.
    fn parameter_fields(
        &self,
        key: &StackKey,
        changed: &BTreeMap<String, String>,
    ) -> Result<Vec<(String, String)>, ConsoleError> {
        let mut values = match self.stack(key)? {
            Some(stack) => stack.parameters,
            None => BTreeMap::new(),
        };
        values.extend(changed.clone());
        let fields = values.into_iter().enumerate().flat_map(|(index, (name, value))| {
            let prefix = format!("Parameters.member.{}", index + 1);
            [(format!("{prefix}.ParameterKey"), name), (format!("{prefix}.ParameterValue"), value)]
        });
        Ok(fields.collect())
    }

    fn act(
        &self,
        key: &StackKey,
        action: &str,
        mut fields: Vec<(String, String)>,
    ) -> Result<(), ConsoleError> {
        fields.push(("StackName".to_owned(), key.name.to_string()));
        let mut form = Form::of(fields);
        let action = cloudformation::action_named(action)?;
        let Target { account, region } = &key.target;
        let now = self.0.clock.now();
        self.0.carry_out(*account, region, now, action, std::mem::take(&mut form), "console")?;
        Ok(())
    }
}

fn running_of(target: &Target, stacks: &[&Stack]) -> Result<Vec<Running>, Refusal> {
    let mut running = Vec::new();
    for stack in stacks {
        let Some(operation) = &stack.operation else { continue };
        let name = parsed_name(stack)?;
        let key = StackKey { target: target.clone(), name };
        running.push(Running { key, token: operation.token.as_deref().map(str::to_owned) });
    }
    Ok(running)
}

fn parsed_name(stack: &Stack) -> Result<StackName, Refusal> {
    stack.name.parse().map_err(|error| Refusal::validation(format!("{error}")))
}

fn all_capabilities() -> [(String, String); 1] {
    [("Capabilities.member.1".to_owned(), "CAPABILITY_NAMED_IAM".to_owned())]
}

fn tag_fields(tags: &BTreeMap<String, String>) -> Vec<(String, String)> {
    if tags.is_empty() {
        return vec![("Tags".to_owned(), String::new())];
    }
    let fields = tags.iter().enumerate().flat_map(|(index, (key, value))| {
        let prefix = format!("Tags.member.{}", index + 1);
        [(format!("{prefix}.Key"), key.clone()), (format!("{prefix}.Value"), value.clone())]
    });
    fields.collect()
}
