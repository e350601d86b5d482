//! The documents of a fleet: from the files of a snapshot to Fleet, Tenant and Service values, with
//! every finding on single documents reported at once.

mod finding;
mod model;
mod protection;
mod selector;
mod source;
mod text;

pub use finding::{Finding, Severity};
pub use model::{
    Access, Cloud, DeleteLimits, Documents, Exception, Fleet, Lifecycle, Limits, Service,
    ServiceRegions, StackPolicy, Tenant,
};
pub use protection::{PROTECTED_BY_DEFAULT, Protection};
pub use selector::{Operator, Requirement, Selector};
pub use source::Source;
pub use text::{Part, Text, TextError, Variable};
