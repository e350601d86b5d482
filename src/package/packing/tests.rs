//! Every row, and what is wrong with local paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::ids::Revision;
use crate::package::without_buckets;
use crate::snapshot::{ContentId, Entry, Snapshot, Unread, is_text};

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

fn nesting(paths: &[&str]) -> String {
    let stacks: String = paths
        .iter()
        .enumerate()
        .map(|(number, path)| {
            format!(
                "  S{number}: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {path} }} }}\n"
            )
        })
        .collect();
    format!("Resources:\n{stacks}")
}

#[test]
fn stacks_of_stacks_are_refused_where_they_are_too_many_and_keep_nobody_busy() {
    // Thirty to the power of six stacks.
    let texts: Vec<(String, String)> = (0..6)
        .map(|level| {
            let below = format!("{}.yaml", level + 1);
            (format!("{level}.yaml"), nesting(&[below.as_str(); 30]))
        })
        .collect();
    let mut files: Vec<(&str, &str)> =
        texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("6.yaml", "Resources: { Q: { Type: t } }"));
    let problems = packaged(&files).expect_err("too many");
    let expected = "3.yaml#/Resources: `3.yaml` and its nested stacks are 27931 stacks and have 54930 \
                    resources; 2500 is CloudFormation's limit for one operation";
    assert_eq!(problems[0], expected);
    // Two levels of them are as many as are allowed.
    let package = packaged(&files[4..]).expect("a package");
    assert_eq!(package.all().len(), 931);
    assert_eq!(package.blobs.len(), 2);
}

#[test]
fn the_depth_of_stacks_counts_in_whatever_order_they_are_packaged() {
    let texts: Vec<(String, String)> = (0..12)
        .map(|number| {
            (format!("{number}.yaml"), nesting(&[format!("{}.yaml", number + 1).as_str()]))
        })
        .collect();
    let mut files: Vec<(&str, &str)> =
        texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("12.yaml", "Resources: { Q: { Type: t } }"));
    let snapshot = snapshot(&files);
    for first in 0..=2 {
        let mut packages = Packages::of(&snapshot);
        let mut package = |number: usize| {
            let template = Arc::new(Template::parse(files[number].1).expect("a template"));
            packages.package(files[number].0, &template).is_some()
        };
        package(first);
        package(5);
        assert!(!package(1), "eleven levels, after {first}");
    }
    assert!(packaged(&files[2..]).is_ok(), "ten levels");
}

#[test]
fn a_comment_in_a_nested_template_changes_nothing_and_the_root_keeps_its_text() {
    let text = "# of the parent\nResources: { N: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: n.yaml } } }";
    let child = "Resources: { Q: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: 010 } } }";
    let commented = format!("# changed\n{child}\n");
    let one = packaged(&[("t.yaml", text), ("n.yaml", child)]).expect("a package");
    let two = packaged(&[("t.yaml", text), ("n.yaml", &commented)]).expect("a package");
    assert_eq!(one.template.digest(), two.template.digest());
    assert!(one.blobs.keys().eq(two.blobs.keys()));
    let nested = &two.nested["N"];
    assert_eq!(nested.source.body(), commented);
    assert_eq!(nested.template.digest(), nested.source.digest());
    assert_eq!(packaged(&[("n.yaml", &commented)]).expect("a package").template.body(), commented);
    // One that is too large for a call is there in one form only.
    let large = format!("{child}\n#{}", "x".repeat(60_000));
    let large = packaged(&[("t.yaml", text), ("n.yaml", &large)]).expect("a package");
    assert!(large.blobs.keys().eq(one.blobs.keys()));
}

#[test]
fn what_is_too_large_with_the_names_of_buckets_is_told() {
    let function = "F: { Type: AWS::Lambda::Function, Properties: { Code: code } }";
    let text = |filling: usize| {
        format!("Description: {}\nResources: {{ {function} }}", "x".repeat(filling))
    };
    let packaged = |filling| packaged(&[("t.yaml", &text(filling)), ("code/a.py", "1")]);
    assert!(packaged(999_700).is_ok());
    let problems = packaged(999_770).expect_err("too large");
    assert!(problems[0].starts_with("t.yaml#: packaged, the template is refused: it can have "));
}

