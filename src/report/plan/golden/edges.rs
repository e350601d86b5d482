//! What plans say in rare cases: what is kept beside what replaces it, who moves, who has much to say.

use crate::report::plan::golden::{Files, plan};
use crate::report::plan::{markdown, text};

const KEY_TEMPLATE: &str = "\
Parameters:
  LogLevel: { Type: String }
  TableName: { Type: String }
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties: { DBInstanceIdentifier: one, DBInstanceClass: db.t4g.micro, Engine: postgres, AllocatedStorage: 20 }
";

#[test]
fn what_is_replaced_and_kept_goes_on_costing() {
    let mut old = Files::of(3);
    old.put("scan-api/template.yaml", KEY_TEMPLATE);
    let mut new = old.clone();
    new.edit("scan-api/template.yaml", "DBInstanceIdentifier: one", "DBInstanceIdentifier: two");
    let plan = plan(&old, &new);
    let shown = text(&plan, false);
    assert!(shown.contains("REPLACES Database"), "{shown}");
    let lines: Vec<String> = plan.bill.lines().iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("adds 1 postgres db.t4g.micro instance"), "{lines:#?}\n{shown}");
}

#[test]
fn a_tenant_that_moves_costs_twice_while_the_old_stacks_are_retained() {
    let mut old = Files::of(3);
    old.put("scan-api/template.yaml", KEY_TEMPLATE);
    let mut new = old.clone();
    new.edit("tenants/t0001.yaml", "000000000001", "000000000077");
    let plan = plan(&old, &new);
    let shown = text(&plan, false);
    assert!(shown.contains("the old stack is retained"), "{shown}");
    assert!(!plan.bill.is_empty(), "{shown}");
}

#[test]
fn no_notice_of_a_comment_is_dropped_without_a_word() {
    let old = Files::of(1);
    let mut new = old.clone();
    new.edit("scan-api/template.yaml", "Path: /", "Path: /a/");
    let mut plan = plan(&old, &new);
    plan.notices = (1..=20).map(|number| format!("notice number {number}")).collect();
    let comment = markdown(&plan);
    assert!(comment.contains("notice number 20") || comment.contains("more note"), "{comment}");
}
