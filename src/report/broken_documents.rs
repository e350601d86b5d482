//! Every kind of broken fleet with the message that its author reads. After an intended change:
//! `INSTA_UPDATE=always cargo test --lib broken_documents`.

mod access;

use std::collections::BTreeMap;

use crate::check;
use crate::ids::Revision;
use crate::report::findings::{Drawing, text};
use crate::snapshot::{ContentId, Entry, Snapshot, Unread};

const FLEET: &str = "\
apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: gloves }
spec:
  cloud: simulated
  regions: [eu-central-1, { name: us-east-1 }, { name: eu-west-1, retired: true }]
  parameters: { LogLevel: info }
";

const TENANT: &str = "\
apiVersion: driftless.dev/v1
kind: Tenant
metadata: { name: acme, labels: { tier: paid } }
spec:
  account: \"111122223333\"
  regions: [eu-central-1]
";

const SERVICE: &str = "\
apiVersion: driftless.dev/v1
kind: Service
metadata: { name: api }
spec:
  template: template.yaml
  parameters: { Table: \"scans-${tenant.name}\" }
";

const TEMPLATE: &str = "\
Parameters:
  Table: { Type: String, AllowedPattern: \"[a-z-]+\", MaxLength: 20 }
  LogLevel: { Type: String, Default: info, AllowedValues: [info, debug] }
  Size: { Type: Number, Default: 1, MaxValue: 10 }
  Names: { Type: CommaDelimitedList, Default: \"\" }
Resources:
  Queue: { Type: AWS::SQS::Queue }
Outputs:
  QueueUrl: { Value: !Ref Queue }
";

type Files = BTreeMap<String, Entry>;

fn file(text: &str) -> Entry {
    Entry::File(text.as_bytes().into())
}

fn unread(bytes: u64) -> Entry {
    Entry::Unread(Unread { id: ContentId::of(b"x"), bytes })
}

fn sound() -> Files {
    let files = [
        ("fleet.yaml", FLEET),
        ("acme.yaml", TENANT),
        ("api/service.yaml", SERVICE),
        ("api/template.yaml", TEMPLATE),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), file(text))).collect()
}

fn snapshot(files: Files) -> Snapshot {
    Snapshot::of(Revision::of("folder"), None, files)
}

fn drawn(files: Files) -> String {
    let snapshot = snapshot(files);
    let findings = match check::read(&snapshot) {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    text(&findings, &snapshot, Drawing::default())
}

/// One sound fleet in which one file has one text replaced.
fn replaced(path: &str, old: &str, new: &str) -> String {
    let mut files = sound();
    let Some(Entry::File(bytes)) = files.get(path) else { panic!("no file {path}") };
    let before = String::from_utf8(bytes.to_vec()).expect("utf-8");
    assert!(before.contains(old), "{path} has no {old:?}");
    files.insert(path.to_owned(), file(&before.replacen(old, new, 1)));
    drawn(files)
}

fn with(extra: &[(&str, Entry)]) -> String {
    let mut files = sound();
    files.extend(extra.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())));
    drawn(files)
}

