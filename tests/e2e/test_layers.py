"""Layers, tags, account settings and the small settings of functions, through boto3."""

import json
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError
from harness import functions

def publish(client, name, files, **more):
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": functions.archive(files)}, **more)


def invoke(client, name):
    answer = client.invoke(FunctionName=name)
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.load(answer["Payload"])


def test_a_function_uses_its_layers_in_their_order(clients):
    client = clients("lambda")
    first = publish(client, "first", {"python/shared.py": "WHO = 'first'", "python/only.py": "HERE = True"})
    second = publish(client, "second", {"python/shared.py": "WHO = 'second'"}, CompatibleRuntimes=["python3.12"])
    assert (first["Version"], second["CompatibleRuntimes"]) == (1, ["python3.12"])
    code = "import shared, only\ndef handler(event, context): return [shared.WHO, only.HERE]\n"
    functions.create(client, "Layered", code, Layers=[first["LayerVersionArn"], second["LayerVersionArn"]])
    assert invoke(client, "Layered") == ["second", True]
    shown = client.get_function_configuration(FunctionName="Layered")["Layers"]
    assert [layer["Arn"] for layer in shown] == [first["LayerVersionArn"], second["LayerVersionArn"]]
    client.update_function_configuration(
        FunctionName="Layered", Layers=[second["LayerVersionArn"], first["LayerVersionArn"]]
    )
    client.get_waiter("function_updated_v2").wait(FunctionName="Layered")
    assert invoke(client, "Layered") == ["first", True]
    client.delete_layer_version(LayerName="first", VersionNumber=1)
    client.update_function_configuration(FunctionName="Layered", MemorySize=256)
    assert invoke(client, "Layered") == ["first", True]
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="does not exist"):
        client.update_function_configuration(FunctionName="Layered", Layers=[first["LayerVersionArn"]])
    assert [layer["LayerName"] for layer in client.list_layers()["Layers"]] == ["second"]


def test_packages_can_be_fetched_where_they_are_said_to_be(clients):
    client = clients("lambda")
    package = functions.archive({"python/x.py": "y = 1"})
    published = client.publish_layer_version(LayerName="fetched", Content={"ZipFile": package})
    location = published["Content"]["Location"]
    with urllib.request.urlopen(location, timeout=10) as answer:
        assert answer.read() == package
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(location[:-1] + ("0" if location[-1] != "0" else "1"), timeout=10)
    assert refused.value.code == 403


def test_a_layer_of_another_account_needs_its_permission(server, clients):
    own = clients("lambda")
    other = boto3.client(
        "lambda",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="111111111111",
        aws_secret_access_key="test",
    )
    arn = publish(own, "granted", {"python/z.py": ""})["LayerVersionArn"]
    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetLayerVersion"):
        other.get_layer_version_by_arn(Arn=arn)
    granted = own.add_layer_version_permission(
        LayerName="granted", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal="111111111111"
    )
    assert json.loads(granted["Statement"])["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert other.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    own.remove_layer_version_permission(LayerName="granted", VersionNumber=1, StatementId="s")
    with pytest.raises(own.exceptions.ResourceNotFoundException):
        own.get_layer_version_policy(LayerName="granted", VersionNumber=1)


def test_tags_and_settings(clients):
    client = clients("lambda")
    before = client.get_account_settings()["AccountUsage"]
    code = "def handler(event, context): return 1\n"
    arn = functions.create(client, "Tagged", code, Tags={"a": "1"})
    client.tag_resource(Resource=arn, Tags={"b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert client.list_tags(Resource=arn)["Tags"] == client.get_function(FunctionName="Tagged")["Tags"] == {"b": "2"}
    after = client.get_account_settings()
    assert after["AccountUsage"]["FunctionCount"] == before["FunctionCount"] + 1
    assert after["AccountUsage"]["TotalCodeSize"] > before["TotalCodeSize"]
    assert after["AccountLimit"]["TotalCodeSize"] == 80530636800
    assert client.get_runtime_management_config(FunctionName="Tagged")["UpdateRuntimeOn"] == "Auto"
    unsigned = client.get_function_code_signing_config(FunctionName="Tagged")
    assert "CodeSigningConfigArn" not in unsigned
