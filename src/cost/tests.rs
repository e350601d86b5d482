//! Every row of the list by the properties of a resource, and what changes cost in many accounts.
//! After an intended change: `INSTA_UPDATE=always cargo test --lib cost::`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use crate::cost::free::by_use;
use crate::cost::table::rows;
use crate::cost::{
    Bill, Direction, Free, Prices, Standing, charged_types, charges, charges_in_all, decides, free,
    knows,
};
use crate::fleet::{IdleCost, Money};
use crate::ids::AccountId;
use crate::package::Tree;
use crate::template::{Given, Inputs, Template, fill};

/// Resources, the first of which is the one that is looked at; `Later` is not known yet.
const SHEETS: &[&str] = &[
    // compute
    "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: t4g.nano}}",
    "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: m7g.4xlarge, BlockDeviceMappings: \
     [{DeviceName: a, Ebs: {VolumeSize: 8, VolumeType: gp3}}], NetworkInterfaces: \
     [{AssociatePublicIpAddress: true}]}}",
    "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: u7i.metal}}",
    "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: !Ref Later}}",
    "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: 'a secret, perhaps'}}",
    "A: {Type: AWS::EC2::Instance, Properties: {LaunchTemplate: {LaunchTemplateId: !Ref L}}}\n  \
     L: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {InstanceType: t3.nano}}}",
    "A: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: '2', MaxSize: '9', \
     LaunchTemplate: {LaunchTemplateId: !Ref L}}}\n  \
     L: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {InstanceType: \
     c7g.large}}}",
    "A: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: '0', MaxSize: '9', \
     LaunchTemplate: {LaunchTemplateName: elsewhere}}}",
    "A: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: '1', MaxSize: '9', \
     MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {}, Overrides: []}}}}",
    "A: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {DesiredCapacity: !Ref Later, \
     LaunchConfigurationName: !Ref L}}\n  \
     L: {Type: AWS::AutoScaling::LaunchConfiguration, Properties: {InstanceType: t3.nano}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 100}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 100, VolumeType: gp3, Iops: 4000, Throughput: \
     200}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 100, VolumeType: io1, Iops: 1000}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 100, VolumeType: io2, Iops: 1000}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 500, VolumeType: st1}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 500, VolumeType: sc1}}",
    "A: {Type: AWS::EC2::Volume, Properties: {Size: 10, VolumeType: standard}}",
    "A: {Type: AWS::EC2::Volume, Properties: {SnapshotId: snap-1}}",
    "A: {Type: AWS::EKS::Cluster}",
    "A: {Type: AWS::EKS::Nodegroup, Properties: {InstanceTypes: [t3.large], ScalingConfig: \
     {MinSize: 3}}}",
    "A: {Type: AWS::EKS::Nodegroup, Properties: {CapacityType: SPOT}}",
    "A: {Type: AWS::ECS::Service, Properties: {LaunchType: FARGATE, DesiredCount: 2, \
     TaskDefinition: !Ref T, NetworkConfiguration: {AwsvpcConfiguration: {AssignPublicIp: \
     ENABLED}}}}\n  T: {Type: AWS::ECS::TaskDefinition, Properties: {Cpu: '256', Memory: '512'}}",
    "A: {Type: AWS::ECS::Service, Properties: {CapacityProviderStrategy: [{CapacityProvider: \
     FARGATE}], TaskDefinition: !Ref T}}\n  T: {Type: AWS::ECS::TaskDefinition, Properties: {Cpu: \
     !Ref Later, Memory: '1024', RuntimePlatform: {CpuArchitecture: ARM64}}}",
    "A: {Type: AWS::ECS::Service, Properties: {LaunchType: FARGATE, DesiredCount: 0}}",
    "A: {Type: AWS::ECS::Service, Properties: {LaunchType: EC2, DesiredCount: 5}}",
    "A: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref F, ProvisionedConcurrencyConfig: \
     {ProvisionedConcurrentExecutions: 4}}}\n  F: {Type: AWS::Lambda::Function, Properties: \
     {MemorySize: 512}}",
    "A: {Type: AWS::Lambda::Version, Properties: {FunctionName: !GetAtt F.Arn, \
     ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: !Ref Later}}}\n  \
     F: {Type: AWS::Lambda::Function, Properties: {Architectures: [arm64]}}",
    "A: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref F}}\n  \
     F: {Type: AWS::Lambda::Function}",
    "A: {Type: AWS::Serverless::Function, Properties: {MemorySize: 1024, \
     ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}}}",
    "A: {Type: AWS::AppRunner::Service}",
    "A: {Type: AWS::AppRunner::Service, Properties: {InstanceConfiguration: {Memory: 4 GB}}}",
    "A: {Type: AWS::AppRunner::Service, Properties: {InstanceConfiguration: {Memory: '512'}}}",
    "A: {Type: AWS::SageMaker::Endpoint, Properties: {EndpointConfigName: !GetAtt \
     C.EndpointConfigName}}\n  C: {Type: AWS::SageMaker::EndpointConfig, Properties: \
     {ProductionVariants: [{InstanceType: ml.m5.large, InitialInstanceCount: 2}, \
     {ServerlessConfig: {}}]}}",
    // network
    "A: {Type: AWS::EC2::NatGateway}",
    "A: {Type: AWS::EC2::EIP}",
    "A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Scheme: internal}}",
    "A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Subnets: [a, b, c]}}",
    "A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Type: network, \
     SubnetMappings: [{AllocationId: a}, {SubnetId: b}]}}",
    "A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Type: gateway}}",
    "A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Type: !Ref Later}}",
    "A: {Type: AWS::ElasticLoadBalancing::LoadBalancer}",
    "A: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Interface, SubnetIds: [a, b]}}",
    "A: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Interface, SubnetIds: !Ref \
     Later}}",
    "A: {Type: AWS::EC2::VPCEndpoint}",
    "A: {Type: AWS::EC2::TransitGatewayAttachment}",
    "A: {Type: AWS::EC2::TransitGatewayVpcAttachment}",
    "A: {Type: AWS::EC2::VPNConnection}",
    "A: {Type: AWS::EC2::ClientVpnTargetNetworkAssociation}",
    "A: {Type: AWS::GlobalAccelerator::Accelerator}",
    "A: {Type: AWS::NetworkFirewall::Firewall, Properties: {SubnetMappings: [{}, {}]}}",
    "A: {Type: AWS::Route53::HostedZone}",
    "A: {Type: AWS::Route53::HealthCheck}",
    "A: {Type: AWS::Route53Resolver::ResolverEndpoint, Properties: {IpAddresses: [{}, {}, {}]}}",
    "A: {Type: AWS::VpcLattice::Service}",
    "A: {Type: AWS::ServiceDiscovery::PrivateDnsNamespace}",
    "A: {Type: AWS::ServiceDiscovery::PublicDnsNamespace}",
    "A: {Type: AWS::ApiGateway::Stage, Properties: {CacheClusterEnabled: true, CacheClusterSize: \
     '6.1'}}",
    "A: {Type: AWS::ApiGateway::Stage, Properties: {CacheClusterEnabled: 'true'}}",
    "A: {Type: AWS::ApiGateway::Stage}",
    // databases
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: postgres, DBInstanceClass: db.t4g.micro, \
     AllocatedStorage: '20', StorageType: gp3, MultiAZ: true}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: mariadb, DBInstanceClass: db.t3.medium, \
     AllocatedStorage: 100, StorageType: io1, Iops: 1000}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {DBInstanceClass: db.t3.medium, \
     SourceDBInstanceIdentifier: b}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: oracle-se2, DBInstanceClass: \
     db.t3.medium}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: aurora-mysql, DBInstanceClass: \
     db.r6g.large}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: aurora-postgresql, DBInstanceClass: \
     db.serverless, DBClusterIdentifier: !Ref C}}\n  C: {Type: AWS::RDS::DBCluster, Properties: \
     {ServerlessV2ScalingConfiguration: {MinCapacity: 0.5, MaxCapacity: 4}}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: aurora-postgresql, DBInstanceClass: \
     db.serverless, DBClusterIdentifier: !Ref C}}\n  C: {Type: AWS::RDS::DBCluster, Properties: \
     {ServerlessV2ScalingConfiguration: {MinCapacity: 0, MaxCapacity: 4}}}",
    "A: {Type: AWS::RDS::DBInstance, Properties: {Engine: aurora-postgresql, DBInstanceClass: \
     db.serverless, DBClusterIdentifier: elsewhere}}",
    "A: {Type: AWS::RDS::DBCluster, Properties: {DBClusterInstanceClass: db.m6gd.large}}",
    "A: {Type: AWS::ElastiCache::CacheCluster, Properties: {Engine: memcached, CacheNodeType: \
     cache.t4g.micro, NumCacheNodes: 3}}",
    "A: {Type: AWS::ElastiCache::ReplicationGroup, Properties: {Engine: valkey, CacheNodeType: \
     cache.t4g.small, NumNodeGroups: 2, ReplicasPerNodeGroup: 1}}",
    "A: {Type: AWS::ElastiCache::ReplicationGroup, Properties: {CacheNodeType: cache.r6g.large, \
     NumCacheClusters: 2}}",
    "A: {Type: AWS::ElastiCache::ReplicationGroup, Properties: {CacheNodeType: cache.r6g.large, \
     NodeGroupConfiguration: [{}, {}]}}",
    "A: {Type: AWS::ElastiCache::ServerlessCache, Properties: {Engine: redis}}",
    "A: {Type: AWS::ElastiCache::ServerlessCache, Properties: {Engine: valkey}}",
    "A: {Type: AWS::ElastiCache::ServerlessCache, Properties: {Engine: valkey, CacheUsageLimits: \
     {DataStorage: {Minimum: 5}}}}",
    "A: {Type: AWS::DynamoDB::Table, Properties: {ProvisionedThroughput: {ReadCapacityUnits: 5, \
     WriteCapacityUnits: '10'}, GlobalSecondaryIndexes: [{ProvisionedThroughput: \
     {ReadCapacityUnits: 5, WriteCapacityUnits: !Ref Later}}]}}",
    "A: {Type: AWS::DynamoDB::Table, Properties: {TableClass: STANDARD_INFREQUENT_ACCESS, \
     ProvisionedThroughput: {ReadCapacityUnits: 100, WriteCapacityUnits: 100}}}",
    "A: {Type: AWS::DynamoDB::Table, Properties: {BillingMode: PAY_PER_REQUEST}}",
    "A: {Type: AWS::DynamoDB::Table, Properties: {BillingMode: !Ref Later}}",
    "A: {Type: AWS::DynamoDB::GlobalTable, Properties: {BillingMode: PROVISIONED, Replicas: \
     [{ReadProvisionedThroughputSettings: {ReadCapacityUnits: 3}}, \
     {ReadProvisionedThroughputSettings: {ReadCapacityAutoScalingSettings: {MinCapacity: 2}}}], \
     WriteProvisionedThroughputSettings: {WriteCapacityAutoScalingSettings: {MinCapacity: 10}}}}",
    "A: {Type: AWS::DynamoDB::GlobalTable, Properties: {BillingMode: PAY_PER_REQUEST}}",
    "A: {Type: AWS::DAX::Cluster, Properties: {NodeType: dax.t3.small, ReplicationFactor: 3}}",
    "A: {Type: AWS::DocDB::DBInstance, Properties: {DBInstanceClass: db.t3.medium}}",
    "A: {Type: AWS::Neptune::DBInstance, Properties: {DBInstanceClass: db.t3.medium}}",
    "A: {Type: AWS::Redshift::Cluster, Properties: {NodeType: ra3.xlplus, NumberOfNodes: 2}}",
    "A: {Type: AWS::EFS::FileSystem, Properties: {ThroughputMode: provisioned, \
     ProvisionedThroughputInMibps: 10}}",
    "A: {Type: AWS::EFS::FileSystem}",
    // search
    "A: {Type: AWS::OpenSearchService::Domain, Properties: {ClusterConfig: {InstanceType: \
     m6g.large.search, InstanceCount: 2, DedicatedMasterEnabled: true, DedicatedMasterCount: 3, \
     DedicatedMasterType: t3.small.search, WarmEnabled: true, WarmCount: 2, WarmType: \
     ultrawarm1.medium.search}, EBSOptions: {EBSEnabled: true, VolumeSize: 50, VolumeType: gp3}}}",
    "A: {Type: AWS::Elasticsearch::Domain, Properties: {ElasticsearchClusterConfig: {InstanceType: \
     t3.small.elasticsearch}, EBSOptions: {EBSEnabled: true, VolumeSize: 10}}}",
    "A: {Type: AWS::OpenSearchServerless::Collection}",
    "A: {Type: AWS::OpenSearchServerless::Collection, Properties: {StandbyReplicas: DISABLED}}",
    // streams
    "A: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 2}}",
    "A: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: !Ref Later}}",
    "A: {Type: AWS::Kinesis::Stream, Properties: {StreamModeDetails: {StreamMode: ON_DEMAND}}}",
    "A: {Type: AWS::Kinesis::StreamConsumer, Properties: {StreamARN: !GetAtt S.Arn}}\n  \
     S: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 3}}",
    "A: {Type: AWS::MSK::Cluster, Properties: {NumberOfBrokerNodes: 3, BrokerNodeGroupInfo: \
     {InstanceType: kafka.t3.small, StorageInfo: {EBSStorageInfo: {VolumeSize: 100}}}}}",
    "A: {Type: AWS::MSK::ServerlessCluster}",
    "A: {Type: AWS::AmazonMQ::Broker, Properties: {HostInstanceType: mq.m5.large, DeploymentMode: \
     ACTIVE_STANDBY_MULTI_AZ}}",
    "A: {Type: AWS::MWAA::Environment}",
    "A: {Type: AWS::MWAA::Environment, Properties: {EnvironmentClass: mw1.medium}}",
    "A: {Type: AWS::MWAA::Environment, Properties: {EnvironmentClass: mw1.large}}",
    "A: {Type: AWS::Transfer::Server, Properties: {Protocols: [SFTP, FTPS]}}",
    "A: {Type: AWS::DMS::ReplicationInstance, Properties: {ReplicationInstanceClass: dms.t3.micro, \
     MultiAZ: true}}",
    // operations
    "A: {Type: AWS::KMS::Key}",
    "A: {Type: AWS::KMS::ReplicaKey}",
    "A: {Type: AWS::SecretsManager::Secret, Properties: {ReplicaRegions: [{Region: us-west-2}]}}",
    "A: {Type: AWS::CloudWatch::Alarm, Properties: {Period: 300}}",
    "A: {Type: AWS::CloudWatch::Alarm, Properties: {Period: 10}}",
    "A: {Type: AWS::CloudWatch::Alarm, Properties: {Metrics: [{MetricStat: {Period: 60}}, \
     {MetricStat: {Period: 60}}, {Expression: a/b}]}}",
    "A: {Type: AWS::CloudWatch::Alarm, Properties: {ThresholdMetricId: b, Metrics: [{MetricStat: \
     {Period: 60}}, {Expression: ANOMALY_DETECTION_BAND(a)}]}}",
    "A: {Type: AWS::CloudWatch::Alarm, Properties: {Metrics: [{Expression: SELECT a}]}}",
    "A: {Type: AWS::CloudWatch::CompositeAlarm}",
    "A: {Type: AWS::CloudWatch::Dashboard}",
    "A: {Type: AWS::CloudWatch::InsightRule}",
    "A: {Type: AWS::WAFv2::WebACL, Properties: {Rules: [{}, {}, {}]}}",
    "A: {Type: AWS::WAFv2::RuleGroup, Properties: {Rules: [{}]}}",
    "A: {Type: AWS::ACMPCA::CertificateAuthority}",
    "A: {Type: AWS::ACMPCA::CertificateAuthority, Properties: {UsageMode: \
     SHORT_LIVED_CERTIFICATE}}",
    "A: {Type: AWS::DirectoryService::MicrosoftAD, Properties: {Edition: Standard}}",
    "A: {Type: AWS::DirectoryService::MicrosoftAD}",
    "A: {Type: AWS::SSM::Parameter, Properties: {Tier: Advanced}}",
    "A: {Type: AWS::SSM::Parameter, Properties: {Type: String}}",
    // none of them
    "A: {Type: AWS::EMR::Cluster}",
    "A: {Type: AWS::CloudFormation::Stack}",
    "A: {Type: Vendor::Some::Thing}",
    "A: {Type: Custom::Thing}",
];

fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn standing_at(resources: &str, prices: &Prices, given: &[(&str, Given)]) -> Standing {
    let template = template(&format!(
        "Parameters: {{Later: {{Type: String}}, On: {{Type: String, Default: 'no'}}}}\n\
         Conditions: {{IsOn: !Equals [!Ref On, 'yes'], Perhaps: !Equals [!Ref Later, x]}}\n\
         Resources:\n  {resources}\n"
    ));
    let mut parameters = BTreeMap::from([("Later".to_owned(), Given::Symbol("later".to_owned()))]);
    parameters.extend(given.iter().map(|(name, given)| ((*name).to_owned(), given.clone())));
    let inputs = Inputs {
        parameters,
        account: account(1),
        region: "eu-central-1".parse().expect("a region"),
        stack_name: "api".parse().expect("a name"),
    };
    charges(&fill(&template, &inputs), prices)
}

fn standing(resources: &str) -> Standing {
    standing_at(resources, &Prices::default(), &[])
}

fn account(number: usize) -> AccountId {
    format!("{number:012}").parse().expect("an account")
}

fn usd(text: &str) -> Money {
    Money::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// All that is said of a stack, one thing a line.
fn said(standing: &Standing) -> String {
    let mut text = String::new();
    for charge in &standing.charges {
        let least = if charge.at_least { "at least " } else { "" };
        let maybe = if charge.maybe { "perhaps " } else { "" };
        let (what, usd) = (charge.what(), charge.usd_per_month().exact());
        writeln!(text, "    {}: {maybe}{least}{what} = {usd}", charge.logical_id).expect("text");
    }
    for (what, count) in &standing.unknown {
        writeln!(text, "    not known: {count} x {what}").expect("text");
    }
    for (kind, count) in &standing.by_use {
        writeln!(text, "    priced by use: {count} x {kind}").expect("text");
    }
    if text.is_empty() { "    nothing\n".to_owned() } else { text }
}

/// The bill of so many accounts that go from some resources to others.
fn bill(accounts: usize, old: Option<&str>, new: Option<&str>) -> Bill {
    let (old, new) = (old.map(standing), new.map(standing));
    let mut bill = Bill::default();
    for number in 1..=accounts {
        bill.add(account(number), old.as_ref(), new.as_ref());
    }
    bill
}

fn words(bill: &Bill) -> String {
    let mut lines: Vec<String> = bill.summary().into_iter().collect();
    lines.extend(bill.lines().iter().map(ToString::to_string));
    lines.extend(bill.unknown().iter().map(ToString::to_string));
    lines.extend(bill.by_use().iter().map(ToString::to_string));
    lines.join("\n")
}

#[test]
fn every_resource_is_priced_by_its_properties() {
    let sheets = SHEETS.iter().map(|sheet| format!("{sheet}\n{}", said(&standing(sheet))));
    insta::assert_snapshot!(sheets.collect::<String>());
}

#[test]
fn every_price_of_the_list_is_that_of_some_resource() {
    let standings: Vec<Standing> = SHEETS.iter().map(|sheet| standing(sheet)).collect();
    let charged: BTreeSet<&str> = standings
        .iter()
        .flat_map(|standing| &standing.charges)
        .map(|charge| charge.unit.key.as_str())
        .collect();
    let looked_at: BTreeSet<&str> = standings
        .iter()
        .flat_map(|standing| &standing.charges)
        .map(|charge| charge.kind.as_str())
        .collect();
    for row in rows() {
        let never = ["AWS::RDS::DBCluster"];
        assert!(looked_at.contains(row.kind) || never.contains(&row.kind), "{}", row.kind);
        for price in row.prices {
            let key = if price.variant.is_empty() {
                row.kind.to_owned()
            } else {
                format!("{}/{}", row.kind, price.variant)
            };
            // Eight sizes of one cache, and disks that differ in their name.
            let alike = ["AWS::ApiGateway::Stage/", "AWS::RDS::DBInstance/"];
            let sampled = alike.iter().any(|prefix| key.starts_with(prefix));
            assert!(sampled || charged.contains(key.as_str()), "no sheet is charged {key}");
        }
        assert!(row.source.starts_with("https://aws.amazon.com/"), "{}", row.source);
    }
}

#[test]
fn whatever_a_price_depends_on_is_said_to_decide() {
    let mut deciding = BTreeSet::new();
    for sheet in SHEETS {
        let template = template(&format!("Resources:\n  {sheet}"));
        for (logical_id, resource) in template.resources() {
            let of_it = format!("{logical_id}: {{Type: {}", resource.kind);
            let without = sheet.replace(&format!("{of_it}, Properties"), &format!("{of_it}, X"));
            if standing(&without) != standing(sheet) {
                assert!(decides(&resource.kind), "{} in {sheet}", resource.kind);
                deciding.insert(resource.kind.clone());
            }
        }
    }
    let described = deciding.iter().filter(|kind| !charged_types().any(|it| it == kind.as_str()));
    assert_eq!(described.count(), 5, "{deciding:?}");
    assert!(!decides("AWS::SQS::Queue"));
}

#[test]
fn no_type_is_on_two_lists_unless_its_properties_decide() {
    let decided = [
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EFS::FileSystem",
        "AWS::RDS::DBCluster",
    ];
    let twice: Vec<&str> = charged_types().filter(|kind| free(kind).is_some()).collect();
    assert_eq!(twice, decided);
    let types: Vec<&str> = rows().map(|row| row.kind).collect();
    let distinct: BTreeSet<&&str> = types.iter().collect();
    assert_eq!(types.len(), distinct.len(), "a type has two rows");
    for kind in by_use() {
        assert!(matches!(free(kind), Some(Free::ByUse(_))) && knows(kind), "{kind}");
    }
    assert_eq!(free("AWS::IAM::Role"), Some(Free::NeverCharged));
    assert_eq!(
        (free("AWS::EC2::Subnet"), free("AWS::EC2::Mystery")),
        (Some(Free::NeverCharged), None)
    );
    assert!(knows("AWS::EMR::Cluster") && !knows("AWS::EMR::Clutter"));
}

#[test]
fn the_smallest_machine_in_2000_accounts_is_about_6000_dollars_a_month() {
    let bill = bill(2_000, None, Some(SHEETS[0]));
    assert_eq!(bill.total_added_per_month(), usd("6132"));
    assert_eq!(
        words(&bill),
        "adds 6,132 USD a month while nothing runs\n\
         adds 1 t4g.nano instance (AWS::EC2::Instance): 3.066 USD x 2,000 accounts = 6,132 USD a month"
    );
}

#[test]
fn a_key_in_2000_accounts_is_said_with_its_price_and_its_product() {
    let bill = bill(2_000, Some("Q: {Type: AWS::SQS::Queue}"), Some("K: {Type: AWS::KMS::Key}"));
    let [line] = bill.lines().try_into().expect("one line");
    assert_eq!(
        line.to_string(),
        "adds a KMS key (AWS::KMS::Key): 1.00 USD x 2,000 accounts = 2,000 USD a month"
    );
    assert_eq!(line.source, Some("https://aws.amazon.com/kms/pricing/"));
}

#[test]
fn changes_in_words() {
    let key = "K: {Type: AWS::KMS::Key}";
    let kept = "K: {Type: AWS::KMS::Key, DeletionPolicy: Retain}";
    let stream = |count: &str| {
        format!("S: {{Type: AWS::Kinesis::Stream, Properties: {{ShardCount: {count}}}}}")
    };
    let nano = "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: t4g.nano}}";
    let micro = "A: {Type: AWS::EC2::Instance, Properties: {InstanceType: t4g.micro}}";
    let queues =
        "Q: {Type: AWS::SQS::Queue}\n  R: {Type: AWS::SQS::Queue}\n  B: {Type: AWS::S3::Bucket}";
    let mut cases = String::new();
    let mut case = |name: &str, bill: &Bill| {
        writeln!(cases, "# {name}\n{}", words(bill)).expect("text");
    };
    case("new", &bill(3, None, Some(key)));
    case("the same", &bill(3, Some(key), Some(kept)));
    case("removed", &bill(1, Some(key), Some("Q: {Type: AWS::SQS::Queue}")));
    case("deleted", &bill(40, Some(key), None));
    case("left behind", &bill(40, Some(kept), None));
    case("more of it", &bill(2_000, Some(&stream("2")), Some(&stream("5"))));
    case("nobody knows how many", &bill(5, Some(&stream("2")), Some(&stream("!Ref Later"))));
    case("larger", &bill(2_000, Some(nano), Some(micro)));
    case("smaller", &bill(2_000, Some(micro), Some(nano)));
    case("priced by use", &bill(2_000, None, Some(queues)));
    case(
        "without a price",
        &bill(7, None, Some("A: {Type: AWS::EMR::Cluster}\n  K: {Type: AWS::KMS::Key}")),
    );
    case("no longer without a price", &bill(7, Some("A: {Type: AWS::EMR::Cluster}"), Some(key)));
    case("saves less", &bill(7, Some(key), Some("A: {Type: AWS::EMR::Cluster}")));
    case("perhaps", &bill(9, None, Some("K: {Type: AWS::KMS::Key, Condition: Perhaps}")));
    case("perhaps gone", &bill(9, Some("K: {Type: AWS::KMS::Key, Condition: Perhaps}"), None));
    let mut regions = Bill::default();
    for number in [1, 1, 2, 2, 3] {
        regions.add(account(number), None, Some(&standing(key)));
    }
    case("two regions", &regions);
    let mut sizes = Bill::default();
    for number in 1..=6 {
        let size = (number * 10).to_string();
        let disk = format!("V: {{Type: AWS::EC2::Volume, Properties: {{Size: {size}}}}}");
        sizes.add(account(number), None, Some(&standing(&disk)));
    }
    case("six sizes", &sizes);
    insta::assert_snapshot!(cases);
}

#[test]
fn what_is_not_there_for_a_tenant_does_not_count() {
    let gateway = "N: {Type: AWS::EC2::NatGateway, Condition: IsOn}";
    let on = |value: &str| {
        standing_at(gateway, &Prices::default(), &[("On", Given::Text(value.to_owned()))])
    };
    assert_eq!(on("no"), Standing::default());
    assert_eq!(on("yes").usd_per_month(), usd("32.85"));
    let later = standing("N: {Type: AWS::EC2::NatGateway, Condition: Perhaps}");
    assert_eq!((later.charges[0].maybe, later.usd_per_month()), (true, usd("32.85")));
    let mut bill = Bill::default();
    for number in 1..=100 {
        bill.add(account(number), None, Some(&on(if number % 4 == 0 { "yes" } else { "no" })));
    }
    let lines = bill.lines();
    assert_eq!((lines[0].stacks, lines[0].accounts), (25, 25));
    assert_eq!(bill.total_added_per_month(), usd("821.25"));
}

#[test]
fn resources_that_macros_make_are_said_to_be_unknown() {
    let template = template("Transform: Some-Macro\nResources: {Q: {Type: AWS::SQS::Queue}}");
    let inputs = Inputs {
        parameters: BTreeMap::new(),
        account: account(1),
        region: "eu-central-1".parse().expect("a region"),
        stack_name: "api".parse().expect("a name"),
    };
    let standing = charges(&fill(&template, &inputs), &Prices::default());
    assert_eq!(standing.unknown.keys().collect::<Vec<_>>(), ["resources that macros make"]);
}

#[test]
fn resources_of_sam_cost_what_those_cost_that_it_makes() {
    let template = template(
        "Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      MemorySize: 1024
      CodeUri: 's3://b/k'
      AutoPublishAlias: live
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 }
  Items: { Type: AWS::Serverless::SimpleTable }
",
    );
    let inputs = Inputs {
        parameters: BTreeMap::new(),
        account: account(1),
        region: "eu-central-1".parse().expect("a region"),
        stack_name: "api".parse().expect("a name"),
    };
    let made = template.processed(&inputs.parameters);
    let filled = fill(made.template(), &inputs);
    assert!(!filled.is_partial);
    let standing = charges(&filled, &Prices::default());
    let charged: Vec<&str> =
        standing.charges.iter().map(|charge| charge.logical_id.as_str()).collect();
    assert_eq!(charged, ["FAliaslive"]);
    assert!(standing.unknown.is_empty(), "{:?}", standing.unknown);
    assert!(standing.by_use.contains_key("AWS::DynamoDB::Table"));
}

