//! Resource types that cost nothing while nobody uses them, with what they are charged by instead.

/// Why a resource costs nothing while idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// It is priced by use: by this.
    ByUse(&'static str),
    /// It never costs anything itself.
    NeverCharged,
}

/// Why resources of a type cost nothing while idle; `None` for types that may cost something.
pub fn free(kind: &str) -> Option<Free> {
    // What backs a custom resource is a resource itself, or none of this stack.
    if kind.starts_with("Custom::") {
        return Some(Free::NeverCharged);
    }
    if let Some((_, by)) = BY_USE.iter().find(|(types, _)| types.contains(&kind)) {
        return Some(Free::ByUse(by));
    }
    let name = kind.strip_prefix("AWS::")?;
    let (service, part) = name.split_once("::")?;
    let never = WHOLE_SERVICES.contains(&service)
        || PARTS.iter().any(|(of, parts)| *of == service && parts.contains(&part));
    never.then_some(Free::NeverCharged)
}

/// Types that are known to have a standing charge of which the list knows no price.
pub(super) fn is_unpriced(kind: &str) -> bool {
    UNPRICED.contains(&kind)
}

/// Every type that is priced by use.
#[cfg(test)]
pub(super) fn by_use() -> impl Iterator<Item = &'static str> {
    BY_USE.iter().flat_map(|(types, _)| types.iter().copied())
}

const BY_USE: &[(&[&str], &str)] = &[
    (&["AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"], "requests and run time"),
    (
        &[
            "AWS::ApiGateway::RestApi",
            "AWS::ApiGatewayV2::Api",
            "AWS::AppSync::GraphQLApi",
            "AWS::Serverless::Api",
            "AWS::Serverless::HttpApi",
            "AWS::SNS::Topic",
            "AWS::SQS::Queue",
            "AWS::Serverless::StateMachine",
        ],
        "requests",
    ),
    (
        &[
            "AWS::Events::EventBus",
            "AWS::Events::Rule",
            "AWS::Pipes::Pipe",
            "AWS::Scheduler::Schedule",
        ],
        "events",
    ),
    (
        &["AWS::Events::Archive", "AWS::Logs::LogGroup", "AWS::Logs::AccountPolicy"],
        "data that is written and kept",
    ),
    (
        &[
            "AWS::S3::Bucket",
            "AWS::ECR::Repository",
            "AWS::Backup::BackupVault",
            "AWS::RDS::DBCluster",
            "AWS::DocDB::DBCluster",
            "AWS::EFS::FileSystem",
            "AWS::Timestream::Table",
            "AWS::CodeArtifact::Repository",
        ],
        "what is stored and asked for",
    ),
    (
        &["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::Serverless::SimpleTable"],
        "requests and what is stored",
    ),
    (&["AWS::KinesisFirehose::DeliveryStream", "AWS::CloudWatch::MetricStream"], "data"),
    (&["AWS::CloudFront::Distribution", "AWS::CloudFront::Function"], "requests and data"),
    (&["AWS::Cognito::UserPool", "AWS::Grafana::Workspace"], "users who are active"),
    (
        &[
            "AWS::Athena::WorkGroup",
            "AWS::CodeBuild::Project",
            "AWS::CodePipeline::Pipeline",
            "AWS::Glue::Crawler",
            "AWS::Glue::Job",
            "AWS::Batch::JobQueue",
            "AWS::EMRServerless::Application",
            "AWS::RedshiftServerless::Workgroup",
        ],
        "run time or data that is read",
    ),
    (
        &[
            "AWS::CloudTrail::Trail",
            "AWS::Config::ConfigurationRecorder",
            "AWS::Config::ConfigRule",
        ],
        "what is recorded",
    ),
    (&["AWS::APS::Workspace", "AWS::XRay::SamplingRule"], "samples"),
    (&["AWS::SES::ConfigurationSet", "AWS::SES::EmailIdentity"], "messages"),
    (&["AWS::IoT::TopicRule", "AWS::IoT::Thing"], "messages"),
];

/// Services of which no resource is charged for itself.
const WHOLE_SERVICES: &[&str] = &[
    "ApplicationAutoScaling",
    "Budgets",
    "CertificateManager",
    "CodeDeploy",
    "IAM",
    "Organizations",
    "RAM",
    "ResourceGroups",
];

