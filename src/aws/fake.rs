//! A scripted AWS for the tests of this module: a closure from request to reply, behind the SDK.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;

use crate::aws::connection::in_process;
use crate::aws::{Access, Aws, TargetApi};
use crate::clock::Clock;
use crate::moment::Moment;

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const STACK: &str =
    "arn:aws:cloudformation:eu-central-1:111122223333:stack/scan-api/1-2-3";

/// One request as the server sees it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) action: String,
    pub(super) fields: BTreeMap<String, String>,
    pub(super) host: String,
    /// Who signed it.
    pub(super) key: String,
    /// How many requests with this action came before.
    pub(super) before: usize,
    pub(super) at: Moment,
}

impl Asked {
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// What the server does.
pub(super) enum Reply {
    /// Answers with a status and a body.
    Body(u16, String),
    /// Answers with a status, a Retry-After in seconds and a body.
    Later(u16, u64, String),
    /// Closes the connection.
    Lost,
    /// Says nothing for an hour.
    Silent,
    /// What every test needs: sessions of the right account.
    Usual,
}

pub(super) fn ok(action: &str, result: &str) -> Reply {
    Reply::Body(200, whole(action, result))
}

pub(super) fn whole(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
         <{action}Result>{result}</{action}Result></{action}Response>\n"
    )
}

pub(super) fn refusal(status: u16, code: &str, text: &str) -> Reply {
    Reply::Body(status, error_body(code, text))
}

pub(super) fn error_body(code: &str, text: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message>\
         </Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

/// `STACK` as a member of Stacks.
pub(super) fn stack(name: &str, more: &str) -> String {
    format!(
        "<member><StackId>arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/{name}/1-2-3</StackId>\
         <StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
         <CreationTime>2026-11-01T10:00:00.000Z</CreationTime>{more}</member>"
    )
}

pub(super) fn stacks(members: &str, token: Option<&str>) -> Reply {
    let token = token.map_or(String::new(), |token| format!("<NextToken>{token}</NextToken>"));
    ok("DescribeStacks", &format!("<Stacks>{members}</Stacks>{token}"))
}

/// A session that ends at `ends_at`, signed by the key `SESSION<n>`.
pub(super) fn session(account: &str, number: usize, ends_at: Moment) -> Reply {
    ok(
        "AssumeRole",
        &format!(
            "<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId>\
             <Arn>arn:aws:sts::{account}:assumed-role/driftless/x</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>SESSION{number}</AccessKeyId>\
             <SecretAccessKey>s3cr3t</SecretAccessKey><SessionToken>t0k3n</SessionToken>\
             <Expiration>{ends_at}</Expiration></Credentials>"
        ),
    )
}

pub(super) fn caller(account: &str) -> Reply {
    ok(
        "GetCallerIdentity",
        &format!(
            "<Arn>arn:aws:sts::{account}:assumed-role/driftless/x</Arn><UserId>A:b</UserId>\
             <Account>{account}</Account>"
        ),
    )
}

fn usual(asked: &Asked) -> Reply {
    let hour = Duration::from_secs(3_600);
    match asked.action.as_str() {
        "AssumeRole" => {
            let account = asked.field("RoleArn").split(':').nth(4).unwrap_or_default().to_owned();
            session(&account, asked.before, asked.at + hour)
        }
        "GetCallerIdentity" => caller(ACCOUNT),
        other => panic!("nothing scripted for {other}"),
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

#[derive(Clone)]
pub(super) struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
    pub(super) base: SdkConfig,
    pub(super) clock: Clock,
    pub(super) aws: Aws,
}

impl Server {
    pub(super) fn of(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let clock = Clock::starting_at(Moment::from_millis(1_795_465_260_000));
        let script: Arc<Script> = Arc::new(script);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connector = Connector(script, Arc::clone(&asked), clock.clone());
        let connector = SharedHttpConnector::new(connector);
        let http_client = http_client_fn(move |_, _| connector.clone());
        let keys = Credentials::new("BASE", "s3cr3t", None, None, "test");
        let home = "eu-west-1".parse().unwrap();
        let base = in_process(http_client.clone(), keys.clone(), clock.clone());
        let aws = Aws::simulated(http_client, keys, clock.clone(), "one", home);
        Self { asked, base, clock, aws }
    }

    /// The calls of the usual target.
    pub(super) fn api(&self) -> TargetApi {
        self.api_of(ACCOUNT)
    }

    pub(super) fn api_of(&self, account: &str) -> TargetApi {
        let access = Access {
            role_arn: format!("arn:aws:iam::{account}:role/driftless"),
            external_id: Some("shared".into()),
        };
        self.aws.target(&format!("{account}/eu-central-1").parse().unwrap(), &access)
    }

    pub(super) fn asked(&self, action: &str) -> Vec<Asked> {
        let all = self.asked.lock().unwrap();
        all.iter().filter(|asked| asked.action == action).cloned().collect()
    }

    pub(super) fn count(&self, action: &str) -> usize {
        self.asked(action).len()
    }
}

#[derive(Clone)]
struct Connector(Arc<Script>, Arc<Mutex<Vec<Asked>>>, Clock);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scripted server")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self(script, all, clock) = self.clone();
        HttpConnectorFuture::new(async move {
            // Answers take time, so that concurrent callers do meet.
            clock.sleep(Duration::from_millis(50)).await;
            let asked = record(&request, &all, &clock);
            let scripted = script(&asked);
            let is_usual = matches!(scripted, Reply::Usual);
            let reply = if is_usual { usual(&asked) } else { scripted };
            let (status, retry_after, body) = match reply {
                Reply::Body(status, body) => (status, None, body),
                Reply::Later(status, seconds, body) => (status, Some(seconds), body),
                Reply::Lost => return Err(ConnectorError::io("connection reset".into())),
                Reply::Silent => {
                    clock.sleep(Duration::from_secs(3_600)).await;
                    return Err(ConnectorError::io("nobody waited".into()));
                }
                Reply::Usual => unreachable!("replaced above"),
            };
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.to_string());
            }
            Ok(response)
        })
    }
}

fn record(request: &HttpRequest, all: &Mutex<Vec<Asked>>, clock: &Clock) -> Asked {
    let body = request.body().bytes().unwrap_or_default();
    let fields: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let action = fields.get("Action").cloned().unwrap_or_default();
    let signature = request.headers().get("authorization").unwrap_or_default();
    let key = signature.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
    let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
    let mut all = all.lock().unwrap();
    let before = all.iter().filter(|asked: &&Asked| asked.action == action).count();
    let key = key.unwrap_or_default().to_owned();
    let asked = Asked { action, fields, host, key, before, at: clock.now() };
    all.push(asked.clone());
    asked
}