#[test]
fn prices_of_the_fleet_go_before_those_of_the_list() {
    let own = [
        ("AWS::KMS::Key", "0.8"),
        ("AWS::EC2::Instance/t4g.nano", "2.5"),
        ("AWS::EC2::Instance/u7i.metal", "9000"),
        ("AWS::EMR::Cluster", "70"),
        ("AWS::SQS::Queue", "0.01"),
    ];
    let prices = own.map(|(key, price)| (key.to_owned(), usd(price)));
    let prices = Prices::of(&IdleCost { prices: prices.into(), ..IdleCost::default() });
    let at = |sheet: &str| {
        let standing = standing_at(sheet, &prices, &[]);
        assert_eq!(standing.unknown.len(), 0, "{sheet}");
        assert!(standing.charges.iter().all(|charge| charge.source().is_none()), "{sheet}");
        standing.usd_per_month()
    };
    assert_eq!(at("K: {Type: AWS::KMS::Key}"), usd("0.8"));
    assert_eq!(at("K: {Type: AWS::KMS::ReplicaKey}"), usd("0.8"));
    assert_eq!(at(SHEETS[0]), usd("2.5"));
    assert_eq!(
        at("A: {Type: AWS::EC2::Instance, Properties: {InstanceType: u7i.metal}}"),
        usd("9000")
    );
    assert_eq!(at("A: {Type: AWS::EMR::Cluster}"), usd("70"));
    assert_eq!(at("Q: {Type: AWS::SQS::Queue}"), usd("0.01"));
}

