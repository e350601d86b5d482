//! Every row, and what is wrong with local paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::ids::Revision;
use crate::package::without_buckets;
use crate::snapshot::{ContentId, Entry, Unread, is_text};

fn snapshot(files: &[(&str, &str)]) -> Snapshot {
    let entries = files.iter().map(|(path, text)| {
        let entry = match is_text(path) {
            true => Entry::File(text.as_bytes().into()),
            false => Entry::Unread(Unread {
                id: ContentId::of(text.as_bytes()),
                bytes: text.len() as u64,
            }),
        };
        ((*path).to_owned(), entry)
    });
    Snapshot::of(Revision::of("folder"), None, entries.collect())
}

/// The package of the first file, or what is wrong, each with its place.
fn packaged(files: &[(&str, &str)]) -> Result<Arc<Package>, Vec<String>> {
    let snapshot = snapshot(files);
    let (path, text) = files[0];
    let template = Arc::new(Template::parse(text).expect("a template"));
    let mut packages = Packages::of(&snapshot);
    let package = packages.package(path, &template);
    let problems = packages.problems();
    assert_eq!(package.is_none(), !problems.is_empty());
    package.ok_or_else(|| {
        let told =
            |problem: Problem| format!("{}#{}: {}", problem.path, problem.pointer, problem.message);
        problems.into_iter().map(told).collect()
    })
}

fn in_place(row: &Row, value: Value) -> Value {
    let nested = |inner, part: &&str| json!({ *part: inner });
    row.property.iter().rev().fold(value, nested)
}

fn pointer(row: &Row) -> String {
    format!("/Resources/R/Properties/{}", row.property.join("/"))
}

#[test]
fn each_row_takes_a_file_of_the_fleet_to_the_bucket() {
    for row in ROWS {
        let nested = "Resources: { Q: { Type: 'AWS::SQS::Queue' } }";
        let at = if row.form == Form::Template { "parts/it.yaml" } else { "parts/it" };
        let template = json!({ "Resources": { "R": {
            "Type": row.kind, "Properties": in_place(row, at.into()),
        } } });
        let template = template.to_string();
        let files = [("s/t.json", template.as_str()), (&*format!("s/{at}"), nested)];
        let package = packaged(&files).unwrap_or_else(|problems| panic!("{problems:?}"));
        let place = package.template.value().pointer(&pointer(row)).expect(row.kind);
        let (name, blob) = package.blobs.first_key_value().expect("a blob");
        assert_eq!(package.blobs.len(), 1);
        let key = format!("driftless/{name}");
        match row.form {
            Form::Url => assert_eq!(*place, format!("s3://<driftless:bucket>/{key}")),
            Form::Template => {
                assert_eq!(*place, format!("https://<driftless:s3>/<driftless:bucket>/{key}"));
                assert!(package.nested.contains_key("R"));
            }
            Form::Parts { bucket, key: named, .. } => {
                assert_eq!(*place, json!({ bucket: "<driftless:bucket>", named: key }));
            }
        }
        let kind = match blob {
            Blob::File(file) => format!("file {}", file.path),
            Blob::Zip(files) => format!("zip of {}", files.keys().next().expect("a file")),
            Blob::Template(template) => format!("template with {}", template.resources().len()),
        };
        let expected = match row.form {
            Form::Template => "template with 1",
            _ if row.is_zipped => "zip of it",
            Form::Url | Form::Parts { .. } => "file s/parts/it",
        };
        assert_eq!(kind, expected, "{}", row.kind);
        // What is filled in once is no other template.
        let mut value = package.template.value().clone();
        without_buckets(&mut value);
        assert_eq!(value, *package.template.value());
    }
}

