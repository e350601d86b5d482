//! AssumeRole sessions, one per account and role. Many callers that need the same one wait for a
//! single call; a failure is remembered for a while, so that a denied role is not hammered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use tokio::sync::OnceCell;

use crate::aws::call::Caller;
use crate::aws::connection::Connection;
use crate::aws::error::AwsError;
use crate::aws::pace::{Api, BucketKey};
use crate::aws::retry::share_of;
use crate::ids::{AccountId, Digest};
use crate::moment::Moment;

/// The longest session that a role allows when roles are chained.
const SESSION_SECONDS: i32 = 3_600;
/// A session is renewed so long before it ends: longer than any call with all of its tries.
const RENEWED_BEFORE_END: Duration = Duration::from_secs(300);
/// Renewals are spread over this time, so that sessions begun together do not end together.
const RENEWALS_SPREAD_OVER: Duration = Duration::from_secs(300);
/// A session with less left than this is not used for another call.
const LAST_USED_BEFORE_END: Duration = Duration::from_secs(30);
/// The first pause after a failure, doubled with each one that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Access that a person has just given is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// Three times 6,000 accounts with room for their bootstrap roles: with fewer sessions than accounts, each look would begin one and end that of the account which is looked at next. A session
/// takes about 2 KB.
const MAX_SESSIONS: usize = 20_000;
/// AWS's limit on the name of a session.
const MAX_NAME: usize = 64;

/// How a target is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The role to assume, in the target's account.
    pub role_arn: String,
    /// What the role's trust policy asks for, if it does.
    pub external_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionKey {
    pub(super) account: AccountId,
    pub(super) access: Access,
}

/// The right to act in one account for a while.
#[derive(Debug)]
pub(super) struct Session {
    /// The SDK prints these without the secret.
    pub(super) credentials: Credentials,
    renew_at: Moment,
    ends_at: Moment,
    checked: OnceCell<()>,
}

impl Session {
    fn is_usable(&self, now: Moment) -> bool {
        now + LAST_USED_BEFORE_END < self.ends_at
    }
}

#[derive(Debug, Default)]
struct State {
    session: Option<Arc<Session>>,
    failure: Option<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    error: AwsError,
    until: Moment,
    count: u32,
}

type Slot = Arc<tokio::sync::Mutex<State>>;

#[derive(Debug)]
struct Entry {
    slot: Slot,
    used_at: Moment,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    connection: Connection,
    client: aws_sdk_sts::Client,
    caller: Arc<Caller>,
    name: String,
    entries: Mutex<BTreeMap<SessionKey, Entry>>,
}

impl Sessions {
    pub(super) fn new(connection: Connection, caller: Arc<Caller>, controller_id: &str) -> Self {
        let client = connection.token_service();
        let name = session_name(controller_id);
        Self { connection, client, caller, name, entries: Mutex::default() }
    }

