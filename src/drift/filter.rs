//! What of a difference counts: ignore rules of the fleet, and known false positives of drift
//! detection, each with its reason.

use serde_json::Value;

use crate::drift::equal::means_the_same;
use crate::drift::{Finding, Hidden, Ignored, What};
use crate::fleet::{DriftPolicy, DriftRules, Glob, IgnoreRule, Pointer};
use crate::observed::{Direction, DriftStatus, PropertyDifference, ResourceDrift};

/// Properties that AWS itself changes, or never gives back: type, property, reason.
const NO_DRIFT: &[(&str, &str, &str)] = &[
    ("*", "/Tags/aws:*", "tags of AWS's own"),
    ("AWS::ApiGateway::RestApi", "/Body", WRITE_ONLY),
    ("AWS::ApiGateway::RestApi", "/BodyS3Location", WRITE_ONLY),
    ("AWS::ApiGatewayV2::Api", "/Body", WRITE_ONLY),
    ("AWS::ApiGatewayV2::Api", "/BodyS3Location", WRITE_ONLY),
    ("AWS::AutoScaling::AutoScalingGroup", "/DesiredCapacity", "scaling policies set it"),
    ("AWS::Cognito::UserPoolIdentityProvider", "/ProviderDetails/client_secret", WRITE_ONLY),
    ("AWS::DocDB::DBCluster", "/MasterUserPassword", WRITE_ONLY),
    ("AWS::ECS::Service", "/DesiredCount", "scaling policies set it"),
    ("AWS::ElastiCache::ReplicationGroup", "/AuthToken", WRITE_ONLY),
    ("AWS::IAM::User", "/LoginProfile/Password", WRITE_ONLY),
    ("AWS::Lambda::Alias", "/RoutingConfig", "deployments shift traffic with it"),
    ("AWS::Lambda::Function", "/Code", WRITE_ONLY),
    ("AWS::Lambda::LayerVersion", "/Content", WRITE_ONLY),
    ("AWS::RDS::DBCluster", "/MasterUserPassword", WRITE_ONLY),
    ("AWS::RDS::DBInstance", "/EngineVersion", "minor versions are upgraded by AWS"),
    ("AWS::RDS::DBInstance", "/MasterUserPassword", WRITE_ONLY),
    ("AWS::SecretsManager::Secret", "/GenerateSecretString", WRITE_ONLY),
    ("AWS::SecretsManager::Secret", "/SecretString", WRITE_ONLY),
    ("AWS::StepFunctions::StateMachine", "/DefinitionS3Location", WRITE_ONLY),
];

const WRITE_ONLY: &str = "AWS takes this property and never gives it back";
const THE_SAME: &str = "written otherwise, and means the same";
const NOTHING: &str = "an empty value is the same as none";

/// What passed the filters of one resource, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// What counts.
    pub findings: Vec<Finding>,
    /// What does not, and why.
    pub ignored: Vec<Ignored>,
}

/// What counts of the differences of one resource. `within` is the path of the nested stack that it
/// stands in.
pub fn sift(
    rules: &DriftRules<'_>,
    resource: &ResourceDrift,
    within: &str,
    hidden: &Hidden,
) -> Passed {
    let mut passed = Passed::default();
    let finding = |what| Finding {
        within: within.to_owned(),
        logical_id: resource.logical_id.clone(),
        kind: resource.kind.clone(),
        physical_id: resource.physical_id.clone(),
        what,
    };
    let mut judge = |what: What, no_drift: Option<String>| {
        let finding = finding(what);
        let harmless = no_drift.as_deref().is_some_and(|why| [THE_SAME, NOTHING].contains(&why));
        match no_drift.or_else(|| is_ignored(rules, &finding)) {
            Some(reason) => {
                passed.ignored.push(Ignored { subject: finding.subject(), reason, harmless });
            }
            None => passed.findings.push(finding),
        }
    };
    match &resource.status {
        DriftStatus::Deleted => judge(What::Deleted, None),
        DriftStatus::Modified if resource.differences.is_empty() => {
            // AWS says that it differs, and not where.
            let path = "/".to_owned();
            let direction = Direction::Changed;
            judge(What::Property { path, direction, expected: None, actual: None }, None);
        }
        DriftStatus::Modified => {
            for difference in &resource.differences {
                let shown = |text: &String| {
                    hidden.shown(&resource.kind, &resource.logical_id, &difference.path, text)
                };
                let what = What::Property {
                    path: difference.path.clone(),
                    direction: difference.direction,
                    expected: shown(&difference.expected),
                    actual: shown(&difference.actual),
                };
                judge(what, no_drift(resource, difference).map(str::to_owned));
            }
        }
        DriftStatus::InSync | DriftStatus::NotChecked | DriftStatus::Unknown(_) => {}
    }
    passed
}

