//! Where the accounts are: in memory or in a folder.

use std::collections::BTreeMap;

use crate::ids::AccountId;
use crate::sim::folder::{CloudError, Folder};
use crate::sim::state::Account;

/// Every account of a cloud. An account that nobody used yet exists all the same.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(BTreeMap<AccountId, Account>),
    Folder(Folder),
}

impl Store {
    /// Does something with an account; `act` says whether it changed anything.
    pub(crate) fn with<T>(
        &mut self,
        id: AccountId,
        seed: u64,
        act: impl FnOnce(&mut Account) -> (T, bool),
    ) -> Result<T, CloudError> {
        match self {
            Self::Memory(accounts) => {
                let account = accounts.entry(id).or_insert_with(|| Account::new(id, seed));
                Ok(act(account).0)
            }
            Self::Folder(folder) => folder.with(id, seed, act),
        }
    }

    /// Every account in which something was done.
    pub(crate) fn accounts(&self) -> Result<Vec<AccountId>, CloudError> {
        match self {
            Self::Memory(accounts) => Ok(accounts.keys().copied().collect()),
            Self::Folder(folder) => folder.accounts(),
        }
    }
}
