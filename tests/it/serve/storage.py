"""Puts, finds, reads and lists objects of the simulated S3 with boto3, and says what it saw as JSON.

The environment says where the cloud is, and has the keys of an account with the buckets `artifacts`,
`artifacts-us` and `shut`.
"""

import base64
import hashlib
import io
import json
import os
import sys

import boto3
from botocore.awsrequest import AWSRequest
from botocore.auth import S3SigV4Auth
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

ONCE = Config(retries={"total_max_attempts": 1})
BUCKET = "artifacts"
BODY = b"code"
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
S3 = boto3.client("s3", config=ONCE)


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return [error.response["Error"]["Code"], status]
    return "it was not refused"


def without_redirect():
    """A client that takes the word of the first endpoint."""
    client = boto3.client("s3", config=ONCE)
    from botocore.utils import S3RegionRedirectorv2

    handlers = client.meta.events._emitter._handlers.prefix_search("needs-retry.s3")
    for handler in list(handlers):
        if isinstance(getattr(handler, "__self__", None), S3RegionRedirectorv2):
            client.meta.events.unregister("needs-retry.s3", handler)
    return client


def put_in_chunks(key, text):
    """As clients send it that count the sum while they send."""
    body = b"4\r\n" + text[:4] + b"\r\n"
    body += b"%x\r\n" % len(text[4:]) + text[4:] + b"\r\n0\r\n"
    sum_of = base64.b64encode(hashlib.sha256(text).digest())
    body += b"x-amz-checksum-sha256:" + sum_of + b"\r\n\r\n"
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(text)),
        "x-amz-trailer": "x-amz-checksum-sha256",
    }
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{BUCKET}/{key}"
    request = AWSRequest(method="PUT", url=url, headers=headers, data=body)

    class Unsigned(S3SigV4Auth):
        def payload(self, request):
            return headers["x-amz-content-sha256"]

    Unsigned(S3._request_signer._credentials, "s3", os.environ["AWS_REGION"]).add_auth(request)
    request.headers.replace_header(
        "x-amz-content-sha256", headers["x-amz-content-sha256"]
    )
    answer = URLLib3Session().send(request.prepare())
    if answer.status_code != 200:
        sys.exit(f"{answer.status_code}: {answer.text}")


KEY = "a b/c+d?.zip"
put = S3.put_object(
    Bucket=BUCKET, Key=KEY, Body=BODY, ContentType="application/zip", ChecksumSHA256=SHA256,
    IfNoneMatch="*",
)
head = S3.head_object(Bucket=BUCKET, Key=KEY, ChecksumMode="ENABLED")
S3.put_object(Bucket=BUCKET, Key="default", Body=io.BytesIO(b"whatever sum boto3 likes"))
S3.put_object(Bucket=BUCKET, Key="\u00fc/&<", Body=b"")
put_in_chunks("chunks", b"code in chunks")
pages = S3.get_paginator("list_objects_v2")
keys = [
    found["Key"]
    for page in pages.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 2})
    for found in page["Contents"]
]
folders = S3.list_objects_v2(Bucket=BUCKET, Delimiter="/")["CommonPrefixes"]
redirected = boto3.client("s3", config=ONCE)
redirected.put_object(Bucket="artifacts-us", Key="k", Body=b"elsewhere")
strange = dict(aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wrong")
forged = dict(aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
json.dump(
    {
        "put": {"ETag": put["ETag"], "sha256": put["ChecksumSHA256"] == SHA256},
        "head": {
            "ContentLength": head["ContentLength"],
            "ContentType": head["ContentType"],
            "sha256": head["ChecksumSHA256"] == SHA256,
        },
        "get": S3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read().decode(),
        "chunks": S3.get_object(Bucket=BUCKET, Key="chunks")["Body"].read().decode(),
        "keys": keys,
        "folders": [one["Prefix"] for one in folders],
        "region": S3.head_bucket(Bucket=BUCKET)["BucketRegion"],
        "errors": {
            "again": refused(S3.put_object, Bucket=BUCKET, Key=KEY, Body=b"", IfNoneMatch="*"),
            "no bucket": refused(S3.get_object, Bucket="no-such-bucket", Key="k"),
            "no bucket, no body": refused(S3.head_bucket, Bucket="no-such-bucket"),
            "no key": refused(S3.get_object, Bucket=BUCKET, Key="none"),
            "elsewhere": refused(without_redirect().get_object, Bucket="artifacts-us", Key="k"),
            "shut": refused(S3.put_object, Bucket="shut", Key="k", Body=b""),
            "wrong sum": refused(
                S3.put_object, Bucket=BUCKET, Key="k", Body=b"other", ChecksumSHA256=SHA256),
            "wrong md5": refused(
                S3.put_object, Bucket=BUCKET, Key="k", Body=b"other",
                ContentMD5=base64.b64encode(hashlib.md5(BODY).digest()).decode()),
            "forged": refused(
                boto3.client("s3", config=ONCE, **forged).get_object, Bucket=BUCKET, Key=KEY),
            "stranger": refused(
                boto3.client("s3", config=ONCE, **strange).get_object, Bucket=BUCKET, Key=KEY),
            "deleted": refused(S3.delete_object, Bucket=BUCKET, Key=KEY),
        },
        "redirected": redirected.get_object(Bucket="artifacts-us", Key="k")["Body"].read().decode(),
    },
    sys.stdout,
)