    /// The session of an account, from memory or by AssumeRole.
    pub(super) async fn session(&self, key: &SessionKey) -> Result<Arc<Session>, AwsError> {
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        let now = self.caller.clock.now();
        if let Some(session) = state.session.as_ref().filter(|session| now < session.renew_at) {
            return Ok(Arc::clone(session));
        }
        if state.failure.as_ref().is_none_or(|failure| failure.until <= now) {
            match self.assume(key).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    *state = State { session: Some(Arc::clone(&session)), failure: None };
                    return Ok(session);
                }
                Err(error) => self.remember(&mut state, key, error),
            }
        }
        let now = self.caller.clock.now();
        match (&state.session, &state.failure) {
            (Some(session), _) if session.is_usable(now) => Ok(Arc::clone(session)),
            (_, Some(failure)) => Err(failure.error.clone()),
            (_, None) => Err(AwsError::malformed(Api::AssumeRole, "the session ended at once")),
        }
    }

    fn remember(&self, state: &mut State, key: &SessionKey, error: AwsError) {
        let count = state.failure.as_ref().map_or(1, |failure| failure.count.saturating_add(1));
        let longest = FIRST_PAUSE.saturating_mul(1 << count.min(16).saturating_sub(1));
        let share = share_of(seed_of(key), count);
        let pause = longest.min(LONGEST_PAUSE).mul_f64(0.75 + share / 4.0);
        state.failure = Some(Remembered { error, until: self.caller.clock.now() + pause, count });
    }

    async fn assume(&self, key: &SessionKey) -> Result<Session, AwsError> {
        let request = self
            .client
            .assume_role()
            .role_arn(&key.access.role_arn)
            .role_session_name(&self.name)
            .set_external_id(key.access.external_id.clone())
            .duration_seconds(SESSION_SECONDS);
        let bucket = self.bucket(None, Api::AssumeRole);
        let output = self.caller.call(&bucket, None, || request.clone().send()).await?;
        self.session_of(key, &output)
    }

    fn session_of(&self, key: &SessionKey, output: &AssumeRoleOutput) -> Result<Session, AwsError> {
        let malformed = |what: &str| AwsError::malformed(Api::AssumeRole, what);
        let user = output.assumed_role_user().ok_or_else(|| malformed("no AssumedRoleUser"))?;
        must_be_of(key.account, Api::AssumeRole, user.arn())?;
        let credentials = output.credentials().ok_or_else(|| malformed("no Credentials"))?;
        let keys = [
            credentials.access_key_id(),
            credentials.secret_access_key(),
            credentials.session_token(),
        ];
        // They become headers, and the SDK panics over what cannot be one.
        let is_key =
            |key: &&str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !keys.iter().all(is_key) {
            return Err(malformed("Credentials that are none"));
        }
        let ends_at = SystemTime::try_from(*credentials.expiration())
            .map(Moment::from)
            .map_err(|_| malformed("an Expiration that is no time"))?;
        let now = self.caller.clock.now();
        let spread = RENEWALS_SPREAD_OVER.mul_f64(share_of(seed_of(key), 0));
        // A short session is used for half of its time at least.
        let margin = (RENEWED_BEFORE_END + spread).min(ends_at.since(now) / 2);
        let [id, secret, token] = keys;
        let credentials = Credentials::new(id, secret, Some(token.to_owned()), None, "AssumeRole");
        let checked = OnceCell::new();
        Ok(Session { credentials, renew_at: ends_at - margin, ends_at, checked })
    }

    /// Asks AWS once per session whose it is; nothing is changed with one of another account.
    pub(super) async fn check(
        &self,
        key: &SessionKey,
        session: &Arc<Session>,
    ) -> Result<(), AwsError> {
        let result = session.checked.get_or_try_init(|| self.ask_whose(key, session)).await;
        if let Err(error @ AwsError::WrongAccount(_)) = &result {
            self.forget(key, session, Some(error)).await;
        }
        result.copied()
    }

    /// The ARN of whom the credentials belong to that roles are assumed with.
    pub(super) async fn base_arn(&self) -> Result<String, AwsError> {
        let bucket = self.bucket(None, Api::GetCallerIdentity);
        let request = self.client.get_caller_identity();
        let output = self.caller.call(&bucket, None, || request.clone().send()).await?;
        let arn = output.arn().filter(|arn| !arn.is_empty());
        let missing = || AwsError::malformed(Api::GetCallerIdentity, "no Arn");
        arn.map(str::to_owned).ok_or_else(missing)
    }

    async fn ask_whose(&self, key: &SessionKey, session: &Session) -> Result<(), AwsError> {
        let client = self.connection.token_service_as(&session.credentials);
        let bucket = self.bucket(Some(key.account), Api::GetCallerIdentity);
        let request = client.get_caller_identity();
        let output = self.caller.call(&bucket, None, || request.clone().send()).await?;
        let arn = output.arn().unwrap_or_default();
        if output.account() == Some(key.account.to_string().as_str()) {
            return must_be_of(key.account, Api::GetCallerIdentity, arn);
        }
        Err(not_of(key.account, Api::GetCallerIdentity, arn))
    }

    /// Drops a session that AWS no longer accepts, or that turned out to be of no use for `error`,
    /// which is then the answer for a while. Another caller may have replaced it already.
    pub(super) async fn forget(
        &self,
        key: &SessionKey,
        session: &Arc<Session>,
        error: Option<&AwsError>,
    ) {
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        if !state.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            return;
        }
        let until = self.caller.clock.now() + LONGEST_PAUSE;
        let failure = error.map(|error| Remembered { error: error.clone(), until, count: 1 });
        *state = State { session: None, failure };
    }

    /// Forgets session and failure: the role is another one now.
    pub(super) async fn begin_anew(&self, key: &SessionKey) {
        *self.slot(key).lock().await = State::default();
    }

    fn slot(&self, key: &SessionKey) -> Slot {
        let now = self.caller.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.contains_key(key) && entries.len() >= MAX_SESSIONS {
            drop_longest_unused(&mut entries);
        }
        let entry = entries
            .entry(key.clone())
            .or_insert_with(|| Entry { slot: Slot::default(), used_at: now });
        entry.used_at = now;
        Arc::clone(&entry.slot)
    }

    fn bucket(&self, account: Option<AccountId>, api: Api) -> BucketKey {
        BucketKey { account, region: self.connection.home.clone(), api }
    }
}

