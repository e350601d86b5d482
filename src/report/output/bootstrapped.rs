//! What `driftless bootstrap` did, for programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::FORMAT_VERSION;
use crate::report::bootstrap::{Preparation, Prepared, PreparedAccount};

/// What became of the accounts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrapped {
    /// Moves when a field changes its meaning or goes; fields may come.
    pub version: u32,
    /// Whether the role can be assumed in every account: the exit code is 3 otherwise.
    pub complete: bool,
    /// Accounts that were ready before.
    pub ready: usize,
    /// Accounts in which the role was made.
    pub made: usize,
    /// Accounts in which the role was changed.
    pub updated: usize,
    /// Accounts in which the role cannot be assumed.
    pub failed: usize,
    /// Accounts that were left out, since it was told to stop.
    pub not_begun: usize,
    /// Every account, in the order of tenants.
    pub accounts: Vec<BootstrappedAccount>,
}

/// What became of one account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootstrappedAccount {
    /// Whose it is.
    pub tenant: String,
    /// Its twelve digits.
    pub account: String,
    /// `ready`, `made`, `updated`, `failed` or `not-begun`.
    pub state: String,
    /// Why it failed; null otherwise.
    pub reason: Option<String>,
    /// What the role may do that it could not; empty unless it was updated.
    pub gains: Vec<String>,
    /// What the role may do no more; empty unless it was updated.
    pub loses: Vec<String>,
    /// Whether the template says otherwise whom the role trusts.
    pub trust_changed: bool,
    /// Whether its rights hold for other resources or under other conditions.
    pub scope_changed: bool,
}

impl Bootstrapped {
    /// The output for what was done.
    pub fn of(preparation: &Preparation) -> Self {
        Self {
            version: FORMAT_VERSION,
            complete: preparation.is_complete(),
            ready: preparation.count(|one| *one == Prepared::Ready),
            made: preparation.count(|one| *one == Prepared::Made),
            updated: preparation.count(|one| matches!(one, Prepared::Updated(_))),
            failed: preparation.count(|one| matches!(one, Prepared::Failed(_))),
            not_begun: preparation.count(|one| *one == Prepared::NotBegun),
            accounts: preparation.0.iter().map(account).collect(),
        }
    }
}

fn account(one: &PreparedAccount) -> BootstrappedAccount {
    let (state, reason, change) = match &one.prepared {
        Prepared::Ready => ("ready", None, None),
        Prepared::Made => ("made", None, None),
        Prepared::Updated(change) => ("updated", None, Some(change)),
        Prepared::Failed(why) => ("failed", Some(why.clone()), None),
        Prepared::NotBegun => ("not-begun", None, None),
    };
    let list = |of: &std::collections::BTreeSet<String>| of.iter().cloned().collect();
    BootstrappedAccount {
        tenant: one.tenant.to_string(),
        account: one.account.to_string(),
        state: state.to_owned(),
        reason,
        gains: change.map(|change| list(&change.gains)).unwrap_or_default(),
        loses: change.map(|change| list(&change.loses)).unwrap_or_default(),
        trust_changed: change.is_some_and(|change| change.trust),
        scope_changed: change.is_some_and(|change| change.scope),
    }
}
