//! S3 as the SDK's HTTP client reaches it, and what CloudFormation and Lambda read from there.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_cloudformation::types::Capability;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use sha2::{Digest as _, Sha256};

use crate::ids::{AccountId, Region};
use crate::sim::connector::Connector;
use crate::sim::tests::{ACCOUNT, REGION, World, clock, error, open, parameter, world};
use crate::sim::{BucketAccess, CallFault, Calls, Cloud};

const BUCKET: &str = "artifacts-eu";
const REGIONAL: &str = "https://s3.eu-central-1.amazonaws.com";
/// Of `code`, in base64.
const SHA256: &str = "VpTQii5T/8rgwxA+Wtb2B2q9lg6x+KVldwQLwQKPcCs=";

/// A request, signed by an account for a region.
struct Asking<'a> {
    method: &'a str,
    url: String,
    fields: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
    account: Option<&'a str>,
    region: &'a str,
}

/// What came back.
#[derive(Debug)]
struct Answered {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answered {
    fn code(&self) -> &str {
        let code = self.body.split("<Code>").nth(1).unwrap_or_default();
        code.split("</Code>").next().unwrap_or_default()
    }

    fn texts(&self, element: &str) -> Vec<&str> {
        let parts = self.body.split(&format!("<{element}>")).skip(1).collect::<Vec<_>>();
        parts.into_iter().filter_map(|part| part.split('<').next()).collect()
    }
}

fn asking<'a>(method: &'a str, place: &str) -> Asking<'a> {
    let url = if place.starts_with('/') { format!("{REGIONAL}{place}") } else { place.to_owned() };
    Asking { method, url, fields: Vec::new(), body: b"", account: None, region: REGION }
}

impl<'a> Asking<'a> {
    fn with(self, fields: &[(&'a str, &'a str)]) -> Self {
        Self { fields: [&self.fields[..], fields].concat(), ..self }
    }

    fn body(self, body: &'a [u8]) -> Self {
        Self { body, ..self }
    }

    async fn of(self, cloud: &Cloud) -> Answered {
        let account: Option<AccountId> = self.account.map(|id| id.parse().expect("an account"));
        let (key, _) = cloud.keys_of(account);
        let region = self.region;
        let claim = format!("AWS4-HMAC-SHA256 Credential={key}/20261123/{region}/s3/aws4_request");
        let hash = hex::encode(Sha256::digest(self.body));
        let mut built = http::Request::builder()
            .method(self.method)
            .uri(self.url)
            .header("authorization", claim)
            .header("x-amz-content-sha256", hash);
        for (name, value) in self.fields {
            let headers = built.headers_mut().expect("headers");
            headers.remove(name);
            built = built.header(name, value);
        }
        let built = built.body(SdkBody::from(self.body)).expect("a request");
        let request = HttpRequest::try_from(built).expect("a request");
        let response = Connector(cloud.0.clone()).call(request).await.expect("an answer");
        let fields = response.headers().iter();
        Answered {
            status: response.status().as_u16(),
            headers: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: String::from_utf8(response.body().bytes().expect("bytes").to_vec())
                .expect("text"),
        }
    }
}

fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

async fn with_buckets() -> World {
    let world = world().await;
    let console = world.cloud.console();
    console.make_bucket(BUCKET, &region(REGION)).expect("made");
    console.make_bucket("artifacts-us", &region("us-east-1")).expect("made");
    world
}

