"""The code of functions: taken from S3, fetched again, updated and published; and what else a function is set to."""

import base64
import hashlib
import json
import urllib.error
import urllib.request

import botocore.exceptions
import pytest
from harness import functions

ROLE = "arn:aws:iam::000000000000:role/any"
SAYS = "def handler(event, context):\n    return {!r}\n"


@pytest.fixture(scope="module")
def server_flags(moto):
    """Of a server that knows where moto's S3 is."""
    return ["--runtime-substitution", *moto.flags()]


@pytest.fixture(scope="module")
def client(clients):
    return clients("lambda")


@pytest.fixture(scope="module")
def shelf(clients):
    """A bucket with versions."""
    s3 = clients("s3")
    s3.create_bucket(Bucket="shelf")
    s3.put_bucket_versioning(Bucket="shelf", VersioningConfiguration={"Status": "Enabled"})
    return s3


def says(client, name):
    return json.load(client.invoke(FunctionName=name)["Payload"])


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]


def test_code_from_s3(client, shelf):
    one, two = (functions.archive({"app.py": SAYS.format(text)}) for text in ("one", "two"))
    first = shelf.put_object(Bucket="shelf", Key="code/ä b.zip", Body=one)["VersionId"]
    shelf.put_object(Bucket="shelf", Key="code/ä b.zip", Body=two)
    code = {"S3Bucket": "shelf", "S3Key": "code/ä b.zip"}
    made = client.create_function(
        FunctionName="FromS3", Runtime=functions.PYTHON, Handler="app.handler", Role=ROLE, Code=code
    )
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(two).digest()).decode()
    client.get_waiter("function_active_v2").wait(FunctionName="FromS3")
    assert says(client, "FromS3") == "two"
    client.update_function_code(FunctionName="FromS3", S3ObjectVersion=first, **code)
    client.get_waiter("function_updated_v2").wait(FunctionName="FromS3")
    assert says(client, "FromS3") == "one"


def test_what_s3_does_not_have(client, shelf):
    arguments = {"FunctionName": "Nothing", "Runtime": functions.PYTHON, "Handler": "app.handler", "Role": ROLE}
    for bucket, code in [("shelf", "NoSuchKey"), ("no-such-shelf", "NoSuchBucket")]:
        error = refused(client.create_function, Code={"S3Bucket": bucket, "S3Key": "missing.zip"}, **arguments)
        assert error["Code"] == "InvalidParameterValueException"
        assert error["Message"].startswith(f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: The specified ")
    assert refused(client.get_function, FunctionName="Nothing")["Code"] == "ResourceNotFoundException"


def test_code_is_fetched_again(client, server):
    package = functions.archive({"app.py": SAYS.format("fetched")})
    client.create_function(
        FunctionName="Fetched", Runtime=functions.PYTHON, Handler="app.handler", Role=ROLE, Code={"ZipFile": package}
    )
    location = client.get_function(FunctionName="Fetched")["Code"]["Location"]
    assert location.startswith(server.url)
    with urllib.request.urlopen(location) as answer:
        assert answer.read() == package and answer.headers["Content-Type"] == "application/zip"
    for wrong in (location[:-1] + ("0" if location[-1] != "0" else "1"), location.split("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(wrong)
        assert error.value.code == 403


def test_a_request_too_large_is_refused_by_name(client):
    error = refused(client.update_function_code, FunctionName="Fetched", ZipFile=bytes(53_000_000))
    assert error["Code"] == "RequestEntityTooLargeException"
    assert error["Message"] == "Request must be smaller than 70167211 bytes for the UpdateFunctionCode operation"