#[test]
fn names_of_prices_are_looked_at() {
    for key in [
        "AWS::KMS::Key",
        "AWS::EC2::Instance/t4g.nano",
        "AWS::EC2::Instance/u9z.metal",
        "AWS::RDS::DBInstance/postgres/db.x9.large",
        "AWS::RDS::DBInstance/gp3",
        "AWS::ElastiCache::CacheCluster/valkey/cache.x9.large",
        "AWS::ElastiCache::CacheCluster/cache.x9.large",
    ] {
        assert_eq!(Prices::check_key(key), Ok(None), "{key}");
    }
    assert_eq!(Prices::check_key("Vendor::Some::Thing"), Ok(Some("Vendor::Some::Thing")));
    let wrong = [
        "KMS",
        "AWS::KMS::Key/symmetric",
        "AWS::EC2::Instance",
        "AWS::EC2::Instance/nano",
        "AWS::RDS::DBInstance/db.t3.micro",
        "AWS::RDS::DBInstance/oracle/db.t3.micro",
        "AWS::KMS::ReplicaKey",
        "AWS::Some::Thing/large",
        "",
    ];
    let said = wrong.map(|key| {
        let wrong = Prices::check_key(key).expect_err(key);
        format!("{}\n    {}\n", wrong.message, wrong.help)
    });
    insta::assert_snapshot!(said.concat());
}

