//! The table of resource types; a type that is not in it is refused by name. In forms `{name}` is the
//! given or generated name, `{id}` the physical id, `{tail}` its last part; `{hex}` and `{uuid}` are
//! made from the name; the others say where the resource stands.

/// One resource type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// How long a creation, update or deletion takes at AWS's own speed; see [`KINDS`].
    pub(crate) seconds: u32,
    /// The property that names it, with `/` between the levels; empty for a type that cannot be
    /// named.
    pub(crate) named_by: &'static str,
    /// The form of the physical id, which `Ref` gives unless `reference` says otherwise.
    pub(crate) id: &'static str,
    /// Properties, besides the name, that are not changed in place.
    fixed: &'static [&'static str],
    /// Whether the stack's tags reach it.
    pub(crate) taggable: bool,
    /// Forms of the attributes of `GetAtt`; an empty form is a value made from the attribute's name.
    /// `*` stands for any other attribute: of some types `GetAtt` gives every property.
    pub(crate) attributes: &'static [(&'static str, &'static str)],
}

/// What a change of a property does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another resource is made.
    Replaces,
    /// A change set says that another one may be needed, and it is.
    MayReplace,
    /// A change set says that another one may be needed, and it is changed in place.
    MightReplace,
    /// The update fails.
    Refused,
}

impl Change {
    /// Whether the property is never changed in place.
    pub(crate) fn is_certain(self) -> bool {
        self == Self::Replaces || self == Self::Refused
    }
}

impl Kind {
    /// The properties that are not changed in place, the name included, with what their change does.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = (&'static str, Change)> {
        let name = Some((self.named_by, Change::Replaces)).filter(|(path, _)| !path.is_empty());
        name.into_iter().chain(self.fixed.iter().map(|entry| change_of(entry)))
    }
}

/// A path, and the mark before it.
fn change_of(entry: &'static str) -> (&'static str, Change) {
    let marks = [('?', Change::MayReplace), ('~', Change::MightReplace), ('!', Change::Refused)];
    let marked =
        marks.into_iter().find_map(|(mark, change)| Some((entry.strip_prefix(mark)?, change)));
    marked.unwrap_or((entry, Change::Replaces))
}

/// The row of a type.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.binary_search_by(|kind| kind.name.cmp(name)).ok().map(|index| &KINDS[index])
}

macro_rules! kinds {
    ($($name:literal $seconds:literal $named_by:literal $id:literal [$($only:literal)*] $tags:ident
       {$($attribute:literal: $form:literal)*})*) => {
        /// Sorted by name.
        ///
        /// **Properties** are those of AWS's resource schemas of 2026: `createOnlyProperties` as they
        /// stand, `conditionalCreateOnlyProperties` with `?` where the documentation says "Replacement"
        /// and `~` where it says "Some interruptions". `!` is on what AWS documents as an update that
        /// fails. `AWS::Route53::RecordSet` and `AWS::AppSync::GraphQLSchema` are older than the
        /// schemas: theirs are the documentation's.
        ///
        /// **Seconds**: AWS publishes none. Two numbers are known: an operation costs about 13 s beside
        /// its resources (`timeline.rs`), and a queue with its dead-letter queue, one after the other,
        /// takes 64 s in all; so a queue takes 25 s. The others are estimates by class, from what
        /// CloudFormation waits for: 2 to 5 s where one call makes the resource (parameters, log groups,
        /// policies, permissions), 10 to 20 s where it is asked until it is there or must be known
        /// everywhere (functions, roles, tables, buckets), 30 s and more where something is provisioned
        /// or spread over the world (streams, mount targets, zones, distributions, databases).
        const KINDS: &[Kind] = &[$(Kind {
            name: $name,
            seconds: $seconds,
            named_by: $named_by,
            id: $id,
            fixed: &[$($only),*],
            taggable: kinds!(@$tags),
            attributes: &[$(($attribute, $form)),*],
        }),*];
    };
    (@tagged) => { true };
    (@plain) => { false };
}

