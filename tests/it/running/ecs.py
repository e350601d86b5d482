"""Holds the task and the service of a CloudFormation template against botocore's model of ECS.

stdin: the template. stdout: what is wrong with it, a line each, or how many requests were checked.
"""

import re
import sys

import botocore.session
import botocore.validate
import yaml


class Template(yaml.SafeLoader):
    """Takes what functions would give for a text."""


Template.add_multi_constructor("!", lambda loader, tag, node: function(loader, tag, node))


def function(loader, tag, node):
    if tag == "If":
        # Both ways must be well formed; the one with something in it says more.
        _, yes, no = loader.construct_sequence(node, deep=True)
        return no if yes == "AWS::NoValue" else yes
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.value == "AWS::NoValue" else "text"
    return "text"


def in_model(value):
    """As the API spells it: CloudFormation begins every word with a capital."""
    if isinstance(value, list):
        return [in_model(one) for one in value if one != "AWS::NoValue"]
    if not isinstance(value, dict):
        return value
    return {spelled(name): one if name == "Options" else in_model(one) for name, one in value.items()}


def spelled(name):
    special = {"FilesystemId": "fileSystemId", "IAM": "iam", "EFSVolumeConfiguration": "efsVolumeConfiguration"}
    return special.get(name) or re.sub("^[A-Z]", lambda first: first[0].lower(), name)


def main():
    resources = yaml.load(sys.stdin.read(), Template)["Resources"]
    model = botocore.session.get_session().get_service_model("ecs")
    found, count = [], 0
    requests = {}
    for kind, operation in [("TaskDefinition", "RegisterTaskDefinition"), ("Service", "CreateService")]:
        [properties] = [one["Properties"] for one in resources.values() if one["Type"] == f"AWS::ECS::{kind}"]
        request = in_model(properties)
        if kind == "Service":
            request["serviceName"] = "driftless"
        shape = model.operation_model(operation).input_shape
        report = botocore.validate.ParamValidator().validate(request, shape)
        if report.has_errors():
            found.append(report.generate_report())
        count += 1
        requests[kind] = request
    service, task = requests["Service"], requests["TaskDefinition"]
    deployment = service["deploymentConfiguration"]
    if (service["desiredCount"], deployment["minimumHealthyPercent"], deployment["maximumPercent"]) != (1, 0, 100):
        found.append("there may be two at once")
    [container] = task["containerDefinitions"]
    for name, wanted in [("stopTimeout", 120), ("readonlyRootFilesystem", True), ("user", "10001:10001")]:
        if container.get(name) != wanted:
            found.append(f"{name} is not {wanted}")
    mounted = {one["sourceVolume"] for one in container["mountPoints"]}
    if mounted != {one["name"] for one in task["volumes"]}:
        found.append("what is mounted is not what there is")
    print("\n".join(found) if found else f"{count} requests")
    sys.exit(1 if found else 0)


main()
