//! A simulated AWS that answers the real wire protocol from memory or from a folder. It is plugged
//! in as the SDK's HTTP client or served on a port, and what it does not know it refuses loudly.

mod blueprint;
mod calls;
mod cloudformation;
mod comparison;
mod connector;
mod console;
mod deed;
mod drift;
mod drift_faults;
mod dynamic;
mod evaluate;
mod family;
mod faults;
mod folder;
mod front;
mod inspection;
mod library;
mod machine;
mod phase;
mod quotas;
mod reality;
mod refusal;
mod resources;
mod roles;
mod s3;
mod secrets;
mod serve;
mod sessions;
mod signature;
mod state;
mod status;
mod store;
mod sts;
mod timeline;
mod weather;
mod wire;
mod witness;
mod works;
mod xml;

pub use calls::{Call, CallKey};
pub use console::{
    ChangeSetView, Console, ConsoleError, Drifted, EventView, Reality, ResourceView, Running,
    StackView,
};
pub use drift_faults::{DriftFault, DriftTrouble, Shown};
pub use faults::{CallFault, Calls, ResourceFault, Script};
pub use folder::CloudError;
pub use s3::BucketAccess;
pub use serve::ServeLimits;
pub use status::Status;
pub use timeline::Phase;
pub use weather::Weather;
pub use witness::{Asked, Ending, Witness};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::clock::Clock;
use crate::ids::AccountId;
use crate::sim::connector::Connector;
use crate::sim::folder::Folder;
use crate::sim::front::{Inner, locked};
use crate::sim::library::Library;
use crate::sim::s3::Buckets;
use crate::sim::sessions::account_keys;
use crate::sim::store::Store;

/// The account whose keys [`Cloud::credentials`] are: the base that assumes roles elsewhere.
pub const HUB_ACCOUNT: &str = "999999999999";

/// How a simulated cloud behaves.
#[derive(Clone, Debug)]
pub struct CloudSettings {
    /// Operations take their resources' time divided by this; infinite is at once.
    pub speed: f64,
    /// Each operation takes up to this part longer than its resources; 1: up to twice as long.
    pub spread: f64,
    /// The same seed gives the same identifiers, and the same lengths of operations.
    pub seed: u64,
    /// The only role that exists, with its path; `None`: every role of every account.
    pub role_name: Option<String>,
    /// Where this is given, roles are real. An account has this one from the beginning, with its path
    /// and `{account}` for the account's number, which trusts the hub account and may do everything;
    /// and those that stacks make. `None`: [`Self::role_name`] alone counts.
    pub bootstrap_role: Option<String>,
    /// How many seconds after it was made a role can be assumed, as IAM takes a while.
    pub role_seconds: u32,
    /// Resource types that are taken without knowing them; others that are unknown are refused.
    pub opaque_types: BTreeSet<String>,
    /// How long a resource of an opaque type takes, in seconds.
    pub opaque_seconds: u32,
    /// Stacks that an account may have in a region; AWS raises its 2,000 on request.
    pub stack_limit: usize,
    /// Whether calls are throttled at rates like AWS's; `None`: in a folder only.
    pub quotas: Option<bool>,
    /// Stacks of one page of DescribeStacks and ListStacks.
    pub stacks_per_page: usize,
    /// Events, resources, changes or change sets of one page of any other list.
    pub events_per_page: usize,
    /// Whether it is kept what stacks looked like minutes ago, for [`CallFault::AsOf`].
    pub remembers: bool,
    /// Whether drift-aware change sets are taken for plain ones without a word, as by endpoints
    /// that do not know them.
    pub ignores_deployment_mode: bool,
}

impl Default for CloudSettings {
    fn default() -> Self {
        Self {
            speed: 1.0,
            spread: 0.0,
            seed: 0,
            role_name: None,
            bootstrap_role: None,
            role_seconds: 0,
            opaque_types: BTreeSet::new(),
            opaque_seconds: 15,
            stack_limit: 2_000,
            quotas: None,
            stacks_per_page: 100,
            events_per_page: 100,
            remembers: false,
            ignores_deployment_mode: false,
        }
    }
}

