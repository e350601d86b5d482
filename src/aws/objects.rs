//! Objects in buckets of the account that this program runs in, with its own credentials: the four
//! calls of S3 that are made, signed and sent by what all clients of the SDK are made of.

use std::sync::Arc;
use std::time::Duration;

use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{PayloadSigningOverride, SigV4OperationSigningConfig};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SigningName;
use aws_types::region::SigningRegion;

use crate::aws::Aws;
use crate::aws::connection::{sdk_region, timeouts};
use crate::aws::error::AwsError;
use crate::aws::pace::{Api, BucketKey};
use crate::ids::{Digest, Region};

/// A line that carries less than this a second is not worth waiting for: the largest code of a
/// function takes nine minutes over it.
const SLOWEST_BYTES_PER_SECOND: u64 = 500_000;
/// The header of the checksum that S3 verifies and keeps.
const CHECKSUM: &str = "x-amz-checksum-sha256";
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// One bucket. Cheap to clone: nothing is called yet.
#[derive(Clone, Debug)]
pub struct Objects {
    aws: Aws,
    region: Region,
    bucket: String,
}

/// What S3 says of an object without giving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of it, where it was uploaded with one.
    pub sha256: Option<Digest>,
}

/// An answer that says yes.
#[derive(Debug)]
struct Answered {
    stored: Stored,
    body: Arc<[u8]>,
}

/// An answer that says no, in S3's words.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.code().unwrap_or("no code"))]
struct Refusal(ErrorMetadata);

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl Aws {
    /// A bucket in a region, as this program's own account may use it.
    pub fn objects(&self, region: &Region, bucket: &str) -> Objects {
        Objects { aws: self.clone(), region: region.clone(), bucket: bucket.to_owned() }
    }
}

/// What one call asks.
#[derive(Debug)]
struct Question<'a> {
    api: Api,
    key: &'a str,
    headers: Vec<(&'static str, String)>,
    body: SdkBody,
    /// The SHA-256 of the body.
    sha256: Digest,
    /// How much there is to carry.
    bytes: u64,
}

impl<'a> Question<'a> {
    fn plain(api: Api, key: &'a str) -> Self {
        let sha256 = Digest::of(b"");
        Self { api, key, headers: Vec::new(), body: SdkBody::empty(), sha256, bytes: 0 }
    }
}

impl Objects {
    /// Where the bucket is looked for.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Whether the bucket is there, in this region, and may be used.
    pub async fn look(&self) -> Result<(), AwsError> {
        self.ask(Question::plain(Api::HeadBucket, "")).await.map(|_| ())
    }

