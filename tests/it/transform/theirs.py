"""What SAM makes of templates: paths as arguments, one JSON map by path on stdout."""

import json
import os
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

os.environ.update(AWS_DEFAULT_REGION="eu-central-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
# What the service asks IAM for; nothing here uses the managed policies of AWS by name.
MANAGED = {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}

made = {}
for path in sys.argv[1:]:
    with open(path) as file:
        template = yaml_parse(file.read())
    given = {name: str(entry["Default"]) for name, entry in template.get("Parameters", {}).items() if "Default" in entry}
    session = boto3.session.Session(region_name="eu-central-1")
    translator = Translator(MANAGED, Parser(), boto_session=session)
    made[path] = translator.translate(template, given)
json.dump(made, sys.stdout, indent=1, sort_keys=True)