/// A simulated AWS. A clone is the same cloud.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<Inner>);

impl Cloud {
    /// A cloud that is gone with the process.
    pub fn in_memory(settings: CloudSettings, clock: Clock) -> Self {
        let quotas_hold = settings.quotas.unwrap_or(false);
        let store = Store::Memory(BTreeMap::new());
        let (library, buckets) = (Library::new(None), Buckets::new(None));
        Self::new(settings, quotas_hold, clock, store, (library, buckets))
    }

    /// A cloud that survives the process. Several processes may use one folder at once.
    pub fn in_folder(
        path: &Path,
        settings: CloudSettings,
        clock: Clock,
    ) -> Result<Self, CloudError> {
        let quotas_hold = settings.quotas.unwrap_or(true);
        let store = Store::Folder(Folder::open(path)?);
        let library = Library::new(Some(path.join("templates")));
        let buckets = Buckets::new(Some(path.join("objects")));
        Ok(Self::new(settings, quotas_hold, clock, store, (library, buckets)))
    }

    fn new(
        settings: CloudSettings,
        quotas_hold: bool,
        clock: Clock,
        store: Store,
        (library, buckets): (Library, Buckets),
    ) -> Self {
        Self(Arc::new(Inner {
            settings,
            quotas_hold,
            clock,
            library,
            buckets,
            store: Mutex::new(store),
            script: Script::default(),
            quotas: Mutex::default(),
            log: Mutex::default(),
            requests: Mutex::default(),
            witness: Mutex::default(),
        }))
    }

    /// For the SDK's configuration; it answers on the spot.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(Connector(self.0.clone()))
    }

    /// Keys of the hub account.
    pub fn credentials(&self) -> Credentials {
        let (access_key, secret) = self.keys_of(None);
        Credentials::new(access_key, secret, None, None, "simulated")
    }

    /// Access key and secret of an account, or of the hub: they do not end, and may do everything
    /// there.
    pub fn keys_of(&self, account: Option<AccountId>) -> (String, String) {
        // The constant is twelve digits, so this is never another account.
        let account = account.or_else(|| HUB_ACCOUNT.parse().ok());
        account.map(account_keys).unwrap_or_default()
    }

    /// A person at the console.
    pub fn console(&self) -> Console {
        Console(self.0.clone())
    }

    /// What shall go wrong.
    pub fn script(&self) -> Script {
        self.0.script.clone()
    }

    /// From now on `witness` sees every call; `None` ends that.
    pub fn set_witness(&self, witness: Option<Arc<dyn Witness>>) {
        *locked(&self.0.witness) = witness;
    }

    /// The actions of CloudFormation and STS that are answered.
    pub fn actions() -> impl Iterator<Item = &'static str> {
        cloudformation::names().chain(sts::ACTIONS)
    }

    /// The operations of S3 that are answered.
    pub fn operations_of_s3() -> impl Iterator<Item = &'static str> {
        s3::Operation::ALL.into_iter().map(s3::Operation::name)
    }

    /// The calls so far, oldest first, up to 200,000 of the newest.
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.0.log).calls()
    }

    /// How often each API was called, by account of the keys and region.
    pub fn call_counts(&self) -> BTreeMap<CallKey, u64> {
        locked(&self.0.log).counts()
    }

    /// Forgets the calls so far, not what was refused.
    pub fn clear_calls(&self) {
        locked(&self.0.log).clear();
    }

    /// What was refused because this simulation does not know it: a test that finds something here
    /// has tested something else than it meant to.
    pub fn refused(&self) -> Vec<String> {
        locked(&self.0.log).refused()
    }
}

#[cfg(test)]
mod tests;
