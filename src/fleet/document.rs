//! The documents as they are written: one declaration gives the fields, their JSON Schema and the
//! reading of them. The doc comments here are the schema's descriptions.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use schemars::JsonSchema;

use crate::fleet::adoption::AdoptSpec;
use crate::fleet::artifacts::ArtifactsSpec;
use crate::fleet::bootstrap::BootstrapSpec;
use crate::fleet::build_outputs::BuildOutputSpec;
use crate::fleet::channel::{Chat, DigestLength, Topic, Webhook};
use crate::fleet::commit_status::CommitStatusSpec;
use crate::fleet::freeze::{Pattern, Zone};
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::Node;
use crate::fleet::{Cloud, Deployment, DriftPolicy, Lifecycle, Money, OnHalt, Operator, Text};
use crate::ids::{AccountId, DocumentName, Region};
use crate::outcome::OnRemoval;

/// The `apiVersion` of every document.
pub(super) const API_VERSION: &str = "driftless.dev/v1";
/// What every `apiVersion` of ours starts with.
pub(super) const API_GROUP: &str = "driftless.dev/";

/// A value of a template's parameter: text, a number, a boolean, or a list of these.
#[derive(Clone, Debug)]
pub(super) struct ParameterValue(pub(super) Text);

/// A length of time such as `30m`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length(pub(super) Duration);

/// How long a freeze window stays open, such as `62h`.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowLength(pub(super) Duration);

/// The regions of a service.
#[derive(Clone, Debug)]
pub(super) enum RegionChoice {
    Tenant,
    Home,
    Listed(Vec<Region>),
}

/// A service that must be complete before: the one beside, or that of the home region.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub(super) service: DocumentName,
    pub(super) at_home: bool,
}

/// Where a service must be complete.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum DependencyRegion {
    Home,
}

/// A region of the fleet.
#[derive(Clone, Debug)]
pub(super) struct FleetRegion {
    pub(super) name: Region,
    pub(super) retired: bool,
}

/// `default`, or a list of resource types.
#[derive(Clone, Debug)]
pub(super) enum ProtectedTypes {
    Default,
    Listed(Vec<String>),
}

/// A CloudFormation capability.
#[derive(Clone, Debug)]
pub(super) struct Capability(pub(super) String);

