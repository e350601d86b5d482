//! What an action works on: one account and region at one moment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{Digest, Region};
use crate::moment::Moment;
use crate::sim::CloudSettings;
use crate::sim::blueprint::{Blueprint, Question, blueprint};
use crate::sim::cloudformation::differences::{Difference, differences};
use crate::sim::cloudformation::nested::Planner;
use crate::sim::cloudformation::reversal::Reach;
use crate::sim::dynamic::{Held, Parameters, may_refer};
use crate::sim::evaluate::Trouble;
use crate::sim::family::family;
use crate::sim::faults::Script;
use crate::sim::front::Light;
use crate::sim::library::{Body, Library};
use crate::sim::machine;
use crate::sim::phase::{Draft, Pace};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::resources::{Surroundings, kind, named_by_template};
use crate::sim::s3::Buckets;
use crate::sim::state::{Account, Definition, Place, Resource, Stack};
use crate::sim::status::Status;
use crate::sim::timeline::Phase;

/// Type and physical id.
type ResourceKey = (Arc<str>, Arc<str>);
/// ARN and name.
type StackNames = (Arc<str>, Arc<str>);

/// What an action works on.
pub(crate) struct Context<'a> {
    pub(crate) account: &'a mut Account,
    pub(crate) region: &'a Region,
    pub(crate) now: Moment,
    pub(crate) library: &'a Library,
    pub(crate) settings: &'a CloudSettings,
    pub(crate) script: &'a Script,
    pub(crate) light: Light,
    pub(crate) buckets: &'a Buckets,
    /// What nested stacks will export that the call at hand makes.
    pub(crate) upcoming: BTreeMap<String, (Arc<str>, String)>,
    /// What the call at hand does about drift and changes in nested stacks, if it is about them.
    pub(crate) reach: Option<Reach>,
    /// Whether the account has to be written.
    pub(crate) changed: bool,
}

