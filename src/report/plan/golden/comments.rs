//! The comments that a pull request gets, as people read them.

use crate::check::read;
use crate::ids::Revision;
use crate::plan::preview::preview;
use crate::report::plan::golden::{Files, plan};
use crate::report::plan::{MAX_COMMENT, comments, refused_comments};
use crate::snapshot::{Entry, Snapshot};

/// A fleet of four services in two waves, as companies have it, with labelled tenants.
fn company(tenants: usize) -> Files {
    let mut files = Files::of(0);
    files.edit(
        "fleet.yaml",
        "spec:\n",
        "spec:\n  idleCost: { warnAbove: 100, failAbove: 10000 }\n  rollout:\n    waves:\n      - \
         { name: canary, selector: { matchLabels: { ring: canary } }, soak: 30m }\n      - { name: \
         all }\n    approval: [all]\n",
    );
    files.edit("scan-api/service.yaml", "TableName: 'scans-${tenant.name}'", "MemorySize: 512");
    files.edit("scan-api/service.yaml", "spec:\n", "spec:\n  dependsOn: [device-registry]\n");
    files.put("scan-api/template.yaml", SCAN_API);
    let service = |name: &str, more: &str| {
        format!(
            "apiVersion: driftless.dev/v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec:\n  \
             template: template.yaml\n{more}"
        )
    };
    files
        .put("baseline/service.yaml", &service("baseline", ""))
        .put("baseline/template.yaml", TOPIC);
    let needs = "  dependsOn: [baseline]\n  onRemoval: delete\n";
    files.put("device-registry/service.yaml", &service("device-registry", needs));
    files.put("device-registry/template.yaml", TABLE);
    for number in 0..tenants {
        labelled(&mut files, number, "");
    }
    files
}

fn labelled(files: &mut Files, number: usize, more: &str) {
    let ring = if number.is_multiple_of(100) { "canary" } else { "broad" };
    files.tenant(number, more);
    let path = format!("tenants/t{number:04}.yaml");
    let name = format!("name: t{number:04}");
    files.edit(&path, &name, &format!("{name}, labels: {{ ring: {ring} }}"));
}

const SCAN_API: &str = "\
Parameters:
  LogLevel: { Type: String }
  MemorySize: { Type: Number }
Conditions:
  IsLarge: !Not [!Equals [!Ref MemorySize, 512]]
Resources:
  Jobs: { Type: AWS::SQS::Queue }
  Role: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: {} } }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      MemorySize: !Ref MemorySize
      Environment: { Variables: { LEVEL: !Ref LogLevel, QUEUE: !Ref Jobs } }
      Code: { ZipFile: pass }
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Condition: IsLarge
    Properties: { MetricName: Duration, Dimensions: [{ Name: F, Value: !Ref Function }] }
";

const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";

const TABLE: &str = "\
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
";

fn comment(old: &Files, new: &Files) -> String {
    let comments = comments(&plan(old, new), "fleet", MAX_COMMENT);
    assert_eq!(comments.len(), 1);
    assert!(comments[0].len() < MAX_COMMENT);
    comments.concat()
}

#[test]
fn a_new_tenant() {
    let old = company(5);
    let mut new = old.clone();
    labelled(&mut new, 7, "  services: { scan-api: { parameters: { MemorySize: \"1024\" } } }\n");
    insta::assert_snapshot!(comment(&old, &new));
}

#[test]
fn one_parameter_for_all() {
    let mut old = company(2_000);
    for number in [17, 18] {
        let own = "  services: { scan-api: { parameters: { MemorySize: \"256\" } } }\n";
        labelled(&mut old, number, own);
    }
    let mut new = old.clone();
    new.edit("scan-api/service.yaml", "MemorySize: 512", "MemorySize: 1024");
    labelled(&mut new, 17, "");
    labelled(&mut new, 18, "");
    insta::assert_snapshot!(comment(&old, &new));
}

#[test]
fn a_template_change_with_a_replacement() {
    let old = company(2_000);
    let mut new = old.clone();
    let named = "Properties:\n      TableName: devices\n      BillingMode";
    new.edit("device-registry/template.yaml", "Properties:\n      BillingMode", named);
    new.edit(
        "device-registry/template.yaml",
        "Resources:\n",
        "Resources:\n  Host: { Type: AWS::EC2::Instance, Properties: { InstanceType: t4g.nano } }\n  \
         Thing: { Type: AWS::IoT::Thing }\n",
    );
    insta::assert_snapshot!(comment(&old, &new));
}

#[test]
fn a_removal_of_40_tenants() {
    let mut old = company(2_000);
    old.edit("scan-api/service.yaml", "spec:\n", "spec:\n  onRemoval: delete\n");
    let mut new = old.clone();
    new.0.retain(|path, _| !("tenants/t0100".."tenants/t0140").contains(&path.as_str()));
    insta::assert_snapshot!(comment(&old, &new));
}

#[test]
fn a_refused_fleet() {
    let mut files = company(3);
    files.edit("scan-api/service.yaml", "MemorySize: 512", "MemorySize: much, Memory: 1");
    files.edit("tenants/t0001.yaml", "000000000001", "000000000002");
    files.edit("fleet.yaml", "warnAbove: 100,", "warnAbove: 100, forbid: ['AWS::DynamoDB::*'],");
    let entries =
        files.0.iter().map(|(path, text)| (path.clone(), Entry::File(text.as_bytes().into())));
    let revision = Revision::of("2222222bbbb");
    let snapshot = Snapshot::of(revision.clone(), None, entries.collect());
    let findings = read(&snapshot).expect_err("refused");
    insta::assert_snapshot!(refused_comments(&revision, &findings, "fleet", MAX_COMMENT).concat());
}

#[test]
fn a_change_of_6000_tenants_is_one_comment() {
    let old = company(6_000);
    let mut new = old.clone();
    new.edit("fleet.yaml", "info", "debug");
    new.edit(
        "scan-api/template.yaml",
        "Role: { Type: AWS::IAM::Role",
        "Role: { DependsOn: Jobs, Type: AWS::IAM::Role",
    );
    for number in (0..6_000).step_by(1_000) {
        labelled(&mut new, number, "  lifecycle: offboarded\n");
    }
    insta::assert_snapshot!(comment(&old, &new));
}

#[test]
fn the_smallest_instance_in_2000_accounts_is_roughly_6000_dollars_a_month() {
    let old = company(2_000);
    let mut new = old.clone();
    let host = "Resources:\n  Host: { Type: AWS::EC2::Instance, Properties: { InstanceType: t4g.nano } }\n";
    new.edit("scan-api/template.yaml", "Resources:\n", host);
    let plan = preview(Some(&old.desired("1111111aaaa")), &new.desired("2222222bbbb"));
    let said = plan.bill.lines()[0].to_string();
    assert!(said.contains("x 2,000 accounts = 6,132 USD a month"), "{said}");
}
