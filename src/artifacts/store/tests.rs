//! What is put into buckets and what is refused, against a small S3 behind the SDK, in virtual time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::artifacts::Progress;
use crate::clock::Clock;
use crate::git::GitError;
use crate::moment::Moment;
use crate::package::{Built, BuiltAt, MAX_CODE_BYTES, Packed};
use crate::snapshot::ContentId;
use crate::template::Template;

const REGION: &str = "eu-central-1";
const BUCKET: &str = "gloves-eu-central-1";

/// One request as the server sees it.
#[derive(Clone, Debug)]
struct Asked {
    /// `PUT /bucket/key`
    what: String,
    host: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    /// How many requests came before.
    before: usize,
}

/// What the server does instead of what S3 does.
#[derive(Clone)]
enum Reply {
    /// Answers with a status, headers and a body.
    Says(u16, &'static [(&'static str, &'static str)], String),
    /// Does what S3 does, and closes the connection before it says so.
    Lost,
    /// Does what S3 does, and names another checksum.
    Garbled,
    /// Does what S3 does, and names no checksum.
    Plain,
}

fn error(status: u16, code: &str) -> Option<Reply> {
    let body = format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>no &lt;{code}&gt;</Message></Error>"
    );
    Some(Reply::Says(status, &[], body))
}

fn bare(status: u16) -> Option<Reply> {
    Some(Reply::Says(status, &[], String::new()))
}

type Script = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

#[derive(Clone)]
struct S3 {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// By `/bucket/key`.
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    uploads: Arc<AtomicUsize>,
    most_uploads: Arc<AtomicUsize>,
    clock: Clock,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a small S3")
    }
}

impl S3 {
    fn of(script: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> (Self, Artifacts) {
        let clock = Clock::starting_at(Moment::from_millis(1_795_465_260_000));
        let s3 = Self {
            script: Arc::new(script),
            asked: Arc::default(),
            objects: Arc::default(),
            uploads: Arc::default(),
            most_uploads: Arc::default(),
            clock: clock.clone(),
        };
        let connector = SharedHttpConnector::new(s3.clone());
        let client = http_client_fn(move |_, _| connector.clone());
        let keys = Credentials::new("BASE", "s3cr3t", Some("t0k3n".into()), None, "test");
        let home = "eu-west-1".parse().unwrap();
        (s3, Artifacts::of(Aws::simulated(client, keys, clock, "one", home)))
    }

    fn usual() -> (Self, Artifacts) {
        Self::of(|_| None)
    }

    fn count(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.what.starts_with(method)).count()
    }

    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.objects.lock().unwrap().clone()
    }

    fn put(&self, place: &str, bytes: &[u8]) {
        self.objects.lock().unwrap().insert(place.to_owned(), bytes.to_vec());
    }

    /// What S3 does: status, checksum and body.
    fn does(&self, asked: &Asked) -> (u16, Option<String>, Vec<u8>) {
        let (method, place) = asked.what.split_once(' ').unwrap();
        let mut objects = self.objects.lock().unwrap();
        let found = objects.get(place).cloned();
        let sum = |bytes: &[u8]| Some(base64::encode(Digest::of(bytes).as_bytes()));
        match (method, found) {
            ("PUT", Some(_)) => (412, None, Vec::new()),
            ("PUT", None) => {
                let sum = sum(&asked.body);
                assert_eq!(asked.headers.get("x-amz-checksum-sha256"), sum.as_ref());
                assert_eq!(asked.headers["if-none-match"], "*");
                objects.insert(place.to_owned(), asked.body.clone());
                (200, sum, Vec::new())
            }
            ("HEAD" | "GET", Some(bytes)) => (200, sum(&bytes), bytes),
            ("HEAD", None) => (404, None, Vec::new()),
            (method, None) => (
                404,
                None,
                format!("<Error><Code>NoSuchKey</Code><Message>{method}</Message></Error>").into(),
            ),
            (other, _) => panic!("nothing is done for {other}"),
        }
    }

    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let is_upload = request.method() == "PUT";
        if is_upload {
            let now = self.uploads.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_uploads.fetch_max(now, Ordering::SeqCst);
        }
        // Answers take time, so that concurrent callers do meet.
        self.clock.sleep(Duration::from_millis(50)).await;
        if is_upload {
            self.uploads.fetch_sub(1, Ordering::SeqCst);
        }
        let uri = request.uri().strip_prefix("https://").unwrap();
        let (host, path) = uri.split_once('/').unwrap();
        let headers = request.headers().iter();
        let mut asked = Asked {
            what: format!("{} /{path}", request.method()),
            host: host.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: request.body().bytes().unwrap().to_vec(),
            before: 0,
        };
        {
            let mut all = self.asked.lock().unwrap();
            asked.before = all.len();
            all.push(asked.clone());
        }
        let scripted = (self.script)(&asked);
        let (status, headers, body) = match scripted {
            Some(Reply::Says(status, headers, body)) => {
                let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
                (status, headers.collect::<Vec<_>>(), body.into_bytes())
            }
            other => {
                let (status, sum, body) = self.does(&asked);
                let sum = match other {
                    Some(Reply::Lost) => return Err(ConnectorError::io("reset".into())),
                    Some(Reply::Garbled) => {
                        sum.map(|_| base64::encode(Digest::of(b"?").as_bytes()))
                    }
                    Some(Reply::Plain) => None,
                    Some(Reply::Says(..)) | None => sum,
                };
                let length = ("content-length", body.len().to_string());
                let sum = sum.map(|sum| ("x-amz-checksum-sha256", sum));
                (status, sum.into_iter().chain([length]).collect(), body)
            }
        };
        let body = if asked.what.starts_with("HEAD") { Vec::new() } else { body };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}

