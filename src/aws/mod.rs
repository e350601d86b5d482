//! AWS in our words: sessions in many accounts, CloudFormation calls that are paced and repeated,
//! and errors that say what to do next. Nothing else in this program names the SDK.

use std::fmt;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;

use crate::aws::access::{SessionKey, Sessions};
use crate::aws::call::Caller;
use crate::aws::connection::Connection;
use crate::clock::Clock;
use crate::ids::{Region, Target};

mod access;
mod base;
mod call;
mod changes;
mod connection;
mod count;
mod denial;
mod drift;
mod error;
mod objects;
mod pace;
mod places;
mod probe;
mod retry;
mod server_clock;
mod stack_sets;
mod stacks;
mod words;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod fuzz;

pub use access::Access;
pub use call::Permission;
pub use changes::{GivenTemplate, StackInputs};
pub use count::{CallEnd, Counters};
pub use error::{Answer, AwsError};
pub use objects::{Objects, Stored};
pub use pace::{Api, Bucket};
pub use probe::{Census, PROBED, Probed};
pub use retry::Patience;
pub use server_clock::ClockSkew;
pub use stack_sets::StackSets;

/// What the calls are made with.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// Credentials, HTTP client and endpoint; its region, retries and timeouts are not used.
    pub base: SdkConfig,
    /// Where STS is asked: sessions are valid everywhere, and a near region answers sooner.
    pub home: Region,
    /// The time.
    pub clock: Clock,
    /// Becomes part of the role session name, which CloudTrail shows.
    pub controller_id: String,
    /// How long one call is tried.
    pub patience: Patience,
}

/// AWS as a whole. Cheap to clone; clones share sessions, pace and counters.
#[derive(Clone, Debug)]
pub struct Aws(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Connection,
    caller: Arc<Caller>,
    sessions: Sessions,
}

impl Aws {
    /// AWS with these settings.
    pub fn of(settings: AwsSettings) -> Self {
        let AwsSettings { base, home, clock, controller_id, patience } = settings;
        let connection = Connection::new(&base, home);
        let caller = Arc::new(Caller::new(clock, patience));
        let sessions = Sessions::new(connection.clone(), Arc::clone(&caller), &controller_id);
        Self(Arc::new(Shared { connection, caller, sessions }))
    }

    /// AWS as the environment names it (`AWS_PROFILE`, `AWS_ENDPOINT_URL`, a role of the machine
    /// and so on). `home` is where STS is asked when the environment names no region. Nothing is
    /// called yet: missing credentials show at the first call.
    pub async fn from_environment(clock: Clock, controller_id: &str, home: Region) -> Self {
        let base = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(connection::https_client())
            .load()
            .await;
        let named = base.region().and_then(|region| region.as_ref().parse().ok());
        Self::of(AwsSettings {
            home: named.unwrap_or(home),
            base,
            clock,
            controller_id: controller_id.to_owned(),
            patience: Patience::default(),
        })
    }

    /// A cloud that lives in this process, behind `http_client`, in the time of `clock`.
    pub fn simulated(
        http_client: SharedHttpClient,
        credentials: Credentials,
        clock: Clock,
        controller_id: &str,
        home: Region,
    ) -> Self {
        Self::of(AwsSettings {
            base: connection::in_process(http_client, credentials, clock.clone()),
            home,
            clock,
            controller_id: controller_id.to_owned(),
            patience: Patience::default(),
        })
    }

    /// The calls of one target. Cheap: nothing is called yet.
    pub fn target(&self, target: &Target, access: &Access) -> TargetApi {
        let session = SessionKey { account: target.account, access: access.clone() };
        TargetApi { aws: self.clone(), target: target.clone(), session, permission: None }
    }

    /// How far the clock of this machine is from AWS's, as the latest answer told.
    pub fn clock_skew(&self) -> Option<ClockSkew> {
        self.0.connection.server_clock.latest()
    }

    /// What the calls cost so far.
    pub fn counters(&self) -> Counters {
        self.0.caller.counting.totals()
    }
}

/// CloudFormation in one target. All calls wait for their turn and are repeated while that helps.
#[derive(Clone)]
pub struct TargetApi {
    aws: Aws,
    target: Target,
    session: SessionKey,
    permission: Option<Permission>,
}

impl TargetApi {
    /// Where it calls.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The same calls, of which those that change something ask first, right before each try.
    /// Once `permission` says no they end with [`AwsError::Stopped`].
    pub fn while_allowed(mut self, permission: Permission) -> Self {
        self.permission = Some(permission);
        self
    }
}

impl fmt::Debug for TargetApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetApi").field("target", &self.target).finish_non_exhaustive()
    }
}