/// Why documents say that this is no drift.
pub fn is_ignored(rules: &DriftRules<'_>, finding: &Finding) -> Option<String> {
    let by_policy = rules.policy(&finding.kind) == DriftPolicy::Ignore;
    by_policy.then(|| "the policy is `ignore`".to_owned()).or_else(|| ignored_by(rules, finding))
}

/// The rule of the fleet that says that this is no drift.
fn ignored_by(rules: &DriftRules<'_>, finding: &Finding) -> Option<String> {
    let path = match &finding.what {
        What::Deleted => None,
        What::Property { path, .. } => Some(path),
    };
    let fits = |rule: &&IgnoreRule| {
        let property = match (&rule.property, path) {
            (None, _) => true,
            (Some(pointer), Some(path)) => pointer.covers(path),
            (Some(_), None) => false,
        };
        let names = rule.logical_id.fits(&finding.logical_id);
        property
            && rule.kind.fits(&finding.kind)
            && (names || rule.logical_id.fits(&finding.place()))
    };
    let rule = rules.ignored().find(fits)?;
    Some(rule.reason.clone().unwrap_or_else(|| "a rule of the fleet".to_owned()))
}

/// Why a difference is none.
fn no_drift(resource: &ResourceDrift, difference: &PropertyDifference) -> Option<&'static str> {
    let path = &difference.path;
    let known = NO_DRIFT.iter().find(|(kind, property, _)| {
        let pointer = Pointer::parse(property);
        Glob::of(kind).fits(&resource.kind) && pointer.is_ok_and(|pointer| pointer.covers(path))
    });
    if let Some((_, _, reason)) = known {
        return Some(reason);
    }
    if is_tag_of_aws(resource, path) {
        return Some("a tag of AWS's own");
    }
    let text = |text: &str| serde_json::from_str(text).unwrap_or(Value::String(text.to_owned()));
    let (expected, actual) = (text(&difference.expected), text(&difference.actual));
    match difference.direction {
        Direction::Changed if means_the_same(path, &expected, &actual) => return Some(THE_SAME),
        Direction::Added if is_empty(&actual) => return Some(NOTHING),
        Direction::Removed if is_empty(&expected) => return Some(NOTHING),
        Direction::Changed | Direction::Added | Direction::Removed => {}
    }
    // What differs in one item of a set, or in one statement of a policy, may be a matter of order:
    // the whole around it decides.
    around(path).find_map(|whole| {
        let (expected, actual) =
            (resource.expected.pointer(whole)?, resource.actual.pointer(whole)?);
        means_the_same(whole, expected, actual).then_some(THE_SAME)
    })
}