impl HttpConnector for S3 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().answer(request))
    }
}

/// Files by what is in them.
#[derive(Default)]
struct Held {
    files: Vec<Vec<u8>>,
    folder: Option<PathBuf>,
    reads: Arc<AtomicUsize>,
}

impl Contents for Held {
    fn content(&self, path: &str, id: &ContentId) -> Result<Arc<[u8]>, GitError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let found = self.files.iter().find(|bytes| ContentId::of(bytes) == *id);
        let missing = || GitError::ChangedSince { path: path.into() };
        found.map(|bytes| bytes.as_slice().into()).ok_or_else(missing)
    }

    fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }
}

fn holding(files: &[&[u8]]) -> Arc<dyn Contents> {
    let files = files.iter().map(|bytes| bytes.to_vec()).collect();
    Arc::new(Held { files, ..Held::default() })
}

fn committed(path: &str, bytes: &[u8]) -> Packed {
    let origin = Origin::Committed { id: ContentId::of(bytes) };
    Packed { path: path.to_owned(), origin, bytes: bytes.len() as u64 }
}

fn file(bytes: &[u8]) -> Blob {
    Blob::File(committed("s/schema.graphql", bytes))
}

fn zip(bytes: &[u8]) -> Blob {
    Blob::Zip(Arc::new([("app.py".to_owned(), committed("s/app.py", bytes))].into()))
}

fn nested() -> Blob {
    let text = "Resources: { Q: { Type: 'AWS::SQS::Queue', Properties: { QueueName: '<driftless:bucket>' } } }";
    Blob::Template(Arc::new(Template::parse(text).unwrap()))
}

fn region() -> Region {
    REGION.parse().unwrap()
}

async fn ensure(
    artifacts: &Artifacts,
    blob: &Blob,
    contents: &Arc<dyn Contents>,
) -> Result<Put, ArtifactError> {
    artifacts.ensure(&region(), BUCKET, (&blob.name(), blob), contents).await
}

