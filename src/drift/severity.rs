//! How bad a drift is: what opens something up, what loses data, what changes behaviour, and what
//! only looks otherwise.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::drift::{Finding, What};
use crate::fleet::Protection;

/// How bad a drift is, the worst last.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It only looks otherwise: tags, descriptions.
    Cosmetic,
    /// It works otherwise.
    Behaviour,
    /// Data is gone, or will be sooner.
    DataLoss,
    /// Who may do what, who can reach it, whether it is encrypted.
    Security,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cosmetic => "cosmetic",
            Self::Behaviour => "behaviour",
            Self::DataLoss => "data loss",
            Self::Security => "security",
        })
    }
}

/// Types that are about who may do what, whatever of them differs.
const SECURITY_TYPES: &[&str] = &[
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::IAM::Group",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::User",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
];

/// Parts of names of properties that open something up.
const SECURITY_WORDS: &[&str] = &[
    "accesscontrol",
    "auth",
    "cors",
    "encrypt",
    "kms",
    "permission",
    "policy",
    "principal",
    "public",
    "role",
    "securitygroup",
    "sse",
    "sslpolicy",
    "tls",
];

/// Parts of names of properties on which it depends how long data is kept.
const DATA_WORDS: &[&str] = &[
    "backup",
    "deletionprotection",
    "expiration",
    "lifecycle",
    "messageretention",
    "pointintime",
    "redrive",
    "replication",
    "retention",
    "snapshot",
    "timetolive",
    "versioning",
];

const COSMETIC: &[&str] = &["Tags", "TagSet", "Description", "DisplayName", "Comment", "Name"];

/// How bad a finding is.
pub fn severity(finding: &Finding) -> Severity {
    let of_security = SECURITY_TYPES.contains(&finding.kind.as_str());
    let What::Property { path, .. } = &finding.what else {
        return match (of_security, Protection::default().covers(&finding.kind)) {
            (_, true) => Severity::DataLoss,
            (true, false) => Severity::Security,
            (false, false) => Severity::Behaviour,
        };
    };
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if COSMETIC.contains(&first) {
        return Severity::Cosmetic;
    }
    let lower = path.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // What says that it may be lost is no policy of who may do what.
    if has(DATA_WORDS) {
        Severity::DataLoss
    } else if of_security || has(SECURITY_WORDS) {
        Severity::Security
    } else {
        Severity::Behaviour
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Direction;

    #[test]
    fn what_opens_something_up_is_worse_than_what_only_looks_otherwise() {
        let finding = |kind: &str, path: Option<&str>| Finding {
            within: String::new(),
            logical_id: "X".to_owned(),
            kind: kind.to_owned(),
            physical_id: None,
            what: path.map_or(What::Deleted, |path| What::Property {
                path: path.to_owned(),
                direction: Direction::Changed,
                expected: None,
                actual: None,
            }),
        };
        for (kind, path, expected) in [
            (
                "AWS::S3::BucketPolicy",
                Some("/PolicyDocument/Statement/0/Principal"),
                Severity::Security,
            ),
            (
                "AWS::S3::Bucket",
                Some("/PublicAccessBlockConfiguration/BlockPublicAcls"),
                Severity::Security,
            ),
            ("AWS::SQS::Queue", Some("/KmsMasterKeyId"), Severity::Security),
            ("AWS::IAM::Role", Some("/MaxSessionDuration"), Severity::Security),
            ("AWS::IAM::Role", Some("/Description"), Severity::Cosmetic),
            ("AWS::IAM::Role", None, Severity::Security),
            ("AWS::SQS::Queue", None, Severity::DataLoss),
            ("AWS::SQS::Queue", Some("/MessageRetentionPeriod"), Severity::DataLoss),
            ("AWS::SQS::Queue", Some("/RedrivePolicy/maxReceiveCount"), Severity::DataLoss),
            ("AWS::S3::Bucket", Some("/VersioningConfiguration/Status"), Severity::DataLoss),
            ("AWS::Lambda::Function", Some("/MemorySize"), Severity::Behaviour),
            ("AWS::Events::Rule", None, Severity::Behaviour),
            ("AWS::SQS::Queue", Some("/Tags/0/Value"), Severity::Cosmetic),
        ] {
            assert_eq!(severity(&finding(kind, path)), expected, "{kind} {path:?}");
        }
    }
}
