"""Whom a function is to the AWS APIs: a session of its role, with credentials that no other environment has."""

import json
import string

import boto3
import pytest
from harness import functions

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)

HANDLER = """
import os
def handler(event, context):
    return [os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]]
"""


def credentials(clients, name):
    return json.load(clients("lambda").invoke(FunctionName=name)["Payload"])


def caller(server, key, secret, token):
    return boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    ).get_caller_identity()


@pytest.mark.parametrize(("name", "session"), [("Named", "Named"), ("Q", "Q@lambda_function")])
def test_a_function_is_a_session_of_its_role(server, clients, name, session):
    role = clients("iam").create_role(RoleName=f"Runs{name}", Path="/some/", AssumeRolePolicyDocument=TRUST)["Role"]
    functions.create(clients("lambda"), name, HANDLER, Role=role["Arn"])
    key, secret, token = credentials(clients, name)
    assert key.startswith("ASIA") and len(key) == 20 and set(key) <= set(string.ascii_uppercase + "234567")
    told = caller(server, key, secret, token)
    assert told["Account"] == "000000000000"
    assert told["Arn"] == f"arn:aws:sts::000000000000:assumed-role/Runs{name}/{session}"
    assert told["UserId"] == f"{role['RoleId']}:{session}"


def test_a_token_belongs_to_its_key(server, clients):
    functions.create(clients("lambda"), "TokenOf", HANDLER)
    key, secret, token = credentials(clients, "TokenOf")
    for known_as, with_token in [(key, token[:-8] + "AAAAAAA="), ("ASIA" + "A" * 16, token)]:
        assert caller(server, known_as, secret, with_token)["Arn"] == "arn:aws:iam::000000000000:root"