/// Resources that differ in every way that counts.
fn any_resources() -> impl Strategy<Value = String> {
    let policy = prop_oneof![Just(""), Just(", DeletionPolicy: Retain")];
    let condition = prop_oneof![Just(""), Just(", Condition: Perhaps"), Just(", Condition: IsOn")];
    let kind = prop_oneof![
        Just("AWS::KMS::Key"),
        Just("AWS::SQS::Queue"),
        Just("AWS::EMR::Cluster"),
        Just("AWS::Kinesis::Stream"),
        Just("AWS::EC2::NatGateway"),
    ];
    let shards = prop_oneof![Just("1"), Just("3"), Just("!Ref Later")];
    proptest::collection::vec((kind, shards, policy, condition), 1..6).prop_map(|resources| {
        let each =
            resources.iter().enumerate().map(|(index, (kind, shards, policy, condition))| {
                let properties = format!("Properties: {{ShardCount: {shards}}}");
                format!("R{index}: {{Type: {kind}, {properties}{policy}{condition}}}")
            });
        each.collect::<Vec<_>>().join("\n  ")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_stays_the_same_is_on_no_bill(resources in any_resources()) {
        let bill = bill(3, Some(&resources), Some(&resources));
        prop_assert!(bill.is_empty() && bill.by_use().is_empty(), "{}", words(&bill));
    }

    #[test]
    fn lines_add_up_to_the_total_and_there_and_back_is_nothing(
        old in any_resources(),
        new in any_resources(),
    ) {
        let there = bill(3, Some(&old), Some(&new));
        let lines = there.lines();
        let sum = |direction: Direction| -> Money {
            let counts = |line: &&crate::cost::BillLine| {
                line.direction == direction && (direction == Direction::Adds || !line.maybe)
            };
            lines.iter().filter(counts).map(|line| line.usd_per_month).sum()
        };
        let total = there.total_added_per_month();
        prop_assert_eq!(total, sum(Direction::Adds).minus(sum(Direction::Removes)));
        // Without what is left behind or only perhaps there, the way back costs the opposite.
        let certain = |text: &str| {
            text.replace(", DeletionPolicy: Retain", "").replace(", Condition: Perhaps", "")
        };
        let (old, new) = (certain(&old), certain(&new));
        let there = bill(3, Some(&old), Some(&new)).total_added_per_month();
        let back = bill(3, Some(&new), Some(&old)).total_added_per_month();
        prop_assert_eq!(there.plus(back), Money::ZERO);
    }

    #[test]
    fn the_order_of_stacks_does_not_matter(
        stacks in proptest::collection::vec((1..4_usize, any_resources(), any_resources()), 0..6),
    ) {
        let billed = |stacks: &mut dyn Iterator<Item = &(usize, String, String)>| {
            let mut bill = Bill::default();
            for (number, old, new) in stacks {
                bill.add(account(*number), Some(&standing(old)), Some(&standing(new)));
            }
            words(&bill)
        };
        prop_assert_eq!(billed(&mut stacks.iter()), billed(&mut stacks.iter().rev()));
    }
}

#[test]
fn what_is_in_nested_stacks_costs_too_by_what_their_parent_gives() {
    let plain = |text: &str| Tree { template: Arc::new(template(text)), nested: BTreeMap::new() };
    let key = "Parameters: {On: {Type: String}}\nConditions: {IsOn: !Equals [!Ref On, 'yes']}\n\
               Resources: {K: {Type: AWS::KMS::Key, Condition: IsOn}}\n";
    let stack = "{Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x, Parameters: {On: ";
    let mut root = plain(&format!(
        "Resources: {{A: {stack} 'yes'}}}}}}, B: {stack} 'no'}}}}}}, C: {stack} 'yes'}}}}}}}}\n"
    ));
    root.nested.insert("A".to_owned(), plain(key));
    root.nested.insert("B".to_owned(), plain(key));
    let inputs = Inputs {
        parameters: BTreeMap::new(),
        account: account(1),
        region: "eu-central-1".parse().expect("a region"),
        stack_name: "api".parse().expect("a name"),
    };
    let standing = charges_in_all(&root, &inputs, &Prices::default());
    let charged: Vec<&str> = standing.charges.iter().map(|one| &*one.logical_id).collect();
    assert_eq!(charged, ["A/K"]);
    // The template of C is nowhere in git.
    let unknown = BTreeMap::from([("AWS::CloudFormation::Stack".to_owned(), 1)]);
    assert_eq!(standing.unknown, unknown);
}