fn closed(readable: bool, writable: bool) -> BucketAccess {
    BucketAccess { readable, writable }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_put_is_found_read_and_listed() {
    let cloud = with_buckets().await.cloud;
    let place = format!("/{BUCKET}/driftless/a%20b.zip");
    let missing = asking("HEAD", &place).of(&cloud).await;
    assert_eq!((missing.status, missing.body.as_str()), (404, ""));
    let put = asking("PUT", &place).body(b"code").with(&[
        ("x-amz-checksum-sha256", SHA256),
        ("content-type", "application/zip"),
        ("if-none-match", "*"),
        ("x-amz-meta-part", "worker"),
    ]);
    let put = put.of(&cloud).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(put.headers["etag"], "\"c13367945d5d4c91047b3b50234aa7ab\"");
    assert_eq!(put.headers["x-amz-checksum-sha256"], SHA256);

    let host = format!("https://{BUCKET}.s3.eu-central-1.amazonaws.com/driftless/a%20b.zip");
    for place in [&place, &host, &format!("http://127.0.0.1:4666{place}")] {
        let enabled = [("x-amz-checksum-mode", "ENABLED")];
        let head = asking("HEAD", place).with(&enabled).of(&cloud).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{place}");
        assert_eq!(head.headers["content-length"], "4");
        assert_eq!(head.headers["x-amz-checksum-sha256"], SHA256);
        let get = asking("GET", place).of(&cloud).await;
        assert_eq!((get.status, get.body.as_str()), (200, "code"), "{place}");
        assert_eq!(get.headers["content-type"], "application/zip");
        assert_eq!(get.headers["x-amz-meta-part"], "worker");
        assert_eq!(get.headers["last-modified"], "Mon, 23 Nov 2026 20:21:00 GMT");
        assert!(!get.headers.contains_key("x-amz-checksum-sha256"), "nobody asked");
    }
    let again = asking("PUT", &place).body(b"other").with(&[("if-none-match", "*")]);
    let again = again.of(&cloud).await;
    assert_eq!((again.status, again.code()), (412, "PreconditionFailed"));
    let listed = asking("GET", &format!("/{BUCKET}?list-type=2")).of(&cloud).await;
    assert_eq!(listed.texts("Key"), ["driftless/a b.zip"]);
    assert_eq!(listed.texts("Size"), ["4"]);
    assert!(cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_and_meet_faults_like_any_other() {
    let cloud = with_buckets().await.cloud;
    cloud.clear_calls();
    let place = format!("/{BUCKET}/k");
    let api = Some("PutObject".to_owned());
    cloud.script().calls(Calls { api, ..Calls::default() }, CallFault::Throttled, Some(1));
    let slow = asking("PUT", &place).body(b"code").of(&cloud).await;
    assert_eq!((slow.status, slow.code()), (503, "SlowDown"));
    assert_eq!(asking("PUT", &place).body(b"code").of(&cloud).await.status, 200);
    let head = Calls { api: Some("HeadObject".to_owned()), ..Calls::default() };
    let denied = ("AccessDenied".to_owned(), "no".to_owned());
    let denied = CallFault::Refused { code: denied.0, message: denied.1 };
    cloud.script().calls(head, denied, Some(1));
    let refused = asking("HEAD", &place).of(&cloud).await;
    assert_eq!((refused.status, refused.body.as_str()), (403, ""));
    let calls = cloud.calls();
    let calls: Vec<_> = calls.iter().map(|call| (call.api, call.mutating)).collect();
    assert_eq!(calls, [("PutObject", true), ("PutObject", true), ("HeadObject", false)]);
}

#[tokio::test(start_paused = true)]
async fn what_s3_refuses_is_refused_in_its_words() {
    let cloud = with_buckets().await.cloud;
    let console = cloud.console();
    console.put_object(BUCKET, "k", b"code").expect("put");
    console.make_bucket("shut-bucket", &region(REGION)).expect("made");
    console.restrict_bucket("shut-bucket", closed(false, false)).expect("restricted");
    let foreign = Asking { account: Some(ACCOUNT), ..asking("PUT", &format!("/{BUCKET}/k")) };
    let us = Asking { region: "us-east-1", ..asking("GET", &format!("/{BUCKET}/k")) };
    let wrong_sum = [("x-amz-checksum-sha256", SHA256)];
    for (asking, status, code) in [
        (asking("GET", "/no-bucket/k"), 404, "NoSuchBucket"),
        (asking("PUT", "/../k"), 404, "NoSuchBucket"),
        (asking("GET", &format!("/{BUCKET}/none")), 404, "NoSuchKey"),
        (asking("GET", "/shut-bucket/k"), 403, "AccessDenied"),
        (asking("PUT", "/shut-bucket/k"), 403, "AccessDenied"),
        (asking("GET", "/artifacts-us/k"), 301, "PermanentRedirect"),
        (asking("PUT", &format!("/{BUCKET}/k")).body(b"x").with(&wrong_sum), 400, "BadDigest"),
        (
            asking("PUT", &format!("/{BUCKET}/k")).with(&[("x-amz-content-sha256", "00")]),
            400,
            "XAmzContentSHA256Mismatch",
        ),
        (
            asking("GET", &format!("/{BUCKET}/k")).with(&[("if-match", "x")]),
            412,
            "PreconditionFailed",
        ),
        (foreign, 403, "AccessDenied"),
        (us, 400, "AuthorizationHeaderMalformed"),
    ] {
        let what = format!("{} {}", asking.method, asking.url);
        let answer = asking.of(&cloud).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{what}: {answer:?}");
    }
    let elsewhere = asking("HEAD", "/artifacts-us/k").of(&cloud).await;
    assert_eq!((elsewhere.status, elsewhere.body.as_str()), (301, ""));
    assert_eq!(elsewhere.headers["x-amz-bucket-region"], "us-east-1");
    let elsewhere = asking("GET", "/artifacts-us/k").of(&cloud).await;
    assert_eq!(elsewhere.texts("Endpoint"), ["artifacts-us.s3.us-east-1.amazonaws.com"]);
    let own = asking("HEAD", &format!("/{BUCKET}")).of(&cloud).await;
    assert_eq!((own.status, own.headers["x-amz-bucket-region"].as_str()), (200, REGION));
    assert_eq!(console.object(BUCKET, "k").expect("read").as_deref(), Some(&b"code"[..]));
    assert!(cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_simulated_of_s3_is_refused_by_name() {
    let cloud = with_buckets().await.cloud;
    let place = format!("/{BUCKET}/k");
    for (asking, named) in [
        (asking("DELETE", &place), "DELETE of the object `k`"),
        (asking("GET", "/"), "GET of the service"),
        (
            asking("GET", &format!("/{BUCKET}?location")),
            "the bucket `artifacts-eu` with [\"location\"]",
        ),
        (asking("PUT", &format!("{place}?tagging")), "the parameter `tagging` of PutObject"),
        (asking("GET", &place).with(&[("range", "bytes=0-1")]), "the header `range` of GetObject"),
        (asking("PUT", &place).with(&[("x-amz-acl", "private")]), "the header `x-amz-acl`"),
        (asking("GET", &place).with(&[("if-none-match", "*")]), "the header `if-none-match`"),
    ] {
        let answer = asking.of(&cloud).await;
        assert_eq!((answer.status, answer.code()), (501, "NotImplemented"), "{named}");
        let refused = cloud.refused();
        assert!(refused.iter().any(|text| text.contains(named)), "{named}: {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_comes_in_pages_and_by_folders() {
    let cloud = with_buckets().await.cloud;
    for key in ["a", "b/1", "b/2", "b/3", "c<d", "e"] {
        cloud.console().put_object(BUCKET, key, b"x").expect("put");
    }
    let (mut found, mut next) = (Vec::new(), String::new());
    for _ in 0..3 {
        let place = format!("/{BUCKET}?list-type=2&max-keys=2{next}");
        let page = asking("GET", &place).of(&cloud).await;
        found.extend(page.texts("Key").into_iter().map(str::to_owned));
        let token = page.texts("NextContinuationToken");
        next =
            token.first().map(|token| format!("&continuation-token={token}")).unwrap_or_default();
    }
    assert_eq!(next, "");
    assert_eq!(found, ["a", "b/1", "b/2", "b/3", "c&lt;d", "e"]);
    let folders = format!("/{BUCKET}?list-type=2&delimiter=%2F&max-keys=2");
    let first = asking("GET", &folders).of(&cloud).await;
    assert_eq!((first.texts("Key"), first.texts("Prefix")), (vec!["a"], vec!["", "b/"]));
    let token = first.texts("NextContinuationToken")[0];
    let second = asking("GET", &format!("{folders}&continuation-token={token}")).of(&cloud).await;
    assert_eq!(
        (second.texts("Key"), second.texts("IsTruncated")),
        (vec!["c&lt;d", "e"], vec!["false"])
    );
    let below = asking("GET", &format!("/{BUCKET}?list-type=2&prefix=b/&start-after=b/1"));
    assert_eq!(below.of(&cloud).await.texts("Key"), ["b/2", "b/3"]);
}

#[tokio::test(start_paused = true)]
async fn objects_survive_the_process_and_are_seen_by_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (open(folder.path(), &clock()), open(folder.path(), &clock()));
    let place = format!("/{BUCKET}/k");
    one.console().make_bucket(BUCKET, &region(REGION)).expect("made");
    assert_eq!(asking("HEAD", &place).of(&other).await.status, 404);
    assert_eq!(asking("PUT", &place).body(b"co\nde").of(&one).await.status, 200);
    assert_eq!(asking("GET", &place).of(&other).await.body, "co\nde");
    let new = asking("PUT", &place).with(&[("if-none-match", "*")]).of(&other).await;
    assert_eq!(new.status, 412);
    let again = open(folder.path(), &clock());
    assert_eq!(again.console().keys(BUCKET).expect("keys"), ["k"]);
    let access = closed(false, true);
    again.console().restrict_bucket(BUCKET, access).expect("restricted");
    assert_eq!(asking("GET", &place).of(&one).await.status, 403);
    again.console().remove_object(BUCKET, "k").expect("removed");
    assert_eq!(again.console().object(BUCKET, "k").expect("read"), None);
    break_object(folder.path());
    let broken = asking("HEAD", &format!("/{BUCKET}/k2")).of(&one).await;
    assert_eq!(broken.status, 403, "it is closed before it is looked into");
}

/// Writes what is no object where one would be.
fn break_object(folder: &Path) {
    let name = crate::ids::Digest::of(b"k2");
    let path = folder.join("objects").join(BUCKET).join(format!("{name}.object"));
    std::fs::write(path, b"{}").expect("written");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_belongs_to_one_account_in_one_region() {
    let cloud = with_buckets().await.cloud;
    let console = cloud.console();
    console.make_bucket(BUCKET, &region(REGION)).expect("it is the same");
    let code = |made: Result<(), _>| format!("{}", made.expect_err("refused"));
    let elsewhere = code(console.make_bucket(BUCKET, &region("us-east-1")));
    assert!(elsewhere.contains("`artifacts-eu` stands in eu-central-1"), "{elsewhere}");
    let account = ACCOUNT.parse().expect("an account");
    let taken = code(console.make_bucket_of(account, BUCKET, &region(REGION)));
    assert!(taken.starts_with("BucketAlreadyExists"), "{taken}");
    let odd = code(console.make_bucket("../Odd", &region(REGION)));
    assert!(odd.starts_with("InvalidBucketName"), "{odd}");
}

const FUNCTION: &str = r#"
Parameters:
  Bucket: { Type: String, Default: artifacts-eu }
  Key: { Type: String, Default: one.zip }
  Size: { Type: String, Default: "128" }
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [] }
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      MemorySize: !Ref Size
      Code: { S3Bucket: !Ref Bucket, S3Key: !Ref Key }
"#;

const LAYER: &str = r#"
Resources:
  Layer:
    Type: AWS::Lambda::LayerVersion
    Properties: { Content: { S3Bucket: artifacts-eu, S3Key: layer.zip } }
"#;

impl World {
    /// Tries to make a function, and gives the reason for which it could not be made.
    async fn function_failure(&self, stack: &str, given: &[(&str, &str)]) -> String {
        let mut call = self.aws.create_stack().stack_name(stack).template_body(FUNCTION);
        for (name, value) in given {
            call = call.parameters(parameter(name, value));
        }
        call.capabilities(Capability::CapabilityIam).send().await.expect("AWS takes the call");
        assert_eq!(self.statuses(stack).await.last().expect("one"), "ROLLBACK_COMPLETE");
        self.failure(stack, "Worker CREATE_FAILED").await
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_is_made_only_of_code_that_is_in_a_bucket_of_its_region() {
    let world = with_buckets().await;
    let console = world.cloud.console();
    let failure = world.function_failure("none", &[]).await;
    let text = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The \
                specified key does not exist. (Service: Lambda, Status Code: 400)";
    assert!(failure.contains(text), "{failure}");
    let failure = world.function_failure("lost", &[("Bucket", "no-bucket")]).await;
    assert!(failure.contains("S3 Error Code: NoSuchBucket."), "{failure}");
    console.put_object("artifacts-us", "one.zip", b"code").expect("put");
    let failure = world.function_failure("far", &[("Bucket", "artifacts-us")]).await;
    let text = "S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: \
                us-east-1. Please use this region to retry the request";
    assert!(failure.contains(text), "{failure}");
    console.put_object(BUCKET, "one.zip", b"code").expect("put");
    console.restrict_bucket(BUCKET, closed(false, true)).expect("restricted");
    let failure = world.function_failure("shut", &[]).await;
    assert!(failure.contains("permission to GetObject for artifacts-eu/one.zip"), "{failure}");

    console.restrict_bucket(BUCKET, BucketAccess::default()).expect("opened");
    world.created("jobs", FUNCTION).await;
    assert_eq!(world.status("jobs").await, "CREATE_COMPLETE");
    console.remove_object(BUCKET, "one.zip").expect("removed");
    world.update("jobs", &[("Size", "256")]).await;
    world.pass(600).await;
    assert_eq!(world.status("jobs").await, "UPDATE_COMPLETE", "its code is not fetched again");
    world.update("jobs", &[("Size", "256"), ("Key", "two.zip")]).await;
    world.pass(600).await;
    assert_eq!(world.status("jobs").await, "UPDATE_ROLLBACK_COMPLETE");
    let failure = world.failure("jobs", "Worker UPDATE_FAILED").await;
    assert!(failure.contains("S3 Error Code: NoSuchKey."), "{failure}");
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_layer_needs_its_content() {
    let world = with_buckets().await;
    world.created("first", LAYER).await;
    assert_eq!(world.status("first").await, "ROLLBACK_COMPLETE");
    world.cloud.console().put_object(BUCKET, "layer.zip", b"code").expect("put");
    world.created("second", LAYER).await;
    assert_eq!(world.status("second").await, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_template_is_read_from_the_bucket_that_its_url_names() {
    let world = with_buckets().await;
    let console = world.cloud.console();
    let topic = b"{Resources: {T: {Type: 'AWS::SNS::Topic'}}}";
    for bucket in [BUCKET, "artifacts-us"] {
        console.put_object(bucket, "t.yaml", topic).expect("put");
    }
    console.make_bucket("shut-bucket", &region(REGION)).expect("made");
    console.restrict_bucket("shut-bucket", closed(false, true)).expect("restricted");
    let validate = |url: String| {
        let call = world.aws.validate_template().template_url(url);
        async { call.send().await.map(drop).map_err(error) }
    };
    for (place, said) in [
        (format!("{REGIONAL}/{BUCKET}/t.yaml"), None),
        (format!("https://{BUCKET}.s3.amazonaws.com/t.yaml"), None),
        ("https://artifacts-us.s3.us-east-1.amazonaws.com/t.yaml".to_owned(), None),
        (format!("{REGIONAL}/{BUCKET}/none"), Some("S3 error: The specified key does not exist.")),
        (format!("{REGIONAL}/no-bucket/k"), Some("S3 error: The specified bucket does not exist")),
        (format!("{REGIONAL}/shut-bucket/k"), Some("S3 error: Access Denied")),
        (
            format!("{REGIONAL}/artifacts-us/t.yaml"),
            Some("S3 error: The bucket you are attempting"),
        ),
    ] {
        let answer = validate(place.clone()).await;
        match (answer, said) {
            (Ok(()), None) => {}
            (Err((code, text)), Some(said)) => {
                assert_eq!(code, "ValidationError");
                assert!(text.starts_with(said) && text.contains("ErrorResponses.html"), "{text}");
            }
            (answer, said) => panic!("{place}: {answer:?} instead of {said:?}"),
        }
    }
}