impl Context<'_> {
    /// The region.
    pub(crate) fn place(&mut self) -> &mut Place {
        machine::place(self.account, self.region)
    }

    /// The region, to look at.
    pub(crate) fn look(&self) -> Option<&Place> {
        self.account.regions.get(self.region)
    }

    /// The region as listings show it.
    pub(crate) fn listed(&self) -> Option<Cow<'_, Place>> {
        let place = self.look()?;
        Some(match self.light.as_of {
            Some(moment) => Cow::Owned(machine::as_it_was(place, moment)),
            None => Cow::Borrowed(place),
        })
    }

    /// A stack by name or ARN, also a deleted one by ARN.
    pub(crate) fn stack(&self, name_or_id: &str) -> Option<&Stack> {
        self.look()?.find(name_or_id)
    }

    /// A stack that must exist and not be deleted.
    pub(crate) fn live(&mut self, name_or_id: &str) -> Answer<&mut Stack> {
        self.changed = true;
        let missing = || Refusal::validation(format!("Stack [{name_or_id}] does not exist"));
        self.place().live_mut(name_or_id).ok_or_else(missing)
    }

    /// An ARN of CloudFormation here.
    pub(crate) fn arn(&mut self, what: &str, name: &str) -> String {
        let uuid = self.account.next_uuid();
        let (partition, region) = (self.region.partition(), self.region);
        format!("arn:{partition}:cloudformation:{region}:{}:{what}/{name}/{uuid}", self.account.id)
    }

    /// How fast what is not an operation on a stack runs.
    pub(crate) fn steady_pace(&self) -> Pace {
        let CloudSettings { speed, opaque_seconds, .. } = *self.settings;
        Pace { speed, express: false, opaque_seconds }
    }

    /// How fast an operation runs that begins now.
    pub(crate) fn pace(&self, express: bool) -> Pace {
        let CloudSettings { spread, seed, .. } = *self.settings;
        let drawn = format!("{seed} {} {} {}", self.account.id, self.region, self.now);
        let share = f64::from(Digest::of(drawn.as_bytes()).as_bytes()[0]) / 255.0;
        let steady = self.steady_pace();
        Pace { speed: steady.speed / (1.0 + spread * share), express, ..steady }
    }

    /// Where resources stand.
    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings { account: self.account.id, region: self.region.clone() }
    }

    /// What a definition wants of a stack.
    pub(crate) fn blueprint(
        &mut self,
        body: &Body,
        definition: &Definition,
        stack: (&str, &str),
        existing: &BTreeMap<String, Resource>,
    ) -> Result<Blueprint, Trouble> {
        self.upcoming.clear();
        let above = self.stack(stack.1).and_then(|stack| stack.nested.clone());
        let root = above.map_or_else(|| stack.1.into(), |above| above.root);
        self.blueprint_below(body, definition, stack, existing, (root, 0))
    }

    /// The same of a stack so many levels below the root of this ARN.
    pub(crate) fn blueprint_below(
        &mut self,
        body: &Body,
        definition: &Definition,
        stack: (&str, &str),
        existing: &BTreeMap<String, Resource>,
        (root, depth): (Arc<str>, usize),
    ) -> Result<Blueprint, Trouble> {
        let at = self.surroundings();
        let mut exports = self.place().exports();
        exports.extend(self.upcoming.clone());
        let ssm = self.referred_to(body, definition);
        let processed = body.processed(&definition.parameters);
        let question = Question {
            template: processed.template().value(),
            parameters: &definition.parameters,
            at: &at,
            stack_name: stack.0,
            stack_id: stack.1,
            exports: &exports,
            ssm: &ssm,
            existing,
        };
        let (name, id) = stack;
        let mut planner = Planner { context: self, definition, name, id, root, depth };
        blueprint(&question, &mut planner)
    }

    /// The SSM parameters that stacks here have made, if a definition may refer to one.
    fn referred_to(&self, body: &Body, definition: &Definition) -> Parameters {
        let refers = may_refer(body.template.body())
            || definition.parameters.values().any(|parameter| may_refer(&parameter.value));
        if refers { self.ssm_parameters().collect() } else { Parameters::new() }
    }

    /// The SSM parameters that stacks here have made.
    pub(crate) fn ssm_parameters(&self) -> impl Iterator<Item = (String, Held)> {
        let stacks = self.look().into_iter().flat_map(|place| place.stacks.values());
        let resources = stacks.flat_map(|stack| stack.resources.values());
        let parameters = resources.filter(|one| &*one.kind == "AWS::SSM::Parameter");
        parameters.filter_map(|resource| {
            let properties: serde_json::Value = serde_json::from_str(resource.actual()?).ok()?;
            let value = properties.get("Value")?.as_str()?.to_owned();
            let first = resource.status == Status::CREATE_COMPLETE;
            Some((resource.physical_id.to_string(), Held { value, first }))
        })
    }

    /// Refuses an operation on a stack while one runs above or below it: AWS has answers of its own
    /// to each case, and nobody has told them.
    pub(crate) fn family_rests(&self, stack: &Stack) -> Answer<()> {
        let mut above = stack.nested.clone();
        let mut ancestors = Vec::new();
        while let Some(parent) = above.and_then(|nested| self.stack(&nested.parent)) {
            ancestors.push(parent);
            above = parent.nested.clone();
        }
        let family = family(self.look(), &stack.resources);
        let below = family.keys().filter_map(|id| self.stack(id));
        let at_work = |one: &&Stack| one.operation.is_some();
        match ancestors.into_iter().chain(below).find(at_work) {
            Some(other) => Err(Refusal::not_simulated(format!(
                "operations on {} while one runs on {} of the same nesting",
                stack.name, other.name
            ))),
            None => Ok(()),
        }
    }

    /// What a definition would add to a stack that has nothing yet.
    pub(crate) fn plan_of_shell(
        &mut self,
        stack: &Stack,
        definition: &Definition,
    ) -> Result<Difference, Trouble> {
        let body = self.library.find(&definition.template)?;
        let names = (&*stack.name, &*stack.id);
        let blueprint = self.blueprint(&body, definition, names, &BTreeMap::new())?;
        let processed = body.processed(&definition.parameters);
        let template = processed.template();
        Ok(differences(stack, template, template, definition, &blueprint)?)
    }

    /// An operation on a stack and those below it that begins now.
    pub(crate) fn draft(&self, stack: &Stack, express: bool) -> Draft {
        Draft {
            steps: Vec::new(),
            records: stack.resources.clone(),
            at: self.now,
            pace: self.pace(express),
            name: stack.name.clone(),
            id: stack.id.clone(),
            family: family(self.look(), &stack.resources),
        }
    }

    /// The owners of all resources with a name that can be taken once, by type and physical id.
    fn taken_names(&self) -> BTreeMap<ResourceKey, StackNames> {
        let here = |region: &Region, kind: &str| region == self.region || kind.contains("::IAM::");
        let mut taken = BTreeMap::new();
        for (region, place) in &self.account.regions {
            for stack in place.stacks.values() {
                for resource in
                    stack.resources.values().filter(|one| !one.is_gone() && here(region, &one.kind))
                {
                    let key = (resource.kind.clone(), resource.physical_id.clone());
                    taken.insert(key, (stack.id.clone(), stack.name.clone()));
                }
            }
        }
        taken
    }

    /// Decides about failures of the resources of stacks: what the script says, then names that
    /// another stack has taken, then what the policy of the stack denies.
    pub(crate) fn fate(
        &self,
        denied: BTreeMap<String, BTreeMap<String, String>>,
    ) -> impl FnMut(&str, Phase, &str, &Resource) -> Option<String> + use<> {
        let taken = self.taken_names();
        let script = self.script.clone();
        let (account, region) = (self.account.id, self.region.clone());
        move |stack, phase, logical_id, resource| {
            if let Some(text) = script.failure_of((account, &region), stack, phase, logical_id) {
                return Some(text);
            }
            if phase != Phase::Change {
                return None;
            }
            let key = (resource.kind.clone(), resource.physical_id.clone());
            let other = taken.get(&key).filter(|(_, name)| **name != *stack);
            match other.filter(|_| can_be_taken(resource)) {
                Some((owner, _)) => {
                    Some(format!("{} already exists in stack {owner}", resource.physical_id))
                }
                None => denied.get(stack).and_then(|denied| denied.get(logical_id)).cloned(),
            }
        }
    }
}

/// Whether the template named the resource: generated names never meet.
fn can_be_taken(resource: &Resource) -> bool {
    let properties = serde_json::from_str(&resource.properties).unwrap_or_default();
    kind(&resource.kind).is_some_and(|kind| {
        named_by_template(kind, &properties).is_some() && !kind.id.contains("{hex}")
    })
}
