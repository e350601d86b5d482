"""A person at the console of many accounts: [account, service, operation, arguments] in, answers out.

The access key is the account's id, which ministack takes for the root user of that account.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

endpoint, region = sys.argv[1:]


def client_of(account, service):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="test",
    )


clients = {}
answers = []
for account, service, operation, arguments in json.load(sys.stdin):
    if (account, service) not in clients:
        clients[account, service] = client_of(account, service)
    try:
        answer = getattr(clients[account, service], operation)(**arguments)
        answer.pop("ResponseMetadata", None)
    except ClientError as error:
        answer = {"error": error.response["Error"]["Code"], "message": str(error)}
    answers.append(answer)
json.dump(answers, sys.stdout, default=str)
