//! What `driftless plan` writes for programs: what would happen, with every stack by name.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cost::Direction;
use crate::report::output::Found;
use crate::report::plan::Reviewed;

/// What `driftless plan --format json` writes.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum PlanOutput {
    /// What would happen.
    Planned(Box<Planned>),
    /// Nothing, as the revision has errors.
    Refused(RefusedPlan),
}

macro_rules! outputs {
    ($($(#[$about:meta])* struct $name:ident { $($(#[$about_field:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Serialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$about_field])* pub $field: $type,)*
        }
    )*};
}

outputs! {
    /// What would happen, with every stack by name.
    struct Planned {
        /// Moves when a field changes its meaning or goes; fields may come.
        version: u32,
        /// Always false here.
        refused: bool,
        /// The fleet's name.
        fleet: String,
        /// What is compared with: `nothing`, `revision` or `live`.
        basis: &'static str,
        /// The revision that is compared with.
        from: Option<String>,
        /// The revision that would be followed.
        to: String,
        /// Whether anything would be otherwise.
        changes: bool,
        /// How many stacks of each action, and `unchanged`.
        counts: BTreeMap<&'static str, usize>,
        /// Targets that could not be seen.
        blind_targets: usize,
        /// What the limit on deletions says; null when nothing would be deleted.
        deletions: Option<PlannedDeletions>,
        /// Tenants that come, those that get the same together.
        new_tenants: Vec<NewTenants>,
        /// Releases that go out in waves.
        releases: Vec<PlannedRelease>,
        /// What a reader has to know besides, one sentence each.
        notices: Vec<String>,
        /// What the change adds to what the fleet costs while nothing runs.
        idle_cost: PlannedCost,
        /// Drift of resources that the change touches.
        drifted: Vec<PlannedDrift>,
        /// What real change sets showed.
        change_sets: Vec<PlannedSample>,
        /// What a person approves with this plan; null in a plan against AWS alone.
        reviewed: Option<Reviewed>,
        /// Changes of the Fleet document that change how the fleet is worked on.
        settings: Vec<PlannedLine>,
        /// Equal changes together: deletions first.
        groups: Vec<PlannedGroup>,
        /// What AWS shows of these stacks that stands in the way: those that will not take the change.
        seen: Vec<PlannedGroup>,
    }

    /// What is wrong with a revision that is refused.
    struct RefusedPlan {
        /// Moves when a field changes its meaning or goes; fields may come.
        version: u32,
        /// Always true here.
        refused: bool,
        /// The revision.
        to: String,
        /// All that is wrong with it.
        findings: Vec<Found>,
    }

    /// What the limit on deletions says.
    struct PlannedDeletions {
        /// How many stacks would be deleted.
        stacks: usize,
        /// Of how many tenants.
        tenants: usize,
        /// Whether they would be held until a person approves them.
        held: bool,
        /// Why.
        why: Option<String>,
        /// The id to approve, where it is known.
        approval: Option<String>,
    }

    /// Tenants that come and get the same.
    struct NewTenants {
        /// Who.
        tenants: Vec<NewTenant>,
        /// Which services, in the order in which they are made; those of one step begin together.
        order: Vec<Vec<String>>,
        /// Where.
        regions: Vec<String>,
        /// How many stacks each of them gets.
        stacks_each: usize,
    }

    /// A tenant that comes.
    struct NewTenant {
        /// Its name.
        tenant: String,
        /// Its account.
        account: String,
    }

    /// A release that goes out in waves.
    struct PlannedRelease {
        /// Of which service.
        service: String,
        /// Its waves in order.
        waves: Vec<PlannedWave>,
    }

    /// One wave.
    struct PlannedWave {
        /// Its name.
        wave: String,
        /// How many stacks take the release in it.
        stacks: usize,
        /// In how many accounts.
        accounts: usize,
        /// How long they must be well before the next wave begins.
        soak_seconds: u64,
        /// Whether a person has to let it begin.
        needs_approval: bool,
    }

    /// What the change adds to what the fleet costs while nothing runs, in US dollars.
    struct PlannedCost {
        /// A month, in all stacks; negative when it costs less.
        usd_per_month: f64,
        /// Whether it may be more.
        is_at_least: bool,
        /// What becomes more or less.
        lines: Vec<PlannedCharge>,
        /// What has no price.
        unknown: Vec<PlannedUnknown>,
        /// What is added and costs nothing while nobody uses it.
        priced_by_use: Vec<PlannedFree>,
        /// What the fleet's policy says about it.
        finding: Option<CostFinding>,
    }

    /// One thing that becomes more or less.
    struct PlannedCharge {
        /// `adds`, `removes`, or `leaves`: it stays in the account without its stack.
        direction: Direction,
        /// The resource's type.
        r#type: String,
        /// What it is.
        what: String,
        /// The name of its price in the Fleet document.
        price: String,
        /// A month for one unit.
        usd_per_unit: f64,
        /// AWS's page with that price; null where it is the fleet's own.
        source: Option<&'static str>,
        /// Units in each stack; null where stacks differ.
        quantity: Option<f64>,
        /// How many stacks.
        stacks: usize,
        /// In how many accounts.
        accounts: usize,
        /// A month in all of them.
        usd_per_month: f64,
        /// Whether it may be more.
        at_least: bool,
        /// Whether nobody can say now if the resources will be there.
        maybe: bool,
    }

    /// Something of unknown price.
    struct PlannedUnknown {
        /// Which way it goes.
        direction: Direction,
        /// The type, or a variant of it.
        what: String,
        /// How many stacks.
        stacks: usize,
        /// In how many accounts.
        accounts: usize,
    }

    /// Something that costs nothing while nobody uses it.
    struct PlannedFree {
        /// The resources' type.
        r#type: String,
        /// How many.
        resources: usize,
        /// What they are charged by.
        charged_by: &'static str,
        /// How many stacks.
        stacks: usize,
        /// In how many accounts.
        accounts: usize,
    }

    /// What the fleet's policy says about the cost.
    struct CostFinding {
        /// `warning`, or `error`: the change is refused.
        severity: String,
        /// Why.
        message: String,
    }

    /// Drift of a resource that the change touches.
    struct PlannedDrift {
        /// Of which service.
        service: Option<String>,
        /// The resource.
        resource: String,
        /// Its type.
        r#type: String,
        /// What is otherwise.
        what: String,
        /// How bad it is.
        severity: String,
        /// In which stacks.
        stacks: Vec<String>,
    }

    /// What a real change set of one stack showed.
    struct PlannedSample {
        /// Which stack.
        stack: String,
        /// Whose it is.
        tenant: String,
        /// What it is.
        service: String,
        /// `changes`, `nothing`, `failed` or `not-made`.
        found: &'static str,
        /// What it would do.
        changes: Vec<String>,
        /// Why there is none.
        why: Option<String>,
    }

    /// Stacks to which the very same happens.
    struct PlannedGroup {
        /// What happens.
        action: &'static str,
        /// Whether they would be taken over, but not before a person approves it: more than tags would
        /// change.
        held: bool,
        /// To stacks of which service.
        service: Option<String>,
        /// How many.
        stack_count: usize,
        /// Of how many tenants.
        tenant_count: usize,
        /// In how many targets.
        target_count: usize,
        /// What is otherwise than before.
        lines: Vec<PlannedLine>,
        /// What happens to the resources of each of them.
        effects: Vec<PlannedEffect>,
        /// What a reader has to know, one clause each.
        notes: Vec<String>,
        /// All of them.
        stacks: Vec<PlannedStack>,
    }

    /// One thing that is otherwise than before.
    struct PlannedLine {
        /// What it is about.
        part: &'static str,
        /// Its name.
        name: String,
        /// Before.
        old: Option<String>,
        /// After.
        new: Option<String>,
        /// JSON pointers to what differs inside a resource.
        paths: Vec<String>,
    }

    /// What happens to one resource.
    struct PlannedEffect {
        /// Its logical id.
        logical_id: String,
        /// Its type.
        r#type: String,
        /// `add`, `modify` or `remove`.
        action: &'static str,
        /// Whether another one takes its place: `never`, `perhaps`, `always`, or `unknown`.
        replaces: &'static str,
        /// Whether this surely happens.
        certain: bool,
        /// JSON pointers to what differs.
        paths: Vec<String>,
        /// Changed resources that these refer to.
        follows: Vec<String>,
        /// Paths that differ for these references alone.
        followed: Vec<String>,
        /// Whether nothing but its tags changes.
        only_tags: bool,
    }

    /// One stack of a group.
    struct PlannedStack {
        /// Its account.
        account: String,
        /// Its region.
        region: String,
        /// Its name; null for a target as a whole.
        stack: Option<String>,
        /// Whose it is.
        tenant: Option<String>,
        /// Where it stood before, or as whose.
        was: Option<String>,
        /// What AWS calls it, where it was taken over or is to be.
        own_name: Option<String>,
    }
}