    /// What is at a key; `None` where nothing is. Without the right to list the bucket S3 denies that
    /// instead of saying so.
    pub async fn head(&self, key: &str) -> Result<Option<Stored>, AwsError> {
        let question = Question {
            headers: vec![("x-amz-checksum-mode", "ENABLED".to_owned())],
            ..Question::plain(Api::HeadObject, key)
        };
        match self.ask(question).await {
            Ok(answered) => Ok(Some(answered.stored)),
            Err(error) if error.no_such_object() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts an object where none is, and says which checksum S3 found, if it says so.
    /// [`AwsError::object_exists`] tells that there was one already.
    pub async fn put(&self, key: &str, body: Vec<u8>) -> Result<Option<Digest>, AwsError> {
        let (sha256, bytes) = (Digest::of(&body), body.len() as u64);
        let question = Question {
            api: Api::PutObject,
            key,
            headers: vec![
                ("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()),
                (CHECKSUM, aws_smithy_types::base64::encode(sha256.as_bytes())),
                ("if-none-match", "*".to_owned()),
            ],
            body: SdkBody::from(body),
            sha256,
            bytes,
        };
        self.ask(question).await.map(|answered| answered.stored.sha256)
    }

    /// The object at a key, `bytes` long by what [`head`](Self::head) said.
    pub async fn fetch(&self, key: &str, bytes: u64) -> Result<Arc<[u8]>, AwsError> {
        let question = Question { bytes, ..Question::plain(Api::GetObject, key) };
        self.ask(question).await.map(|answered| answered.body)
    }

    async fn ask(&self, question: Question<'_>) -> Result<Answered, AwsError> {
        let api = question.api;
        let bucket = BucketKey { account: None, region: self.region.clone(), api };
        let operation = self.operation(&question);
        let path = format!("/{}/{}", self.bucket, encoded(question.key));
        let path = path.trim_end_matches('/');
        self.aws.0.caller.call(&bucket, None, || self.send(&operation, path, &question)).await
    }

    async fn send(
        &self,
        operation: &Operation<HttpRequest, Answered, Refusal>,
        path: &str,
        question: &Question<'_>,
    ) -> Result<Answered, SdkError<Refusal, HttpResponse>> {
        // A body in memory can be sent as often as one likes.
        let body = question.body.try_clone();
        let mut request = HttpRequest::new(body.unwrap_or_else(SdkBody::empty));
        request.set_method(method(question.api)).map_err(SdkError::construction_failure)?;
        request.set_uri(path).map_err(SdkError::construction_failure)?;
        for (name, value) in &question.headers {
            request.headers_mut().insert(*name, value.clone());
        }
        operation.invoke(request).await
    }

    fn operation(&self, question: &Question<'_>) -> Operation<HttpRequest, Answered, Refusal> {
        let connection = &self.aws.0.connection;
        let region = self.region.clone();
        let longest = Duration::from_secs(question.bytes / SLOWEST_BYTES_PER_SECOND);
        let mut operation = Operation::builder()
            .service_name("s3")
            .operation_name(question.api.word())
            .behavior_version(aws_config::BehaviorVersion::latest())
            .endpoint_url(&connection.endpoint_of_s3(&self.region))
            .timeout_config(timeouts(longest))
            .no_retry()
            .interceptor(connection.server_clock.clone())
            .runtime_plugin(self.signing(question));
        let base = connection.base();
        if let Some(client) = base.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(sleep) = base.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(time) = base.time_source() {
            operation = operation.time_source(time);
        }
        if let Some(protection) = base.stalled_stream_protection() {
            operation = operation.stalled_stream_protection(protection);
        }
        operation.serializer(Ok).deserializer(move |response| answered(response, &region)).build()
    }

    /// Signed as S3 wants it: the path as it is, and the body by the digest that is known already.
    fn signing(&self, question: &Question<'_>) -> StaticRuntimePlugin {
        let mut config = SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(sdk_region(&self.region))),
            name: Some(SigningName::from_static("s3")),
            ..SigV4OperationSigningConfig::default()
        };
        config.signing_options.double_uri_encode = false;
        config.signing_options.normalize_uri_path = false;
        config.signing_options.content_sha256_header = true;
        let mut layer = Layer::new("s3");
        layer.store_put(config);
        layer.store_put(PayloadSigningOverride::Precomputed(question.sha256.to_string()));
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        let mut components = RuntimeComponentsBuilder::new("s3");
        let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        components.set_auth_scheme_option_resolver(Some(schemes));
        components.push_auth_scheme(SigV4AuthScheme::new());
        let own = self.aws.0.connection.own_identity();
        components.set_identity_cache(Some(own.cache.clone()));
        if let Some(resolver) = &own.resolver {
            components.set_identity_resolver(SCHEME_ID, resolver.clone());
        }
        StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
    }
}

fn method(api: Api) -> &'static str {
    match api.word() {
        word if word.starts_with("Head") => "HEAD",
        word if word.starts_with("Put") => "PUT",
        _ => "GET",
    }
}

/// A key as it stands in a path: all but letters, digits, `-._~` and the slashes between its parts
/// escaped.
fn encoded(key: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    key.bytes().map(escape).collect()
}

fn answered(
    response: &HttpResponse,
    region: &Region,
) -> Result<Answered, OrchestratorError<Refusal>> {
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(refusal(response, region)));
    }
    let body: Arc<[u8]> = response.body().bytes().unwrap_or_default().into();
    let header = |name: &str| response.headers().get(name);
    let bytes = header("content-length").and_then(|text| text.parse().ok());
    let stored = Stored {
        bytes: bytes.unwrap_or(body.len() as u64),
        sha256: header(CHECKSUM).and_then(checksum),
    };
    Ok(Answered { stored, body })
}

