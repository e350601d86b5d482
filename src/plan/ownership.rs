//! Whose a stack is, by its tags. Tags are static: they propagate to every resource.

use crate::ids::{DocumentName, ServiceName, TenantName};
use crate::observed::Seen;

/// Names the fleet that manages a stack.
pub const FLEET_TAG: &str = "driftless:fleet";
/// Names the tenant that it was made for.
pub const TENANT_TAG: &str = "driftless:tenant";
/// Names the service that it is a stack of.
pub const SERVICE_TAG: &str = "driftless:service";

/// Whether this fleet manages the stack.
pub fn is_ours(seen: &Seen, fleet: &DocumentName) -> bool {
    seen.tags.get(FLEET_TAG).is_some_and(|name| name == fleet.as_str())
}

/// Whether no fleet manages the stack.
pub fn is_nobody_s(seen: &Seen) -> bool {
    !seen.tags.contains_key(FLEET_TAG)
}

/// The fleet that manages the stack, as the tag has it: others may write anything into it.
pub fn owner_of(seen: &Seen) -> Option<String> {
    seen.tags.get(FLEET_TAG).cloned()
}

/// The tenant that the stack was made for.
pub fn tenant_of(seen: &Seen) -> Option<TenantName> {
    seen.tags.get(TENANT_TAG)?.parse().ok()
}

/// The service that the stack is one of.
pub fn service_of(seen: &Seen) -> Option<ServiceName> {
    seen.tags.get(SERVICE_TAG)?.parse().ok()
}