#[test]
fn each_row_leaves_what_is_no_local_path() {
    for row in ROWS {
        for value in [json!({ "Ref": "Where" }), json!({ "S3Bucket": "b", "S3Key": "k" })] {
            let template = json!({ "Resources": { "R": {
                "Type": row.kind, "Properties": in_place(row, value.clone()),
            } } });
            let package = packaged(&[("t.json", &template.to_string())]).expect("a package");
            assert_eq!(package.template.value().pointer(&pointer(row)), Some(&value));
            assert!(package.blobs.is_empty());
        }
        let template = json!({ "Resources": { "R": {
            "Type": row.kind, "Properties": in_place(row, "s3://theirs/a/b?versionId=7".into()),
        } } });
        let package = packaged(&[("t.json", &template.to_string())]).expect("a package");
        let expected = match row.form {
            Form::Parts { bucket, key, version } => {
                let mut parts = json!({ bucket: "theirs", key: "a/b" });
                if let Some(version) = version {
                    parts[version] = "7".into();
                }
                parts
            }
            Form::Url | Form::Template => "s3://theirs/a/b?versionId=7".into(),
        };
        assert_eq!(package.template.value().pointer(&pointer(row)), Some(&expected));
    }
}

const SAM: &str = "
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: python3.13, CodeUri: code } }
Metadata: { AWS::ServerlessRepo::Application: { ReadmeUrl: README.md } }
Resources:
  Child: { Type: AWS::Serverless::Application, Properties: { Location: nested/child.yaml } }
  Global: { Type: AWS::Serverless::Function, Properties: { Handler: a.b } }
  Inline: { Type: AWS::Serverless::Function, Properties: { InlineCode: x } }
  Image: { Type: AWS::Serverless::Function, Properties: { PackageType: Image } }
  Fn::ForEach::Each:
    - Name
    - [A, B]
    - 'F${Name}': { Type: AWS::Lambda::Function, Properties: { Code: code } }
  Api:
    Type: AWS::Serverless::Api
    Properties:
      DefinitionBody: { Fn::Transform: { Name: AWS::Include, Parameters: { Location: api.yaml } } }
";
const CHILD: &str = "
Resources:
  Inner: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: inner.yaml } }
";
const INNER: &str = "
Resources:
  Layer: { Type: AWS::Lambda::LayerVersion, Properties: { Content: ../code } }
";

fn sam() -> Vec<(&'static str, &'static str)> {
    vec![
        ("s/t.yaml", SAM),
        ("s/README.md", "read"),
        ("s/api.yaml", "openapi: 3.0.1"),
        ("s/code/a.py", "1"),
        ("s/code/lib/b.py", "2"),
        ("s/nested/child.yaml", CHILD),
        ("s/nested/inner.yaml", INNER),
    ]
}

