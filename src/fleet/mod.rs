//! The documents of a fleet: from the files of a snapshot to Fleet, Tenant and Service values, with
//! every finding on single documents reported at once.

mod adoption;
mod artifacts;
mod bootstrap;
mod build;
mod build_outputs;
mod channel;
mod commit_status;
mod document;
mod drift;
pub mod edit;
mod files;
mod finding;
mod freeze;
mod gathering;
mod idle_cost;
mod load;
mod model;
mod money;
mod protection;
mod reader;
mod schema;
mod selector;
mod source;
mod stray;
mod text;
mod values;
mod waves;
mod yaml;

pub use adoption::Adoption;
pub use artifacts::Bucket;
pub use bootstrap::{Bootstrap, GIVEN, Principal};
pub use build_outputs::BuildOutput;
pub(crate) use channel::SECRET_IN_GIT;
pub use channel::{Address, Channel, Receiver, Secret, Topic, why_not_a_url};
pub use commit_status::{GitHost, HostProject};
pub use drift::{
    DriftException, DriftPolicy, DriftRules, DriftSettings, Glob, IgnoreRule, Pointer,
};
pub use finding::{Finding, Severity};
pub use freeze::{Freeze, never_close};
pub use gathering::{Complaint, Gathering};
pub use idle_cost::IdleCost;
pub use load::{load, load_after};
pub use model::{
    Access, Cloud, DeleteLimits, Deployment, Documents, DriftCalls, Exception, Fleet, Gaps,
    Lifecycle, Limits, Service, ServiceRegions, StackPolicy, Tenant,
};
pub use money::{Money, Quantity};
pub use protection::{PROTECTED_BY_DEFAULT, Protection};
pub(crate) use reader::nearest;
pub use schema::schemas;
pub use selector::{Operator, Requirement, Selector};
pub use source::Source;
pub use text::{Part, Text, TextError, Variable};
pub use waves::{FailureBudget, MUST_SETTLE_PERCENT, OnHalt, Share, Wave, WavePlan};
