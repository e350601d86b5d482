//! What is made of a template's local paths, beside what `aws cloudformation package` from PyPI makes
//! of them: the same templates and the same contents, wherever they lie.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use driftless::git::{Source, SourceSettings};
use driftless::package::{Blob, Origin, Package, Packages, Packed, filled};
use driftless::template::Template;
use serde_json::{Value, json};

use crate::python::{clean, free_port, not_run, python, run, start};

const SERVE: &str = include_str!("moto/serve.py");
const THEIRS: &str = include_str!("package/theirs.py");
const BUCKET: &str = "artifacts";
const REGION: &str = "us-east-1";

/// The package of a template below the fixture.
fn ours(folder: &Path, path: &str) -> Arc<Package> {
    let settings =
        SourceSettings { path: folder.to_owned(), revision: None, worktree: false, polled: true };
    let snapshot = Source::open(settings).expect("a folder").read().expect("files");
    let text = std::str::from_utf8(snapshot.read(path).expect("a template")).expect("text");
    let template = Arc::new(Template::parse(text).expect("a template"));
    let mut packages = Packages::of(&snapshot);
    let package = packages.package(path, &template);
    package.unwrap_or_else(|| panic!("{:#?}", packages.problems()))
}

/// A template as people upload it.
fn full(template: &Template) -> Value {
    let region = REGION.parse().expect("a region");
    let text = filled(template.body(), BUCKET, &region);
    Template::parse(&text).expect("a template").value().clone()
}

/// Our contents by key, in the words of the script.
fn objects(package: &Package) -> BTreeMap<String, Value> {
    let described = |blob: &Blob| match blob {
        Blob::File(file) => json!({ "file": content(file) }),
        Blob::Zip(files) => {
            let ids = files.iter().map(|(name, file)| (name.clone(), content(file).into()));
            json!({ "zip": Value::Object(ids.collect()) })
        }
        Blob::Template(template) => json!({ "template": full(template) }),
    };
    let key = |name: &dyn std::fmt::Display| format!("driftless/{name}");
    package.blobs.iter().map(|(name, blob)| (key(name), described(blob))).collect()
}

fn content(file: &Packed) -> String {
    match &file.origin {
        Origin::Committed { id } => id.to_string(),
        Origin::Built(built) => built.digest.to_string(),
    }
}

/// A template in which each place is what lies there.
fn resolved(value: &Value, objects: &BTreeMap<String, Value>) -> Value {
    let at = |key: &str| match objects.get(key) {
        Some(found) => match found.get("template") {
            Some(template) => json!({ "template": resolved(template, objects) }),
            None => found.clone(),
        },
        None => panic!("nothing lies at {key}"),
    };
    let https = format!("https://s3.{REGION}.amazonaws.com/{BUCKET}/");
    // The AWS CLI writes the first region of AWS without its name.
    let forms = [format!("s3://{BUCKET}/"), https, format!("https://s3.amazonaws.com/{BUCKET}/")];
    match value {
        Value::String(text) => {
            let key = forms.iter().find_map(|form| text.strip_prefix(form));
            key.map_or_else(|| value.clone(), at)
        }
        Value::Array(items) => items.iter().map(|item| resolved(item, objects)).collect(),
        Value::Object(map) => {
            for (bucket, key) in [("S3Bucket", "S3Key"), ("Bucket", "Key")] {
                if map.get(bucket).is_some_and(|name| name == BUCKET) {
                    return at(map[key].as_str().expect("a key"));
                }
            }
            map.iter().map(|(key, value)| (key.clone(), resolved(value, objects))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[test]
fn local_paths_become_what_the_aws_cli_makes_of_them() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return not_run("packaging beside the AWS CLI", &why),
    };
    let port = free_port();
    let _server = start(clean(&python).args(["-c", SERVE, &port.to_string()]), "Running on");
    let endpoint = format!("http://127.0.0.1:{port}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/package/sam");
    let outside = tempfile::tempdir().expect("a folder");
    // Outside of the repository the files are read as they lie.
    copy(&folder, outside.path());
    let mut command = clean(&python);
    command.args(["-c", THEIRS]).arg(outside.path().join("root.yaml")).arg(BUCKET);
    command
        .arg(outside.path())
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("AWS_DEFAULT_REGION", REGION);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let package = ours(outside.path(), "root.yaml");
    let ran = run(&mut command, "");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    // Of another endpoint than AWS's the AWS CLI writes that.
    let out = ran.out.replace(&endpoint, &format!("https://s3.{REGION}.amazonaws.com"));
    let theirs: Value = serde_json::from_str(&out).expect("json");
    let their_objects = theirs["objects"].as_object().expect("objects");
    let their_objects: BTreeMap<String, Value> =
        their_objects.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let our_objects = objects(&package);
    let (ours, theirs) = (
        resolved(&full(&package.template), &our_objects),
        resolved(&theirs["template"], &their_objects),
    );
    similar(&ours, &theirs, "");
    // Equal contents are there once, here as there.
    assert_eq!(our_objects.len(), 14, "{our_objects:#?}");
}

/// Whether both say the same, where numbers and texts of templates are one.
fn similar(ours: &Value, theirs: &Value, at: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{at}");
            for (key, value) in ours {
                similar(value, &theirs[key], &format!("{at}/{key}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{at}");
            for (number, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                similar(ours, theirs, &format!("{at}/{number}"));
            }
        }
        (_, _) => assert_eq!(ours, theirs, "{at}"),
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&to).expect("made");
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}