/// Makes room by a tenth at a time, so that a full memory is not walked through for each account.
fn drop_longest_unused(entries: &mut BTreeMap<SessionKey, Entry>) {
    let mut times: Vec<Moment> = entries.values().map(|entry| entry.used_at).collect();
    times.sort_unstable();
    let Some(oldest) = times.get(times.len() / 10).copied() else { return };
    entries.retain(|_, entry| entry.used_at > oldest || Arc::strong_count(&entry.slot) > 1);
}

fn must_be_of(account: AccountId, api: Api, arn: &str) -> Result<(), AwsError> {
    if arn.split(':').nth(4) == Some(account.to_string().as_str()) {
        return Ok(());
    }
    Err(not_of(account, api, arn))
}

fn not_of(account: AccountId, api: Api, arn: &str) -> AwsError {
    let text = format!(
        "the session is `{arn}`, not one of account {account}: correct `access.roleArn` in the fleet"
    );
    AwsError::wrong_account(api, text)
}

fn seed_of(key: &SessionKey) -> Digest {
    Digest::of_parts([key.account.to_string().as_bytes(), key.access.role_arn.as_bytes()])
}

/// What CloudTrail shows: `driftless-<controller>` in the characters that AWS allows.
fn session_name(controller_id: &str) -> String {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    let spelled = controller_id.chars().map(|letter| if legal(letter) { letter } else { '-' });
    "driftless-".chars().chain(spelled).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

    use super::*;
    use crate::aws::fake::{ACCOUNT, Reply, Server, caller, refusal, session, stacks};

    fn list_only(asked: &crate::aws::fake::Asked) -> Reply {
        match asked.action.as_str() {
            "DescribeStacks" => stacks("", None),
            _ => Reply::Usual,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_cannot_be_sent_are_no_session() {
        for (key, broken) in
            [("t0k3n", "t0k\n3n"), ("t0k3n", ""), ("s3cr3t", "ä"), ("SESSION0", "\u{1}")]
        {
            let server = Server::of(move |asked| match asked.action.as_str() {
                "AssumeRole" => {
                    let hour = Duration::from_secs(3_600);
                    let Reply::Body(status, body) = session(ACCOUNT, 0, asked.at + hour) else {
                        unreachable!("a body")
                    };
                    Reply::Body(status, body.replace(key, broken))
                }
                _ => list_only(asked),
            });
            let error = server.api().list().await.expect_err("no session");
            assert!(matches!(error, AwsError::Malformed(_)), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_sts_answers_its_keys_are_in_no_error() {
        let breaks: [fn(&str) -> String; 4] = [
            |body| body.split("</SessionToken>").next().unwrap_or_default().to_owned(),
            |body| body.replace("<Expiration>", "<Expiration>s3cr3t t0k3n "),
            |body| body.replace("<Credentials>", "<Credentials <"),
            |body| body.replace("t0k3n", "t0k3n\n"),
        ];
        for broken in breaks {
            let server = Server::of(move |asked| match asked.action.as_str() {
                "AssumeRole" => {
                    let hour = Duration::from_secs(3_600);
                    let Reply::Body(status, body) = session(ACCOUNT, 0, asked.at + hour) else {
                        unreachable!("a body")
                    };
                    Reply::Body(status, broken(&body))
                }
                _ => list_only(asked),
            });
            let error = server.api().list().await.expect_err("no session");
            let told = format!("{error} {error:?}");
            assert!(!told.contains("s3cr3t") && !told.contains("t0k3n"), "{told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_callers_at_once_need_one_session() {
        let server = Server::of(list_only);
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let api = server.api();
                tokio::spawn(async move { api.list().await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().expect("a listing");
        }
        assert_eq!(server.count("AssumeRole"), 1);
        let asked = &server.asked("AssumeRole")[0];
        assert_eq!(asked.field("RoleSessionName"), "driftless-one");
        assert_eq!(asked.field("ExternalId"), "shared");
        assert_eq!(asked.host, "sts.eu-west-1.amazonaws.com");
        assert_eq!(asked.key, "BASE");
        let asked = &server.asked("DescribeStacks")[0];
        assert_eq!(asked.host, "cloudformation.eu-central-1.amazonaws.com");
        assert_eq!(asked.key, "SESSION0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_renewed_before_it_ends() {
        let server = Server::of(list_only);
        server.api().list().await.expect("a listing");
        server.clock.sleep(Duration::from_secs(49 * 60)).await;
        server.api().list().await.expect("a listing");
        assert_eq!(server.count("AssumeRole"), 1);
        server.clock.sleep(Duration::from_secs(6 * 60)).await;
        server.api().list().await.expect("a listing");
        assert_eq!(server.count("AssumeRole"), 2);
        assert_eq!(server.asked("DescribeStacks")[2].key, "SESSION1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_used_to_its_end_while_it_cannot_be_renewed() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "AssumeRole" if asked.before > 0 => refusal(403, "AccessDenied", "no more"),
            _ => list_only(asked),
        });
        server.api().list().await.expect("a listing");
        server.clock.sleep(Duration::from_secs(56 * 60)).await;
        server.api().list().await.expect("a listing");
        server.clock.sleep(Duration::from_secs(4 * 60)).await;
        let error = server.api().list().await.expect_err("ended");
        assert!(matches!(error, AwsError::Denied(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_denied_role_is_not_hammered_and_access_given_later_is_noticed() {
        let open = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let gate = Arc::clone(&open);
        let server = Server::of(move |asked| match asked.action.as_str() {
            "AssumeRole" if !gate.load(std::sync::atomic::Ordering::Relaxed) => {
                refusal(403, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole")
            }
            _ => list_only(asked),
        });
        for _ in 0..3_600 {
            let error = server.api().list().await.expect_err("denied");
            assert!(matches!(error, AwsError::Denied(_)), "{error}");
            let region = server.api().target().region.clone();
            assert_eq!(error.blind_reason(&region), crate::observed::BlindReason::RoleRefused);
            server.clock.sleep(Duration::from_secs(1)).await;
        }
        let asked = server.count("AssumeRole");
        assert!((20..60).contains(&asked), "{asked} calls in an hour");
        open.store(true, std::sync::atomic::Ordering::Relaxed);
        server.clock.sleep(LONGEST_PAUSE).await;
        server.api().list().await.expect("a listing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_of_another_account_is_not_used() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "AssumeRole" => session("999900001111", 0, asked.at + Duration::from_secs(3_600)),
            _ => list_only(asked),
        });
        let error = server.api().list().await.expect_err("wrong account");
        assert!(matches!(error, AwsError::WrongAccount(_)), "{error}");
        assert!(error.text().contains("999900001111"), "{error}");
        assert_eq!(error.cause().class, crate::outcome::CauseClass::Account);
        assert_eq!(server.count("DescribeStacks"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_account_is_asked_once_per_session_before_its_first_change() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "DeleteStack" => crate::aws::fake::ok("DeleteStack", ""),
            _ => list_only(asked),
        });
        let (api, id) = (server.api(), crate::ids::StackId::of(crate::aws::fake::STACK));
        api.list().await.expect("a listing");
        assert_eq!(server.count("GetCallerIdentity"), 0);
        for _ in 0..3 {
            api.delete_stack(&id, &[], "token").await.expect("deleted");
        }
        assert_eq!(server.count("GetCallerIdentity"), 1);
        assert_eq!(server.asked("GetCallerIdentity")[0].key, "SESSION0");
        server.clock.sleep(Duration::from_secs(3_600)).await;
        api.delete_stack(&id, &[], "token").await.expect("deleted");
        assert_eq!(server.count("GetCallerIdentity"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_changed_when_sts_says_that_the_session_is_of_another_account() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "GetCallerIdentity" => caller("999900001111"),
            _ => list_only(asked),
        });
        let id = crate::ids::StackId::of(crate::aws::fake::STACK);
        for _ in 0..20 {
            let error = server.api().delete_stack(&id, &[], "token").await.expect_err("wrong");
            assert!(matches!(error, AwsError::WrongAccount(_)), "{error}");
            assert!(!error.may_have_happened());
        }
        assert_eq!(server.count("DeleteStack"), 0);
        assert_eq!(server.count("GetCallerIdentity"), 1, "remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_aws_ended_is_replaced_once() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "DescribeStacks" if asked.key == "SESSION0" => refusal(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            ),
            _ => list_only(asked),
        });
        server.api().list().await.expect("a listing");
        assert_eq!((server.count("AssumeRole"), server.count("DescribeStacks")), (2, 2));
        let broken = Server::of(|asked| match asked.action.as_str() {
            "DescribeStacks" => refusal(403, "ExpiredToken", "expired"),
            _ => list_only(asked),
        });
        let error = broken.api().list().await.expect_err("always expired");
        assert!(matches!(error, AwsError::Denied(_)), "{error}");
        assert_eq!((broken.count("AssumeRole"), broken.count("DescribeStacks")), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_aws_ended_is_replaced_before_a_change_too() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "GetCallerIdentity" if asked.key == "SESSION0" => {
                refusal(403, "ExpiredToken", "expired")
            }
            "DeleteStack" => crate::aws::fake::ok("DeleteStack", ""),
            _ => list_only(asked),
        });
        let id = crate::ids::StackId::of(crate::aws::fake::STACK);
        server.api().delete_stack(&id, &[], "token").await.expect("deleted");
        assert_eq!(server.asked("DeleteStack")[0].key, "SESSION1");
        let server = Server::of(|asked| match asked.action.as_str() {
            "GetCallerIdentity" if asked.key == "SESSION0" => {
                refusal(403, "ExpiredToken", "expired")
            }
            _ => Reply::Usual,
        });
        server.api().check_account().await.expect("checked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_without_credentials_is_told_what_to_do() {
        #[derive(Debug)]
        struct Nothing;
        impl ProvideCredentials for Nothing {
            fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
            where
                Self: 'a,
            {
                future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no profile")))
            }
        }
        let server = Server::of(list_only);
        let base = server.base.to_builder();
        let base = base.credentials_provider(SharedCredentialsProvider::new(Nothing)).build();
        let aws = crate::aws::Aws::of(crate::aws::AwsSettings {
            base,
            home: "eu-west-1".parse().unwrap(),
            clock: server.clock.clone(),
            controller_id: "one".into(),
            patience: crate::aws::Patience::default(),
        });
        let api = server.api();
        let error = aws.target(api.target(), &api.session.access).list().await.expect_err("none");
        assert!(matches!(error, AwsError::Denied(_)), "{error:?}");
        assert!(error.text().contains("set AWS_PROFILE"), "{error}");
        assert_eq!(error.cause().class, crate::outcome::CauseClass::Account);
        assert_eq!(server.count("AssumeRole"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_account_that_sts_does_not_answer_for_does_not_hold_up_another() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "AssumeRole" if asked.field("RoleArn").contains(ACCOUNT) => Reply::Silent,
            _ => list_only(asked),
        });
        let silent = server.api();
        let silent = tokio::spawn(async move { silent.list().await });
        let before = server.clock.now();
        server.api_of("444455556666").list().await.expect("a listing");
        assert!(server.clock.now().since(before) < Duration::from_secs(1));
        let error = silent.await.unwrap().expect_err("silent");
        assert!(matches!(error, AwsError::Unreachable(_)), "{error}");
        assert!(!error.may_have_happened());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_and_the_longest_unused_go_first() {
        let server = Server::of(list_only);
        let sessions = &server.aws.0.sessions;
        let key = |number: usize| SessionKey {
            account: format!("{number:012}").parse().unwrap(),
            access: Access { role_arn: "r".into(), external_id: None },
        };
        let held = sessions.slot(&key(0));
        for number in 1..=MAX_SESSIONS {
            sessions.slot(&key(number));
            server.clock.sleep(Duration::from_millis(2)).await;
        }
        let entries = sessions.entries.lock().unwrap();
        assert!(entries.len() <= MAX_SESSIONS, "{}", entries.len());
        assert!(entries.contains_key(&key(0)), "in use");
        assert!(!entries.contains_key(&key(1)) && entries.contains_key(&key(MAX_SESSIONS)));
        drop((entries, held));
    }

    #[test]
    fn session_names_are_legal() {
        assert_eq!(session_name("my host/1"), "driftless-my-host-1");
        assert_eq!(session_name(&"x".repeat(100)).len(), MAX_NAME);
    }
}