/// The pointers of what a property is in, the nearest first.
fn around(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.rmatch_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    ends.map(|at| &path[..at])
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == "null",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether the property is in a tag that only AWS may set.
fn is_tag_of_aws(resource: &ResourceDrift, path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/Tags/") else { return false };
    let item = format!("/Tags/{}", rest.split('/').next().unwrap_or_default());
    let key = |value: &Value| {
        value.pointer(&item)?.get("Key")?.as_str().map(|key| key.starts_with("aws:"))
    };
    key(&resource.actual).or_else(|| key(&resource.expected)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::fleet::{DriftException, DriftSettings, Selector};

    fn resource(kind: &str, expected: Value, actual: Value, paths: &[&str]) -> ResourceDrift {
        let differences = paths.iter().map(|path| {
            let text = |whole: &Value| match whole.pointer(path) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "null".to_owned(),
            };
            let direction = match (expected.pointer(path), actual.pointer(path)) {
                (None, _) => Direction::Added,
                (_, None) => Direction::Removed,
                _ => Direction::Changed,
            };
            let (expected, actual) = (text(&expected), text(&actual));
            PropertyDifference { path: (*path).to_owned(), direction, expected, actual }
        });
        ResourceDrift {
            logical_id: "Thing".to_owned(),
            physical_id: None,
            kind: kind.to_owned(),
            status: DriftStatus::Modified,
            differences: differences.collect(),
            expected,
            actual,
        }
    }

    fn sifted(settings: &DriftSettings, resource: &ResourceDrift) -> (Vec<String>, Vec<String>) {
        let (none, labels) = (DriftSettings::default(), BTreeMap::new());
        let rules = DriftRules::of_settings(&none, settings, &labels);
        let passed = sift(&rules, resource, "", &Hidden::default());
        let findings = passed.findings.iter().map(|one| one.what.to_string()).collect();
        (findings, passed.ignored.into_iter().map(|one| one.reason).collect())
    }

    #[test]
    fn what_aws_writes_otherwise_is_no_drift() {
        let none = DriftSettings::default();
        let queue = resource(
            "AWS::SQS::Queue",
            json!({"DelaySeconds": 5, "Empty": [], "VisibilityTimeout": 60}),
            json!({"DelaySeconds": "5", "VisibilityTimeout": 30}),
            &["/DelaySeconds", "/Empty", "/VisibilityTimeout"],
        );
        let (findings, ignored) = sifted(&none, &queue);
        assert_eq!(findings, ["/VisibilityTimeout changed: 60, now 30"]);
        assert_eq!(ignored, [THE_SAME, NOTHING]);
        let statement =
            |action: &str| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        let policy =
            |order: [&str; 2]| json!({"PolicyDocument": {"Statement": order.map(statement)}});
        let paths = ["/PolicyDocument/Statement/0/Action", "/PolicyDocument/Statement/1/Action"];
        let role = |actual| resource("AWS::IAM::Policy", policy(["a:A", "b:B"]), actual, &paths);
        assert_eq!(sifted(&none, &role(policy(["b:B", "a:A"]))).0, [""; 0]);
        assert_eq!(sifted(&none, &role(policy(["b:B", "a:*"]))).0.len(), 2);
        let function = resource(
            "AWS::Lambda::Function",
            json!({"Code": {"S3Key": "a"}}),
            json!({"Code": {"S3Key": "b"}}),
            &["/Code/S3Key"],
        );
        assert_eq!(sifted(&none, &function).1, [WRITE_ONLY]);
        let tagged = resource(
            "AWS::SQS::Queue",
            json!({"Tags": [{"Key": "a", "Value": "1"}]}),
            json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "aws:x", "Value": "1"}]}),
            &["/Tags/1"],
        );
        assert_eq!(sifted(&none, &tagged).1, ["a tag of AWS's own"]);
    }

    #[test]
    fn rules_and_policies_say_what_is_no_drift() {
        let queue = resource(
            "AWS::SQS::Queue",
            json!({"DelaySeconds": 5, "Tags": [{"Key": "a", "Value": "1"}]}),
            json!({"DelaySeconds": 6, "Tags": [{"Key": "a", "Value": "2"}]}),
            &["/DelaySeconds", "/Tags/0/Value"],
        );
        let rule = |kind: &str, logical_id: &str, property: Option<&str>| IgnoreRule {
            kind: Glob::of(kind),
            logical_id: Glob::of(logical_id),
            property: property.map(|text| Pointer::parse(text).expect("a pointer")),
            reason: Some("why".to_owned()),
        };
        let ignoring =
            |rule: IgnoreRule| DriftSettings { ignore: vec![rule], ..Default::default() };
        let left = |settings: &DriftSettings| sifted(settings, &queue).0.len();
        assert_eq!(left(&ignoring(rule("*", "*", Some("/Tags/*/Value")))), 1);
        assert_eq!(left(&ignoring(rule("AWS::SQS::*", "Thing", None))), 0);
        assert_eq!(left(&ignoring(rule("AWS::SNS::*", "*", None))), 2);
        assert_eq!(left(&ignoring(rule("*", "Other", None))), 2);
        let exception = DriftException {
            selector: Selector::default(),
            kind: Glob::of("AWS::SQS::*"),
            policy: DriftPolicy::Ignore,
        };
        let settings = DriftSettings { exceptions: vec![exception], ..Default::default() };
        assert_eq!(left(&settings), 0);
        let deleted = ResourceDrift { status: DriftStatus::Deleted, ..queue };
        let ignored = |rule| sifted(&ignoring(rule), &deleted).0.is_empty();
        assert!(!ignored(rule("*", "*", Some("/Tags"))), "a rule on a property keeps no resource");
        assert!(ignored(rule("*", "*", None)));
    }
}
