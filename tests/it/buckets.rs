//! What templates point to goes into buckets of other people's S3, over the wire: signed, verified,
//! once.

use std::path::Path;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use driftless::artifacts::{Artifacts, Contents, Put};
use driftless::aws::{Aws, AwsSettings, Patience};
use driftless::clock::Clock;
use driftless::git::{Source, SourceSettings};
use driftless::package::{Blob, Built, Origin, Packages, Packed};
use driftless::template::Template;
use serde_json::Value;

use crate::ministack::server::{HOME, Ministack};
use crate::moto::Moto;
use crate::python::{clean, not_run, python, run};

const MAKE: &str = include_str!("buckets/bucket.py");
/// A key that moto takes for one.
const KEY: &str = "test";
const BUCKET: &str = "gloves-eu-central-1";
const REGION: &str = "eu-central-1";
const ELSEWHERE: &str = "us-west-2";

/// Makes a bucket, unless it is there, and says what is in it.
fn bucket(endpoint: &str, key: &str, region: &str, name: &str) -> Value {
    let mut command = clean(&python().expect("it serves already"));
    let ran = run(command.args(["-c", MAKE, endpoint, key, region, name]), "");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).expect("json")
}

async fn artifacts(endpoint: &str, key: &str) -> Artifacts {
    let base = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(key, "test", None, None, "test"))
        .region(Region::new(REGION))
        .load()
        .await;
    Artifacts::of(Aws::of(AwsSettings {
        base,
        home: REGION.parse().expect("a region"),
        clock: Clock::of_this_machine(),
        controller_id: "one".to_owned(),
        patience: Patience::default(),
    }))
}

