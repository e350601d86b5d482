//! What CloudFormation can read of resources that are there: which types, and which properties.

use crate::sim::resources::table::kind;

/// Types of the table of which AWS's list of resource types with drift detection has none, or whose
/// schema has no handler that reads.
const UNREAD_TYPES: &[&str] = &[
    "AWS::AppSync::GraphQLSchema",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::IAM::Policy",
    "AWS::Route53::RecordSet",
    "AWS::Route53::RecordSetGroup",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
];

/// Properties that no reader gets back: `writeOnlyProperties` of AWS's schemas.
const WRITE_ONLY: &[(&str, &str)] = &[
    ("AWS::IAM::User", "LoginProfile"),
    ("AWS::KMS::Key", "PendingWindowInDays"),
    ("AWS::Lambda::Function", "Code"),
    ("AWS::Lambda::LayerVersion", "Content"),
    ("AWS::RDS::DBInstance", "MasterUserPassword"),
    ("AWS::SecretsManager::Secret", "GenerateSecretString"),
    ("AWS::SecretsManager::Secret", "SecretString"),
    ("AWS::StepFunctions::StateMachine", "DefinitionSubstitutions"),
];

/// Properties that AWS changes by itself, and that drift-aware change sets leave alone for it; as
/// the user guide lists them.
const MANAGED: &[(&str, &str)] =
    &[("AWS::DynamoDB::Table", "ProvisionedThroughput"), ("AWS::RDS::DBInstance", "EngineVersion")];

/// Whether drift of the type can be detected. Types that the table does not know are made by
/// others.
pub(crate) fn is_read(kind_name: &str) -> bool {
    kind(kind_name).is_some() && !UNREAD_TYPES.contains(&kind_name)
}

/// Whether a property cannot be read back.
pub(crate) fn is_write_only(kind_name: &str, property: &str) -> bool {
    WRITE_ONLY.contains(&(kind_name, property))
}

/// Whether AWS changes a property by itself.
pub(crate) fn managed_by_aws(kind_name: &str, property: &str) -> bool {
    MANAGED.contains(&(kind_name, property))
}

/// Whether a property is never changed in place.
pub(crate) fn is_fixed(kind_name: &str, property: &str) -> bool {
    let row = kind(kind_name);
    row.is_some_and(|row| row.fixed().any(|(path, change)| path == property && change.is_certain()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_here_is_in_the_table() {
        let named = WRITE_ONLY.iter().chain(MANAGED).map(|(name, _)| name);
        for name in UNREAD_TYPES.iter().chain(named) {
            assert!(kind(name).is_some(), "{name}");
        }
        assert!(
            is_read("AWS::SQS::Queue") && !is_read("AWS::IAM::Policy") && !is_read("Custom::A")
        );
        assert!(is_fixed("AWS::SQS::Queue", "QueueName"));
        assert!(!is_fixed("AWS::SQS::Queue", "VisibilityTimeout"));
    }
}
