//! The bucket's template in the sample fleet: who may read it, over what, and that nothing in it goes away.

use driftless::template::{Template, limits};
use serde_json::{Value, json};

const TEMPLATE: &str = include_str!("../../../fleet/artifacts/bucket.yaml");

fn properties(name: &str) -> Value {
    let template = Template::parse(TEMPLATE).expect("a template");
    assert!(limits(&template).is_empty());
    let pointer = format!("/Resources/{name}/Properties");
    template.value().pointer(&pointer).expect("properties").clone()
}

#[test]
fn what_is_uploaded_stays_for_as_long_as_a_stack_may_need_it() {
    let rules = &properties("Bucket")["LifecycleConfiguration"]["Rules"];
    let expected = json!([{
        "Id": "broken-off-uploads",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
    }]);
    assert_eq!(*rules, expected, "no rule lets objects expire");
    let template = Template::parse(TEMPLATE).expect("a template");
    assert_eq!(template.value()["Resources"]["Bucket"]["DeletionPolicy"], "Retain");
}

#[test]
fn only_the_organization_reads_and_only_over_tls() {
    let blocked = properties("Bucket")["PublicAccessBlockConfiguration"].clone();
    let all = blocked.as_object().expect("a map");
    assert_eq!((all.len(), all.values().all(|is_on| *is_on == true)), (4, true), "{blocked}");
    let policy = properties("Policy")["PolicyDocument"]["Statement"].clone();
    let statements = policy.as_array().expect("a list");
    let allowed: Vec<&Value> = statements.iter().filter(|one| one["Effect"] == "Allow").collect();
    assert_eq!(allowed.len(), 1, "{policy}");
    assert_eq!(allowed[0]["Action"], "s3:GetObject");
    let condition = json!({ "StringEquals": { "aws:PrincipalOrgID": { "Ref": "Organization" } } });
    assert_eq!(allowed[0]["Condition"], condition);
    let denied = statements.iter().find(|one| one["Effect"] == "Deny").expect("a denial");
    assert_eq!(denied["Action"], "s3:*");
    assert_eq!(denied["Condition"], json!({ "Bool": { "aws:SecureTransport": "false" } }));
    assert_eq!(
        denied["Resource"].as_array().map(Vec::len),
        Some(2),
        "the bucket and what is in it"
    );
}