/// A checksum as S3 writes it. One of parts, which ends with their number, is of no use here.
fn checksum(text: &str) -> Option<Digest> {
    let bytes = aws_smithy_types::base64::decode(text.trim()).ok()?;
    hex::encode(bytes).parse().ok()
}

/// What S3 says. An answer to HEAD has no body, and where the bucket is only headers tell.
fn refusal(response: &HttpResponse, region: &Region) -> Refusal {
    let body = std::str::from_utf8(response.body().bytes().unwrap_or_default()).unwrap_or_default();
    let status = response.status().as_u16();
    let elsewhere = response.headers().get(BUCKET_REGION).or_else(|| element(body, "Region"));
    let elsewhere = elsewhere.filter(|other| *other != region.as_str());
    let meta = ErrorMetadata::builder();
    let meta = match (status, elsewhere, element(body, "Code")) {
        (301 | 307 | 400, Some(elsewhere), _) => meta.code(OTHER_REGION).message(elsewhere),
        // Another upload of the same key is under way: soon it is there.
        (409, _, Some(code)) => meta.code("ServiceUnavailable").message(format!("{code}: again")),
        (_, _, Some(code)) => {
            meta.code(code).message(unescaped(element(body, "Message").unwrap_or_default()))
        }
        (400, _, None) => meta.code(UNSAID).message("S3 says no and not why"),
        (403, _, None) => meta.code("AccessDenied").message("Access Denied"),
        (404, _, None) => meta.code(NOTHING_THERE).message("nothing is there"),
        (412, _, None) => meta.code(EXISTS).message("an object is there already"),
        (503, _, None) => meta.code("SlowDown").message("Please reduce your request rate."),
        (_, _, None) => meta,
    };
    Refusal(meta.build())
}

/// The text of the first element of that name.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

fn unescaped(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    plain.replace("&apos;", "'").replace("&amp;", "&")
}

/// Our own word for a bucket that is in another region; the text is that region.
const OTHER_REGION: &str = "PermanentRedirect";
/// Our own word where S3 gives none with an answer 404.
const NOTHING_THERE: &str = "NotFound";
const UNSAID: &str = "BadRequest";
const EXISTS: &str = "PreconditionFailed";

impl AwsError {
    fn is_of_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused(answer) if codes.contains(&answer.code.as_str()))
    }

    /// There is no object of that key, or, where only the headers of one were asked for, no bucket.
    pub fn no_such_object(&self) -> bool {
        self.is_of_code(&[NOTHING_THERE, "NoSuchKey"])
    }

    /// There is no bucket of that name in any region.
    pub fn no_such_bucket(&self) -> bool {
        self.is_of_code(&["NoSuchBucket"])
            || (self.answer().api == Api::HeadBucket && self.is_of_code(&[NOTHING_THERE]))
    }

    /// An object of that key was there before.
    pub fn object_exists(&self) -> bool {
        self.is_of_code(&[EXISTS])
    }

    /// S3 said no and not why, as it does where only headers are asked for. A question whose answer has
    /// a body tells; and who may not list a bucket is denied what is not there.
    pub fn is_unsaid(&self) -> bool {
        self.is_of_code(&[UNSAID])
            || matches!(self, Self::Denied(answer) if answer.code == "AccessDenied")
    }

    /// The region that a bucket is in, where that is not the one that was asked.
    pub fn bucket_region(&self) -> Option<&str> {
        self.is_of_code(&[OTHER_REGION]).then(|| self.text())
    }

    /// What arrived is not what was sent.
    pub fn checksum_refused(&self) -> bool {
        let codes = [
            "BadDigest",
            "XAmzContentChecksumMismatch",
            "XAmzContentSHA256Mismatch",
            "InvalidDigest",
        ];
        self.is_of_code(&codes)
    }

    /// This machine has no credentials.
    pub fn no_credentials(&self) -> bool {
        matches!(self, Self::Denied(answer) if answer.code == "NoCredentials")
    }
}
