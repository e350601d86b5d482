//! What the Fleet document forbids, and wrong limits, prices and patterns as their author reads them.
//! After an intended change: `INSTA_UPDATE=always cargo test --lib idle_cost::`.

use std::fmt::Write as _;

use crate::check;
use crate::fleet::Finding;
use crate::ids::Revision;
use crate::snapshot::{Entry, Snapshot};

const FLEET: &str = "\
apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: gloves }
spec:
  cloud: simulated
  regions: [eu-central-1, us-east-1]
";

const SERVICE: &str = "\
apiVersion: driftless.dev/v1
kind: Service
metadata: { name: network }
spec:
  template: template.yaml
";

const TEMPLATE: &str = "\
Parameters:
  Nat: { Type: String, Default: 'no' }
Conditions:
  HasNat: !Equals [!Ref Nat, 'yes']
Resources:
  Vpc: { Type: AWS::EC2::VPC }
  Gateway:
    Type: AWS::EC2::NatGateway
    Condition: HasNat
";

fn tenant(number: usize, more: &str) -> String {
    format!(
        "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: {{ name: t{number} }}\nspec:\n  \
         account: \"{number:012}\"\n  regions: [eu-central-1, us-east-1]\n{more}"
    )
}

/// The findings on a fleet of these tenants with this `idleCost`.
fn findings(idle_cost: &str, tenants: &[String], template: &str, service: &str) -> Vec<Finding> {
    let fleet = format!("{FLEET}  idleCost: {idle_cost}\n");
    let mut files = vec![
        ("fleet.yaml".to_owned(), fleet),
        ("template.yaml".to_owned(), template.to_owned()),
        ("service.yaml".to_owned(), service.to_owned()),
    ];
    let named = tenants.iter().enumerate();
    files.extend(named.map(|(index, text)| (format!("tenants/{index}.yaml"), text.clone())));
    let entries = files.into_iter().map(|(path, text)| (path, Entry::File(text.as_bytes().into())));
    let snapshot = Snapshot::of(Revision::of("folder"), None, entries.collect());
    match check::read(&snapshot) {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    }
}

fn said(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Finding { severity, path, line, column, code, message, help } = finding;
        let help = help.as_deref().unwrap_or_default();
        writeln!(text, "{severity}[{code}] {path}:{line}:{column}: {message}\n    {help}")
            .expect("text");
    }
    text
}

const FORBID: &str = "{ forbid: ['AWS::EC2::NatGateway'] }";
const YES: &str = "  parameters: { Nat: 'yes' }\n";