macro_rules! documents {
    ($(
        $(#[$about:meta])*
        struct $name:ident {$(
            $(#[$about_field:meta])*
            $field:ident as $key:literal: $type:ty,
        )*}
    )*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {$(
            $(#[$about_field])*
            #[schemars(rename = $key)]
            pub(super) $field: $type,
        )*}

        impl Read for $name {
            fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
                let fields = reader.fields(node, &[$($key),*])?;
                $(let $field = fields.take(reader, $key);)*
                Some(Self { $($field: $field?),* })
            }
        }
    )*};
}
/// For parts of documents that are declared beside what they become.
pub(super) use documents;

documents! {
    /// The one document about the fleet as a whole.
    struct FleetDocument {
        /// Always `driftless.dev/v1`.
        _api_version as "apiVersion": ApiVersion,
        /// `Fleet`
        _kind as "kind": String,
        /// The fleet's name.
        metadata as "metadata": Metadata,
        /// What holds for the whole fleet.
        spec as "spec": FleetSpec,
    }

    /// A customer with an account of its own.
    struct TenantDocument {
        /// Always `driftless.dev/v1`.
        _api_version as "apiVersion": ApiVersion,
        /// `Tenant`
        _kind as "kind": String,
        /// The tenant's name and labels.
        metadata as "metadata": LabelledMetadata,
        /// The tenant's account and what it has otherwise than others.
        spec as "spec": TenantSpec,
    }

    /// A root stack that many tenants get.
    struct ServiceDocument {
        /// Always `driftless.dev/v1`.
        _api_version as "apiVersion": ApiVersion,
        /// `Service`
        _kind as "kind": String,
        /// The service's name.
        metadata as "metadata": Metadata,
        /// What is deployed, to whom and how.
        spec as "spec": ServiceSpec,
    }

    /// The name of a document.
    struct Metadata {
        /// Lower-case letters, digits and inner hyphens, 63 at most; unique in its kind.
        name as "name": DocumentName,
    }

    /// Name and labels of a document.
    struct LabelledMetadata {
        /// Lower-case letters, digits and inner hyphens, 63 at most; unique in its kind.
        name as "name": DocumentName,
        /// What the selectors of services look at.
        labels as "labels": Option<BTreeMap<String, String>>,
    }

    /// What holds for the whole fleet.
    struct FleetSpec {
        /// Where the fleet lives: `simulated` is a cloud inside this program.
        cloud as "cloud": Cloud,
        /// How the accounts are entered. Needed for `cloud: aws`.
        access as "access": Option<AccessSpec>,
        /// The only regions ever touched. A retired one is only looked at and deleted from.
        regions as "regions": Vec<FleetRegion>,
        /// For every service whose template declares them; tenants and services go before.
        parameters as "parameters": Option<BTreeMap<String, ParameterValue>>,
        /// On every stack.
        tags as "tags": Option<BTreeMap<String, Text>>,
        /// Numbers that stop us; all have safe defaults.
        limits as "limits": Option<LimitsSpec>,
        /// Each target is looked at at least this often; 30m unless given.
        resync as "resync": Option<Length>,
        /// How new releases go out, for services that do not say it themselves.
        rollout as "rollout": Option<RolloutSpec>,
        /// What is done about drift, for services that do not say it themselves. Its rules and
        /// exceptions hold for every service, after those of the service.
        drift as "drift": Option<DriftSpec>,
        /// Start nothing new anywhere.
        suspend as "suspend": Option<bool>,
        /// Touch resources only as a plan of the very release allows that a person approved with
        /// `driftless approve --plan`: what was reviewed is what is executed.
        require_plan as "requirePlan": Option<bool>,
        /// When nothing new is started: windows that open by the clock and close by themselves.
        freeze as "freeze": Option<Vec<FreezeSpec>>,
        /// Who is told what happens: chats and webhooks.
        notify as "notify": Option<Vec<ChannelSpec>>,
        /// The git host that `run` tells how the commit fares which it converges: a status of the
        /// commit, `driftless/` and the fleet's name.
        commit_status as "commitStatus": Option<CommitStatusSpec>,
        /// What may stand idle and what that may cost.
        idle_cost as "idleCost": Option<IdleCostSpec>,
        /// Where code, nested templates and large templates are uploaded to. Needed when a template
        /// points to a local path, or has more than 51,200 bytes.
        artifacts as "artifacts": Option<ArtifactsSpec>,
    }

    /// What may stand idle and what that may cost, in USD a month at list prices.
    struct IdleCostSpec {
        /// Resource types that no stack may have, such as `AWS::EC2::NatGateway` or `AWS::RDS::*`.
        forbid as "forbid": Option<Vec<String>>,
        /// A change that adds more than this to the whole fleet is warned of.
        warn_above as "warnAbove": Option<Money>,
        /// A change that adds more than this to the whole fleet is an error.
        fail_above as "failAbove": Option<Money>,
        /// What one unit costs a month instead of the list price, by resource type such as
        /// `AWS::KMS::Key`, with its variant where it has some: `AWS::EC2::Instance/t4g.nano`. A
        /// type that has no list price can be given one.
        prices as "prices": Option<BTreeMap<String, Money>>,
    }

    /// One place that is told: exactly one of `slack`, `teams` and `webhook`.
    struct ChannelSpec {
        /// What it is called in `driftless status`; `slack-1` and so on unless given. What it was
        /// told is remembered by its name.
        name as "name": Option<DocumentName>,
        /// An incoming webhook of Slack.
        slack as "slack": Option<Chat>,
        /// A Workflows webhook of Microsoft Teams.
        teams as "teams": Option<Chat>,
        /// Anything that takes CloudEvents 1.0 as JSON.
        webhook as "webhook": Option<Webhook>,
        /// What it is told of: `drift`, `rollout`, `failure`, `revision`, `approval`; all unless
        /// given.
        on as "on": Option<Vec<Topic>>,
        /// For how long what is not urgent is collected into one message; 15m unless given.
        digest as "digest": Option<DigestLength>,
    }

    /// A window in which nothing new is started; what runs goes on to its end.
    struct FreezeSpec {
        /// When it opens, as in cron: minute, hour, day of month, month, day of week. A time that
        /// the clock shows twice opens it twice; one that it jumps over, at the jump.
        cron as "cron": Pattern,
        /// How long it stays open, in real time: `5m` to `31d`.
        duration as "duration": WindowLength,
        /// The IANA time zone of `cron`, such as `Europe/Berlin`; `UTC` unless given.
        timezone as "timezone": Option<Zone>,
        /// Which tenants it holds; every tenant unless given.
        selector as "selector": Option<SelectorSpec>,
        /// What people read where it holds.
        reason as "reason": Option<String>,
    }

    /// How the accounts are entered.
    struct AccessSpec {
        /// The role to assume, such as `arn:aws:iam::${account.id}:role/driftless-execution`. It
        /// may use `account.id`, `region`, `partition` and `fleet.name`.
        role_arn as "roleArn": Text,
        /// The external id that the role asks for.
        external_id as "externalId": Option<String>,
        /// How `driftless bootstrap` makes the role in accounts that lack it. Nothing else uses this.
        bootstrap as "bootstrap": Option<BootstrapSpec>,
    }

    /// Numbers that stop us.
    struct LimitsSpec {
        /// Operations running in AWS at once, in the whole fleet; 3000 unless given.
        stacks_in_flight as "stacksInFlight": Option<u32>,
        /// Operations running in AWS at once, in one account and region; 5 unless given.
        per_target as "perTarget": Option<u32>,
        /// Deletions per rolling 24 hours; beyond, an approval is needed.
        deletes as "deletes": Option<DeletesSpec>,
        /// Calls that looking for drift may cost.
        drift_calls as "driftCalls": Option<DriftCallsSpec>,
    }

    /// Calls that looking for drift may cost. A stack without nested stacks costs three or four.
    struct DriftCallsSpec {
        /// In any 24 hours, in one account; 500 unless given.
        per_account as "perAccount": Option<u32>,
        /// In any second, in the whole fleet; 20 unless given.
        per_second as "perSecond": Option<u32>,
    }

    /// Deletions per rolling 24 hours.
    struct DeletesSpec {
        /// Tenants whose stacks are deleted; 1 unless given.
        tenants as "tenants": Option<u32>,
        /// Stacks; 25 unless given.
        stacks as "stacks": Option<u32>,
        /// Percent of the fleet's stacks, which only lowers `stacks`; 1 unless given.
        percent as "percent": Option<u32>,
    }

    /// The tenant's account and what it has otherwise than others.
    struct TenantSpec {
        /// The twelve digits of the account that the tenant owns, quoted.
        account as "account": AccountId,
        /// Where the tenant's stacks are; the first one is its home region.
        regions as "regions": Vec<Region>,
        /// `active`, `inactive` (still converged) or `offboarded` (its stacks are deleted).
        lifecycle as "lifecycle": Option<Lifecycle>,
        /// For every service whose template declares them; the tenant's exceptions go before.
        parameters as "parameters": Option<BTreeMap<String, ParameterValue>>,
        /// Exceptions by service.
        services as "services": Option<BTreeMap<DocumentName, ExceptionSpec>>,
        /// Start nothing new for this tenant.
        suspend as "suspend": Option<bool>,
    }

    /// What one tenant has otherwise than the service says.
    struct ExceptionSpec {
        /// Values that win over all others, but for those of one region.
        parameters as "parameters": Option<BTreeMap<String, ParameterValue>>,
        /// What the stack in one region has otherwise again, by region.
        per_region as "perRegion": Option<BTreeMap<Region, RegionExceptionSpec>>,
        /// Instead of the service's regions.
        regions as "regions": Option<Vec<Region>>,
        /// Start nothing new for this stack.
        suspend as "suspend": Option<bool>,
        /// Instead of the service's stack name.
        stack_name as "stackName": Option<Text>,
        /// Delete this stack, whatever `onRemoval` says.
        absent as "absent": Option<bool>,
        /// What is done about drift of this stack, whatever the service says.
        drift as "drift": Option<TenantDriftSpec>,
    }

    /// What the stack of one tenant in one region has otherwise than its stacks in other regions.
    struct RegionExceptionSpec {
        /// Values that win over all others.
        parameters as "parameters": Option<BTreeMap<String, ParameterValue>>,
    }

    /// What is done about drift of one tenant's stack.
    struct TenantDriftSpec {
        /// `ignore`, `report` or `revert`.
        policy as "policy": DriftPolicy,
    }

    /// What is deployed, to whom and how.
    struct ServiceSpec {
        /// The CloudFormation template, relative to this file, inside the fleet folder.
        template as "template": String,
        /// The name of the stack; the service's name unless given.
        stack_name as "stackName": Option<Text>,
        /// Which tenants get it; every tenant unless given.
        selector as "selector": Option<SelectorSpec>,
        /// `tenant` (all regions of the tenant, unless given), `home`, or a list of regions.
        regions as "regions": Option<RegionChoice>,
        /// Services whose stacks in the same account and region must be complete before. Those
        /// whose outputs are used need not be named. `{ service: S, region: home }` means the stack
        /// in the tenant's home region, and so do the outputs of S then.
        depends_on as "dependsOn": Option<Vec<Dependency>>,
        /// Values of the template's parameters.
        parameters as "parameters": Option<BTreeMap<String, ParameterValue>>,
        /// What the template may do, as CloudFormation wants it acknowledged.
        capabilities as "capabilities": Option<Vec<Capability>>,
        /// On its stacks, over those of the fleet.
        tags as "tags": Option<BTreeMap<String, Text>>,
        /// Whether its stacks refuse to be deleted; no unless given.
        termination_protection as "terminationProtection": Option<bool>,
        /// A stack policy in JSON, relative to this file.
        stack_policy as "stackPolicy": Option<String>,
        /// When a stack counts as made or updated: `standard` (unless given), when its resources are
        /// ready, or `express`, several times as fast, when they have accepted the change. What fails
        /// is rolled back in both.
        deployment as "deployment": Option<Deployment>,
        /// Resource types that an update may never remove or replace unapproved: `default`, or a
        /// list in which `default` stands for the built-in one; `[]` protects none.
        protect as "protect": Option<ProtectedTypes>,
        /// What happens to a stack that git no longer gives: `retain` (unless given) or `delete`.
        on_removal as "onRemoval": Option<OnRemoval>,
        /// Take over a stack that exists already, instead of making one.
        adopt as "adopt": Option<AdoptSpec>,
        /// How a new release goes out; as the Fleet document says unless given.
        rollout as "rollout": Option<RolloutSpec>,
        /// What is done about drift: resources that are not as the template made them. As the Fleet
        /// document says where it does not say it.
        drift as "drift": Option<DriftSpec>,
        /// Files that the template or those of nested stacks point to and that are not in git, such as
        /// what a build made.
        artifacts as "artifacts": Option<Vec<BuildOutputSpec>>,
        /// Start nothing new for this service.
        suspend as "suspend": Option<bool>,
    }

    /// How a new release of a service goes out.
    struct RolloutSpec {
        /// The tenants that take a release together, one wave after the other. A tenant goes with
        /// the first wave that takes it; one wave of all tenants unless given.
        waves as "waves": Option<Vec<WaveSpec>>,
        /// What becomes of stacks that have a release which failed too often: `stay` (unless given)
        /// or `revert` to the last good release.
        on_halt as "onHalt": Option<OnHalt>,
        /// Names of waves that begin only when a person says so.
        approval as "approval": Option<Vec<DocumentName>>,
        /// Whether other tenants lead at each release, where waves are percentages; no unless given.
        shuffle as "shuffle": Option<bool>,
    }

    /// Tenants that take a release together: those of a selector, a percentage, or with neither all
    /// that are left.
    struct WaveSpec {
        /// The wave's name.
        name as "name": DocumentName,
        /// The tenants with these labels.
        selector as "selector": Option<SelectorSpec>,
        /// This part of all tenants that get the service, 1 to 100, chosen by hash.
        percent as "percent": Option<u32>,
        /// Operations running in AWS at once for this wave; no limit of its own unless given.
        max_in_flight as "maxInFlight": Option<u32>,
        /// How many stacks may fail before the rollout halts: 10 percent unless given, and never more,
        /// as 90 percent must be well; of fewer than ten none.
        failures as "failures": Option<FailuresSpec>,
        /// How long all must have been well before the next wave begins.
        soak as "soak": Option<Length>,
        /// `express` or `standard`, if its stacks shall take a release otherwise than the service says;
        /// a wave in express mode soaks five minutes at least.
        deployment as "deployment": Option<Deployment>,
    }

    /// How many stacks of a wave may fail; of two limits the lower one counts.
    struct FailuresSpec {
        /// Stacks.
        count as "count": Option<u32>,
        /// Percent of the wave's stacks, rounded down; 10 at most, as 90 percent must be well.
        percent as "percent": Option<u32>,
    }

    /// What is done about resources that are not as the template made them.
    struct DriftSpec {
        /// `ignore` (not looked for), `report` (unless given) or `revert`: brought back, as far as
        /// CloudFormation can. What is protected waits for a person all the same.
        policy as "policy": Option<DriftPolicy>,
        /// How often each stack is looked into; 24h unless given, 15m to 30d.
        every as "every": Option<Length>,
        /// Drift that is no drift.
        ignore as "ignore": Option<Vec<IgnoreSpec>>,
        /// Where another policy holds: the first that fits.
        exceptions as "exceptions": Option<Vec<DriftExceptionSpec>>,
    }

    /// Drift that is no drift: all that is given must fit, and `*` stands for anything.
    struct IgnoreSpec {
        /// The resource's type, such as `AWS::Lambda::Function` or `AWS::IAM::*`.
        kind as "type": Option<String>,
        /// The resource's name in the template.
        logical_id as "logicalId": Option<String>,
        /// A JSON pointer to a property and all that is in it, such as `/Tags` or
        /// `/Environment/Variables/*`; a part `*` stands for one name or place. Without it a resource
        /// that was deleted is ignored too.
        property as "property": Option<String>,
        /// Why, for those who read the report.
        reason as "reason": Option<String>,
    }

    /// Where another policy holds: all that is given must fit.
    struct DriftExceptionSpec {
        /// Which tenants; every tenant unless given.
        selector as "selector": Option<SelectorSpec>,
        /// The resource's type, such as `AWS::IAM::*`; every type unless given.
        kind as "type": Option<String>,
        /// What holds there.
        policy as "policy": DriftPolicy,
    }

    /// A service that must be complete before, and where.
    struct DependencySpec {
        /// The service.
        service as "service": DocumentName,
        /// `home`: its stack in the tenant's home region, instead of the one beside.
        region as "region": Option<DependencyRegion>,
    }

    /// Which tenants get a service: all conditions must hold.
    struct SelectorSpec {
        /// Labels that the tenant has with exactly these values.
        match_labels as "matchLabels": Option<BTreeMap<String, String>>,
        /// Further conditions.
        match_expressions as "matchExpressions": Option<Vec<RequirementSpec>>,
    }

    /// One condition on one label.
    struct RequirementSpec {
        /// The label.
        key as "key": String,
        /// `In`, `NotIn`, `Exists` or `DoesNotExist`; as in Kubernetes, `NotIn` holds for a tenant
        /// that lacks the label.
        operator as "operator": Operator,
        /// For `In` and `NotIn`.
        values as "values": Option<Vec<String>>,
    }

    /// A region of the fleet with its state.
    struct RegionSpec {
        /// The region.
        name as "name": Region,
        /// Only look and delete there.
        retired as "retired": Option<bool>,
    }
}

/// The version of the documents, checked before anything else is read.
#[derive(Clone, Copy, Debug, JsonSchema)]
pub(super) enum ApiVersion {
    #[schemars(rename = "driftless.dev/v1")]
    V1,
}
