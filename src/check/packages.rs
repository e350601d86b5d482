//! What services need of buckets.

use std::collections::BTreeSet;

use crate::check::error;
use crate::desired::Desired;
use crate::fleet::{BuildOutput, Complaint, Finding, Gathering, Service, Severity};
use crate::package::{Blob, Origin, Packed};
use crate::template::MAX_INLINE_BYTES;

pub(super) fn check(desired: &Desired, findings: &mut Gathering) {
    for service in desired.services.values() {
        if desired.fleet.artifacts.is_none() {
            needs_bucket(service, findings);
        }
    }
    // With services that could not be read, nobody can tell.
    if !desired.gaps.any_service && desired.gaps.services.is_empty() {
        unused_build_outputs(desired, findings);
    }
}

/// What of the build outputs is missing: `look` says why one is not where its document says. A revision
/// is not refused for it, as a build may still come: what needs it waits.
pub fn missing_build_outputs(
    desired: &Desired,
    look: impl Fn(&BuildOutput) -> Option<(String, Option<String>)>,
) -> Vec<Finding> {
    let mut findings = Gathering::default();
    for (service, number, output) in build_outputs(desired) {
        let Some((message, help)) = look(output) else { continue };
        let pointer = ["spec", "artifacts", &number.to_string(), "from"];
        let complaint = error(&service.source, &pointer, "artifact-missing");
        findings.add(Complaint { severity: Severity::Warning, help, ..complaint }, None, message);
    }
    findings.into_findings()
}

fn build_outputs(desired: &Desired) -> impl Iterator<Item = (&Service, usize, &BuildOutput)> {
    desired.services.values().flat_map(|service| {
        let outputs = service.build_outputs.iter().enumerate();
        outputs.map(|(number, output)| (service.as_ref(), number, output))
    })
}

fn unused_build_outputs(desired: &Desired, findings: &mut Gathering) {
    if desired.services.values().all(|service| service.build_outputs.is_empty()) {
        return;
    }
    let blobs = desired.services.values().flat_map(|service| service.package.blobs.values());
    let built = |file: &&Packed| matches!(file.origin, Origin::Built(_));
    let used: BTreeSet<&str> = blobs
        .flat_map(|blob| match blob {
            Blob::File(file) => vec![file],
            Blob::Zip(files) => files.values().collect(),
            Blob::Template(_) => Vec::new(),
        })
        .filter(built)
        .map(|file| file.path.as_str())
        .collect();
    for (service, number, output) in build_outputs(desired) {
        if used.contains(output.path.as_str()) {
            continue;
        }
        let pointer = ["spec", "artifacts", &number.to_string(), "path"];
        let complaint = Complaint {
            severity: Severity::Warning,
            help: Some("correct the path, or remove it".to_owned()),
            ..error(&service.source, &pointer, "unused-artifact")
        };
        findings.add(complaint, None, format!("no template points to `{}`", output.path));
    }
}

