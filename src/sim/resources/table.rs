//! The table of resource types; a type that is not in it is refused by name. In forms `{name}` is the
//! given or generated name, `{id}` the physical id, `{tail}` its last part; `{hex}` and `{uuid}` are
//! made from the name; the others say where the resource stands.

/// One resource type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// How long a creation, update or deletion takes at AWS's own speed.
    pub(crate) seconds: u32,
    /// The property that names it; empty for a type that cannot be named.
    pub(crate) named_by: &'static str,
    /// The form of the physical id, which `Ref` gives unless `reference` says otherwise.
    pub(crate) id: &'static str,
    /// Properties, besides the name, whose change replaces the resource.
    pub(crate) create_only: &'static [&'static str],
    /// Whether the stack's tags reach it.
    pub(crate) taggable: bool,
    /// Forms of the attributes of `GetAtt`; others get a value made from their name.
    pub(crate) attributes: &'static [(&'static str, &'static str)],
}

/// The row of a type.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.binary_search_by(|kind| kind.name.cmp(name)).ok().map(|index| &KINDS[index])
}

macro_rules! kinds {
    ($($name:literal $seconds:literal $named_by:literal $id:literal [$($only:literal)*] $tags:ident
       {$($attribute:literal: $form:literal)*})*) => {
        /// Sorted by name.
        const KINDS: &[Kind] = &[$(Kind {
            name: $name,
            seconds: $seconds,
            named_by: $named_by,
            id: $id,
            create_only: &[$($only),*],
            taggable: kinds!(@$tags),
            attributes: &[$(($attribute, $form)),*],
        }),*];
    };
    (@tagged) => { true };
    (@plain) => { false };
}