#[test]
fn one_folder_of_many_functions_is_looked_up_once_and_each_template_depends_on_it() {
    let function = |name: &str| {
        format!("  {name}: {{ Type: AWS::Lambda::Function, Properties: {{ Code: code }} }}\n")
    };
    let text = format!("Resources:\n{}{}", function("A"), function("B"));
    let files = [("a.yaml", &*text), ("b.yaml", &*text), ("code/app.py", "1")];
    let all = snapshot(&files);
    let template = Arc::new(Template::parse(&text).expect("a template"));
    let mut packages = Packages::of(&all);
    let zips: Vec<_> = ["a.yaml", "b.yaml"]
        .iter()
        .map(|path| {
            match packages.package(path, &template).expect("sound").blobs.clone().pop_first() {
                Some((_, Blob::Zip(files))) => files,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(Arc::ptr_eq(&zips[0], &zips[1]));
    let before = packages.finish();
    let changed = snapshot(&[files[0], files[1], ("code/app.py", "2")]);
    let packages = Packages::of(&changed).after(&before);
    assert!(packages.unchanged("a.yaml").is_none() && packages.unchanged("b.yaml").is_none());
}

#[test]
fn globals_reach_resources_without_properties_and_no_local_path_stays() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { CodeUri: code, Timeout: 3 }, Api: { DefinitionUri: api.yaml } }
Resources:
  F: { Type: AWS::Serverless::Function }
  I: { Type: AWS::Serverless::Function, Properties: { PackageType: Image } }
  A: { Type: AWS::Serverless::Api, Properties: { StageName: s } }
  B: { Type: AWS::Serverless::Api, Properties: { DefinitionBody: {} } }
";
    let files = [("t.yaml", text), ("api.yaml", "openapi: 3.0.1"), ("code/a.py", "1")];
    let package = packaged(&files).expect("a package");
    let value = package.template.value();
    assert_eq!(value["Globals"], json!({ "Function": { "Timeout": 3 }, "Api": {} }));
    for (at, is_there) in [
        ("/Resources/F/Properties/CodeUri", true),
        ("/Resources/I/Properties/CodeUri", false),
        ("/Resources/A/Properties/DefinitionUri", true),
        ("/Resources/B/Properties/DefinitionUri", false),
    ] {
        let found = value.pointer(at).and_then(Value::as_str);
        assert_eq!(found.is_some_and(|text| text.starts_with("s3://")), is_there, "{at}");
    }
    let code = "s3://theirs/code.zip";
    let theirs = packaged(&[
        ("t.yaml", &text.replace("CodeUri: code", &format!("CodeUri: {code}"))),
        files[1],
    ]);
    let theirs = theirs.expect("AWS takes it");
    assert_eq!(theirs.template.value()["Globals"]["Function"]["CodeUri"], code);
}

#[test]
fn a_function_without_code_is_told_unless_somebody_may_add_it() {
    let of = |head: &str, function: &str| {
        let text = format!("{head}Resources: {{ F: {function} }}");
        packaged(&[("t.yaml", &text)]).err()
    };
    let told = Some(vec!["t.yaml#/Resources/F: function `F` has no code".to_owned()]);
    let sam = "Transform: AWS::Serverless-2016-10-31\n";
    let (plain, serverless) = ("AWS::Lambda::Function", "AWS::Serverless::Function");
    let function = |kind: &str, properties: &str| {
        format!("{{ Type: {kind}, Properties: {{ {properties} }} }}")
    };
    assert_eq!(of("", &function(plain, "Handler: a.b")), told);
    assert_eq!(of(sam, &format!("{{ Type: {serverless} }}")), told);
    assert_eq!(of(sam, &function(serverless, "Handler: a.b")), told);
    for (head, function) in [
        (sam, function(serverless, "InlineCode: x")),
        (sam, function(serverless, "PackageType: Image")),
        (sam, function(serverless, "ImageUri: x")),
        ("Transform: Theirs\n", function(plain, "Handler: a.b")),
        ("Transform: [{ Name: AWS::Include }]\n", function(plain, "Handler: a.b")),
        ("", function(plain, "Fn::Transform: { Name: Theirs }")),
        ("", function(plain, "Code: { ZipFile: x }")),
    ] {
        assert_eq!(of(head, &function), None, "{head}{function}");
    }
}

#[test]
fn an_include_is_found_in_lists_and_takes_files_only() {
    let of = |location: &str| {
        let text = format!(
            "Transform: [AWS::LanguageExtensions, {{ Name: AWS::Include, Parameters: {{ Location: {location} }} }}]\n\
             Resources: {{ Q: {{ Type: t }} }}"
        );
        packaged(&[("t.yaml", &text), ("more.yaml", "A: 1"), ("code/a.py", "1")])
    };
    let package = of("more.yaml").expect("a package");
    let place = package.template.value().pointer("/Transform/1/Parameters/Location");
    assert!(place.and_then(Value::as_str).is_some_and(|text| text.starts_with("s3://<")));
    let problems = of("code").expect_err("a folder");
    let expected =
        "t.yaml#/Transform/1/Parameters/Location: `code` is a folder; AWS::Include takes a file";
    assert_eq!(problems, [expected]);
}

#[test]
fn empty_texts_stay_where_they_mean_nothing_and_are_told_elsewhere() {
    for row in ROWS {
        let template = json!({ "Resources": { "R": {
            "Type": row.kind, "Properties": in_place(row, "".into()),
        } } });
        let found = packaged(&[("t.json", &template.to_string()), ("code.py", "1")]);
        let expected = format!("t.json#{}: this names no file or folder", pointer(row));
        match found {
            Ok(package) => {
                assert!(!row.is_needed() && package.blobs.is_empty(), "{}", row.kind);
            }
            Err(problems) => {
                assert!(row.is_needed());
                assert_eq!(problems, [expected]);
            }
        }
    }
}

#[test]
fn a_local_template_of_a_stack_set_is_told() {
    let of = |url: &str| {
        let text = format!(
            "Resources: {{ S: {{ Type: AWS::CloudFormation::StackSet, Properties: {{ TemplateURL: '{url}' }} }} }}"
        );
        packaged(&[("t.yaml", &text), ("n.yaml", "Resources: { Q: { Type: t } }")])
    };
    let problems = of("n.yaml").expect_err("local");
    assert_eq!(
        problems,
        [
            "t.yaml#/Resources/S/Properties/TemplateURL: `n.yaml` is a local path, and no template of a \
          StackSet is packaged"
        ]
    );
    assert!(of("https://s3.amazonaws.com/b/k").is_ok());
}

#[test]
fn templates_behind_links_to_folders_are_found() {
    let text = nesting(&["l/n.yaml"]);
    let child = "Resources: { F: { Type: AWS::Lambda::Function, Properties: { Code: A.ZIP } } }";
    let entries = [
        ("t.yaml", Entry::File(text.as_bytes().into())),
        ("d/n.yaml", Entry::File(child.as_bytes().into())),
        ("d/A.ZIP", Entry::Unread(Unread { id: ContentId::of(b"x"), bytes: 1 })),
        ("l", Entry::Link("d".to_owned())),
    ];
    let entries = entries.map(|(path, entry)| (path.to_owned(), entry));
    let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
    let template = Arc::new(Template::parse(&text).expect("a template"));
    let mut packages = Packages::of(&snapshot);
    let package = packages.package("t.yaml", &template);
    let package = package.unwrap_or_else(|| panic!("{:?}", packages.problems()));
    // An archive is one however its name is written.
    let is_archive = |blob: &Blob| matches!(blob, Blob::File(file) if file.path == "d/A.ZIP");
    assert!(package.blobs.values().any(is_archive), "{:?}", package.blobs);
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