fn needs_bucket(service: &Service, findings: &mut Gathering) {
    let package = &service.package;
    let (stored, bytes) = (package.stored(), package.template.body().len());
    let message = if package.blobs.keys().any(|name| Some(*name) != stored) {
        format!("`{}` points to local files, and the fleet has no buckets", service.template_path)
    } else if stored.is_some() {
        format!(
            "`{}` has {bytes} bytes; above {MAX_INLINE_BYTES} CloudFormation takes it from a bucket only, \
             and the fleet has no buckets",
            service.template_path
        )
    } else {
        return;
    };
    let mut complaint = error(&service.source, &["spec", "template"], "no-bucket");
    complaint.help = Some(
        "add `artifacts: { bucket: \"NAME-${region}\" }` to the Fleet document's `spec`".to_owned(),
    );
    findings.add(complaint, None, message);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::check;
    use crate::fleet::Finding;
    use crate::ids::Revision;
    use crate::snapshot::{ContentId, Entry, Snapshot, Unread};
    use crate::template::MAX_INLINE_BYTES;

    const FLEET: &str = "apiVersion: driftless.dev/v1\nkind: Fleet\nmetadata: { name: gloves }\nspec:\n  \
        cloud: simulated\n  regions: [eu-central-1, us-east-1]\n";
    const TENANT: &str = "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: { name: acme }\nspec:\n  \
        account: \"000000000007\"\n  regions: [eu-central-1]\n";
    const SERVICE: &str = "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: { name: api }\nspec:\n  \
        template: t.yaml\n  capabilities: [CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]\n";
    const NESTED: &str = "Resources:\n  Inner:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      \
        TemplateURL: inner.yaml\n";
    const QUEUE: &str = "Resources: { Q: { Type: 'AWS::SQS::Queue' } }\n";
    const BUCKET: &str = "  artifacts: { bucket: \"gloves-${region}\" }\n";

    fn findings(fleet: &str, template: &str, inner: &str) -> Vec<String> {
        let code = Entry::Unread(Unread { id: ContentId::of(b"x"), bytes: 1 });
        let texts = [
            ("fleet.yaml", format!("{FLEET}{fleet}")),
            ("acme.yaml", TENANT.to_owned()),
            ("api/service.yaml", SERVICE.to_owned()),
            ("api/t.yaml", template.to_owned()),
            ("api/inner.yaml", inner.to_owned()),
        ];
        let mut entries: BTreeMap<String, Entry> = texts
            .into_iter()
            .map(|(path, text)| (path.to_owned(), Entry::File(text.as_bytes().into())))
            .collect();
        entries.insert("api/code/a.py".to_owned(), code);
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries);
        let found = check::read(&snapshot).map_or_else(|found| found, |(_, found)| found);
        found.iter().filter(|found| found.is_error()).map(line).collect()
    }

    fn line(finding: &Finding) -> String {
        let Finding { path, line, column, code, message, .. } = finding;
        format!("{path}:{line}:{column} {code}: {message}")
    }

    #[test]
    fn what_points_to_files_needs_buckets() {
        assert_eq!(findings(BUCKET, NESTED, QUEUE), Vec::<String>::new());
        let found = findings("", NESTED, QUEUE);
        assert_eq!(
            found,
            [
                "api/service.yaml:5:13 no-bucket: `api/t.yaml` points to local files, and the fleet has \
              no buckets"
            ]
        );
        let large = format!("{QUEUE}#{}", "x".repeat(MAX_INLINE_BYTES));
        let found = findings("", &large, QUEUE);
        assert!(
            found[0].contains("above 51200 CloudFormation takes it from a bucket"),
            "{found:?}"
        );
        assert_eq!(findings(BUCKET, &large, QUEUE), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_in_a_nested_template_is_found_there() {
        let found = findings(BUCKET, NESTED, "Resources:\n  Q: { Type: x\n");
        assert!(found[0].starts_with("api/inner.yaml:3:1 template-path:"), "{found:?}");
        assert!(found[1].starts_with("api/service.yaml:5:13 template-broken:"), "{found:?}");
        assert!(
            found[2].starts_with("api/t.yaml:5:20 template-path: the template `api/inner.yaml`"),
            "{found:?}"
        );
        let found = findings(BUCKET, NESTED, "Resources: { Q: { Type: t, Typo: 1 } }\n");
        assert!(found[0].starts_with("api/inner.yaml:1:"), "{found:?}");
        let found = findings(BUCKET, &NESTED.replace("inner.yaml", "../../inner.yaml"), QUEUE);
        assert!(found[1].starts_with("api/t.yaml:5:20 template-path:"), "{found:?}");
    }

    #[test]
    fn buckets_have_names_of_their_own_in_each_region() {
        for (bucket, why) in [
            ("gloves", "one bucket for all regions"),
            ("Gloves-${region}", "is no name of a bucket"),
            ("g-${account.id}-${region}", "the bucket cannot use `${account.id}`"),
        ] {
            let found = findings(&BUCKET.replace("gloves-${region}", bucket), NESTED, QUEUE);
            assert!(found.iter().any(|one| one.contains(why)), "{bucket}: {found:?}");
        }
    }

    #[test]
    fn nested_stacks_count_together() {
        let nested: String = (0..6)
            .map(|number| {
                NESTED.replace("Resources:\n", "").replace("Inner", &format!("Inner{number}"))
            })
            .collect();
        let queues: String =
            (0..450).map(|number| format!("  Q{number}: {{ Type: t }}\n")).collect();
        let inner = format!("Resources:\n{queues}");
        let found = findings(BUCKET, &format!("Resources:\n{nested}"), &inner);
        assert!(found[1].starts_with("api/t.yaml:1:1 template-path:"), "{found:?}");
        assert!(found[1].contains("7 stacks and have 2706 resources; 2500"), "{found:?}");
    }
}
