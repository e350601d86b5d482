"""Makes a bucket in a region, unless it is there, and says what is in it.

Arguments: the endpoint, the id of an access key, the region, the bucket. On stdout: by key, the text of each object, or the names
in it where it is a zip, and its checksum.
"""

import io
import json
import sys
import zipfile

import boto3

endpoint, key, region, bucket = sys.argv[1:]
s3 = boto3.client(
    "s3", endpoint_url=endpoint, region_name=region, aws_access_key_id=key, aws_secret_access_key="test"
)
if bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
objects = {}
for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
    found = s3.get_object(Bucket=bucket, Key=item["Key"], ChecksumMode="ENABLED")
    content = found["Body"].read()
    if zipfile.is_zipfile(io.BytesIO(content)):
        said = zipfile.ZipFile(io.BytesIO(content)).namelist()
    else:
        said = content.decode()
    objects[item["Key"]] = {"said": said, "sha256": found.get("ChecksumSHA256")}
print(json.dumps(objects))
