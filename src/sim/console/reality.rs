//! What a person does to resources with the services' own means, of which CloudFormation knows
//! nothing: drift.

use serde_json::{Map, Value};

use crate::ids::{StackKey, Target};
use crate::sim::console::{Console, ConsoleError, parsed_name};
use crate::sim::family::NESTED_STACK;
use crate::sim::front::Light;
use crate::sim::reality::{Live, TAGS, object, set_at};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::{Resource, Stack};

/// What a resource really is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reality {
    /// As its stack made it.
    AsRecorded,
    /// It has these properties, as JSON.
    Changed(String),
    /// Somebody has deleted it.
    Deleted,
}

impl Reality {
    pub(crate) fn of(resource: &Resource) -> Self {
        match resource.live.as_deref() {
            None => Self::AsRecorded,
            Some(Live::Changed(actual)) => Self::Changed(actual.to_string()),
            Some(Live::Deleted) => Self::Deleted,
        }
    }
}

/// A resource that is not what its stack made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drifted {
    /// The stack that has the resource, a nested one by its own name.
    pub key: StackKey,
    /// The logical id.
    pub logical_id: String,
    /// Such as `AWS::SQS::Queue`.
    pub kind: String,
    /// What it really is.
    pub reality: Reality,
}

impl Console {
    /// Gives a property of a resource another value, or sets it, by a JSON pointer such as
    /// `/Tags/0/Value`; `-` at the end of one appends to a list.
    pub fn change_property(
        &self,
        key: &StackKey,
        logical_id: &str,
        pointer: &str,
        value: Value,
    ) -> Result<(), ConsoleError> {
        self.edit(key, logical_id, |properties| {
            at(set_at(properties, pointer, Some(value)), pointer)
        })
    }

    /// Removes a property of a resource by a JSON pointer.
    pub fn remove_property(
        &self,
        key: &StackKey,
        logical_id: &str,
        pointer: &str,
    ) -> Result<(), ConsoleError> {
        self.edit(key, logical_id, |properties| at(set_at(properties, pointer, None), pointer))
    }

    /// Adds a tag to a resource beside those of its stack.
    pub fn add_tag(
        &self,
        key: &StackKey,
        logical_id: &str,
        name: &str,
        value: &str,
    ) -> Result<(), ConsoleError> {
        self.edit(key, logical_id, |properties| {
            let tags = properties.entry(TAGS).or_insert_with(|| Value::Array(Vec::new()));
            let Some(tags) = tags.as_array_mut() else {
                return Err(Refusal::validation("the tags of the resource are no list"));
            };
            tags.retain(|tag| tag["Key"] != name);
            tags.push(serde_json::json!({"Key": name, "Value": value}));
            Ok(())
        })
    }

    /// Deletes a resource; its stack goes on believing in it.
    pub fn delete_resource(&self, key: &StackKey, logical_id: &str) -> Result<(), ConsoleError> {
        self.act_on(key, logical_id, |resource| {
            resource.live = Some(Box::new(Live::Deleted));
            Ok(())
        })
    }

    /// Makes a resource what its stack believes.
    pub fn restore_resource(&self, key: &StackKey, logical_id: &str) -> Result<(), ConsoleError> {
        self.act_on(key, logical_id, |resource| {
            resource.live = None;
            Ok(())
        })
    }

    /// Every resource of the cloud that is not what its stack made, sorted.
    pub fn drifted(&self) -> Result<Vec<Drifted>, ConsoleError> {
        let mut drifted = Vec::new();
        for account in self.accounts()? {
            for region in self.regions(account)? {
                let target = Target { account, region };
                drifted.extend(self.look(&target, |stacks| drifted_of(&target, &stacks))?);
            }
        }
        drifted.sort();
        Ok(drifted)
    }

    fn edit(
        &self,
        key: &StackKey,
        logical_id: &str,
        edit: impl FnOnce(&mut Map<String, Value>) -> Answer<()>,
    ) -> Result<(), ConsoleError> {
        self.act_on(key, logical_id, |resource| {
            let gone = || Refusal::new("NotFoundException", not_found(resource));
            let mut properties = object(resource.actual().ok_or_else(gone)?);
            edit(&mut properties)?;
            resource.set_actual(properties);
            Ok(())
        })
    }

    fn act_on(
        &self,
        key: &StackKey,
        logical_id: &str,
        act: impl FnOnce(&mut Resource) -> Answer<()>,
    ) -> Result<(), ConsoleError> {
        let Target { account, region } = &key.target;
        let now = self.0.clock.now();
        self.0.in_place(*account, region, now, Light::default(), |context| {
            let stack = context.live(key.name.as_str())?;
            let missing = || {
                let text = format!("Resource {logical_id} does not exist for stack {}", key.name);
                Refusal::validation(text)
            };
            let resource = stack.resources.get_mut(logical_id).ok_or_else(missing)?;
            if &*resource.kind == NESTED_STACK {
                return Err(Refusal::not_simulated(
                    "drift of a nested stack itself: change the resources in it, or delete it as \
                     a stack",
                ));
            }
            act(resource)
        })??;
        Ok(())
    }
}

fn at(found: bool, pointer: &str) -> Answer<()> {
    let missing = || Refusal::validation(format!("the resource has no place `{pointer}`"));
    found.then_some(()).ok_or_else(missing)
}

/// AWS's words for a resource that is gone.
pub(crate) fn not_found(resource: &Resource) -> String {
    let Resource { kind, physical_id, .. } = resource;
    format!("Resource of type '{kind}' with identifier '{physical_id}' was not found.")
}

fn drifted_of(target: &Target, stacks: &[&Stack]) -> Answer<Vec<Drifted>> {
    let mut drifted = Vec::new();
    for stack in stacks {
        for (logical_id, resource) in stack.resources.iter().filter(|(_, one)| one.live.is_some()) {
            let key = StackKey { target: target.clone(), name: parsed_name(stack)? };
            let (logical_id, kind) = (logical_id.clone(), resource.kind.to_string());
            drifted.push(Drifted { key, logical_id, kind, reality: Reality::of(resource) });
        }
    }
    Ok(drifted)
}