fn place(blob: &Blob) -> String {
    format!("/{BUCKET}/{}", blob.name().key())
}

#[tokio::test(start_paused = true)]
async fn each_content_is_uploaded_once_signed_and_with_its_checksum() {
    let (s3, artifacts) = S3::usual();
    let code = holding(&[b"print(1)", b"type Q"]);
    for blob in [zip(b"print(1)"), file(b"type Q"), nested()] {
        let put = ensure(&artifacts, &blob, &code).await.unwrap();
        let object = s3.objects()[&place(&blob)].clone();
        assert_eq!(put, Put::Uploaded { bytes: object.len() as u64 });
        let asked = s3.count("");
        assert_eq!(ensure(&artifacts, &blob, &code).await.unwrap(), Put::WasThere);
        assert_eq!(s3.count(""), asked, "it is known to be there");
    }
    assert_eq!(s3.objects()[&place(&file(b"type Q"))], b"type Q");
    let template = String::from_utf8(s3.objects()[&place(&nested())].clone()).unwrap();
    assert!(template.contains(&format!("QueueName: '{BUCKET}'")), "{template}");
    let asked = s3.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(asked.host, "s3.eu-central-1.amazonaws.com");
    let signature = &asked.headers["authorization"];
    assert!(
        signature.contains("Credential=BASE/")
            && signature.contains("/eu-central-1/s3/aws4_request"),
        "{signature}"
    );
    assert!(
        signature.contains("if-none-match;") && signature.contains("x-amz-checksum-sha256;"),
        "{signature}"
    );
    assert_eq!(asked.headers["x-amz-security-token"], "t0k3n");
    assert_eq!(asked.headers["x-amz-content-sha256"], Digest::of(&asked.body).to_string());
}

