"""Makes table.txt from the resource schemas of AWS that cfn-lint carries.

    pip download --no-deps cfn-lint==VERSION
    python3 generate.py cfn_lint-VERSION-py3-none-any.whl > table.txt

Nothing is installed and nothing but the standard library is needed.
"""

import json
import sys
import zipfile

# Types are the same in all regions, and this region has all of them.
REGION = "us-east-1"

# All types of these services.
SERVICES = """
ApiGateway ApiGatewayV2 AppSync ApplicationAutoScaling Athena CloudFront CloudWatch Cognito DynamoDB
ECR ECS EFS ElastiCache ElasticLoadBalancingV2 Events IAM KMS Kinesis KinesisFirehose Lambda Logs
OpenSearchServerless OpenSearchService Pipes RDS Route53 S3 SNS SQS SSM Scheduler SecretsManager
ServiceDiscovery StepFunctions WAFv2 XRay
""".split()

# Those of other services that stand beside them.
TYPES = """
AWS::AutoScaling::AutoScalingGroup AWS::AutoScaling::LaunchConfiguration
AWS::AutoScaling::ScalingPolicy AWS::Backup::BackupPlan AWS::Backup::BackupSelection
AWS::Backup::BackupVault AWS::Budgets::Budget AWS::CertificateManager::Certificate
AWS::CloudFormation::Stack AWS::CloudFormation::WaitCondition
AWS::CloudFormation::WaitConditionHandle AWS::CloudTrail::Trail AWS::CodeBuild::Project
AWS::CodePipeline::Pipeline AWS::Config::ConfigRule AWS::DAX::Cluster AWS::EC2::EIP
AWS::EC2::EIPAssociation AWS::EC2::FlowLog AWS::EC2::Instance AWS::EC2::InternetGateway
AWS::EC2::LaunchTemplate AWS::EC2::NatGateway AWS::EC2::NetworkAcl AWS::EC2::NetworkAclEntry
AWS::EC2::NetworkInterface AWS::EC2::PrefixList AWS::EC2::Route AWS::EC2::RouteTable
AWS::EC2::SecurityGroup AWS::EC2::SecurityGroupEgress AWS::EC2::SecurityGroupIngress
AWS::EC2::Subnet AWS::EC2::SubnetCidrBlock AWS::EC2::SubnetNetworkAclAssociation
AWS::EC2::SubnetRouteTableAssociation AWS::EC2::TransitGatewayAttachment AWS::EC2::VPC
AWS::EC2::VPCCidrBlock AWS::EC2::VPCEndpoint AWS::EC2::VPCGatewayAttachment
AWS::EC2::VPCPeeringConnection AWS::EC2::VPNGateway AWS::EC2::Volume AWS::EC2::VolumeAttachment
AWS::EKS::Cluster AWS::Glue::Crawler AWS::Glue::Database AWS::Glue::Job AWS::Glue::Table
AWS::GuardDuty::Detector AWS::MSK::Cluster AWS::MSK::ServerlessCluster AWS::MemoryDB::Cluster
AWS::RedshiftServerless::Namespace AWS::RedshiftServerless::Workgroup AWS::ResourceGroups::Group
AWS::SES::ConfigurationSet AWS::SES::EmailIdentity AWS::SES::Template AWS::Synthetics::Canary
""".split()

# Their schemas do not say it; this is what "Update requires" in AWS's template reference says:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
DOCUMENTED = {
    "AWS::AppSync::GraphQLSchema": ["ApiId"],
    "AWS::Route53::RecordSet": ["Name"],
}

HEAD = """\
# Which property changes replace a resource, by type. Made by generate.py; do not edit.
# Source: the CloudFormation resource schemas in cfn-lint {version} (MIT-0), schemas of {date}.
#
# A line is a type and then, in any number:
#   Property/Below   createOnlyProperties: another resource takes its place; * is any item of a list
#   ?Property        conditionalCreateOnlyProperties: perhaps
#   tags=Property    where its tags stand; tags=- where it has none
#   delete-first     replacementStrategy delete_then_create: the old one goes before the new one comes
"""


def below_properties(pointer):
    return pointer.removeprefix("/properties/")


def row(kind, schema):
    always = {below_properties(pointer) for pointer in schema.get("createOnlyProperties", [])}
    always.update(DOCUMENTED.get(kind, []))
    perhaps = schema.get("conditionalCreateOnlyProperties", [])
    perhaps = {below_properties(pointer) for pointer in perhaps} - always
    words = [kind]
    tagging = schema.get("tagging") or {}
    if not tagging.get("taggable", schema.get("taggable", True)):
        words.append("tags=-")
    elif "tagProperty" in tagging:
        words.append("tags=" + below_properties(tagging["tagProperty"]))
    if schema.get("replacementStrategy") == "delete_then_create":
        words.append("delete-first")
    words += sorted(always) + ["?" + pointer for pointer in sorted(perhaps)]
    return " ".join(words)


def main(wheel):
    archive = zipfile.ZipFile(wheel)
    schemas = "cfnlint/data/schemas/"

    def read(name):
        return archive.read(name).decode()

    metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    version = next(
        line.removeprefix("Version: ")
        for line in read(metadata).splitlines()
        if line.startswith("Version: ")
    )
    date = json.loads(read(schemas + "version.json"))["schema_date"]
    files = json.loads(read(f"{schemas}providers/{REGION}.json"))
    missing = [kind for kind in TYPES if kind not in files]
    if missing:
        sys.exit(f"these types have no schema in cfn-lint {version}: {missing}")
    kinds = {kind for kind in files if kind.split("::")[1] in SERVICES} | set(TYPES)
    print(HEAD.format(version=version, date=date[:10]), end="")
    for kind in sorted(kinds):
        print(row(kind, json.loads(read(f"{schemas}resources/{files[kind]}.json"))))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