fn source() -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/package/sam");
    let outside = tempfile::tempdir().expect("a folder").keep();
    crate::package::copy(&path, &outside);
    let settings = SourceSettings { path: outside, revision: None, worktree: false, polled: true };
    Source::open(settings).expect("a folder")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_is_uploaded_over_the_wire_and_the_second_time_nothing() {
    let moto = match Moto::start() {
        Ok(moto) => moto,
        Err(why) => return not_run("uploads to moto's S3", &why),
    };
    let source = source();
    let snapshot = source.read().expect("files");
    let text = std::str::from_utf8(snapshot.read("root.yaml").expect("there")).expect("text");
    let template = Arc::new(Template::parse(text).expect("a template"));
    let package = Packages::of(&snapshot).package("root.yaml", &template).expect("sound");
    let region = REGION.parse().expect("a region");
    let contents: Arc<dyn Contents> = Arc::new(source);
    let uploader = artifacts(moto.endpoint(), KEY).await;

    // No bucket, then one.
    let none = uploader.ensure_all(&region, BUCKET, &package.blobs, &contents, |_| {}).await;
    assert_eq!(none.failures.len(), package.blobs.len());
    for failure in none.failures.values() {
        assert!(failure.to_string().starts_with("there is no bucket `gloves-"), "{failure}");
    }
    bucket(moto.endpoint(), KEY, REGION, BUCKET);
    uploader.look(&region, BUCKET).await.expect("it is there");
    let all = uploader.ensure_all(&region, BUCKET, &package.blobs, &contents, |_| {}).await;
    assert!(all.failures.is_empty(), "{:?}", all.failures);
    assert_eq!((all.uploaded, all.were_there), (package.blobs.len(), 0));

    let objects = bucket(moto.endpoint(), KEY, REGION, BUCKET);
    let objects = objects.as_object().expect("objects");
    assert_eq!(objects.len(), package.blobs.len());
    for (name, blob) in &package.blobs {
        let object = &objects[&name.key()];
        assert!(object["sha256"].is_string(), "{object}");
        match blob {
            Blob::Zip(files) => {
                let names: Vec<&str> = files.keys().map(String::as_str).collect();
                assert_eq!(object["said"], Value::from(names));
            }
            Blob::Template(_) => {
                let said = object["said"].as_str().expect("a text");
                assert!(Template::parse(said).is_ok() && !said.contains('<'), "{said}");
            }
            Blob::File(file) => assert_eq!(
                object["said"].as_str().expect("a text").len() as u64,
                file.bytes,
                "{file:?}"
            ),
        }
    }
    let again = artifacts(moto.endpoint(), KEY).await;
    let again = again.ensure_all(&region, BUCKET, &package.blobs, &contents, |_| {}).await;
    assert_eq!((again.uploaded, again.were_there, again.failures.len()), (0, objects.len(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_output_comes_over_the_wire_from_a_bucket_of_another_region() {
    let moto = match Moto::start() {
        Ok(moto) => moto,
        Err(why) => return not_run("build outputs from moto's S3", &why),
    };
    for (region, name) in [(REGION, BUCKET), (ELSEWHERE, "builds")] {
        bucket(moto.endpoint(), KEY, region, name);
    }
    let region = REGION.parse().expect("a region");
    let source = source();
    let uploader = artifacts(moto.endpoint(), KEY).await;
    let contents: Arc<dyn Contents> = Arc::new(source.clone());
    let snapshot = source.read().expect("files");
    let bytes = snapshot.read("root.yaml").expect("there");
    let digest = driftless::ids::Digest::of(bytes);
    let packed = |from: &str| {
        let built = Built { from: from.parse().expect("a place"), digest };
        Blob::File(Packed { path: "x".to_owned(), origin: Origin::Built(built), bytes: 0 })
    };
    // The build's own upload is one of ours into its bucket.
    let build = packed("file:root.yaml");
    let elsewhere = ELSEWHERE.parse().expect("a region");
    let put = uploader.ensure(&elsewhere, "builds", (&build.name(), &build), &contents).await;
    assert_eq!(put.expect("uploaded"), Put::Uploaded { bytes: bytes.len() as u64 });
    let fetched = packed(&format!("s3://builds/{}", build.name().key()));
    let put = uploader.ensure(&region, BUCKET, (&fetched.name(), &fetched), &contents).await;
    assert_eq!(put.expect("uploaded"), Put::Uploaded { bytes: bytes.len() as u64 });
    let objects = bucket(moto.endpoint(), KEY, REGION, BUCKET);
    let said = objects[&fetched.name().key()]["said"].as_str().expect("a text").to_owned();
    assert_eq!(said.as_bytes(), &**bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_another_region_is_refused_over_the_wire_and_nothing_is_put_there() {
    let ministack = match Ministack::start() {
        Ok(ministack) => ministack,
        Err(why) => return not_run("a bucket of another region of ministack's S3", &why),
    };
    let endpoint = ministack.endpoint();
    bucket(endpoint, HOME, ELSEWHERE, BUCKET);
    let uploader = artifacts(endpoint, HOME).await;
    let contents: Arc<dyn Contents> = Arc::new(source());
    let template = Template::parse("Resources: { Q: { Type: 'AWS::SQS::Queue' } }");
    let blob = Blob::Template(Arc::new(template.expect("a template")));
    let region = REGION.parse().expect("a region");
    let looked = uploader.look(&region, BUCKET).await;
    let put = uploader.ensure(&region, BUCKET, (&blob.name(), &blob), &contents).await;
    for failed in [looked.expect_err("elsewhere"), put.expect_err("elsewhere")] {
        let told = failed.to_string();
        assert!(told.contains("is in us-west-2, and stacks in eu-central-1 need one"), "{told}");
    }
    let elsewhere = ELSEWHERE.parse().expect("a region");
    let put = uploader.ensure(&elsewhere, BUCKET, (&blob.name(), &blob), &contents).await;
    assert_eq!(put.expect("uploaded"), Put::Uploaded { bytes: blob.bytes() });
    let again = artifacts(endpoint, HOME).await;
    let again = again.ensure(&elsewhere, BUCKET, (&blob.name(), &blob), &contents).await;
    assert_eq!(again.expect("there"), Put::WasThere);
    assert_eq!(bucket(endpoint, HOME, ELSEWHERE, BUCKET).as_object().expect("objects").len(), 1);
}
