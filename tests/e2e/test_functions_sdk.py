"""AWS's SDKs inside functions find Frontgate by themselves: a function that calls another one."""

import json

from harness import functions, samples
from harness.server import ROOT

ANSWERER = "def handler(event, context):\n    return {'heard': event}\n"


def invoke(client, name, event):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    value = json.load(answer["Payload"])
    assert "FunctionError" not in answer, value
    return value


def test_boto3(clients, tmp_path):
    client = clients("lambda")
    functions.create(client, "answers-python", ANSWERER)
    code = {"S3Bucket": "hot-reload", "S3Key": str(samples.folder(samples.files("sdk-python"), tmp_path))}
    functions.create(client, "asks-python", "", runtime=samples.PYTHON, Code=code, Timeout=30, MemorySize=512)
    answer = invoke(client, "asks-python", {"function": "answers-python"})
    assert answer == {"status": 200, "answer": {"heard": {"from": "asks-python"}}}
    # Its credentials are those of its account.
    assert invoke(client, "asks-python", {})["identity"] == "000000000000"


def test_the_javascript_sdk(clients, tmp_path):
    client = clients("lambda")
    functions.create(client, "answers-node", ANSWERER)
    modules = ROOT / "tests" / "e2e" / "js" / "node_modules"
    code = {"S3Bucket": "hot-reload", "S3Key": str(samples.folder(samples.files("sdk-node", modules), tmp_path))}
    functions.create(client, "asks-node", "", runtime=samples.NODE, Code=code, Timeout=30, MemorySize=512)
    answer = invoke(client, "asks-node", {"function": "answers-node"})
    assert answer == {"status": 200, "answer": {"heard": {"from": "asks-node"}}}
