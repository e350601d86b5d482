"""Makes a stack set in moto with instances as AWS would have them, and says what each stack has.

moto gives the stack of an instance its overrides alone where it has some: each is made with all values,
and its overrides are written afterwards, which moto does without touching the stack.
"""

import json
import sys

import boto3

endpoint, region = sys.argv[1:]
wish = json.load(sys.stdin)


def pairs(values):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def client(service, region, keys=None):
    keys = keys or {"AccessKeyId": "test", "SecretAccessKey": "test"}
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
    )


administrator = client("cloudformation", region)
administrator.create_stack_set(
    StackSetName=wish["name"],
    TemplateBody=wish["template"],
    Parameters=pairs(wish["parameters"]),
    Capabilities=["CAPABILITY_IAM"],
    Tags=[{"Key": "team", "Value": "scan"}],
)
# Its stacks would be called like those of the first one.
administrator.create_stack_set(StackSetName=wish["name"] + "-worker", TemplateBody=wish["template"])
for instance in wish["instances"]:
    place = {
        "StackSetName": wish["name"],
        "Accounts": [instance["account"]],
        "Regions": [instance["region"]],
    }
    whole = {**wish["parameters"], **instance["overrides"]}
    administrator.create_stack_instances(**place, ParameterOverrides=pairs(whole))
    administrator.update_stack_instances(**place, ParameterOverrides=pairs(instance["overrides"]))

security = client("sts", region)
has = {}
for instance in wish["instances"]:
    role = f"arn:aws:iam::{instance['account']}:role/any"
    keys = security.assume_role(RoleArn=role, RoleSessionName="look")["Credentials"]
    stacks = client("cloudformation", instance["region"], keys)
    (stack,) = stacks.describe_stacks(StackName=f"StackSet:{wish['name']}")["Stacks"]
    values = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack["Parameters"]}
    has[f"{instance['account']}/{instance['region']}"] = values
json.dump(has, sys.stdout)
