"""Addresses and resource matching: which requests reach which method, and what the others get."""

import json
import re

import pytest
from harness.processes import poll
from harness.rest_api import Api, call

ECHO = '{"resource": "$context.resourcePath", "path": "$context.path", "verb": "$context.httpMethod", "id": "$input.params(\'id\')", "rest": "$input.params(\'rest\')"}'


@pytest.fixture(scope="module")
def api(apigateway, server):
    """Mocks that answer with the resource they are behind."""
    api = Api(apigateway, server.port)
    for path, verb in [
        ("/", "GET"),
        ("/pets", "GET"),
        ("/pets", "POST"),
        ("/pets/{id}", "GET"),
        ("/pets/{id}", "ANY"),
        ("/pets/mine", "GET"),
        ("/pets/{id}/toys", "GET"),
        ("/files/{rest+}", "GET"),
        ("/files/readme", "GET"),
        ("/any/{rest+}", "ANY"),
        ("/deep/{id}/{rest+}", "GET"),
    ]:
        api.mock(path, verb, body=ECHO)
    api.deploy()
    return api


@pytest.mark.parametrize(
    "verb, path, resource, id, rest",
    [
        ("GET", "/", "/", "", ""),
        ("GET", "", "/", "", ""),
        ("GET", "/pets", "/pets", "", ""),
        ("GET", "/pets/", "/pets", "", ""),
        ("POST", "/pets", "/pets", "", ""),
        ("GET", "/pets/7", "/pets/{id}", "7", ""),
        ("GET", "/pets/mine", "/pets/mine", "", ""),
        ("GET", "/pets/7/toys", "/pets/{id}/toys", "7", ""),
        ("GET", "/pets/mine/toys", "/pets/{id}/toys", "mine", ""),
        ("DELETE", "/pets/7", "/pets/{id}", "7", ""),
        ("OPTIONS", "/pets/7", "/pets/{id}", "7", ""),
        ("GET", "/files/a", "/files/{rest+}", "", "a"),
        ("GET", "/files/a/b/c", "/files/{rest+}", "", "a/b/c"),
        ("GET", "/files/a/", "/files/{rest+}", "", "a"),
        ("GET", "/files/a//b", "/files/{rest+}", "", "a//b"),
        ("GET", "/files/readme", "/files/readme", "", ""),
        ("GET", "/files/readme/x", "/files/{rest+}", "", "readme/x"),
        ("PATCH", "/any/x/y", "/any/{rest+}", "", "x/y"),
        ("GET", "/deep/1/2/3", "/deep/{id}/{rest+}", "1", "2/3"),
    ],
)
def test_a_request_reaches_the_best_resource(api, verb, path, resource, id, rest):
    answer = api.call(path, verb)
    assert answer.status == 200, answer
    got = answer.json()
    assert (got["resource"], got["id"], got["rest"], got["verb"]) == (resource, id, rest, verb)


@pytest.mark.parametrize(
    "verb, path",
    [
        ("GET", "/nothing"),
        ("GET", "/pets/7/toys/1"),
        ("DELETE", "/pets"),
        ("HEAD", "/pets"),
        ("OPTIONS", "/pets"),
        ("GET", "/files"),
        ("GET", "/files/"),
        ("GET", "/any"),
        ("TRACE", "/any/x"),
        ("PROPFIND", "/any/x"),
        ("POST", "/files/readme"),
        ("GET", "/Pets"),
        ("GET", "/deep/1"),
    ],
)
def test_what_reaches_no_method_is_told_of_a_missing_token(api, verb, path):
    answer = api.call(path, verb)
    assert answer.status == 403
    assert answer.header("x-amzn-ErrorType") == "MissingAuthenticationTokenException"
    if verb != "HEAD":
        assert answer.body == b'{"message":"Missing Authentication Token"}'
        assert answer.header("Content-Type") == "application/json"
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.header("x-amzn-RequestId"))
    assert re.fullmatch("[A-Za-z0-9_/+-]+=", answer.header("x-amz-apigw-id"))
    assert answer.header("X-Amzn-Trace-Id") is None


def test_an_authorization_header_that_is_no_signature_is_named(api):
    answer = api.call("/nothing", headers={"Authorization": "Bearer abc"})
    assert answer.status == 403
    assert answer.header("x-amzn-ErrorType") == "IncompleteSignatureException"
    assert answer.json()["message"].startswith("Invalid key=value pair (missing equal-sign) in Authorization header")