kinds! {
    "AWS::ApiGateway::Account" 10 "" "{name}" [] plain { "Id": "" }
    "AWS::ApiGateway::ApiKey" 5 "Name" "{hex}" ["GenerateDistinctId" "Value"] tagged { "APIKeyId": "{id}" }
    "AWS::ApiGateway::BasePathMapping" 3 "" "{name}" ["BasePath" "DomainName"] plain {}
    "AWS::ApiGateway::Deployment" 5 "" "{hex}" ["DeploymentCanarySettings" "RestApiId"] plain { "DeploymentId": "{id}" }
    "AWS::ApiGateway::DomainName" 60 "DomainName" "{name}" [] tagged { "DistributionDomainName": "{hex}.cloudfront.net" "DistributionHostedZoneId": "" "DomainNameArn": "" "RegionalDomainName": "d-{hex}.execute-api.{region}.amazonaws.com" "RegionalHostedZoneId": "" }
    "AWS::ApiGateway::Method" 3 "" "{name}" ["RestApiId" "ResourceId" "HttpMethod"] plain {}
    "AWS::ApiGateway::Resource" 3 "" "{hex}" ["RestApiId" "ParentId" "PathPart"] plain { "ResourceId": "{id}" }
    "AWS::ApiGateway::RestApi" 10 "" "{hex}" [] tagged { "RestApiId": "{id}" "RootResourceId": "{hex}" }
    "AWS::ApiGateway::Stage" 5 "StageName" "{name}" ["RestApiId"] tagged {}
    "AWS::ApiGateway::UsagePlan" 5 "" "{hex}" [] tagged { "Id": "{id}" }
    "AWS::ApiGateway::UsagePlanKey" 3 "" "{name}" ["KeyId" "KeyType" "UsagePlanId"] plain { "Id": "{id}" }
    "AWS::ApiGatewayV2::Api" 10 "" "{hex}" ["ProtocolType"] tagged { "ApiId": "{id}" "ApiEndpoint": "https://{id}.execute-api.{region}.amazonaws.com" "ExecuteApiArn": "" }
    "AWS::ApiGatewayV2::ApiMapping" 3 "" "{hex}" ["DomainName"] plain { "ApiMappingId": "{id}" }
    "AWS::ApiGatewayV2::Authorizer" 3 "" "{hex}" ["ApiId"] plain { "AuthorizerId": "{id}" }
    "AWS::ApiGatewayV2::DomainName" 60 "DomainName" "{name}" [] tagged { "DomainNameArn": "" "RegionalDomainName": "d-{hex}.execute-api.{region}.amazonaws.com" "RegionalHostedZoneId": "" }
    "AWS::ApiGatewayV2::Integration" 3 "" "{hex}" ["ApiId"] plain { "IntegrationId": "{id}" }
    "AWS::ApiGatewayV2::Route" 3 "" "{hex}" ["ApiId"] plain { "RouteId": "{id}" }
    "AWS::ApiGatewayV2::Stage" 5 "StageName" "{name}" ["ApiId"] tagged {}
    "AWS::AppSync::DataSource" 5 "" "arn:{partition}:appsync:{region}:{account}:datasource/{name}" ["ApiId" "Name"] plain { "DataSourceArn": "{id}" "Name": "" }
    "AWS::AppSync::GraphQLApi" 15 "" "arn:{partition}:appsync:{region}:{account}:apis/{hex}" ["~LambdaAuthorizerConfig/AuthorizerResultTtlInSeconds" "~LambdaAuthorizerConfig/AuthorizerUri" "~LambdaAuthorizerConfig/IdentityValidationExpression" "~OpenIDConnectConfig/AuthTTL" "~OpenIDConnectConfig/ClientId" "~OpenIDConnectConfig/IatTTL" "~OpenIDConnectConfig/Issuer" "~UserPoolConfig/AppIdClientRegex" "~UserPoolConfig/AwsRegion" "~UserPoolConfig/DefaultAction" "~UserPoolConfig/UserPoolId"] tagged { "Arn": "{id}" "ApiId": "{tail}" "GraphQLUrl": "https://{tail}.appsync-api.{region}.amazonaws.com/graphql" "GraphQLDns": "" "GraphQLEndpointArn": "" "RealtimeDns": "" "RealtimeUrl": "" }
    "AWS::AppSync::GraphQLSchema" 15 "" "{name}" ["ApiId"] plain { "Id": "" }
    "AWS::AppSync::Resolver" 5 "" "arn:{partition}:appsync:{region}:{account}:resolvers/{name}" ["ApiId" "FieldName" "TypeName"] plain { "ResolverArn": "{id}" "*": "" }
    "AWS::Budgets::Budget" 5 "Budget/BudgetName" "{name}" ["NotificationsWithSubscribers"] plain { "Id": "" }
    "AWS::CertificateManager::Certificate" 60 "" "arn:{partition}:acm:{region}:{account}:certificate/{uuid}" ["CertificateAuthorityArn" "CertificateExport" "DomainName" "DomainValidationOptions" "KeyAlgorithm" "SubjectAlternativeNames"] tagged { "CertificateArn": "" }
    "AWS::CloudFormation::Stack" 1 "" "{name}" [] tagged {}
    "AWS::CloudFormation::WaitConditionHandle" 3 "" "https://cloudformation-waitcondition-{region}.s3.amazonaws.com/{hex}" [] plain { "Id": "" }
    "AWS::CloudFront::Distribution" 240 "" "E{HEX}" [] tagged { "Id": "{id}" "DomainName": "{hex}.cloudfront.net" }
    "AWS::CloudWatch::Alarm" 5 "AlarmName" "{name}" [] tagged { "Arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}" }
    "AWS::CloudWatch::Dashboard" 3 "DashboardName" "{name}" [] tagged {}
    "AWS::Cognito::IdentityPool" 10 "" "{region}:{uuid}" [] plain { "Name": "{name}" "Id": "" }
    "AWS::Cognito::UserPool" 10 "" "{region}_{HEX}" ["!AliasAttributes" "!UsernameAttributes" "!UsernameConfiguration"] plain { "Arn": "arn:{partition}:cognito-idp:{region}:{account}:userpool/{id}" "UserPoolId": "{id}" "ProviderName": "cognito-idp.{region}.amazonaws.com/{id}" "ProviderURL": "https://cognito-idp.{region}.amazonaws.com/{id}" }
    "AWS::Cognito::UserPoolClient" 5 "" "{hex}" ["GenerateSecret" "UserPoolId"] plain { "ClientId": "{id}" "ClientSecret": "" "Name": "" }
    "AWS::Cognito::UserPoolDomain" 15 "" "{name}" ["Domain" "UserPoolId"] plain { "CloudFrontDistribution": "" }
    "AWS::DynamoDB::GlobalTable" 40 "TableName" "{name}" ["?GlobalTableSourceArn" "?KeySchema" "?LocalSecondaryIndexes"] plain { "Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}" "TableId": "{uuid}" "StreamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}/stream/2026-01-01T00:00:00.000" }
    "AWS::DynamoDB::Table" 20 "TableName" "{name}" ["ImportSourceSpecification" "?KeySchema"] tagged { "Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}" "StreamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}/stream/2026-01-01T00:00:00.000" }
    "AWS::EC2::SecurityGroup" 10 "GroupName" "sg-{hex}" ["GroupDescription" "VpcId"] tagged { "GroupId": "{id}" "Id": "" "*": "" }
    "AWS::EC2::Subnet" 5 "" "subnet-{hex}" ["AvailabilityZone" "AvailabilityZoneId" "CidrBlock" "Ipv4IpamPoolId" "Ipv4NetmaskLength" "~Ipv6CidrBlock" "Ipv6IpamPoolId" "Ipv6Native" "Ipv6NetmaskLength" "OutpostArn" "VpcId"] tagged { "SubnetId": "{id}" "*": "" }
    "AWS::EC2::VPC" 15 "" "vpc-{hex}" ["CidrBlock" "~InstanceTenancy" "Ipv4IpamPoolId" "Ipv4NetmaskLength" "VpcEncryptionControl"] tagged { "VpcId": "{id}" "DefaultSecurityGroup": "sg-{hex}" "*": "" }
    "AWS::ECR::Repository" 5 "RepositoryName" "{name}" ["EncryptionConfiguration"] tagged { "Arn": "arn:{partition}:ecr:{region}:{account}:repository/{id}" "RepositoryUri": "{account}.dkr.ecr.{region}.amazonaws.com/{id}" }
    "AWS::EFS::AccessPoint" 10 "" "fsap-{hex}" ["ClientToken" "FileSystemId" "PosixUser" "RootDirectory"] plain { "AccessPointId": "{id}" "Arn": "arn:{partition}:elasticfilesystem:{region}:{account}:access-point/{id}" }
    "AWS::EFS::FileSystem" 20 "" "fs-{hex}" ["AvailabilityZoneName" "Encrypted" "KmsKeyId" "PerformanceMode"] plain { "FileSystemId": "{id}" "Arn": "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{id}" }
    "AWS::EFS::MountTarget" 90 "" "fsmt-{hex}" ["FileSystemId" "IpAddress" "IpAddressType" "Ipv6Address" "SubnetId"] plain { "Id": "{id}" "IpAddress": "10.0.0.10" "*": "" }
    "AWS::Events::Archive" 10 "ArchiveName" "{name}" ["SourceArn"] plain { "Arn": "arn:{partition}:events:{region}:{account}:archive/{id}" }
    "AWS::Events::EventBus" 5 "Name" "{name}" [] tagged { "Name": "{id}" "Arn": "arn:{partition}:events:{region}:{account}:event-bus/{id}" "*": "" }
    "AWS::Events::EventBusPolicy" 3 "" "{name}" ["EventBusName" "StatementId"] plain {}
    "AWS::Events::Rule" 20 "Name" "{name}" ["?EventBusName"] tagged { "Arn": "arn:{partition}:events:{region}:{account}:rule/{id}" "RuleName": "" }
    "AWS::IAM::InstanceProfile" 60 "InstanceProfileName" "{name}" ["Path"] plain { "Arn": "arn:{partition}:iam::{account}:instance-profile/{id}" }
    "AWS::IAM::ManagedPolicy" 15 "ManagedPolicyName" "arn:{partition}:iam::{account}:policy/{name}" ["Description" "Path"] plain { "PolicyArn": "{id}" "AttachmentCount": "" "CreateDate": "" "DefaultVersionId": "" "IsAttachable": "" "PermissionsBoundaryUsageCount": "" "PolicyId": "" "UpdateDate": "" }
    "AWS::IAM::OIDCProvider" 10 "" "arn:{partition}:iam::{account}:oidc-provider/{name}" ["Url"] tagged { "Arn": "{id}" }
    "AWS::IAM::Policy" 15 "" "{name}" [] plain { "Id": "{id}" }
    "AWS::IAM::Role" 15 "RoleName" "{name}" ["Path"] tagged { "Arn": "arn:{partition}:iam::{account}:role/{id}" "RoleId": "AROA{HEX}" }
    "AWS::IAM::User" 15 "UserName" "{name}" [] tagged { "Arn": "arn:{partition}:iam::{account}:user/{id}" }
    "AWS::KMS::Alias" 5 "AliasName" "{name}" [] plain {}
    "AWS::KMS::Key" 20 "" "{uuid}" ["!KeySpec" "!KeyUsage" "!MultiRegion" "!Origin"] tagged { "KeyId": "{id}" "Arn": "arn:{partition}:kms:{region}:{account}:key/{id}" }
    "AWS::Kinesis::Stream" 30 "Name" "{name}" [] tagged { "Arn": "arn:{partition}:kinesis:{region}:{account}:stream/{id}" "WarmThroughputObject": "" }
    "AWS::KinesisFirehose::DeliveryStream" 60 "DeliveryStreamName" "{name}" ["AmazonOpenSearchServerlessDestinationConfiguration/VpcConfiguration" "AmazonopensearchserviceDestinationConfiguration/VpcConfiguration" "DatabaseSourceConfiguration" "DeliveryStreamType" "DirectPutSourceConfiguration" "ElasticsearchDestinationConfiguration/VpcConfiguration" "IcebergDestinationConfiguration/CatalogConfiguration" "KinesisStreamSourceConfiguration" "MSKSourceConfiguration" "SnowflakeDestinationConfiguration/SnowflakeVpcConfiguration"] tagged { "Arn": "arn:{partition}:firehose:{region}:{account}:deliverystream/{id}" }
    "AWS::Lambda::Alias" 3 "" "arn:{partition}:lambda:{region}:{account}:function:{name}" ["FunctionName" "Name"] plain { "AliasArn": "{id}" }
    "AWS::Lambda::EventInvokeConfig" 3 "" "{name}" ["FunctionName" "Qualifier"] plain {}
    "AWS::Lambda::EventSourceMapping" 20 "" "{uuid}" ["EventSourceArn" "SelfManagedEventSource" "StartingPosition" "StartingPositionTimestamp"] tagged { "Id": "{id}" "EventSourceMappingArn": "arn:{partition}:lambda:{region}:{account}:event-source-mapping:{id}" }
    "AWS::Lambda::Function" 10 "FunctionName" "{name}" ["~DurableConfig" "PackageType" "TenancyConfig"] tagged { "Arn": "arn:{partition}:lambda:{region}:{account}:function:{id}" "SnapStartResponse": "" "SnapStartResponse.ApplyOn": "" "SnapStartResponse.OptimizationStatus": "" }
    "AWS::Lambda::LayerVersion" 5 "" "arn:{partition}:lambda:{region}:{account}:layer:{name}:1" ["CompatibleArchitectures" "CompatibleRuntimes" "Content" "Description" "LayerName" "LicenseInfo"] plain { "LayerVersionArn": "{id}" }
    "AWS::Lambda::Permission" 3 "" "{name}" ["Action" "EventSourceToken" "FunctionName" "FunctionUrlAuthType" "InvokedViaFunctionUrl" "Principal" "PrincipalOrgID" "SourceAccount" "SourceArn"] plain { "Id": "{id}" }
    "AWS::Lambda::Url" 3 "" "arn:{partition}:lambda:{region}:{account}:function:{name}" ["TargetFunctionArn" "Qualifier"] plain { "FunctionArn": "{id}" "FunctionUrl": "https://{hex}.lambda-url.{region}.on.aws/" }
    "AWS::Lambda::Version" 5 "" "arn:{partition}:lambda:{region}:{account}:function:{name}:1" ["CodeSha256" "Description" "FunctionName" "ProvisionedConcurrencyConfig" "RuntimePolicy"] plain { "FunctionArn": "{id}" "Version": "1" }
    "AWS::Logs::AccountPolicy" 5 "" "{account}|{name}" ["PolicyName" "PolicyType"] plain { "AccountId": "" }
    "AWS::Logs::Destination" 5 "DestinationName" "{name}" [] tagged { "Arn": "arn:{partition}:logs:{region}:{account}:destination:{id}" }
    "AWS::Logs::LogGroup" 3 "LogGroupName" "{name}" [] tagged { "Arn": "arn:{partition}:logs:{region}:{account}:log-group:{id}:*" }
    "AWS::Logs::MetricFilter" 3 "" "{name}" ["LogGroupName" "FilterName"] plain {}
    "AWS::Logs::ResourcePolicy" 3 "PolicyName" "{name}" [] plain {}
    "AWS::Logs::SubscriptionFilter" 3 "" "{name}" ["LogGroupName" "FilterName"] plain {}
    "AWS::Pipes::Pipe" 30 "Name" "{name}" ["Source" "SourceParameters/ActiveMQBrokerParameters/QueueName" "SourceParameters/DynamoDBStreamParameters/StartingPosition" "SourceParameters/KinesisStreamParameters/StartingPosition" "SourceParameters/KinesisStreamParameters/StartingPositionTimestamp" "SourceParameters/ManagedStreamingKafkaParameters/ConsumerGroupID" "SourceParameters/ManagedStreamingKafkaParameters/StartingPosition" "SourceParameters/ManagedStreamingKafkaParameters/TopicName" "SourceParameters/RabbitMQBrokerParameters/QueueName" "SourceParameters/RabbitMQBrokerParameters/VirtualHost" "SourceParameters/SelfManagedKafkaParameters/AdditionalBootstrapServers" "SourceParameters/SelfManagedKafkaParameters/ConsumerGroupID" "SourceParameters/SelfManagedKafkaParameters/StartingPosition" "SourceParameters/SelfManagedKafkaParameters/TopicName"] tagged { "Arn": "arn:{partition}:pipes:{region}:{account}:pipe/{id}" "CreationTime": "" "CurrentState": "" "LastModifiedTime": "" "StateReason": "" }
    "AWS::RDS::DBInstance" 300 "DBInstanceIdentifier" "{name}" ["~AutoMinorVersionUpgrade" "~AvailabilityZone" "~BackupRetentionPeriod" "BackupTarget" "CharacterSetName" "CustomIAMInstanceProfile" "DBClusterIdentifier" "~DBClusterSnapshotIdentifier" "DBName" "~DBParameterGroupName" "~DBSnapshotIdentifier" "DBSubnetGroupName" "DBSystemId" "~Engine" "KmsKeyId" "MasterUsername" "~MultiAZ" "NcharCharacterSetName" "~PerformanceInsightsKMSKeyId" "~PreferredMaintenanceWindow" "~RestoreTime" "~SourceDBClusterIdentifier" "~SourceDBInstanceAutomatedBackupsArn" "~SourceDBInstanceIdentifier" "~SourceDbiResourceId" "SourceRegion" "StorageEncrypted" "Timezone" "~UseLatestRestorableTime"] tagged { "Endpoint.Address": "{id}.{hex}.{region}.rds.amazonaws.com" "Endpoint.Port": "5432" "*": "" }
    "AWS::ResourceGroups::Group" 5 "Name" "{name}" [] tagged { "Arn": "arn:{partition}:resource-groups:{region}:{account}:group/{id}" }
    "AWS::Route53::HostedZone" 30 "" "Z{HEX}" ["DelegationSetId" "Name"] plain { "Id": "{id}" "NameServers": "" }
    "AWS::Route53::RecordSet" 30 "" "{name}" ["HostedZoneId" "HostedZoneName" "Name"] plain {}
    "AWS::Route53::RecordSetGroup" 30 "" "{name}" ["HostedZoneId" "HostedZoneName"] plain { "Id": "{id}" }
    "AWS::S3::Bucket" 20 "BucketName" "{lower}" ["BucketNamePrefix" "BucketNamespace"] tagged { "Arn": "arn:{partition}:s3:::{id}" "DomainName": "{id}.s3.amazonaws.com" "RegionalDomainName": "{id}.s3.{region}.amazonaws.com" "WebsiteURL": "http://{id}.s3-website-{region}.amazonaws.com" "DualStackDomainName": "" }
    "AWS::S3::BucketPolicy" 5 "" "{name}" ["Bucket"] plain {}
    "AWS::SNS::Subscription" 5 "" "arn:{partition}:sns:{region}:{account}:subscription:{uuid}" ["Endpoint" "Protocol" "~Region" "TopicArn"] plain { "Arn": "{id}" }
    "AWS::SNS::Topic" 10 "TopicName" "arn:{partition}:sns:{region}:{account}:{name}" ["FifoTopic"] tagged { "TopicArn": "{id}" "TopicName": "{tail}" "*": "" }
    "AWS::SNS::TopicPolicy" 3 "" "{name}" [] plain { "Id": "{id}" }
    "AWS::SQS::Queue" 25 "QueueName" "https://sqs.{region}.amazonaws.com/{account}/{name}" ["FifoQueue"] tagged { "Arn": "arn:{partition}:sqs:{region}:{account}:{tail}" "QueueName": "{tail}" "QueueUrl": "{id}" "*": "" }
    "AWS::SQS::QueuePolicy" 3 "" "{name}" [] plain { "Id": "{id}" }
    "AWS::SSM::Document" 5 "Name" "{name}" ["~Attachments" "~Content" "~DocumentFormat" "DocumentType" "~Requires" "~TargetType" "~VersionName"] tagged {}
    "AWS::SSM::Parameter" 2 "Name" "{name}" [] tagged { "Type": "String" "Arn": "" "*": "" }
    "AWS::Scheduler::Schedule" 5 "Name" "{name}" [] plain { "Arn": "arn:{partition}:scheduler:{region}:{account}:schedule/default/{id}" }
    "AWS::Scheduler::ScheduleGroup" 5 "Name" "{name}" [] tagged { "Arn": "arn:{partition}:scheduler:{region}:{account}:schedule-group/{id}" "CreationDate": "" "LastModificationDate": "" "State": "" }
    "AWS::SecretsManager::Secret" 10 "Name" "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-SimAbc" [] tagged { "Id": "{id}" }
    "AWS::SecretsManager::SecretTargetAttachment" 10 "" "{name}" ["SecretId"] plain { "Id": "" }
    "AWS::StepFunctions::StateMachine" 15 "StateMachineName" "arn:{partition}:states:{region}:{account}:stateMachine:{name}" ["StateMachineType"] tagged { "Arn": "{id}" "Name": "{tail}" "StateMachineRevisionId": "" }
    "AWS::StepFunctions::StateMachineAlias" 3 "" "arn:{partition}:states:{region}:{account}:stateMachine:{name}" ["Name"] plain { "Arn": "{id}" }
    "AWS::StepFunctions::StateMachineVersion" 3 "" "arn:{partition}:states:{region}:{account}:stateMachine:{name}:1" ["Description" "StateMachineArn" "StateMachineRevisionId"] plain { "Arn": "{id}" }
    "AWS::WAFv2::WebACL" 15 "Name" "{name}|{uuid}|REGIONAL" ["Scope"] tagged { "Arn": "arn:{partition}:wafv2:{region}:{account}:regional/webacl/{name}" "Capacity": "" "Id": "" "LabelNamespace": "" }
    "AWS::WAFv2::WebACLAssociation" 10 "" "{name}" ["ResourceArn" "WebACLArn"] plain {}
    "AWS::XRay::Group" 3 "" "arn:{partition}:xray:{region}:{account}:group/{name}" [] tagged { "GroupARN": "{id}" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_type_is_found() {
        for row in KINDS {
            assert_eq!(kind(row.name).map(|found| found.name), Some(row.name));
        }
        assert!(KINDS.len() >= 50);
        assert!(kind("AWS::Made::Up").is_none());
    }

    /// As AWS's resource schemas say; compare them again when a type is added to the sample fleet.
    #[test]
    fn the_types_of_the_sample_fleet_are_replaced_by_what_their_schemas_say() {
        use Change::{MayReplace, MightReplace, Replaces};
        let expected: [(&str, &[(&str, Change)]); 7] = [
            (
                "AWS::Budgets::Budget",
                &[("Budget/BudgetName", Replaces), ("NotificationsWithSubscribers", Replaces)],
            ),
            (
                "AWS::DynamoDB::Table",
                &[
                    ("TableName", Replaces),
                    ("ImportSourceSpecification", Replaces),
                    ("KeySchema", MayReplace),
                ],
            ),
            ("AWS::IAM::Role", &[("RoleName", Replaces), ("Path", Replaces)]),
            (
                "AWS::Lambda::Function",
                &[
                    ("FunctionName", Replaces),
                    ("DurableConfig", MightReplace),
                    ("PackageType", Replaces),
                    ("TenancyConfig", Replaces),
                ],
            ),
            ("AWS::Logs::AccountPolicy", &[("PolicyName", Replaces), ("PolicyType", Replaces)]),
            ("AWS::Logs::LogGroup", &[("LogGroupName", Replaces)]),
            ("AWS::SQS::Queue", &[("QueueName", Replaces), ("FifoQueue", Replaces)]),
        ];
        for (name, fixed) in expected {
            let found: Vec<_> = kind(name).into_iter().flat_map(Kind::fixed).collect();
            assert_eq!(found, fixed, "{name}");
        }
    }
}