pub(super) fn replacements(path: &str, cases: &[(&str, &str)]) -> String {
    let each = cases
        .iter()
        .map(|(old, new)| format!("#### {old:?} -> {new:?}\n{}", replaced(path, old, new)));
    each.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_sound_fleet_has_no_findings() {
    assert_eq!(drawn(sound()), "no findings\n");
}

#[test]
fn broken_fleet_documents() {
    insta::assert_snapshot!(replacements(
        "fleet.yaml",
        &[
            ("regions:", "regoins:"),
            ("cloud: simulated", "cloud: aws"),
            ("cloud: simulated", "cloud: azure"),
            ("cloud: simulated\n", ""),
            ("driftless.dev/v1", "driftless.dev/v2"),
            ("kind: Fleet", "kind: Fleat"),
            ("kind: Fleet\n", ""),
            ("metadata: { name: gloves }", "metadata: { name: Gloves! }"),
            ("[eu-central-1, {", "[eu-central-1, eu-central-1, {"),
            ("[eu-central-1, { name: us-east-1 },", "[europe, { nme: us-east-1 },"),
            ("  parameters: {", "  resync: soon\n  parameters: {"),
            ("  parameters: {", "  resync: 30d\n  parameters: {"),
            ("  parameters: {", "  roll: {}\n  parameters: {"),
            (
                "  parameters: {",
                "  limits: { perTarget: 0, deletes: { percent: 101 } }\n  parameters: {"
            ),
            ("  parameters: {", "  limits: { stacksInFlight: many }\n  parameters: {"),
            (
                "  parameters: {",
                "  access: { roleArn: 'arn:aws:iam::1:role/${tenant.name}' }\n  parameters: {"
            ),
            ("  parameters: {", "  access: { roleArn: driftless }\n  parameters: {"),
            (
                "  parameters: {",
                "  tags: { 'aws:x': y, url: '${services.api.outputs.QueueUrl}' }\n  parameters: {"
            ),
            ("  parameters: {", "  suspend:\n  parameters: {"),
            ("LogLevel: info", "LogLevel: loud"),
            ("LogLevel: info", "LogLevel: { a: b }"),
        ]
    ));
}

#[test]
fn broken_rollouts() {
    let any_tier = "{ name: b, selector: { matchExpressions: [{ key: tier, operator: Exists }] } }";
    let paid = "{ name: a, selector: { matchLabels: { tier: paid } } }";
    let waves = [
        String::new(),
        "{ name: a, percent: 60 }, { name: b, percent: 50 }, { name: c }".into(),
        "{ name: a, percent: 0 }, { name: a }".into(),
        format!("{}, {{ name: b }}", paid.replace("selector", "percent: 5, selector")),
        "{ name: all }, { name: late, percent: 5 }".into(),
        "{ name: a, failures: { percent: 20 }, maxInFlight: 0 }".into(),
        paid.replace("paid", "free"),
        format!("{paid}, {any_tier}"),
        "{ name: a, selector: { matchExpressions: [{ key: tier, operator: In }] } }".into(),
    ];
    let rollouts = waves.map(|waves| format!("rollout: {{ waves: [{waves}] }}"));
    let others = ["rollout: { onHalt: revertt }", "rollout: { approval: [al] }"];
    let rollouts = rollouts.iter().map(String::as_str).chain(others);
    let lines = rollouts.map(|rollout| format!("  {rollout}\n  parameters: {{ Table"));
    let lines: Vec<String> = lines.collect();
    let cases: Vec<_> = lines.iter().map(|line| ("  parameters: { Table", line.as_str())).collect();
    insta::assert_snapshot!(replacements("api/service.yaml", &cases));
}

#[test]
fn broken_freeze_windows() {
    let windows = [
        "{ cron: 0 18 * * FRI, duration: 62h, timezone: Europe/Berlni }",
        "{ cron: 0 18 * * FRI, duration: 62h, timezone: Berlin }",
        "{ cron: 0 18 * *, duration: 62h }",
        "{ cron: 0 24 * * FRI, duration: 0h, timezone: Middle/Earth }",
        "{ cron: 0 18 * * FRI, duration: 32d }",
        "{ cron: 0 0 31 4 *, duration: 1d }",
        "{ cron: '* * * * *', duration: 1d }",
        "{ cron: 0 8 * * *, duration: 24h }",
        "{ cron: 0 8 * * *, duration: 1h, selector: { matchLabels: { tier: gold } } }",
        "{ cron: 0 8 * * *, duration: 1h, selector: { matchExpressions: [{ key: a, operator: In }] } }",
        "{ cron: 0 0 * * MON-FRI, duration: 1d }, { cron: 0 0 * * SAT, duration: 2d }",
        "{ duration: soon, until: monday }",
    ];
    let lines = windows.map(|window| format!("  freeze: [{window}]\n  parameters: {{"));
    let cases: Vec<_> = lines.iter().map(|line| ("  parameters: {", line.as_str())).collect();
    insta::assert_snapshot!(replacements("fleet.yaml", &cases));
}

#[test]
fn broken_channels() {
    let channels = [
        "slack: { url: { env: SLACK_WEBHOOK } }, on: [drifft, rollouts]",
        "slack: { url: { env: SLACK_WEBHOOK } }, on: []",
        "slack: { url: { env: SLACK_WEBHOOK } }, digest: soon",
        "slack: { url: { env: SLACK_WEBHOOK } }, digest: 2d",
        "on: [drift]",
        "slack: { url: { env: A } }, teams: { url: { env: B } }",
        "slak: { url: { env: A } }",
        "slack: { url: { env: '' } }",
        "slack: { url: { env: SLACK-WEBHOOK } }",
        "slack: { url: { env: A, file: /run/secrets/a } }",
        "slack: { url: {} }",
        "teams: { url: { file: secrets/teams } }",
        "slack: { url: 'https://hooks.slack.com/services/T0/B0/secret' }",
        "slack: 'https://hooks.slack.com/services/T0/B0/secret'",
        "teams: { url: { env: 'https://example.webhook.office.com/secret' } }",
        "webhook: { url: 'http://hooks.example.com/driftless' }",
        "webhook: { url: 'http://localhost:8080/driftless', secret: letmein }",
        "webhook: { url: 'https://anna:word@hooks.example.com/' }",
        "webhook: { url: hooks.example.com }",
        "name: a, slack: { url: { env: A } } }, { name: a, teams: { url: { env: B } }",
        "teams: { url: { env: A } } }, { name: teams-1, teams: { url: { env: B } }",
    ];
    let lines = channels.map(|channel| format!("  notify: [{{ {channel} }}]\n  parameters: {{"));
    let cases: Vec<_> = lines.iter().map(|line| ("  parameters: {", line.as_str())).collect();
    let drawn = replacements("fleet.yaml", &cases);
    let findings = drawn.lines().filter(|line| !line.starts_with("####"));
    for line in findings {
        assert!(!line.contains("B0/secret") && !line.contains("office.com"), "a secret: {line}");
    }
    insta::assert_snapshot!(drawn);
}

#[test]
fn broken_commit_statuses() {
    let statuses = [
        "",
        "github: { repository: acme/fleet, token: { env: T } }, gitlab: { project: \"1\", token: { env: T } }",
        "github: { repository: acme/fleet }",
        "github: { repository: fleet, token: { env: T } }",
        "github: { repository: acme/fleet, token: ghp_S3CRET }",
        "github: { repository: acme/fleet, api: git.acme.example, token: { env: T } }",
        "github: { repository: acme/fleet, api: 'http://git.acme.example', token: { env: T } }",
        "github: { repository: acme/fleet, api: 'https://u:S3CRET@git.example', token: { env: T } }",
        "gitlab: { project: fleet, token: { file: token } }",
    ];
    let lines = statuses.map(|status| format!("  commitStatus: {{ {status} }}\n  parameters: {{"));
    let cases: Vec<_> = lines.iter().map(|line| ("  parameters: {", line.as_str())).collect();
    let drawn = replacements("fleet.yaml", &cases);
    for line in drawn.lines().filter(|line| !line.starts_with("####")) {
        assert!(!line.contains("S3CRET"), "a secret: {line}");
    }
    insta::assert_snapshot!(drawn);
}

#[test]
fn broken_dependencies_on_the_home_region() {
    let user = |depends_on: &str, more: &str| {
        file(&format!(
            "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: {{ name: user }}\nspec:\n  \
             template: api/template.yaml\n  parameters: {{ Table: x }}\n  \
             dependsOn: {depends_on}\n{more}"
        ))
    };
    let away = file(&TENANT.replace("[eu-central-1]", "[eu-central-1, us-east-1]"));
    let api = |more: &str| file(&format!("{SERVICE}{more}"));
    let with = |api: Entry, user: Entry| {
        with(&[("acme.yaml", away.clone()), ("api/service.yaml", api), ("user.yaml", user)])
    };
    let only_away = "  regions: [us-east-1]\n";
    let cases = [
        with(api(""), user("[{ service: api, region: home }]", "")),
        with(api(only_away), user("[{ service: api, region: home }]", "")),
        with(
            api("  selector: { matchLabels: { tier: gold } }\n"),
            user("[{ service: api, region: home }]", ""),
        ),
        with(api(""), user("[{ service: nobody, region: home }]", "")),
        with(api(""), user("[{ service: api, region: abroad }]", "")),
        with(api(""), user("[api, { service: api, region: home }]", "")),
        with(api(""), user("[{ service: user, region: home }]", "")),
        with(api("  dependsOn: [user]\n"), user("[{ service: api, region: home }]", "")),
        with(api("  dependsOn: [user]\n"), user("[{ service: api, region: home }]", only_away)),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn broken_tenant_documents() {
    insta::assert_snapshot!(replacements(
        "acme.yaml",
        &[
            ("\"111122223333\"", "111122223333"),
            ("\"111122223333\"", "22223333"),
            ("\"111122223333\"", "\"1111-2222-3333\""),
            ("  account: \"111122223333\"\n", ""),
            ("[eu-central-1]", "[]"),
            ("[eu-central-1]", "eu-central-1"),
            ("[eu-central-1]", "[eu-central-1, ap-south-1, eu-west-1]"),
            ("name: acme, ", "name: acme, name: acme2, "),
            ("tier: paid", "tier: 1"),
            ("  regions", "  lifecycle: gone\n  regions"),
            ("  regions", "  suspend: yes\n  regions"),
            ("  regions", "  parameters: { Size: 11, Names: [a, \"b,c\"], Table: }\n  regions"),
            ("  regions", "  parameters: { Size: 11 }\n  regions"),
            ("  regions", "  services: { appi: { suspend: true } }\n  regions"),
            (
                "  regions",
                "  services:\n    api: { parameters: { Sice: 2, Table: UPPER } }\n  regions"
            ),
            ("  regions", "  services: { api: { stackName: 1st } }\n  regions"),
            ("  regions", "  services: { api: { regions: [sa-east-1] } }\n  regions"),
            (
                "  regions",
                "  services: { api: { stackName: '${services.api.outputs.QueueUrl}' } }\n  regions"
            ),
            ("spec:", "spec: !Ref\n "),
            ("spec:", "spec: ["),
            ("spec:", "\tspec:"),
        ]
    ));
}

#[test]
fn broken_service_documents() {
    insta::assert_snapshot!(replacements("api/service.yaml", &[
        ("template.yaml", "tempalte.yaml"),
        ("template.yaml", "../../other/template.yaml"),
        ("template.yaml", "/etc/passwd"),
        ("parameters: {", "parameters: { Unknown: x,"),
        ("  parameters: { Table: \"scans-${tenant.name}\" }\n", ""),
        ("${tenant.name}", "${tenant.nmae}"),
        ("${tenant.name}", "${tenant.name"),
        ("${tenant.name}", "${labels.ring}"),
        ("${tenant.name}", "${region}"),
        ("${tenant.name}", "${services.network.outputs.Vpc}"),
        ("${tenant.name}", "${services.api.outputs.Vpc}"),
        ("${tenant.name}", "${services.api.outputs.QueueUrl}"),
        ("scans-${tenant.name}", &"x".repeat(5000)),
        ("  parameters", "  dependsOn: [network]\n  parameters"),
        ("  parameters", "  selector: { matchLabels: { tier: free } }\n  parameters"),
        ("  parameters", "  selector:\n  parameters"),
        ("  parameters", "  selector: { matchExpressions: [{ key: tier, operator: in, values: [a] }] }\n  parameters"),
        ("  parameters", "  selector: { matchExpressions: [{ key: tier, operator: In }] }\n  parameters"),
        ("  parameters", "  regions: everywhere\n  parameters"),
        ("  parameters", "  regions: [eu-west-1, ap-south-1]\n  parameters"),
        ("  parameters", "  stackName: \"${tenant.name}_api\"\n  parameters"),
        ("  parameters", "  capabilities: [CAPABILITY_IAMM]\n  parameters"),
        ("  parameters", "  tags: { 'driftless:x': y, cost: 1 }\n  parameters"),
        ("  parameters", "  protect: [default, Table]\n  parameters"),
        ("  parameters", "  onRemoval: destroy\n  parameters"),
        ("  parameters", "  adopt: { match: \"*\" }\n  parameters"),
        ("  parameters", "  adopt: { match: \"StackSet-${tenant.name}_*\" }\n  parameters"),
        ("  parameters", "  adopt: { match: \"StackSet-${labels.ring}-*\" }\n  parameters"),
        ("  parameters", "  adopt: { match: \"${services.api.outputs.QueueUrl}-*\" }\n  parameters"),
        ("  parameters", "  adopt: { orCreate: true }\n  parameters"),
        ("  parameters", "  deployment: fast\n  parameters"),
        ("  parameters", "  stackPolicy: template.yaml\n  parameters"),
        ("  parameters", "  terminationProtection: \"yes\"\n  parameters"),
    ]).replace(&"x".repeat(4900), "…"));
}

#[test]
fn broken_templates() {
    insta::assert_snapshot!(replacements(
        "api/template.yaml",
        &[
            ("Resources:", "Resources: ["),
            ("AWS::SQS::Queue", "AWS::IAM::Role"),
            ("Type: AWS::SQS::Queue", "Type: AWS::IAM::Role, Properties: { RoleName: x }"),
            ("Parameters:", "Transform: AWS::Serverless-2016-10-31\nParameters:"),
        ]
    ));
}

#[test]
fn broken_files() {
    let taker = |name: &str| {
        let adopt = "  adopt: { match: \"StackSet-${region}-*\" }\n  template";
        SERVICE.replace("name: api", &format!("name: {name}")).replace("  template", adopt)
    };
    let deep = format!("apiVersion: driftless.dev/v1\nkind: {}\n", "[".repeat(40));
    let cases = [
        (
            "latin1.yaml",
            Entry::File(b"apiVersion: driftless.dev/v1\nname: caf\xe9\n".as_slice().into()),
        ),
        ("large.yaml", unread(3_000_000)),
        ("deep.yaml", file(&deep)),
        ("tenants", Entry::Link("../other/tenants".into())),
        ("out.yaml", Entry::Link("../../tenants/a.yaml".into())),
        ("vendor", Entry::Submodule),
        ("second.yaml", file(FLEET)),
        ("copy.yaml", file(TENANT)),
        ("twin.yaml", file(&TENANT.replace("acme", "twin"))),
        ("api/again.yaml", file(&SERVICE.replace("tenant.name}", "region}"))),
        (
            "other.yaml",
            file(&format!(
                "---\nkind: Tenant\n---\n{}",
                TENANT.replace("acme", "b").replace("1111", "4444")
            )),
        ),
        (
            "multi.yaml",
            file(&format!(
                "# two\n{}---\n# ü\n{}",
                TENANT.replace("acme", "b").replace("1111", "4444"),
                TENANT.replace("acme", "c").replace("1111", "5555")
                    + "  parameters:\n    Size: 11\n",
            )),
        ),
        (
            "api/two.yaml",
            file(
                &SERVICE
                    .replace("name: api", "name: two")
                    .replace("  template", "  stackName: api\n  template"),
            ),
        ),
        ("api/takers.yaml", file(&[taker("a"), taker("b")].join("---\n"))),
    ];
    let each = cases.map(|(path, entry)| format!("#### {path}\n{}", with(&[(path, entry)])));
    insta::assert_snapshot!(each.join("\n"));
}

#[test]
fn fleets_that_are_not_there() {
    let mut without_fleet = sound();
    without_fleet.remove("fleet.yaml");
    let each = [drawn(Files::new()), drawn(without_fleet)];
    insta::assert_snapshot!(each.join("\n"));
}

#[test]
fn files_of_others_are_left_alone() {
    let others = [
        ("broken.yaml", file("a: [")),
        ("k8s.yaml", file("apiVersion: v1\nkind: Service\nspec: {}\n")),
        ("README.md", file("apiVersion: driftless.dev/v1")),
        ("notes.md", Entry::Link("../README.md".into())),
        ("video.mp4", unread(1 << 40)),
    ];
    assert_eq!(with(&others), "no findings\n");
}

#[test]
fn services_that_wait_for_each_other_are_named_as_a_circle() {
    let service = |name: &str, other: &str| {
        let text = SERVICE.replace("name: api", &format!("name: {name}"));
        file(&text.replace("  parameters", &format!("  dependsOn: [{other}]\n  parameters")))
    };
    insta::assert_snapshot!(with(&[
        ("api/a.yaml", service("a", "b")),
        ("api/b.yaml", service("b", "c")),
        ("api/c.yaml", service("c", "a")),
    ]));
}

#[test]
fn an_output_of_a_service_that_the_tenant_lacks_is_reported() {
    let elsewhere = SERVICE
        .replace("name: api", "name: registry")
        .replace("  parameters", "  regions: [us-east-1]\n  parameters");
    let user = SERVICE
        .replace("name: api", "name: user")
        .replace("${tenant.name}", "${services.registry.outputs.QueueUrl}");
    insta::assert_snapshot!(with(&[
        ("api/registry.yaml", file(&elsewhere)),
        ("api/user.yaml", file(&user)),
    ]));
}

#[test]
fn what_concerns_many_tenants_is_one_finding() {
    let tenants: Vec<(String, Entry)> = (0..40)
        .map(|number| {
            let text = TENANT.replace("acme", &format!("t{number}"));
            (
                format!("t{number}.yaml"),
                file(&text.replace("1111", &format!("{:04}", number + 5000))),
            )
        })
        .collect();
    let mut files = sound();
    files.extend(tenants);
    files.insert("api/service.yaml".into(), file(&SERVICE.replace("tenant.name", "labels.ring")));
    insta::assert_snapshot!(drawn(files));
}

#[test]
fn all_findings_of_all_documents_come_at_once() {
    let mut files = sound();
    files.insert(
        "acme.yaml".into(),
        file(&TENANT.replace("account", "acount").replace("tier: paid", "tier: 1")),
    );
    files.insert("api/service.yaml".into(), file(&SERVICE.replace("template:", "templet:")));
    files.insert("fleet.yaml".into(), file(&FLEET.replace("cloud", "clod")));
    insta::assert_snapshot!(drawn(files));
}
