//! SDK clients, built per use from one shared configuration: one HTTP client, retries off, timeouts
//! on, and answers that were cut off noticed.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::config::timeout::TimeoutConfig;
use aws_sdk_cloudformation::config::{IdentityCache, StalledStreamProtectionConfig};
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::{SharedIdentityCache, SharedIdentityResolver};
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::aws::server_clock::ServerClock;
use crate::clock::Clock;
use crate::ids::Region;

/// A connection that takes longer than this is not going to be made.
const CONNECTING: Duration = Duration::from_secs(5);
/// CloudFormation answers within a second or two; a page of large stacks may take several.
const ONE_TRY: Duration = Duration::from_secs(30);

/// What every client is built from.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    base: SdkConfig,
    /// Where STS is asked.
    pub(super) home: Region,
    /// What the answers tell of AWS's clock.
    pub(super) server_clock: ServerClock,
    own: OwnIdentity,
}

/// The credentials that this program was started with, asked for once and remembered.
#[derive(Clone, Debug)]
pub(super) struct OwnIdentity {
    pub(super) cache: SharedIdentityCache,
    /// Every resolver that is made has its own place in the cache, so there must be one only.
    pub(super) resolver: Option<SharedIdentityResolver>,
}

impl OwnIdentity {
    fn of(base: &SdkConfig) -> Self {
        Self {
            cache: IdentityCache::lazy().max_partitions(1).build(),
            resolver: base.credentials_provider().map(SharedIdentityResolver::new),
        }
    }
}

impl Connection {
    pub(super) fn new(base: &SdkConfig, home: Region) -> Self {
        let timeouts = timeouts(Duration::ZERO);
        let base = base
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        let server_clock = ServerClock::new(base.time_source().unwrap_or_default());
        let own = OwnIdentity::of(&base);
        Self { base, home, server_clock, own }
    }

    /// What the clients have in common.
    pub(super) fn base(&self) -> &SdkConfig {
        &self.base
    }

    /// The credentials that this program was started with.
    pub(super) fn own_identity(&self) -> &OwnIdentity {
        &self.own
    }

    /// Where S3 of a region is asked: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or AWS's own, of which
    /// the bucket is the first part of the path.
    pub(super) fn endpoint_of_s3(&self, region: &Region) -> String {
        let key = ServiceConfigKey::builder()
            .service_id("S3")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let named = self.base.service_config().and_then(|config| config.load_config(key.ok()?));
        let named = named.or_else(|| self.base.endpoint_url().map(str::to_owned));
        named.unwrap_or_else(|| {
            let is_in_china = region.partition() == "aws-cn";
            let suffix = if is_in_china { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://s3.{region}.{suffix}")
        })
    }

    /// STS with the credentials that this program was started with; keep it, it remembers them.
    pub(super) fn token_service(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::from(&self.base)
            .region(sdk_region(&self.home))
            .identity_cache(IdentityCache::lazy().max_partitions(1).build())
            .interceptor(self.server_clock.clone())
            .interceptor(WholeAnswers);
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// STS as somebody else.
    pub(super) fn token_service_as(&self, credentials: &Credentials) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::from(&self.base)
            .region(sdk_region(&self.home))
            .credentials_provider(credentials.clone())
            .identity_cache(IdentityCache::no_cache())
            .interceptor(self.server_clock.clone())
            .interceptor(WholeAnswers);
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// CloudFormation of one region. Building it takes 30 us; keep it for one call only.
    pub(super) fn cloudformation(
        &self,
        region: &Region,
        credentials: &Credentials,
    ) -> aws_sdk_cloudformation::Client {
        let config = aws_sdk_cloudformation::config::Builder::from(&self.base)
            .region(sdk_region(region))
            .credentials_provider(credentials.clone())
            .identity_cache(IdentityCache::no_cache())
            .interceptor(self.server_clock.clone())
            .interceptor(WholeAnswers);
        aws_sdk_cloudformation::Client::from_conf(config.build())
    }

    /// CloudFormation of one region with the credentials that this program was started with; keep it,
    /// it remembers them.
    pub(super) fn own_cloudformation(&self, region: &Region) -> aws_sdk_cloudformation::Client {
        let config = aws_sdk_cloudformation::config::Builder::from(&self.base)
            .region(sdk_region(region))
            .identity_cache(IdentityCache::lazy().max_partitions(1).build())
            .interceptor(WholeAnswers);
        aws_sdk_cloudformation::Client::from_conf(config.build())
    }
}

/// `longest` is how long it takes to carry what a call carries.
pub(super) fn timeouts(longest: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECTING)
        .operation_attempt_timeout(ONE_TRY + longest)
        .operation_timeout(ONE_TRY + CONNECTING + longest)
        .build()
}

pub(super) fn sdk_region(region: &Region) -> aws_types::region::Region {
    aws_types::region::Region::new(region.as_str().to_owned())
}

/// One HTTPS client for all accounts: every client of its own would open connections of its own.
/// It is made as the SDK makes its default one, so that proxies of the environment are used.
pub(super) fn https_client() -> SharedHttpClient {
    let provider = || tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(provider());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// What the SDK needs to speak to a cloud that lives in this process, in our time.
pub(super) fn in_process(
    http_client: SharedHttpClient,
    keys: Credentials,
    clock: Clock,
) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .http_client(http_client)
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .time_source(OurTime(clock))
        // An answer may take longer than the protection waits, since nothing but time passes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

#[derive(Debug)]
struct OurTime(Clock);

impl TimeSource for OurTime {
    fn now(&self) -> SystemTime {
        self.0.now().as_system_time()
    }
}

/// Refuses an answer that was cut off. The SDK reads XML as far as it goes and takes the rest for
/// absent, so that a listing cut in the middle would be a shorter listing.
#[derive(Debug)]
struct WholeAnswers;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        if !response.status().is_success() || is_whole(body) {
            return Ok(());
        }
        Err(format!("the answer was cut off after {} bytes", body.len()).into())
    }
}