/// Parts of other services that are not charged for themselves.
const PARTS: &[(&str, &[&str])] = &[
    (
        "ApiGateway",
        &[
            "Account",
            "ApiKey",
            "Authorizer",
            "BasePathMapping",
            "Deployment",
            "DomainName",
            "GatewayResponse",
            "Method",
            "Model",
            "RequestValidator",
            "Resource",
            "UsagePlan",
            "UsagePlanKey",
        ],
    ),
    (
        "ApiGatewayV2",
        &["ApiMapping", "Authorizer", "Deployment", "DomainName", "Integration", "Route", "Stage"],
    ),
    ("AppSync", &["ApiKey", "DataSource", "FunctionConfiguration", "GraphQLSchema", "Resolver"]),
    ("AutoScaling", &["LaunchConfiguration", "LifecycleHook", "ScalingPolicy", "ScheduledAction"]),
    ("Backup", &["BackupPlan", "BackupSelection"]),
    ("CloudFormation", &["CustomResource", "Macro", "WaitCondition", "WaitConditionHandle"]),
    (
        "CloudFront",
        &[
            "CachePolicy",
            "CloudFrontOriginAccessIdentity",
            "KeyGroup",
            "OriginAccessControl",
            "OriginRequestPolicy",
            "PublicKey",
            "ResponseHeadersPolicy",
        ],
    ),
    (
        "Cognito",
        &[
            "IdentityPool",
            "IdentityPoolRoleAttachment",
            "UserPoolClient",
            "UserPoolDomain",
            "UserPoolGroup",
            "UserPoolIdentityProvider",
            "UserPoolResourceServer",
            "UserPoolUser",
        ],
    ),
    ("DocDB", &["DBClusterParameterGroup", "DBSubnetGroup"]),
    (
        "EC2",
        &[
            "ClientVpnAuthorizationRule",
            "ClientVpnEndpoint",
            "ClientVpnRoute",
            "CustomerGateway",
            "DHCPOptions",
            "EIPAssociation",
            "EgressOnlyInternetGateway",
            "InternetGateway",
            "KeyPair",
            "LaunchTemplate",
            "NetworkAcl",
            "NetworkAclEntry",
            "NetworkInterface",
            "NetworkInterfaceAttachment",
            "PrefixList",
            "Route",
            "RouteTable",
            "SecurityGroup",
            "SecurityGroupEgress",
            "SecurityGroupIngress",
            "Subnet",
            "SubnetNetworkAclAssociation",
            "SubnetRouteTableAssociation",
            "TransitGateway",
            "TransitGatewayRoute",
            "TransitGatewayRouteTable",
            "TransitGatewayRouteTableAssociation",
            "TransitGatewayRouteTablePropagation",
            "VPC",
            "VPCCidrBlock",
            "VPCDHCPOptionsAssociation",
            "VPCEndpointService",
            "VPCGatewayAttachment",
            "VPNGateway",
            "VPNGatewayRoutePropagation",
            "VolumeAttachment",
        ],
    ),
    ("ECS", &["Cluster", "ClusterCapacityProviderAssociations", "TaskDefinition"]),
    ("EFS", &["AccessPoint", "MountTarget"]),
    ("EKS", &["AccessEntry", "FargateProfile", "IdentityProviderConfig", "PodIdentityAssociation"]),
    ("ElastiCache", &["ParameterGroup", "SubnetGroup", "User", "UserGroup"]),
    ("ElasticLoadBalancingV2", &["Listener", "ListenerCertificate", "ListenerRule", "TargetGroup"]),
    ("Events", &["ApiDestination", "Connection", "EventBusPolicy"]),
    ("GlobalAccelerator", &["EndpointGroup", "Listener"]),
    ("Glue", &["Database", "Table", "SecurityConfiguration", "Trigger"]),
    ("IoT", &["Policy", "PolicyPrincipalAttachment", "ThingPrincipalAttachment"]),
    ("KMS", &["Alias"]),
    (
        "Lambda",
        &[
            "CodeSigningConfig",
            "EventInvokeConfig",
            "EventSourceMapping",
            "LayerVersion",
            "LayerVersionPermission",
            "Permission",
            "Url",
        ],
    ),
    (
        "Logs",
        &["LogStream", "MetricFilter", "QueryDefinition", "ResourcePolicy", "SubscriptionFilter"],
    ),
    ("MSK", &["ClusterPolicy", "Configuration"]),
    ("Neptune", &["DBClusterParameterGroup", "DBParameterGroup", "DBSubnetGroup"]),
    ("NetworkFirewall", &["FirewallPolicy", "LoggingConfiguration", "RuleGroup"]),
    (
        "OpenSearchServerless",
        &["AccessPolicy", "LifecyclePolicy", "SecurityConfig", "SecurityPolicy"],
    ),
    ("RDS", &["DBClusterParameterGroup", "DBParameterGroup", "DBSubnetGroup", "OptionGroup"]),
    ("Redshift", &["ClusterParameterGroup", "ClusterSubnetGroup"]),
    ("RedshiftServerless", &["Namespace"]),
    ("Route53", &["RecordSet", "RecordSetGroup"]),
    ("S3", &["AccessPoint", "BucketPolicy"]),
    ("SageMaker", &["EndpointConfig", "Model"]),
    ("Scheduler", &["ScheduleGroup"]),
    ("SecretsManager", &["ResourcePolicy", "RotationSchedule", "SecretTargetAttachment"]),
    ("Serverless", &["LayerVersion"]),
    ("SNS", &["Subscription", "TopicInlinePolicy", "TopicPolicy"]),
    ("SQS", &["QueueInlinePolicy", "QueuePolicy"]),
    ("SSM", &["Association", "Document", "MaintenanceWindow", "PatchBaseline"]),
    ("StepFunctions", &["Activity", "StateMachineAlias", "StateMachineVersion"]),
    ("Timestream", &["Database"]),
    ("VpcLattice", &["AuthPolicy", "Listener", "Rule", "TargetGroup"]),
    ("WAFv2", &["IPSet", "LoggingConfiguration", "RegexPatternSet", "WebACLAssociation"]),
];

const UNPRICED: &[&str] = &[
    "AWS::AppSync::ApiCache",
    "AWS::CloudFormation::Stack",
    "AWS::DirectoryService::SimpleAD",
    "AWS::EC2::CapacityReservation",
    "AWS::EC2::Host",
    "AWS::EMR::Cluster",
    "AWS::FSx::FileSystem",
    "AWS::Kendra::Index",
    "AWS::KinesisAnalyticsV2::Application",
    "AWS::Lightsail::Database",
    "AWS::Lightsail::Instance",
    "AWS::MemoryDB::Cluster",
    "AWS::NeptuneGraph::Graph",
    "AWS::RDS::DBProxy",
    "AWS::SageMaker::NotebookInstance",
    "AWS::Synthetics::Canary",
    "AWS::Timestream::InfluxDBInstance",
    "AWS::WorkSpaces::Workspace",
];