@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/{id}/nostage/pets",
        "/_aws/execute-api/nosuchapi0/test/pets",
        "/restapis/{id}/nostage/_user_request_/pets",
        "/_aws/execute-api/{id}",
    ],
)
def test_an_unknown_api_or_stage_is_forbidden(api, path):
    answer = call(api.port, "GET", path.format(id=api.id))
    assert (answer.status, answer.body) == (403, b'{"message":"Forbidden"}')
    assert answer.header("x-amzn-ErrorType") == "ForbiddenException"


@pytest.mark.parametrize(
    "suffix",
    [
        "localhost",
        "localhost:{port}",
        "us-east-1.amazonaws.com",
        "us-east-1.localhost",
        "localhost.localstack.cloud:{port}",
        "eu-west-1.example.org",
        "LOCALHOST:{port}",
    ],
)
def test_an_api_answers_under_its_host_names(api, suffix):
    host = f"{api.id}.execute-api.{suffix.format(port=api.port)}"
    answer = call(api.port, "GET", "/test/pets/7", host=host)
    assert answer.status == 200, answer
    assert answer.json() == {"resource": "/pets/{id}", "path": "/test/pets/7", "verb": "GET", "id": "7", "rest": ""}
    for path in ("/nostage/pets", "/", "/2015-03-31/functions", "/_frontgate/health"):
        assert call(api.port, "GET", path, host=host).status == 403, "a host that names an API serves nothing else"
    assert (
        call(api.port, "GET", "/test/pets", host=f"nosuchapi0.execute-api.{suffix.format(port=api.port)}").status == 403
    )


def test_an_api_answers_under_its_paths(api):
    for path in (f"/_aws/execute-api/{api.id}/test/pets/7", f"/restapis/{api.id}/test/_user_request_/pets/7"):
        answer = call(api.port, "GET", path)
        assert answer.status == 200 and answer.json()["resource"] == "/pets/{id}"
        assert answer.json()["path"] == "/test/pets/7", "the path in the context is that of AWS, whatever the address"


def test_every_answer_has_its_own_request_id(api):
    answers = [api.call("/pets") for _ in range(3)]
    assert len({answer.header("x-amzn-RequestId") for answer in answers}) == 3
    assert len({answer.header("x-amz-apigw-id") for answer in answers}) == 3


def test_an_override_replaces_the_verb_before_routing(api):
    answer = api.call("/pets", "POST", headers={"X-HTTP-Method-Override": "GET"})
    assert answer.json()["verb"] == "GET"
    assert api.call("/pets", "GET", headers={"X-HTTP-Method-Override": "DELETE"}).status == 403


def test_requests_are_logged_as_one_json_line_each(api, server):
    answer = api.call("/pets/logged-request")
    request_id = answer.header("x-amzn-RequestId")

    def line():
        found = [line for line in server.log().splitlines() if request_id in line]
        return found or False

    lines = poll(line, 5)
    assert len(lines) == 1, lines
    entry = json.loads(lines[0][lines[0].index("{") :])
    text = json.dumps(entry)
    assert "200" in text and api.id in text and "GET" in text


def test_what_guards_access_and_is_not_built_fails_closed(apigateway, server):
    """A method may demand a key or a signature before either can be checked; until then it must not answer."""
    api = (
        Api(apigateway, server.port).mock("/open", body='"open"').mock("/key", body='"key"').mock("/iam", body='"iam"')
    )
    patch = [{"op": "replace", "path": "/apiKeyRequired", "value": "true"}]
    apigateway.update_method(**api.at("/key", "GET"), patchOperations=patch)
    patch = [{"op": "replace", "path": "/authorizationType", "value": "AWS_IAM"}]
    apigateway.update_method(**api.at("/iam", "GET"), patchOperations=patch)
    api.deploy()
    assert api.call("/open").status == 200
    assert api.call("/key").status in (403, 500) and api.call("/key", headers={"x-api-key": "x" * 20}).status in (
        403,
        500,
    )
    assert api.call("/iam").status in (403, 500)
    signed = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64
    )
    assert api.call("/iam", headers={"Authorization": signed}).status in (403, 500)
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}'
    closed = Api(apigateway, server.port, policy=policy).mock("/open", body='"open"')
    closed.deploy()
    assert closed.call("/open").status in (403, 500)
