"""What functions are set to: logs in JSON, weighted aliases, permissions for other accounts, lists."""

import base64
import json

import boto3
import botocore.config
import botocore.exceptions
import pytest
from harness import functions

SPEAKS = """
import logging
def handler(event, context):
    logging.getLogger("own").info("said %s", event)
    logging.debug("hidden")
    return context.function_version
"""


@pytest.fixture(scope="module")
def client(clients):
    """A client of Lambda."""
    return clients("lambda")


@pytest.fixture(scope="module")
def other(server):
    """The same for another account."""
    return boto3.client(
        "lambda",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="000000000002",
        aws_secret_access_key="test",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def tail(client, **arguments):
    answer = client.invoke(LogType="Tail", **arguments)
    return base64.b64decode(answer["LogResult"]).decode().splitlines()


def test_a_log_in_json(client):
    functions.create(client, "Speaks", SPEAKS, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "INFO"})
    lines = [json.loads(line) for line in tail(client, FunctionName="Speaks", Payload=b'"x"')]
    assert [line.get("type", line.get("level")) for line in lines] == ["platform.start", "INFO", "platform.report"]
    assert lines[1]["message"] == "said x" and lines[1]["requestId"] == lines[0]["record"]["requestId"]
    assert lines[2]["record"]["metrics"]["memorySizeMB"] == 128
    client.update_function_configuration(FunctionName="Speaks", LoggingConfig={"LogFormat": "Text"})
    assert tail(client, FunctionName="Speaks")[0].startswith("START RequestId: ")


def test_an_alias_of_two_versions(client):
    functions.create(client, "Weighted", "def handler(event, context): return context.function_version\n")
    for text in ("one", "two"):
        client.update_function_configuration(FunctionName="Weighted", Description=text)
        client.publish_version(FunctionName="Weighted")
    client.create_alias(
        FunctionName="Weighted",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}},
    )
    call = lambda: client.invoke(FunctionName="Weighted", Qualifier="live")  # noqa: E731
    assert {call()["ExecutedVersion"] for _ in range(5)} == {"2"}
    client.update_alias(FunctionName="Weighted", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    # That one of the two never comes in 200 calls has a chance of 1 in 10 to the 60.
    assert {json.load(call()["Payload"]) for _ in range(200)} == {"1", "2"}
    client.update_alias(FunctionName="Weighted", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {call()["ExecutedVersion"] for _ in range(5)} == {"1"}


def test_another_account(client, other):
    arn = functions.create(client, "Shared", "def handler(event, context): return 'shared'\n")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        other.invoke(FunctionName=arn)
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    client.add_permission(
        FunctionName="Shared", StatementId="other", Action="lambda:InvokeFunction", Principal="000000000002"
    )
    assert json.load(other.invoke(FunctionName=arn)["Payload"]) == "shared"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        other.delete_function(FunctionName=arn)
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_all_versions_are_listed_in_pages(client):
    pages = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 1})
    shown = [(one["FunctionName"], one["Version"]) for page in pages for one in page["Functions"]]
    assert [one for one in shown if one[0] == "Weighted"] == [
        ("Weighted", "$LATEST"),
        ("Weighted", "1"),
        ("Weighted", "2"),
    ]
    assert len(shown) == len(set(shown))
