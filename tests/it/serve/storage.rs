//! boto3 and the AWS CLI take the served cloud's S3 for AWS's: objects, packaged templates, and code
//! that Lambda finds.

use std::path::Path;
use std::process::Command;

use driftless::sim::{BucketAccess, Cloud, CloudSettings};
use serde_json::{Value, json};

use crate::python::{Ran, clean, not_run, python, run};
use crate::serve::Served;

const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "210000000001";

const ROOT: &str = "Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: inner.yaml }
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::210000000001:role/worker
      Runtime: python3.13
      Handler: main.handle
      Code: code
";
const INNER: &str = "Resources:
  Layer: { Type: AWS::Lambda::LayerVersion, Properties: { Content: layer } }
";

/// A cloud at the speed of tests with two buckets of the account.
fn served() -> Served {
    let served = Served::with(CloudSettings { speed: 100_000.0, ..CloudSettings::default() });
    let console = served.cloud.console();
    let account = ACCOUNT.parse().expect("an account");
    for (name, region) in [("artifacts", REGION), ("artifacts-us", "us-east-1"), ("shut", REGION)] {
        console.make_bucket_of(account, name, &region.parse().expect("a region")).expect("made");
    }
    let shut = BucketAccess { readable: false, writable: false };
    console.restrict_bucket("shut", shut).expect("restricted");
    served
}

fn with_keys<'a>(command: &'a mut Command, served: &Served) -> &'a mut Command {
    let (key, secret) = served.cloud.keys_of(Some(ACCOUNT.parse().expect("an account")));
    command.env("AWS_ENDPOINT_URL", served.endpoint()).env("AWS_REGION", REGION);
    command.env("AWS_DEFAULT_REGION", REGION).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret)
}

#[test]
fn boto3_puts_finds_reads_and_lists_objects() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("boto3 against the simulated S3", &why),
    };
    let served = served();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/serve/storage.py");
    let mut command = clean(&python);
    let ran = run(with_keys(&mut command, &served).arg("-B").arg(script), "");
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let said: Value = serde_json::from_str(&ran.out).expect("json");
    assert_eq!(
        said,
        json!({
            "put": { "ETag": "\"c13367945d5d4c91047b3b50234aa7ab\"", "sha256": true },
            "head": { "ContentLength": 4, "ContentType": "application/zip", "sha256": true },
            "get": "code",
            "chunks": "code in chunks",
            "keys": ["a b/c+d?.zip", "chunks", "default", "\u{fc}/&<"],
            "folders": ["a b/", "\u{fc}/"],
            "region": REGION,
            "errors": {
                "again": ["PreconditionFailed", 412],
                "no bucket": ["NoSuchBucket", 404],
                "no bucket, no body": ["404", 404],
                "no key": ["NoSuchKey", 404],
                "elsewhere": ["PermanentRedirect", 301],
                "shut": ["AccessDenied", 403],
                "wrong sum": ["BadDigest", 400],
                "wrong md5": ["BadDigest", 400],
                "forged": ["SignatureDoesNotMatch", 403],
                "stranger": ["InvalidAccessKeyId", 403],
                "deleted": ["NotImplemented", 501],
            },
            "redirected": "elsewhere",
        })
    );
    let counts = served.cloud.call_counts();
    for operation in Cloud::operations_of_s3() {
        assert!(counts.keys().any(|(_, _, api)| *api == operation), "{operation} was not called");
    }
}

#[test]
fn the_aws_cli_copies_objects_and_deploys_what_it_packages() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("the AWS CLI against the simulated S3", &why),
    };
    let served = served();
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("root.yaml", ROOT),
        ("inner.yaml", INNER),
        ("code/main.py", "def handle(event, context): pass\n"),
        ("layer/python/shared.py", "WORD = 'one'\n"),
        ("note.txt", "a note\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let aws = |line: &str| -> Ran {
        let mut command = clean(&python);
        command.arg(python.with_file_name("aws")).args(line.split(' ')).current_dir(folder.path());
        run(with_keys(&mut command, &served), "")
    };
    let done = |line: &str| -> String {
        let ran = aws(line);
        assert_eq!(ran.code, Some(0), "{line}: {}\n{}", ran.out, ran.err);
        ran.out
    };
    done("s3 cp note.txt s3://artifacts/notes/note.txt");
    assert_eq!(done("s3 cp s3://artifacts/notes/note.txt -"), "a note\n");
    done("s3 cp s3://artifacts/notes/note.txt back.txt");
    assert_eq!(std::fs::read_to_string(folder.path().join("back.txt")).expect("it"), "a note\n");
    assert!(done("s3 ls s3://artifacts").contains("PRE notes/"));
    let missing = aws("s3 cp note.txt s3://no-such-bucket/note.txt");
    assert!(missing.err.contains("(NoSuchBucket)"), "{}", missing.err);

    let package = "cloudformation package --template-file root.yaml --s3-bucket artifacts \
                   --s3-prefix packaged --output-template-file packaged.yaml";
    done(package);
    let console = served.cloud.console();
    let keys = console.keys("artifacts").expect("keys");
    assert_eq!(keys.len(), 4, "a note, a template, a function and a layer: {keys:?}");
    let deploy = "cloudformation deploy --template-file packaged.yaml --stack-name root";
    assert!(done(deploy).contains("Successfully created/updated stack - root"));
    let puts = |served: &Served| {
        let counts = served.cloud.call_counts();
        counts.iter().filter(|((.., api), _)| *api == "PutObject").map(|(_, count)| *count).sum()
    };
    let before: u64 = puts(&served);
    done(package);
    assert_eq!(puts(&served), before, "everything is there already");

    // What Lambda is to find is gone.
    for key in keys.iter().filter(|key| key.starts_with("packaged/") && !key.ends_with("template"))
    {
        console.remove_object("artifacts", key).expect("removed");
    }
    done("cloudformation delete-stack --stack-name root");
    done("cloudformation wait stack-delete-complete --stack-name root");
    let again = aws(deploy);
    assert_ne!(again.code, Some(0), "{again:?}");
    let events = done("cloudformation describe-stack-events --stack-name root");
    assert!(events.contains("S3 Error Code: NoSuchKey"), "{events}");
}
