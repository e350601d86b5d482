"""Packages a template with the AWS CLI, and says what it made of it.

Arguments: the template, a bucket, a folder for the result. On stdout: the packaged template and every
object that it put into the bucket, by key: the git id of a file, of each file in a zip, or a template.
"""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3
from awscli.customizations.cloudformation.yamlhelper import yaml_parse


def git_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def described(key, content):
    if key.endswith(".template"):
        return {"template": yaml_parse(content.decode())}
    if zipfile.is_zipfile(io.BytesIO(content)):
        archive = zipfile.ZipFile(io.BytesIO(content))
        return {"zip": {name: git_id(archive.read(name)) for name in archive.namelist()}}
    return {"file": git_id(content)}


def main(template, bucket, folder):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    packaged = Path(folder) / "packaged.yaml"
    command = [sys.executable, "-m", "awscli", "cloudformation", "package", "--template-file", template]
    command += ["--s3-bucket", bucket, "--output-template-file", str(packaged)]
    # Whether a path is one file, which it zips, the AWS CLI sees from where it runs only.
    ran = subprocess.run(command, capture_output=True, text=True, cwd=Path(template).parent)
    if ran.returncode:
        sys.exit(ran.stdout + ran.stderr)
    objects = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            content = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            objects[item["Key"]] = described(item["Key"], content)
    answer = {"template": yaml_parse(packaged.read_text()), "objects": objects}
    print(json.dumps(answer, default=str))


main(*sys.argv[1:])