#[tokio::test(start_paused = true)]
async fn another_process_asks_and_makes_nothing_again() {
    let (s3, artifacts) = S3::usual();
    let reads = Arc::new(AtomicUsize::new(0));
    let held = Held { files: vec![b"1".to_vec()], reads: Arc::clone(&reads), ..Held::default() };
    let code: Arc<dyn Contents> = Arc::new(held);
    ensure(&artifacts, &zip(b"1"), &code).await.unwrap();
    let restarted = Artifacts::of(artifacts.0.aws.clone());
    assert_eq!(ensure(&restarted, &zip(b"1"), &code).await.unwrap(), Put::WasThere);
    assert_eq!((s3.count("PUT"), s3.count("HEAD"), reads.load(Ordering::SeqCst)), (1, 2, 1));
    assert_eq!(s3.asked.lock().unwrap()[0].headers["x-amz-checksum-mode"], "ENABLED");
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_at_the_same_time_it_is_uploaded_once_and_a_failure_is_that_of_all() {
    let refusals = 2;
    let (s3, artifacts) = S3::of(move |asked| {
        let is_first = asked.what.starts_with("PUT") && asked.before < refusals;
        is_first.then(|| error(403, "AccessDenied")).flatten()
    });
    let code = holding(&[b"1"]);
    let all_at_once = || async {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (artifacts, code) = (artifacts.clone(), Arc::clone(&code));
            asking.spawn(async move { ensure(&artifacts, &zip(b"1"), &code).await });
        }
        asking.join_all().await
    };
    let failed = all_at_once().await;
    assert!(
        failed.iter().all(|put| matches!(put, Err(ArtifactError::Denied { .. }))),
        "{failed:?}"
    );
    assert_eq!((s3.count("HEAD"), s3.count("PUT")), (1, 1));
    let done = all_at_once().await;
    let own = done.iter().filter(|put| matches!(put, Ok(Put::Uploaded { .. }))).count();
    let theirs = done.iter().filter(|put| matches!(put, Ok(Put::WasThere))).count();
    assert_eq!((own, theirs), (1, 49), "{done:?}");
    assert_eq!((s3.count("HEAD"), s3.count("PUT")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_leaves_the_upload_to_who_still_waits() {
    let (s3, artifacts) = S3::usual();
    let code = holding(&[b"1"]);
    let first = {
        let (artifacts, code) = (artifacts.clone(), Arc::clone(&code));
        tokio::spawn(async move { ensure(&artifacts, &zip(b"1"), &code).await })
    };
    s3.clock.sleep(Duration::from_millis(70)).await;
    let second = {
        let (artifacts, code) = (artifacts.clone(), Arc::clone(&code));
        tokio::spawn(async move { ensure(&artifacts, &zip(b"1"), &code).await })
    };
    s3.clock.sleep(Duration::from_millis(10)).await;
    first.abort();
    assert!(matches!(second.await.unwrap(), Ok(Put::Uploaded { .. })));
    assert_eq!(s3.objects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_bucket_is_said_with_what_to_do() {
    let elsewhere = Reply::Says(301, &[("x-amz-bucket-region", "us-east-1")], String::new());
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message>\
                     <Region>us-west-2</Region></Error>";
    let told = Reply::Says(400, &[], malformed.to_owned());
    for (head, put, says) in [
        (
            bare(404),
            error(404, "NoSuchBucket"),
            "there is no bucket `gloves-eu-central-1`: make it in eu-central-1",
        ),
        (
            bare(403),
            error(403, "AccessDenied"),
            "in eu-central-1 denies s3:PutObject to who runs driftless (no <AccessDenied>)",
        ),
        (bare(403), error(403, "InvalidAccessKeyId"), "denies s3:PutObject"),
        (bare(400), error(400, "ExpiredToken"), "denies s3:PutObject"),
        (
            Some(elsewhere),
            None,
            "is in us-east-1, and stacks in eu-central-1 need one in eu-central-1",
        ),
        (None, Some(told), "is in us-west-2, and stacks in eu-central-1"),
        (None, error(400, "BadDigest"), "arrived with another checksum"),
        (
            None,
            error(400, "InvalidArgument"),
            "refuses: PutObject: InvalidArgument: no <InvalidArgument>",
        ),
        (None, error(500, "InternalError"), "cannot be reached: PutObject: InternalError"),
        (bare(500), None, "cannot be reached: HeadObject: Unreachable: HTTP 500"),
        (None, error(503, "SlowDown"), "cannot be reached: PutObject: SlowDown"),
        // It is there, and may not be read.
        (bare(403), bare(412), "denies s3:GetObject"),
    ] {
        let (s3, artifacts) = S3::of(move |asked| match asked.what.starts_with("HEAD") {
            true => head.clone(),
            false => put.clone(),
        });
        let failed = ensure(&artifacts, &zip(b"1"), &holding(&[b"1"])).await.expect_err(says);
        assert!(failed.to_string().contains(says), "{failed}");
        let is_transient =
            ["cannot be reached", "another checksum"].iter().any(|text| says.contains(text));
        assert_eq!(failed.is_transient(), is_transient, "{failed:?}");
        assert!(s3.objects().is_empty());
        let tried = s3.count("");
        ensure(&artifacts, &zip(b"1"), &holding(&[b"1"])).await.expect_err(says);
        assert!(s3.count("") > tried, "it is tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_can_be_looked_at() {
    for (status, headers, says) in [
        (200, &[][..], ""),
        (404, &[], "there is no bucket"),
        (403, &[], "denies s3:ListBucket"),
        (301, &[("x-amz-bucket-region", "us-east-1")], "is in us-east-1"),
        (400, &[("x-amz-bucket-region", "us-east-1")], "is in us-east-1"),
    ] {
        let (s3, artifacts) = S3::of(move |_| Some(Reply::Says(status, headers, String::new())));
        let looked = artifacts.look(&region(), BUCKET).await;
        let told = looked.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(says) && told.is_empty() == says.is_empty(), "{told}");
        assert_eq!(s3.asked.lock().unwrap()[0].what, format!("HEAD /{BUCKET}"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_until_it_is_there() {
    let (s3, artifacts) = S3::of(|asked| match asked.before {
        0 => bare(503),
        2 => error(503, "SlowDown"),
        3 => error(500, "InternalError"),
        4 => error(409, "ConditionalRequestConflict"),
        _ => None,
    });
    let before = s3.clock.now();
    let put = ensure(&artifacts, &file(b"type Q"), &holding(&[b"type Q"])).await.unwrap();
    assert_eq!(put, Put::Uploaded { bytes: 6 });
    assert_eq!((s3.count("HEAD"), s3.count("PUT")), (2, 4));
    assert!(s3.clock.now().since(before) > Duration::from_secs(1), "it waited between");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_list_the_bucket_uploads_all_the_same() {
    let (s3, artifacts) =
        S3::of(|asked| asked.what.starts_with("HEAD").then(|| bare(403)).flatten());
    let put = ensure(&artifacts, &zip(b"1"), &holding(&[b"1"])).await.unwrap();
    assert!(matches!(put, Put::Uploaded { .. }));
    assert_eq!(s3.objects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_upload_that_was_faster_is_as_good() {
    let blob = file(b"type Q");
    // The answer to the first try is lost, so that the second finds its own object.
    let (s3, artifacts) = S3::of(|asked| (asked.before == 1).then_some(Reply::Lost));
    let put = ensure(&artifacts, &blob, &holding(&[b"type Q"])).await.unwrap();
    assert_eq!((put, s3.count("PUT"), s3.count("HEAD")), (Put::WasThere, 2, 2));
    let (s3, artifacts) = S3::of(|asked| (asked.before == 0).then(|| bare(404)).flatten());
    s3.put(&place(&blob), b"type Q");
    let put = ensure(&artifacts, &blob, &holding(&[b"type Q"])).await.unwrap();
    assert_eq!((put, s3.count("PUT")), (Put::WasThere, 1));
}

#[tokio::test(start_paused = true)]
async fn an_upload_counts_only_with_the_checksum_that_was_sent() {
    let blob = file(b"type Q");
    let garbled = |asked: &Asked| asked.what.starts_with("PUT").then_some(Reply::Garbled);
    let (_, artifacts) = S3::of(garbled);
    let failed = ensure(&artifacts, &blob, &holding(&[b"type Q"])).await.expect_err("garbled");
    assert!(matches!(failed, ArtifactError::Corrupted { .. }), "{failed:?}");
    // Where the answer names none, another question tells.
    let (s3, artifacts) = S3::of(|asked| asked.what.starts_with("PUT").then_some(Reply::Plain));
    ensure(&artifacts, &blob, &holding(&[b"type Q"])).await.unwrap();
    assert_eq!(s3.count("HEAD"), 2);
    let (_, artifacts) = S3::of(|asked| match asked.before {
        1 => Some(Reply::Plain),
        2 => Some(Reply::Garbled),
        _ => None,
    });
    let failed = ensure(&artifacts, &blob, &holding(&[b"type Q"])).await.expect_err("garbled");
    assert!(matches!(failed, ArtifactError::Corrupted { .. }), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_put_there_is_not_taken_for_ours() {
    for (blob, theirs) in [
        (file(b"type Q"), &b"type Queue"[..]),
        (zip(b"1"), b""),
        (nested(), b"Resources: {}"),
        (built_file("file:x", b"1"), b"2"),
    ] {
        let (s3, artifacts) = S3::usual();
        s3.put(&place(&blob), theirs);
        let failed = ensure(&artifacts, &blob, &holding(&[])).await.expect_err("theirs");
        assert!(matches!(failed, ArtifactError::Foreign { .. }), "{failed:?}");
        assert!(failed.to_string().contains("delete it"), "{failed}");
        assert_eq!(s3.count("PUT"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn pointers_of_git_lfs_and_files_that_changed_are_named_and_not_uploaded() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 129\n";
    for (code, says) in [
        (holding(&[pointer]), "`s/app.py` is a pointer of Git LFS, not the file itself"),
        (holding(&[]), "`s/app.py` was changed on disk since the fleet was read"),
    ] {
        let (s3, artifacts) = S3::usual();
        let failed = ensure(&artifacts, &zip(pointer), &code).await.expect_err(says);
        assert!(failed.to_string().contains(says) && !failed.is_of_bucket(), "{failed}");
        assert_eq!(s3.count("PUT"), 0);
    }
}

fn built_of(from: &str, bytes: &[u8]) -> Packed {
    let built = Built { from: from.parse::<BuiltAt>().unwrap(), digest: Digest::of(bytes) };
    Packed { path: "s/dist/code.zip".to_owned(), origin: Origin::Built(built), bytes: 0 }
}

fn built_file(from: &str, bytes: &[u8]) -> Blob {
    Blob::File(built_of(from, bytes))
}

#[tokio::test(start_paused = true)]
async fn build_outputs_come_from_the_disk_or_from_a_bucket_of_any_region() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("code.zip"), b"built").unwrap();
    let code: Arc<dyn Contents> =
        Arc::new(Held { folder: Some(folder.path().to_owned()), ..Held::default() });
    let absolute = format!("file:{}", folder.path().join("code.zip").display());
    for from in ["file:code.zip", &absolute, "s3://builds/a%20b/1 2.zip"] {
        let (s3, artifacts) = S3::of(|asked| {
            let is_elsewhere = asked.what.contains("/builds/") && !asked.host.contains("us-east-1");
            let region = &[("x-amz-bucket-region", "us-east-1")];
            is_elsewhere.then(|| Reply::Says(301, region, String::new()))
        });
        s3.put("/builds/a%2520b/1%202.zip", b"built");
        let blob = built_file(from, b"built");
        let put = ensure(&artifacts, &blob, &code).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(put, Put::Uploaded { bytes: 5 });
        assert_eq!(s3.objects()[&place(&blob)], b"built");
    }
    // One among committed files of a zip.
    let (s3, artifacts) = S3::usual();
    let mixed = [
        ("app.py".to_owned(), committed("s/app.py", b"1")),
        ("lib".to_owned(), built_of("file:code.zip", b"built")),
    ];
    let mixed = Blob::Zip(Arc::new(mixed.into()));
    let held = Held {
        files: vec![b"1".to_vec()],
        folder: Some(folder.path().to_owned()),
        ..Held::default()
    };
    ensure(&artifacts, &mixed, &(Arc::new(held) as Arc<dyn Contents>)).await.unwrap();
    let files = [("app.py", &b"1"[..]), ("lib", b"built")];
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes.into()));
    assert_eq!(s3.objects()[&place(&mixed)], crate::package::archive(&files.into()).unwrap());
}

#[tokio::test(start_paused = true)]
async fn build_outputs_that_are_missing_or_others_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("code.zip"), b"other").unwrap();
    let large = std::fs::File::create(folder.path().join("large.zip")).unwrap();
    large.set_len(MAX_CODE_BYTES + 1).unwrap();
    let here: Arc<dyn Contents> =
        Arc::new(Held { folder: Some(folder.path().to_owned()), ..Held::default() });
    let other = format!(
        "sha256:{}, and `artifacts` names sha256:{}",
        Digest::of(b"other"),
        Digest::of(b"built")
    );
    for (from, code, says) in [
        ("file:nothing.zip", &here, "`s/dist/code.zip`: there is no file at file:nothing.zip"),
        ("file:code.zip", &holding(&[]), "lies in no folder of this machine"),
        ("file:code.zip", &here, other.as_str()),
        ("file:large.zip", &here, "has 262144001 bytes; 262144000 are the most"),
        ("s3://builds/code.zip", &here, "there is nothing at s3://builds/code.zip: build it"),
        ("s3://builds/other.zip", &here, other.as_str()),
        ("s3://builds/large.zip", &here, "has 262144001 bytes; 262144000 are the most"),
        ("s3://denied/code.zip", &here, "the bucket `denied` in eu-central-1 denies s3:GetObject"),
    ] {
        let (s3, artifacts) = S3::of(|asked| match asked.what.as_str() {
            what if what.contains("/denied/") => bare(403),
            "HEAD /builds/large.zip" => {
                Some(Reply::Says(200, &[("content-length", "262144001")], String::new()))
            }
            _ => None,
        });
        s3.put("/builds/other.zip", b"other");
        let failed = ensure(&artifacts, &built_file(from, b"built"), code).await.expect_err(from);
        assert!(failed.to_string().contains(says), "{failed}");
        assert_eq!(s3.count("PUT"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn all_contents_are_uploaded_at_once_within_the_limits_and_each_failure_is_told() {
    let broken = zip(b"broken");
    let denied = broken.name().key();
    let (s3, artifacts) = S3::of(move |asked| {
        let is_denied = asked.what.starts_with("PUT") && asked.what.ends_with(&denied);
        is_denied.then(|| error(403, "AccessDenied")).flatten()
    });
    let texts: Vec<String> = (0..200).map(|number| format!("number {number}")).collect();
    let mut files: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    files.push(b"broken");
    let code = holding(&files);
    let blobs = files.iter().map(|bytes| zip(bytes));
    let blobs: BTreeMap<_, _> = blobs.map(|blob| (blob.name(), blob)).collect();
    let told = Mutex::new(Vec::new());
    let tell = |progress: Progress| told.lock().unwrap().push(progress);
    let uploads = artifacts.ensure_all(&region(), BUCKET, &blobs, &code, tell).await;
    assert_eq!((uploads.uploaded, uploads.were_there), (200, 0));
    assert_eq!(uploads.failures.keys().collect::<Vec<_>>(), [&broken.name()]);
    assert_eq!(uploads.bytes, s3.objects().values().map(|object| object.len() as u64).sum::<u64>());
    assert_eq!(s3.most_uploads.load(Ordering::SeqCst), UPLOADS_AT_ONCE);
    let told = told.into_inner().unwrap();
    let last = told.last().unwrap();
    assert_eq!((told.len(), last.all, last.there, last.failed), (201, 201, 200, 1));
    assert_eq!(last.bytes_done, last.bytes_of_all);
    assert!(told.is_sorted_by_key(|progress| progress.bytes_done));
    let asked = s3.count("");
    let again = artifacts.ensure_all(&region(), BUCKET, &blobs, &code, |_| {}).await;
    assert_eq!((again.uploaded, again.were_there, again.failures.len()), (0, 200, 1));
    assert_eq!(s3.count("") - asked, 2, "only what is missing is asked for");
}

#[tokio::test(start_paused = true)]
async fn large_contents_wait_for_room_in_memory() {
    let (s3, artifacts) = S3::usual();
    let mut asking = tokio::task::JoinSet::new();
    let mut code = Vec::new();
    for number in 0..4_u8 {
        // What the document says of its size counts, not what it holds.
        let Blob::Zip(mut files) = zip(&[number]) else { unreachable!("a zip") };
        Arc::make_mut(&mut files).values_mut().for_each(|file| file.bytes = 250_000_000);
        code.push(vec![number]);
        let held = Held { files: code.clone(), ..Held::default() };
        let (artifacts, code) = (artifacts.clone(), Arc::new(held) as Arc<dyn Contents>);
        asking.spawn(async move { ensure(&artifacts, &Blob::Zip(files), &code).await });
    }
    for put in asking.join_all().await {
        put.unwrap();
    }
    assert_eq!(s3.most_uploads.load(Ordering::SeqCst), 1);
}
