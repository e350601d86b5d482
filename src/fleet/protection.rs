//! The resource types whose loss is the loss of data or of something that others hold on to: an
//! update may never remove or replace them unapproved.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The built-in list, sorted, each type with what would be lost.
pub const PROTECTED_BY_DEFAULT: &[(&str, &str)] = &[
    ("AWS::Backup::BackupVault", "its recovery points"),
    ("AWS::CertificateManager::Certificate", "the certificate that domains are served with"),
    ("AWS::Cognito::IdentityPool", "identity ids that data is keyed by"),
    ("AWS::Cognito::UserPool", "its users and their passwords"),
    ("AWS::DocDB::DBCluster", "its data"),
    ("AWS::DocDB::DBInstance", "its data"),
    ("AWS::DynamoDB::GlobalTable", "its items"),
    ("AWS::DynamoDB::Table", "its items"),
    ("AWS::EC2::Volume", "its blocks"),
    ("AWS::ECR::Repository", "its images"),
    ("AWS::EFS::FileSystem", "its files"),
    ("AWS::ElastiCache::ReplicationGroup", "its items"),
    ("AWS::FSx::FileSystem", "its files"),
    ("AWS::KMS::Key", "everything encrypted with it"),
    ("AWS::KMS::ReplicaKey", "everything encrypted with it in this region"),
    ("AWS::Kinesis::Stream", "records that were not read yet"),
    ("AWS::Logs::LogGroup", "its log events"),
    ("AWS::MSK::Cluster", "its topics"),
    ("AWS::Neptune::DBCluster", "its data"),
    ("AWS::Neptune::DBInstance", "its data"),
    ("AWS::OpenSearchService::Domain", "its indices"),
    ("AWS::RDS::DBCluster", "its data"),
    ("AWS::RDS::DBInstance", "its data"),
    ("AWS::RDS::GlobalCluster", "its data in all regions"),
    ("AWS::Redshift::Cluster", "its data"),
    ("AWS::Route53::HostedZone", "its records and its name servers"),
    ("AWS::S3::Bucket", "its objects, and its name in the world"),
    ("AWS::SecretsManager::Secret", "its value"),
    ("AWS::SQS::Queue", "messages that were not read yet"),
    ("AWS::Timestream::Database", "its tables"),
    ("AWS::Timestream::Table", "its records"),
];

/// The resource types that a service protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection(Arc<BTreeSet<String>>);

impl Protection {
    /// Exactly these types.
    pub fn of(types: BTreeSet<String>) -> Self {
        Self(Arc::new(types))
    }

    /// Whether a resource of this type is protected.
    pub fn covers(&self, resource_type: &str) -> bool {
        self.0.contains(resource_type)
    }

    /// The protected types, sorted.
    pub fn types(&self) -> &BTreeSet<String> {
        &self.0
    }
}

/// The built-in list.
impl Default for Protection {
    fn default() -> Self {
        Self::of(PROTECTED_BY_DEFAULT.iter().map(|(kind, _)| (*kind).to_owned()).collect())
    }
}