#[test]
fn nested_stacks_loops_globals_includes_and_metadata_are_packaged() {
    let package = packaged(&sam()).expect("a package");
    let value = package.template.value();
    let code = value.pointer("/Resources/Global/Properties/CodeUri").expect("code");
    assert!(code.as_str().is_some_and(|code| code.ends_with(".zip")));
    for at in ["/Globals/Function/CodeUri", "/Resources/Inline/Properties/CodeUri"] {
        assert!(value.pointer(at).is_none_or(|value| *value == "code"), "{at}");
    }
    let looped = value.pointer("/Resources/Fn::ForEach::Each/2/F${Name}/Properties/Code/S3Key");
    assert!(
        looped.and_then(Value::as_str).is_some_and(|key| code.as_str().unwrap().ends_with(key))
    );
    for at in [
        "/Metadata/AWS::ServerlessRepo::Application/ReadmeUrl",
        "/Resources/Api/Properties/DefinitionBody/Fn::Transform/Parameters/Location",
    ] {
        let place = value.pointer(at).and_then(Value::as_str).expect(at);
        assert!(place.starts_with("s3://<driftless:bucket>/driftless/"), "{place}");
    }
    // The code is there once, though three want it.
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for blob in package.blobs.values() {
        let kind = match blob {
            Blob::File(_) => "file",
            Blob::Zip(_) => "zip",
            Blob::Template(_) => "template",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds, BTreeMap::from([("file", 2), ("template", 2), ("zip", 1)]));
    let child = &package.nested["Child"];
    assert!(child.nested["Inner"].template.resources().contains_key("Layer"));
}

#[test]
fn a_change_of_code_deep_inside_changes_every_template_above_it_and_nothing_else() {
    let before = packaged(&sam()).expect("a package");
    let mut files = sam();
    files[4] = ("s/code/lib/b.py", "3");
    let after = packaged(&files).expect("a package");
    assert_ne!(before.template.digest(), after.template.digest());
    let kept = before.blobs.keys().filter(|name| after.blobs.contains_key(name)).count();
    assert_eq!(kept, 2, "README and API stay");
    let mut files = sam();
    files.push(("s/elsewhere.py", "x"));
    let beside = packaged(&files).expect("a package");
    assert_eq!(before.template.digest(), beside.template.digest());
}

#[test]
fn a_template_that_points_to_nothing_keeps_its_text() {
    let text = "# a comment\nResources: { Q: { Type: AWS::SQS::Queue } }\n";
    let package = packaged(&[("t.yaml", text)]).expect("a package");
    assert_eq!(package.template.body(), text);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let function = |code: &str| {
        format!(
            "Resources: {{ F: {{ Type: AWS::Lambda::Function, Properties: {{ Code: {code} }} }} }}"
        )
    };
    let place = "s/t.yaml#/Resources/F/Properties/Code: ";
    for (code, says) in [
        ("missing", "there is nothing at `s/missing`"),
        ("../../out", "`../../out` leaves the fleet folder"),
        ("/etc", "`/etc` leaves the fleet folder"),
        ("'https://example.com/x.zip'", "`https://example.com/x.zip` is no place in S3"),
        ("empty", "nothing of `s/empty` is left"),
    ] {
        let files = [
            ("s/t.yaml", &*function(code)),
            ("s/empty/.driftlessignore", "*"),
            ("s/empty/a.py", "1"),
        ];
        let problems = packaged(&files).expect_err(code);
        assert!(problems[0].starts_with(&format!("{place}{says}")), "{problems:?}");
    }
}

#[test]
fn templates_that_nest_themselves_or_are_broken_are_told() {
    let nests = |path: &str| {
        format!(
            "Resources: {{ S: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {path} }} }} }}"
        )
    };
    let (a, b) = (nests("b.yaml"), nests("./a.yaml"));
    let problems = packaged(&[("a.yaml", &a), ("b.yaml", &b)]).expect_err("a ring");
    assert_eq!(
        problems,
        [
            "b.yaml#/Resources/S/Properties/TemplateURL: the template nests itself: \
             a.yaml -> b.yaml -> a.yaml",
            "a.yaml#/Resources/S/Properties/TemplateURL: the template `b.yaml` has errors",
        ]
    );
    let broken = packaged(&[("a.yaml", &a), ("b.yaml", "a: 1\na: 2")]).expect_err("broken");
    assert!(broken[0].starts_with("b.yaml#: The key `a` comes twice"), "{broken:?}");
    assert!(broken[1].ends_with("the template `b.yaml` has errors"), "{broken:?}");
    let chain: Vec<(String, String)> = (0..12)
        .map(|number| (format!("{number}.yaml"), nests(&format!("{}.yaml", number + 1))))
        .collect();
    let mut chain: Vec<(&str, &str)> =
        chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    chain.push(("12.yaml", "Resources: { Q: { Type: t } }"));
    let problems = packaged(&chain).expect_err("deep");
    assert!(problems[0].contains("nested more than 10 deep"), "{problems:?}");
}

#[test]
fn code_that_lambda_would_refuse_is_told() {
    let text = "Resources: { F: { Type: AWS::Lambda::Function, Properties: { Code: code } } }";
    let entries = BTreeMap::from([
        ("t.yaml".to_owned(), Entry::File(text.as_bytes().into())),
        (
            "code/model.bin".to_owned(),
            Entry::Unread(Unread { id: ContentId::of(b"x"), bytes: 262_144_001 }),
        ),
    ]);
    let snapshot = Snapshot::of(Revision::of("folder"), None, entries);
    let mut packages = Packages::of(&snapshot);
    let template = Arc::new(Template::parse(text).expect("a template"));
    assert!(packages.package("t.yaml", &template).is_none());
    let problem = packages.problems().remove(0);
    assert!(problem.message.contains("262144000 unzipped"), "{}", problem.message);
}
