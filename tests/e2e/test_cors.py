"""`frontgate cors enable`, and browsers that ask before they send."""

import os
import subprocess

import pytest
from harness.rest_api import call
from harness.server import binary

ALLOW_ORIGIN = "method.response.header.Access-Control-Allow-Origin"


@pytest.fixture
def api(clients):
    """An API with the resource /pets: a mapped GET, and a POST in front of an HTTP server."""
    apigateway = clients("apigateway")
    api = apigateway.create_rest_api(name="pets")["id"]
    root = apigateway.get_resources(restApiId=api)["items"][0]["id"]
    pets = apigateway.create_resource(restApiId=api, parentId=root, pathPart="pets")["id"]
    of = {"restApiId": api, "resourceId": pets}
    for verb in ("GET", "POST"):
        apigateway.put_method(**of, httpMethod=verb, authorizationType="NONE")
    apigateway.put_method_response(**of, httpMethod="GET", statusCode="200")
    template = {"application/json": '{"statusCode": 200}'}
    apigateway.put_integration(**of, httpMethod="GET", type="MOCK", requestTemplates=template)
    apigateway.put_integration_response(
        **of, httpMethod="GET", statusCode="200", responseTemplates={"application/json": '["a cat"]'}
    )
    apigateway.put_integration(
        **of, httpMethod="POST", type="HTTP_PROXY", integrationHttpMethod="POST", uri="http://127.0.0.1:9/"
    )
    yield of
    apigateway.delete_rest_api(restApiId=api)


def enable(server, of, *more, region="us-east-1"):
    """Runs the command; returns what became of it."""
    command = [binary(), "cors", "enable", "--rest-api-id", of["restApiId"], "--resource-id", of["resourceId"], *more]
    environment = {"AWS_ENDPOINT_URL": server.url, "AWS_DEFAULT_REGION": region, "PATH": os.environ["PATH"]}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def preflight(server, of):
    """What a browser asks before it posts JSON."""
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    return call(server.port, "OPTIONS", f"/_aws/execute-api/{of['restApiId']}/dev/pets", headers=asked)


def test_preflight_is_answered_and_answers_can_be_read(server, clients, api):
    done = enable(server, api)
    assert done.returncode == 0, done.stderr
    assert "/pets GET sends Access-Control-Allow-Origin with its 200 response" in done.stdout
    assert "/pets POST has a proxy integration" in done.stdout
    clients("apigateway").create_deployment(restApiId=api["restApiId"], stageName="dev")
    answer = preflight(server, api)
    assert answer.status == 200
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Access-Control-Allow-Methods") == "GET,POST,OPTIONS"
    expected = "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token"
    assert answer.header("Access-Control-Allow-Headers") == expected
    base = f"/_aws/execute-api/{api['restApiId']}/dev"
    got = call(server.port, "GET", f"{base}/pets")
    assert (got.status, got.json(), got.header("Access-Control-Allow-Origin")) == (200, ["a cat"], "*")
    refused = call(server.port, "GET", f"{base}/nothing")
    assert (refused.status, refused.header("Access-Control-Allow-Origin")) == (403, "*")
    failed = call(server.port, "POST", f"{base}/pets", body=b"{}")
    assert (failed.status, failed.header("Access-Control-Allow-Origin")) == (504, "*")


def test_it_makes_what_the_console_makes(server, clients, api):
    assert enable(server, api).returncode == 0
    apigateway = clients("apigateway")
    options = apigateway.get_method(**api, httpMethod="OPTIONS")
    assert options["authorizationType"] == "NONE" and not options["apiKeyRequired"]
    assert options["methodResponses"]["200"]["responseModels"] == {"application/json": "Empty"}
    integration = options["methodIntegration"]
    assert integration["type"] == "MOCK"
    assert integration["requestTemplates"] == {"application/json": '{"statusCode": 200}'}
    assert integration["integrationResponses"]["200"]["responseParameters"][ALLOW_ORIGIN] == "'*'"
    got = apigateway.get_method(**api, httpMethod="GET")
    assert got["methodResponses"]["200"]["responseParameters"] == {ALLOW_ORIGIN: False}
    for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
        response = apigateway.get_gateway_response(restApiId=api["restApiId"], responseType=kind)
        assert response["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}


def test_it_may_be_run_again_with_other_values(server, clients, api):
    assert enable(server, api).returncode == 0
    origin = "https://shop.example"
    more = ["--allow-origin", origin, "--allow-methods", "POST", "--allow-headers", "Content-Type,X-Shop"]
    done = enable(server, api, *more)
    assert done.returncode == 0, done.stderr
    clients("apigateway").create_deployment(restApiId=api["restApiId"], stageName="dev")
    answer = preflight(server, api)
    assert answer.header("Access-Control-Allow-Origin") == origin
    assert answer.header("Access-Control-Allow-Methods") == "POST"
    assert answer.header("Access-Control-Allow-Headers") == "Content-Type,X-Shop"


def test_an_options_method_with_a_backend_is_not_lost(server, clients, api):
    apigateway = clients("apigateway")
    apigateway.put_method(**api, httpMethod="OPTIONS", authorizationType="NONE")
    uri = "http://127.0.0.1:9/"
    apigateway.put_integration(
        **api, httpMethod="OPTIONS", type="HTTP_PROXY", integrationHttpMethod="OPTIONS", uri=uri
    )
    refused = enable(server, api)
    assert refused.returncode == 1 and "HTTP_PROXY" in refused.stderr and "--replace" in refused.stderr
    assert apigateway.get_integration(**api, httpMethod="OPTIONS")["uri"] == uri
    assert enable(server, api, "--replace").returncode == 0
    assert apigateway.get_integration(**api, httpMethod="OPTIONS")["type"] == "MOCK"


def test_refusals_say_what_is_wrong(server, api):
    unknown = enable(server, {**api, "resourceId": "nothere"})
    assert unknown.returncode == 1
    assert unknown.stderr == "error: NotFoundException: Invalid Resource identifier specified\n"
    unreachable = enable(server, api, "--endpoint-url", "http://127.0.0.1:9")
    assert unreachable.returncode == 1 and "no answer from http://127.0.0.1:9" in unreachable.stderr
    for more in (["--allow-origin", "it's"], ["--endpoint-url", "ftp://x"], ["--endpoint-url", ""]):
        refused = enable(server, api, *more)
        assert refused.returncode in (1, 2) and "error:" in refused.stderr, more