/// Whether an XML document ends with the end of the element that it begins with.
fn is_whole(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    while rest.starts_with("<?") || rest.starts_with("<!") {
        let Some((_, after)) = rest.split_once('>') else { return false };
        rest = after.trim_start();
    }
    let Some(after) = rest.strip_prefix('<') else { return false };
    let name = after.split([' ', '\t', '\r', '\n', '>', '/']).next().unwrap_or_default();
    let closed_at_once = rest.ends_with("/>") && rest.matches('<').count() == 1;
    !name.is_empty() && (closed_at_once || rest.ends_with(&format!("</{name}>")))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::aws::fake::{ACCOUNT, session, stack, whole};
    use crate::aws::{Access, Aws, AwsSettings, Patience};
    use crate::moment::Moment;

    /// Answers AssumeRole, then DescribeStacks, on a port of this machine.
    fn serve(ends_at: Moment) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let crate::aws::fake::Reply::Body(_, session) = session(ACCOUNT, 0, ends_at) else {
            unreachable!("a body")
        };
        let stacks = whole("DescribeStacks", &format!("<Stacks>{}</Stacks>", stack("one", "")));
        let served = std::thread::spawn(move || {
            let answer = |body: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 8_192];
                let mut request = String::new();
                while !request.contains("Action=") {
                    let length = stream.read(&mut bytes).unwrap();
                    request.push_str(&String::from_utf8_lossy(&bytes[..length]));
                }
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
                request
            };
            vec![answer(session), answer(stacks)]
        });
        (url, served)
    }

    #[tokio::test]
    async fn one_endpoint_url_serves_both_services_over_plain_http() {
        let clock = Clock::of_this_machine();
        let (url, served) = serve(clock.now() + Duration::from_secs(3_600));
        let base = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .http_client(https_client())
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "BASE", "s3cr3t", None, None, "test",
            )))
            .build();
        let aws = Aws::of(AwsSettings {
            base,
            home: "eu-west-1".parse().unwrap(),
            clock,
            controller_id: "one".into(),
            patience: Patience { tries: 1, length: Duration::ZERO },
        });
        let access =
            Access { role_arn: format!("arn:aws:iam::{ACCOUNT}:role/r"), external_id: None };
        let target = format!("{ACCOUNT}/eu-central-1").parse().unwrap();
        let seen = aws.target(&target, &access).list().await.expect("a listing");
        assert_eq!(seen.len(), 1);
        let requests = served.join().unwrap();
        assert!(requests[0].contains("Action=AssumeRole"), "{requests:?}");
        assert!(requests[1].contains("Action=DescribeStacks"), "{requests:?}");
    }

    #[test]
    fn an_answer_is_whole_when_its_first_element_is_closed_at_its_end() {
        for whole in [
            "<A><B>1</B></A>",
            "<?xml version=\"1.0\"?>\n<A x=\"1\">\n</A>\n",
            "<A/>",
            "<!DOCTYPE html><html><body/></html>",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for cut in ["", "<A><B>1</B>", "<A><B>1</", "<A><B/>", "<A", "{\"a\": 1}", "<A></AA>"] {
            assert!(!is_whole(cut.as_bytes()), "{cut}");
        }
    }
}
