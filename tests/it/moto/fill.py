"""Makes stacks in an account of moto, and counts those that are there: all, and on the first page."""

import json
import sys

import boto3

endpoint, region = sys.argv[1:]
wish = json.load(sys.stdin)
home = {
    "endpoint_url": endpoint,
    "region_name": region,
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}
role = f"arn:aws:iam::{wish['account']}:role/any"
keys = boto3.client("sts", **home).assume_role(RoleArn=role, RoleSessionName="fill")["Credentials"]
cloudformation = boto3.client(
    "cloudformation",
    endpoint_url=endpoint,
    region_name=region,
    aws_access_key_id=keys["AccessKeyId"],
    aws_secret_access_key=keys["SecretAccessKey"],
    aws_session_token=keys["SessionToken"],
)
template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
for number in range(wish["count"]):
    cloudformation.create_stack(StackName=f"other-{number:03}", TemplateBody=json.dumps(template))
pages = list(cloudformation.get_paginator("describe_stacks").paginate())
counts = [len(page["Stacks"]) for page in pages]
json.dump({"all": sum(counts), "firstPage": counts[0]}, sys.stdout)
