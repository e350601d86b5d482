"""Holds every answer against botocore's own model of the service, which parses what it does not know
without a word: names, required members, enums, and the forms of scalars."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
# Codes that any call of the query protocol may answer, with their status; the model names none.
COMMON = {
    "AccessDenied": {403},
    "ExpiredToken": {403},
    "IncompleteSignature": {400},
    "InternalFailure": {500},
    "InvalidClientTokenId": {403},
    "MissingAuthenticationToken": {403},
    "SignatureDoesNotMatch": {403},
    "Throttling": {400},
    "ValidationError": {400},
}
# What the model leaves out of an action, and what AWS's guides and users say that it answers.
UNDOCUMENTED = {
    ("CreateChangeSet", "LimitExceededException"),
}


class Judge:
    """Watches clients, and counts what it saw."""

    def __init__(self):
        self.calls = Counter()
        self.codes = Counter()
        self.findings = []
        # (shape, member) of answers: those that came, and those that the models have.
        self.seen = set()
        self.known = {}

    def watch(self, client):
        client.meta.events.register("before-parse", self.judge)
        return client

    def judge(self, operation_model, response_dict, **_):
        name = operation_model.name
        self.calls[name] += 1
        self.remember(operation_model.output_shape)
        status, body = response_dict["status_code"], response_dict["body"]
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError:
            # Only where a fault was ordered; botocore raises there.
            return
        if status >= 300:
            self.error(operation_model, status, root)
        else:
            self.answer(operation_model, root)

    def find(self, path, what):
        self.findings.append(f"{path}: {what}")

    def remember(self, shape):
        """Every member below a shape, whether it comes or not."""
        if shape is None or shape.name in self.known:
            return
        if shape.type_name == "structure":
            self.known[shape.name] = set(shape.members)
            for member in shape.members.values():
                self.remember(member)
        elif shape.type_name == "list":
            self.remember(shape.member)

    def error(self, operation_model, status, root):
        name = operation_model.name
        tags = [local(one) for one in root]
        error = child(root, "Error")
        if local(root) != "ErrorResponse" or tags != ["Error", "RequestId"] or error is None:
            return self.find(name, f"an error of another form: {tags}")
        fields = {local(one): one.text for one in error}
        if set(fields) != {"Type", "Code", "Message"}:
            self.find(name, f"an error has the fields {sorted(fields)}")
        code = fields.get("Code")
        self.codes[code] += 1
        whose = "Sender" if status < 500 else "Receiver"
        if fields.get("Type") != whose:
            self.find(name, f"{code} is of type {fields.get('Type')}")
        modelled = {
            shape.metadata["error"]["code"]: shape.metadata["error"]
            for shape in operation_model.service_model.error_shapes
            if "error" in shape.metadata
        }
        of_call = {shape.metadata["error"]["code"] for shape in operation_model.error_shapes}
        if code in modelled:
            if code not in of_call and (name, code) not in UNDOCUMENTED:
                self.find(name, f"{code} is no error of this action")
            if modelled[code]["httpStatusCode"] != status:
                self.find(name, f"{code} has status {status}")
        elif status not in COMMON.get(code, set()):
            self.find(name, f"nobody knows the error {code} with status {status}")

    def answer(self, operation_model, root):
        name, shape = operation_model.name, operation_model.output_shape
        if local(root) != f"{name}Response":
            self.find(name, f"the answer is {local(root)}")
        space = operation_model.metadata["xmlNamespace"]
        if not root.tag.startswith("{" + space + "}"):
            self.find(name, f"the answer is not in the namespace {space}")
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        wanted = [wrapper, "ResponseMetadata"] if wrapper else ["ResponseMetadata"]
        if [local(one) for one in root] != wanted:
            self.find(name, f"{[local(one) for one in root]} instead of {wanted}")
        metadata = child(root, "ResponseMetadata")
        if metadata is None or [local(one) for one in metadata] != ["RequestId"]:
            self.find(name, "the answer has no request id")
        if wrapper and child(root, wrapper) is not None:
            self.value(name, shape, child(root, wrapper))

    def value(self, path, shape, element):
        if shape.type_name == "structure":
            self.structure(path, shape, element)
        elif shape.type_name == "list":
            if shape.serialization.get("flattened"):
                return self.find(path, "flattened lists are not looked into")
            self.length(path, shape, len(element))
            for one in element:
                if local(one) != "member":
                    self.find(path, f"a list has a {local(one)}")
                self.value(path + "[]", shape.member, one)
        else:
            self.scalar(path, shape, element)

    def structure(self, path, shape, element):
        names = {
            member.serialization.get("name", name): name for name, member in shape.members.items()
        }
        if element.text and element.text.strip():
            self.find(path, "text in a structure")
        came = Counter(local(one) for one in element)
        for one in element:
            name = names.get(local(one))
            if name is None:
                self.find(f"{path}.{local(one)}", f"{shape.name} has no such member")
                continue
            self.seen.add((shape.name, name))
            self.value(f"{path}.{name}", shape.members[name], one)
        for name, count in came.items():
            if count > 1:
                self.find(f"{path}.{name}", f"came {count} times")
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in came:
                self.find(f"{path}.{name}", f"is required in {shape.name}")

    def scalar(self, path, shape, element):
        text = element.text or ""
        if len(element):
            self.find(path, "elements in a scalar")
        kind = shape.type_name
        if kind == "string":
            if getattr(shape, "enum", None) and text not in shape.enum:
                self.find(path, f"`{text}` is none of {shape.enum}")
            self.length(path, shape, len(text))
            pattern = shape.metadata.get("pattern")
            if pattern and not re.fullmatch(pattern, text, re.DOTALL):
                self.find(path, f"`{text}` is not of the form {pattern}")
        elif kind == "boolean":
            if text not in ("true", "false"):
                self.find(path, f"`{text}` is no boolean")
        elif kind in ("integer", "long"):
            if not re.fullmatch(r"-?\d+", text):
                self.find(path, f"`{text}` is no number")
            else:
                self.length(path, shape, int(text))
        elif kind == "timestamp":
            if not TIME.fullmatch(text):
                self.find(path, f"`{text}` is no time")
        else:
            self.find(path, f"values of type {kind} are not looked into")

    def length(self, path, shape, count):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and count < least:
            self.find(path, f"{count} is less than {least}")
        if most is not None and count > most:
            self.find(path, f"{count} is more than {most}")

    def report(self):
        return {
            "calls": sum(self.calls.values()),
            "actions": dict(sorted(self.calls.items())),
            "members": sorted(
                f"{shape}.{member}" for shape, members in self.known.items() for member in members
            ),
            "seen": sorted(f"{shape}.{member}" for shape, member in self.seen),
            "errors": dict(sorted(self.codes.items())),
            "findings": sorted(set(self.findings)),
        }


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def child(element, name):
    return next((one for one in element if local(one) == name), None)