#[test]
fn capabilities_are_those_that_the_resources_need_which_macros_make() {
    let named = "  R: { Type: AWS::IAM::Role, Properties: { RoleName: r } }\n";
    let function = "Transform: AWS::Serverless-2016-10-31
Resources:
  F: { Type: AWS::Serverless::Function, Properties: { Runtime: nodejs22.x, InlineCode: a } }
";
    let own = function.replace("InlineCode: a", "InlineCode: a, Role: r");
    let loops = "Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Roles: [Name, [A, B], { 'Role${Name}': { Type: AWS::IAM::Role } }]
";
    let mut told = String::new();
    for (template, capabilities) in [
        (function.to_owned(), "CAPABILITY_AUTO_EXPAND, CAPABILITY_IAM"),
        (function.to_owned(), "CAPABILITY_AUTO_EXPAND"),
        (format!("{function}{named}"), "CAPABILITY_IAM"),
        (own, "CAPABILITY_AUTO_EXPAND"),
        (loops.to_owned(), ""),
    ] {
        let service = format!("{SERVICE}  capabilities: [{capabilities}]\n");
        let found = findings("{}", &[tenant(1, "")], &template, &service);
        told += &format!("# [{capabilities}]\n{}", said(&found));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_forbidden_resource_that_nobody_gets_is_no_finding() {
    let gone = tenant(2, &format!("  lifecycle: offboarded\n{YES}"));
    assert_eq!(said(&findings(FORBID, &[tenant(1, ""), gone], TEMPLATE, SERVICE)), "");
    let other = "{ forbid: ['AWS::RDS::*'] }";
    assert_eq!(said(&findings(other, &[tenant(1, YES)], TEMPLATE, SERVICE)), "");
}

#[test]
fn a_forbidden_resource_refuses_the_revision_and_says_for_how_many_accounts() {
    let some: Vec<String> =
        (1..=5).map(|number| tenant(number, if number < 4 { YES } else { "" })).collect();
    let always = TEMPLATE.replace("    Condition: HasNat\n", "");
    let output = format!("{SERVICE}  parameters: {{ Nat: '${{services.other.outputs.Nat}}' }}\n");
    let other = SERVICE.replace("name: network", "name: other");
    let output = format!("{output}---\n{other}");
    let gives = format!("{TEMPLATE}Outputs:\n  Nat: {{ Value: 'yes' }}\n");
    let with_output = |tenants: &[String]| findings(FORBID, tenants, &gives, &output);
    let pattern = "{ forbid: ['AWS::EC2::Nat*', 'AWS::EC2::NatGateway'] }";
    let cases = [
        ("a condition that holds for some", findings(FORBID, &some, TEMPLATE, SERVICE)),
        ("no condition, one tenant", findings(pattern, &[tenant(1, "")], &always, SERVICE)),
        ("a condition that hangs on an output", with_output(&[tenant(1, ""), tenant(2, "")])),
        ("and for some not", with_output(&[tenant(1, ""), tenant(2, YES)])),
    ];
    let cases = cases.map(|(name, findings)| format!("# {name}\n{}", said(&findings)));
    insta::assert_snapshot!(cases.concat());
}

#[test]
fn a_forbidden_resource_that_a_macro_makes_is_found_where_it_is_written() {
    let service = format!("{SERVICE}  capabilities: [CAPABILITY_AUTO_EXPAND, CAPABILITY_IAM]\n");
    let sam = "Transform: AWS::Serverless-2016-10-31
Resources:
  Front:
    Type: AWS::Serverless::Api
    Properties: { StageName: v1, CacheClusterEnabled: true }
  Items: { Type: AWS::Serverless::SimpleTable }
";
    let loops = "Transform: AWS::LanguageExtensions
Parameters: { Zones: { Type: CommaDelimitedList, Default: '' } }
Resources:
  Fn::ForEach::Gateways:
    - Zone
    - !Ref Zones
    - 'Gateway${Zone}': { Type: AWS::EC2::NatGateway }
  Vpc: { Type: AWS::EC2::VPC }
";
    let zones =
        |number, zones: &str| tenant(number, &format!("  parameters: {{ Zones: '{zones}' }}\n"));
    let tenants = [zones(1, "a,b"), zones(2, "a"), zones(3, "c")];
    let cases = [
        findings(
            "{ forbid: ['AWS::ApiGateway::Stage', 'AWS::DynamoDB::*'] }",
            &[tenant(1, "")],
            sam,
            &service,
        ),
        findings(FORBID, &tenants, loops, &service),
    ];
    insta::assert_snapshot!(cases.map(|findings| said(&findings)).join("\n"));
}

#[test]
fn wrong_limits_prices_and_patterns() {
    let cases = [
        "{ warnAbove: 100, failAbove: 1000, forbid: ['AWS::RDS::*'], prices: { 'AWS::KMS::Key': 0.8 } }",
        "{ warnAbove: 1000, failAbove: 100 }",
        "{ warnAbove: -1 }",
        "{ warnAbove: 1e3 }",
        "{ failAbove: '1000' }",
        "{ failAbove: 1000 USD }",
        "{ failAbove: 99999999999999999999 }",
        "{ limit: 5 }",
        "{ forbid: 'AWS::RDS::*' }",
        "{ forbid: [NatGateway, 'AWS::RDS::*'] }",
        "{ forbid: ['AWS::EC2::NatGatway', 'AWS::EMR::Cluster', 'AWS::Qqqqqqqqqq::*'] }",
        "{ prices: { 'AWS::KMS::Key': -0.8 } }",
        "{ prices: { 'AWS::KMS::Kye': 1, 'AWS::EC2::VPC': 0, 'Vendor::Quite::Another': 5 } }",
        "{ prices: { KMS: 1, 'AWS::EC2::Instance': 5, 'AWS::EC2::Instance/t4g.nano': 2.5 } }",
    ];
    let cases = cases.map(|idle_cost| {
        let findings = findings(idle_cost, &[tenant(1, "")], TEMPLATE, SERVICE);
        format!("#### {idle_cost}\n{}", said(&findings))
    });
    insta::assert_snapshot!(cases.concat());
}

#[test]
fn what_is_forbidden_in_a_nested_template_is_found_there_if_somebody_gets_it() {
    let fleet = format!(
        "{FLEET}  artifacts: {{ bucket: \"a-${{region}}\" }}\n  idleCost: {{ forbid: \
         [\"AWS::EC2::NatGateway\"] }}\n"
    );
    let root = "Parameters:\n  Nat: { Type: String, Default: 'no' }\nResources:\n  Net:\n    \
                Type: AWS::CloudFormation::Stack\n    Properties: { TemplateURL: nested.yaml, \
                Parameters: { Nat: !Ref Nat } }\n";
    let found = |nat: &str| {
        let tenant = tenant(1, &format!("  parameters: {{ Nat: '{nat}' }}\n"));
        let files = [
            ("fleet.yaml", fleet.as_str()),
            ("template.yaml", root),
            ("nested.yaml", TEMPLATE),
            ("service.yaml", SERVICE),
            ("tenant.yaml", &tenant),
        ];
        let entries =
            files.map(|(path, text)| (path.to_owned(), Entry::File(text.as_bytes().into())));
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
        let findings = check::read(&snapshot).map_or_else(|found| found, |(_, found)| found);
        let lines = findings.iter().map(|one| format!("{}:{} {}", one.path, one.line, one.message));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(found("no"), Vec::<String>::new());
    let text = "nested.yaml:7 `Gateway` is of the type AWS::EC2::NatGateway, which the Fleet document \
                forbids: 1 account gets it";
    assert_eq!(found("yes"), [text]);
}
