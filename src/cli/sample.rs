//! The sample fleet as it lies in this repository, and tenants made after its pattern.

/// The files of the fleet that are the same in every new fleet, by path below the fleet folder.
pub(super) const COMMON: &[(&str, &str)] = &[
    ("fleet.yaml", include_str!("../../fleet/fleet.yaml")),
    ("access/execution-role.yaml", include_str!("../../fleet/access/execution-role.yaml")),
    ("artifacts/bucket.yaml", include_str!("../../fleet/artifacts/bucket.yaml")),
    ("services/baseline/service.yaml", include_str!("../../fleet/services/baseline/service.yaml")),
    (
        "services/baseline/template.yaml",
        include_str!("../../fleet/services/baseline/template.yaml"),
    ),
    (
        "services/device-registry/policy.json",
        include_str!("../../fleet/services/device-registry/policy.json"),
    ),
    (
        "services/device-registry/service.yaml",
        include_str!("../../fleet/services/device-registry/service.yaml"),
    ),
    (
        "services/device-registry/template.yaml",
        include_str!("../../fleet/services/device-registry/template.yaml"),
    ),
    (
        "services/log-forwarding/service.yaml",
        include_str!("../../fleet/services/log-forwarding/service.yaml"),
    ),
    (
        "services/log-forwarding/template.yaml",
        include_str!("../../fleet/services/log-forwarding/template.yaml"),
    ),
    ("services/scan-api/service.yaml", include_str!("../../fleet/services/scan-api/service.yaml")),
    (
        "services/scan-api/template.yaml",
        include_str!("../../fleet/services/scan-api/template.yaml"),
    ),
];

/// The files for git hosts and commits, by path below the fleet folder here, and below the top of a new
/// repository, where they belong.
pub(super) const AROUND: &[(&str, &str)] = &[
    (
        ".github/workflows/driftless.yaml",
        include_str!("../../fleet/.github/workflows/driftless.yaml"),
    ),
    (".gitlab-ci.yml", include_str!("../../fleet/.gitlab-ci.yml")),
    (".pre-commit-config.yaml", include_str!("../../fleet/.pre-commit-config.yaml")),
];

/// What runs driftless itself, by path below the fleet folder here, and below the top of a new repository.
pub(super) const RUN: &[(&str, &str)] = &[
    ("run/driftless.service", include_str!("../../fleet/run/driftless.service")),
    ("run/ecs.yaml", include_str!("../../fleet/run/ecs.yaml")),
];

/// The tenants of the sample, by path below the fleet folder.
pub(super) const TENANTS: &[(&str, &str)] = &[
    ("tenants/acme.yaml", include_str!("../../fleet/tenants/acme.yaml")),
    ("tenants/benchmark.yaml", include_str!("../../fleet/tenants/benchmark.yaml")),
    ("tenants/blueleaf.yaml", include_str!("../../fleet/tenants/blueleaf.yaml")),
    ("tenants/cargomax.yaml", include_str!("../../fleet/tenants/cargomax.yaml")),
    ("tenants/dockside.yaml", include_str!("../../fleet/tenants/dockside.yaml")),
    ("tenants/eastgate.yaml", include_str!("../../fleet/tenants/eastgate.yaml")),
    ("tenants/fastlane.yaml", include_str!("../../fleet/tenants/fastlane.yaml")),
    ("tenants/gripwell.yaml", include_str!("../../fleet/tenants/gripwell.yaml")),
    ("tenants/harbor.yaml", include_str!("../../fleet/tenants/harbor.yaml")),
    ("tenants/ironwood.yaml", include_str!("../../fleet/tenants/ironwood.yaml")),
    ("tenants/juniper.yaml", include_str!("../../fleet/tenants/juniper.yaml")),
    ("tenants/kestrel.yaml", include_str!("../../fleet/tenants/kestrel.yaml")),
];

/// The `number`th generated tenant, counted from 1: its path below the fleet folder and its text.
/// Every tenth is a canary, every fifth on trial, every fourth American.
pub(super) fn generated(number: u32) -> (String, String) {
    let name = format!("tenant-{number:04}");
    let ring = if number % 10 == 1 { "canary" } else { "stable" };
    let (tier, seats) =
        if number.is_multiple_of(5) { ("trial", 5) } else { ("paid", 50 + number % 7 * 50) };
    let region = if number.is_multiple_of(4) { "us-east-1" } else { "eu-central-1" };
    let text = format!(
        "# yaml-language-server: $schema=../../schema/tenant.json
apiVersion: driftless.dev/v1
kind: Tenant
metadata:
  name: {name}
  labels: {{ tier: {tier}, ring: {ring} }}
spec:
  account: \"22{number:010}\"
  regions: [{region}]
  parameters:
    Seats: \"{seats}\"
"
    );
    (format!("tenants/{name}.yaml"), text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;
    use serde_yaml::Value;

    use super::*;
    use crate::cli::Cli;

    /// Every text of a YAML file, whatever its key.
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Sequence(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Mapping(entries) => entries.values().for_each(|value| texts(value, found)),
            Value::Tagged(tagged) => texts(&tagged.value, found),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The words of every command line that starts driftless, by the file that has it.
    fn commands() -> BTreeMap<&'static str, Vec<Vec<String>>> {
        let of = |text: &str| {
            let mut found = Vec::new();
            texts(&serde_yaml::from_str(text).expect("YAML"), &mut found);
            let lines = found.iter().flat_map(|text| text.lines());
            let lines = lines.filter(|line| line.starts_with("driftless "));
            let word = |word: &str| word.trim_matches('"').to_owned();
            let command = |line: &str| {
                let words = line.split_whitespace().take_while(|word| *word != "||");
                words.map(word).collect()
            };
            lines.map(command).collect()
        };
        AROUND.iter().map(|(path, text)| (*path, of(text))).collect()
    }

    #[test]
    fn every_command_line_for_git_hosts_is_one_of_ours() {
        let commands = commands();
        let counts: Vec<usize> = commands.values().map(Vec::len).collect();
        assert_eq!(counts, [2, 2, 1], "{commands:?}");
        for (path, lines) in commands {
            for words in lines {
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{path}: {words:?}: {error}");
                }
            }
        }
    }

    #[test]
    fn what_runs_for_a_pull_request_may_do_no_more_than_it_needs() {
        let workflow: Value = serde_yaml::from_str(AROUND[0].1).expect("YAML");
        let permissions = serde_yaml::to_string(&workflow["permissions"]).expect("YAML");
        assert_eq!(permissions, "contents: read\npull-requests: write\nstatuses: write\n");
        // `pull_request_target` would give forks our token.
        assert_eq!(workflow["on"], Value::from("pull_request"));
        let steps = workflow["jobs"]["plan"]["steps"].as_sequence().expect("steps");
        assert_eq!(steps[0]["with"]["fetch-depth"], Value::from(0));
        for step in steps {
            let action = step.get("uses").and_then(Value::as_str);
            let commit = action.and_then(|action| action.split_once('@')).map(|(_, commit)| commit);
            let is_pinned = commit.is_none_or(|commit| {
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            assert!(is_pinned, "{action:?} may become something else");
        }
    }
}