kinds! {
    "AWS::ApiGateway::Account" 10 "" "{name}" [] plain {}
    "AWS::ApiGateway::ApiKey" 5 "Name" "{hex}" [] tagged { "APIKeyId": "{id}" }
    "AWS::ApiGateway::Deployment" 5 "" "{hex}" ["RestApiId"] plain { "DeploymentId": "{id}" }
    "AWS::ApiGateway::Method" 3 "" "{name}" ["RestApiId" "ResourceId" "HttpMethod"] plain {}
    "AWS::ApiGateway::Resource" 3 "" "{hex}" ["RestApiId" "ParentId" "PathPart"] plain { "ResourceId": "{id}" }
    "AWS::ApiGateway::RestApi" 10 "" "{hex}" [] tagged { "RestApiId": "{id}" "RootResourceId": "{hex}" }
    "AWS::ApiGateway::Stage" 5 "StageName" "{name}" ["RestApiId"] tagged {}
    "AWS::ApiGateway::UsagePlan" 5 "" "{hex}" [] tagged { "Id": "{id}" }
    "AWS::ApiGatewayV2::Api" 10 "" "{hex}" ["ProtocolType"] tagged { "ApiId": "{id}" "ApiEndpoint": "https://{id}.execute-api.{region}.amazonaws.com" }
    "AWS::ApiGatewayV2::Authorizer" 3 "" "{hex}" ["ApiId"] plain { "AuthorizerId": "{id}" }
    "AWS::ApiGatewayV2::Integration" 3 "" "{hex}" ["ApiId"] plain { "IntegrationId": "{id}" }
    "AWS::ApiGatewayV2::Route" 3 "" "{hex}" ["ApiId"] plain { "RouteId": "{id}" }
    "AWS::ApiGatewayV2::Stage" 5 "StageName" "{name}" ["ApiId"] tagged {}
    "AWS::AppSync::DataSource" 5 "" "arn:{partition}:appsync:{region}:{account}:datasource/{name}" ["ApiId" "Name"] plain { "DataSourceArn": "{id}" }
    "AWS::AppSync::GraphQLApi" 15 "" "arn:{partition}:appsync:{region}:{account}:apis/{hex}" [] tagged { "Arn": "{id}" "ApiId": "{tail}" "GraphQLUrl": "https://{tail}.appsync-api.{region}.amazonaws.com/graphql" }
    "AWS::AppSync::GraphQLSchema" 15 "" "{name}" ["ApiId"] plain {}
    "AWS::AppSync::Resolver" 5 "" "arn:{partition}:appsync:{region}:{account}:resolvers/{name}" ["ApiId" "TypeName" "FieldName"] plain { "ResolverArn": "{id}" }
    "AWS::Budgets::Budget" 5 "" "{name}" [] plain {}
    "AWS::CertificateManager::Certificate" 60 "" "arn:{partition}:acm:{region}:{account}:certificate/{uuid}" ["DomainName" "SubjectAlternativeNames"] tagged {}
    "AWS::CloudFormation::WaitConditionHandle" 3 "" "https://cloudformation-waitcondition-{region}.s3.amazonaws.com/{hex}" [] plain {}
    "AWS::CloudFront::Distribution" 240 "" "E{HEX}" [] tagged { "Id": "{id}" "DomainName": "{hex}.cloudfront.net" }
    "AWS::CloudWatch::Alarm" 5 "AlarmName" "{name}" [] tagged { "Arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}" }
    "AWS::CloudWatch::Dashboard" 3 "DashboardName" "{name}" [] plain {}
    "AWS::Cognito::IdentityPool" 10 "" "{region}:{uuid}" [] plain { "Name": "{name}" }
    "AWS::Cognito::UserPool" 10 "" "{region}_{HEX}" ["AliasAttributes" "UsernameAttributes"] plain { "Arn": "arn:{partition}:cognito-idp:{region}:{account}:userpool/{id}" "UserPoolId": "{id}" "ProviderName": "cognito-idp.{region}.amazonaws.com/{id}" "ProviderURL": "https://cognito-idp.{region}.amazonaws.com/{id}" }
    "AWS::Cognito::UserPoolClient" 5 "" "{hex}" ["UserPoolId" "GenerateSecret"] plain { "ClientId": "{id}" }
    "AWS::Cognito::UserPoolDomain" 15 "" "{name}" ["UserPoolId" "Domain"] plain {}
    "AWS::DynamoDB::GlobalTable" 40 "TableName" "{name}" ["KeySchema"] plain { "Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}" "TableId": "{uuid}" "StreamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}/stream/2026-01-01T00:00:00.000" }
    "AWS::DynamoDB::Table" 20 "TableName" "{name}" ["KeySchema"] tagged { "Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}" "StreamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}/stream/2026-01-01T00:00:00.000" }
    "AWS::EC2::SecurityGroup" 10 "GroupName" "sg-{hex}" ["GroupDescription" "VpcId"] tagged { "GroupId": "{id}" }
    "AWS::EC2::Subnet" 5 "" "subnet-{hex}" ["VpcId" "CidrBlock" "AvailabilityZone"] tagged { "SubnetId": "{id}" }
    "AWS::EC2::VPC" 15 "" "vpc-{hex}" ["CidrBlock"] tagged { "VpcId": "{id}" "DefaultSecurityGroup": "sg-{hex}" }
    "AWS::ECR::Repository" 5 "RepositoryName" "{name}" [] tagged { "Arn": "arn:{partition}:ecr:{region}:{account}:repository/{id}" "RepositoryUri": "{account}.dkr.ecr.{region}.amazonaws.com/{id}" }
    "AWS::EFS::AccessPoint" 10 "" "fsap-{hex}" ["FileSystemId" "PosixUser" "RootDirectory"] plain { "AccessPointId": "{id}" "Arn": "arn:{partition}:elasticfilesystem:{region}:{account}:access-point/{id}" }
    "AWS::EFS::FileSystem" 20 "" "fs-{hex}" ["Encrypted" "KmsKeyId" "PerformanceMode"] plain { "FileSystemId": "{id}" "Arn": "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{id}" }
    "AWS::EFS::MountTarget" 90 "" "fsmt-{hex}" ["FileSystemId" "SubnetId"] plain { "Id": "{id}" "IpAddress": "10.0.0.10" }
    "AWS::Events::Archive" 10 "ArchiveName" "{name}" ["SourceArn"] plain { "Arn": "arn:{partition}:events:{region}:{account}:archive/{id}" }
    "AWS::Events::EventBus" 5 "Name" "{name}" [] tagged { "Name": "{id}" "Arn": "arn:{partition}:events:{region}:{account}:event-bus/{id}" }
    "AWS::Events::EventBusPolicy" 3 "" "{name}" ["EventBusName" "StatementId"] plain {}
    "AWS::Events::Rule" 20 "Name" "{name}" ["EventBusName"] plain { "Arn": "arn:{partition}:events:{region}:{account}:rule/{id}" }
    "AWS::IAM::InstanceProfile" 60 "InstanceProfileName" "{name}" ["Path"] plain { "Arn": "arn:{partition}:iam::{account}:instance-profile/{id}" }
    "AWS::IAM::ManagedPolicy" 15 "ManagedPolicyName" "arn:{partition}:iam::{account}:policy/{name}" ["Path" "Description"] plain { "PolicyArn": "{id}" }
    "AWS::IAM::OIDCProvider" 10 "" "arn:{partition}:iam::{account}:oidc-provider/{name}" ["Url"] tagged { "Arn": "{id}" }
    "AWS::IAM::Policy" 15 "" "{name}" [] plain { "Id": "{id}" }
    "AWS::IAM::Role" 15 "RoleName" "{name}" ["Path"] tagged { "Arn": "arn:{partition}:iam::{account}:role/{id}" "RoleId": "AROA{HEX}" }
    "AWS::IAM::User" 15 "UserName" "{name}" [] tagged { "Arn": "arn:{partition}:iam::{account}:user/{id}" }
    "AWS::KMS::Alias" 5 "AliasName" "{name}" [] plain {}
    "AWS::KMS::Key" 20 "" "{uuid}" ["KeySpec" "KeyUsage" "MultiRegion"] tagged { "KeyId": "{id}" "Arn": "arn:{partition}:kms:{region}:{account}:key/{id}" }
    "AWS::Kinesis::Stream" 30 "Name" "{name}" [] tagged { "Arn": "arn:{partition}:kinesis:{region}:{account}:stream/{id}" }
    "AWS::KinesisFirehose::DeliveryStream" 60 "DeliveryStreamName" "{name}" ["DeliveryStreamType" "KinesisStreamSourceConfiguration"] tagged { "Arn": "arn:{partition}:firehose:{region}:{account}:deliverystream/{id}" }
    "AWS::Lambda::Alias" 3 "" "arn:{partition}:lambda:{region}:{account}:function:{name}" ["FunctionName" "Name"] plain { "AliasArn": "{id}" }
    "AWS::Lambda::EventInvokeConfig" 3 "" "{name}" ["FunctionName" "Qualifier"] plain {}
    "AWS::Lambda::EventSourceMapping" 20 "" "{uuid}" ["EventSourceArn" "StartingPosition"] tagged { "Id": "{id}" "EventSourceMappingArn": "arn:{partition}:lambda:{region}:{account}:event-source-mapping:{id}" }
    "AWS::Lambda::Function" 10 "FunctionName" "{name}" ["PackageType"] tagged { "Arn": "arn:{partition}:lambda:{region}:{account}:function:{id}" }
    "AWS::Lambda::LayerVersion" 5 "" "arn:{partition}:lambda:{region}:{account}:layer:{name}:1" ["CompatibleArchitectures" "CompatibleRuntimes" "Content" "Description" "LayerName" "LicenseInfo"] plain { "LayerVersionArn": "{id}" }
    "AWS::Lambda::Permission" 3 "" "{name}" ["Action" "EventSourceToken" "FunctionName" "Principal" "PrincipalOrgID" "SourceAccount" "SourceArn"] plain { "Id": "{id}" }
    "AWS::Lambda::Url" 3 "" "arn:{partition}:lambda:{region}:{account}:function:{name}" ["TargetFunctionArn" "Qualifier"] plain { "FunctionArn": "{id}" "FunctionUrl": "https://{hex}.lambda-url.{region}.on.aws/" }
    "AWS::Lambda::Version" 5 "" "arn:{partition}:lambda:{region}:{account}:function:{name}:1" ["FunctionName" "Description" "CodeSha256"] plain { "FunctionArn": "{id}" "Version": "1" }
    "AWS::Logs::AccountPolicy" 5 "" "{account}|{name}" ["PolicyName" "PolicyType"] plain {}
    "AWS::Logs::Destination" 5 "DestinationName" "{name}" [] plain { "Arn": "arn:{partition}:logs:{region}:{account}:destination:{id}" }
    "AWS::Logs::LogGroup" 3 "LogGroupName" "{name}" [] tagged { "Arn": "arn:{partition}:logs:{region}:{account}:log-group:{id}:*" }
    "AWS::Logs::MetricFilter" 3 "" "{name}" ["LogGroupName" "FilterName"] plain {}
    "AWS::Logs::ResourcePolicy" 3 "PolicyName" "{name}" [] plain {}
    "AWS::Logs::SubscriptionFilter" 3 "" "{name}" ["LogGroupName" "FilterName"] plain {}
    "AWS::Pipes::Pipe" 30 "Name" "{name}" ["Source"] tagged { "Arn": "arn:{partition}:pipes:{region}:{account}:pipe/{id}" }
    "AWS::RDS::DBInstance" 300 "DBInstanceIdentifier" "{name}" ["Engine" "MasterUsername" "StorageEncrypted" "KmsKeyId"] tagged { "Endpoint.Address": "{id}.{hex}.{region}.rds.amazonaws.com" "Endpoint.Port": "5432" }
    "AWS::ResourceGroups::Group" 5 "Name" "{name}" [] tagged { "Arn": "arn:{partition}:resource-groups:{region}:{account}:group/{id}" }
    "AWS::Route53::HostedZone" 30 "" "Z{HEX}" ["Name"] plain { "Id": "{id}" }
    "AWS::Route53::RecordSet" 30 "" "{name}" ["Name" "HostedZoneId"] plain {}
    "AWS::S3::Bucket" 20 "BucketName" "{lower}" [] tagged { "Arn": "arn:{partition}:s3:::{id}" "DomainName": "{id}.s3.amazonaws.com" "RegionalDomainName": "{id}.s3.{region}.amazonaws.com" "WebsiteURL": "http://{id}.s3-website-{region}.amazonaws.com" }
    "AWS::S3::BucketPolicy" 5 "" "{name}" ["Bucket"] plain {}
    "AWS::SNS::Subscription" 5 "" "arn:{partition}:sns:{region}:{account}:subscription:{uuid}" ["Endpoint" "Protocol" "TopicArn"] plain { "Arn": "{id}" }
    "AWS::SNS::Topic" 10 "TopicName" "arn:{partition}:sns:{region}:{account}:{name}" ["FifoTopic"] tagged { "TopicArn": "{id}" "TopicName": "{tail}" }
    "AWS::SNS::TopicPolicy" 3 "" "{name}" [] plain { "Id": "{id}" }
    "AWS::SQS::Queue" 60 "QueueName" "https://sqs.{region}.amazonaws.com/{account}/{name}" ["FifoQueue"] tagged { "Arn": "arn:{partition}:sqs:{region}:{account}:{tail}" "QueueName": "{tail}" "QueueUrl": "{id}" }
    "AWS::SQS::QueuePolicy" 3 "" "{name}" [] plain { "Id": "{id}" }
    "AWS::SSM::Document" 5 "Name" "{name}" [] tagged {}
    "AWS::SSM::Parameter" 2 "Name" "{name}" [] plain { "Type": "String" }
    "AWS::Scheduler::Schedule" 5 "Name" "{name}" ["GroupName"] plain { "Arn": "arn:{partition}:scheduler:{region}:{account}:schedule/default/{id}" }
    "AWS::Scheduler::ScheduleGroup" 5 "Name" "{name}" [] tagged { "Arn": "arn:{partition}:scheduler:{region}:{account}:schedule-group/{id}" }
    "AWS::SecretsManager::Secret" 10 "Name" "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-SimAbc" [] tagged { "Id": "{id}" }
    "AWS::SecretsManager::SecretTargetAttachment" 10 "" "{name}" [] plain {}
    "AWS::StepFunctions::StateMachine" 15 "StateMachineName" "arn:{partition}:states:{region}:{account}:stateMachine:{name}" ["StateMachineType"] tagged { "Arn": "{id}" "Name": "{tail}" }
    "AWS::WAFv2::WebACL" 15 "Name" "{name}|{uuid}|REGIONAL" ["Scope"] tagged { "Arn": "arn:{partition}:wafv2:{region}:{account}:regional/webacl/{name}" }
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
}
