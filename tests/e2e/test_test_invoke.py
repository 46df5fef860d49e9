"""TestInvokeMethod: methods are tried before they are deployed, and show the log of their execution."""

import json
import re
import socket

import botocore.exceptions
import pytest
from harness import functions
from harness.rest_api import LAMBDA_URI, Api

DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : ")
ECHO = "import json\ndef handler(event, context):\n    return {'statusCode': 201, 'body': json.dumps(event)}\n"
RAISE = "def handler(event, context):\n    raise ValueError('no such pet')\n"


@pytest.fixture(scope="module")
def api(apigateway, server):
    return Api(apigateway, server.port)


@pytest.fixture(scope="module")
def functions_client(clients):
    return clients("lambda")


def lines(answer):
    """The lines of an answer's log without their dates; the request's id stands as ID."""
    first, *rest = answer["log"].split("\n")
    request_id = first.removeprefix("Execution log for request ")
    assert re.fullmatch("[0-9a-f-]{36}", request_id) and rest.pop() == ""
    assert all(DATE.match(line) for line in rest), answer["log"]
    return [DATE.sub("", line, count=1).replace(request_id, "ID") for line in rest]


def refusal(action, **arguments):
    """Code and text of the error that an action gives."""
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        action(**arguments)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_a_mock_is_tried_before_it_is_deployed(api, apigateway):
    api.mock("/pets/{id}", body='{"id": "$input.params(\'id\')", "stage": "$context.stage"}')
    where = api.at("/pets/{id}", "GET")
    answer = apigateway.test_invoke_method(**where, pathWithQueryString="/pets/7?colour=red")
    assert (answer["status"], json.loads(answer["body"])) == (200, {"id": "7", "stage": "test-invoke-stage"})
    assert answer["headers"] == {"Content-Type": "application/json"}
    assert answer["multiValueHeaders"] == {"Content-Type": ["application/json"]}
    assert isinstance(answer["latency"], int)
    assert lines(answer) == [
        "Starting execution for request: ID",
        "HTTP Method: GET, Resource Path: /pets/7",
        "Method request path: {id=7}",
        "Method request query string: {colour=red}",
        "Method request headers: {}",
        "Method request body before transformations: ",
        'Method response body after transformations: {"id": "7", "stage": "test-invoke-stage"}',
        "Method response headers: {Content-Type=application/json}",
        "Successfully completed execution",
        "Method completed with status: 200",
    ]
    # An edit is seen at once, and nothing has been deployed.
    response = {"op": "replace", "path": "/responseTemplates/application~1json", "value": "new"}
    apigateway.update_integration_response(**where, statusCode="200", patchOperations=[response])
    assert apigateway.test_invoke_method(**where)["body"] == "new"
    assert apigateway.get_stages(restApiId=api.id)["item"] == []


def test_guards_are_passed_by(api, apigateway):
    api.mock("/guarded", body="in", status=200)
    operations = [
        {"op": "replace", "path": "/authorizationType", "value": "AWS_IAM"},
        {"op": "replace", "path": "/apiKeyRequired", "value": "true"},
    ]
    apigateway.update_method(**api.at("/guarded", "GET"), patchOperations=operations)
    answer = apigateway.test_invoke_method(**api.at("/guarded", "GET"))
    assert (answer["status"], answer["body"]) == (200, "in")


def test_refusals(api, apigateway):
    where = api.mock("/known", body="x").at("/known", "GET")
    try_it = apigateway.test_invoke_method
    unknown = ("NotFoundException", "Invalid Resource identifier specified")
    assert refusal(try_it, **where | {"restApiId": "x"}) == unknown
    assert refusal(try_it, **where | {"resourceId": "x"}) == unknown
    method = ("NotFoundException", "Invalid Method identifier specified")
    assert refusal(try_it, **where | {"httpMethod": "POST"}) == method
    api.method("/known", "PUT")
    assert refusal(try_it, **api.at("/known", "PUT")) == (
        "BadRequestException",
        "No integration defined for method",
    )
    code, message = refusal(try_it, **where, clientCertificateId="abcdef")
    assert code == "BadRequestException" and "clientCertificateId" in message
    assert refusal(try_it, **where, headers={"a b": "c"})[0] == "BadRequestException"
    # What is odd but can be sent is sent.
    for path in ["pets", "//x?a=%zz&&=", "/%00/\u00e9?\u20ac", "/a b#c", "/" + "x" * 5000]:
        assert try_it(**where, pathWithQueryString=path)["status"] == 200, path
    assert try_it(**where, pathWithQueryString="/" + "x" * 20_000)["status"] == 414
    assert try_it(**where, headers={"big": "x" * 20_000})["status"] == 431


def test_an_http_backend(api, apigateway, upstream):
    api.backend("/echo", "POST", "http://${stageVariables.backend}/echo", backend_verb="PUT")
    answer = apigateway.test_invoke_method(
        **api.at("/echo", "POST"),
        pathWithQueryString="/echo?a=1",
        headers={"X-One": "1", "Authorization": "Bearer 0123456789"},
        body="sent",
        stageVariables={"backend": f"127.0.0.1:{upstream.port}"},
    )
    assert answer["status"] == 200 and answer["headers"]["X-Upstream"] == "echo"
    echoed = json.loads(answer["body"])
    assert (echoed["method"], echoed["query"], echoed["body"]) == ("PUT", "a=1", "sent")
    sent = {name.lower() for name, _ in echoed["headers"]}
    assert "x-one" in sent and "x-forwarded-for" not in sent
    log = lines(answer)
    assert f"Endpoint request URI: {upstream.url}/echo?a=1" in log
    assert "Endpoint request body after transformations: sent" in log
    assert f"Sending request to {upstream.url}/echo?a=1" in log
    assert any(re.fullmatch(r"Received response\. Status: 200, Integration latency: \d+ ms", line) for line in log)
    headers = [line for line in log if re.match("(Method|Endpoint) request headers: ", line)]
    assert len(headers) == 2 and all("Authorization=***********456789" in line for line in headers), headers
    assert all(len(line.encode()) <= 1024 + len(" [TRUNCATED]") for line in log)


def test_backends_that_fail(api, apigateway):
    api.backend("/nowhere", "ANY", "https://${stageVariables.testHost}", backend_verb="ANY")
    answer = apigateway.test_invoke_method(**api.at("/nowhere", "ANY") | {"httpMethod": "GET"})
    assert (answer["status"], answer["body"]) == (500, '{"message": "Internal server error"}')
    assert answer["headers"] == {"x-amzn-ErrorType": "InternalServerErrorException"}
    assert lines(answer)[6:] == [
        "Execution failed due to configuration error: Invalid endpoint address",
        "Method completed with status: 500",
    ]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {"host": f"127.0.0.1:{silent.getsockname()[1]}"}
        api.backend("/silent", "GET", "http://${stageVariables.host}/", timeoutInMillis=100)
        answer = apigateway.test_invoke_method(**api.at("/silent", "GET"), stageVariables=variables)
    assert answer["status"] == 504 and "Execution failed due to a timeout error" in lines(answer)
    answer = apigateway.test_invoke_method(**api.at("/silent", "GET"), stageVariables=variables)
    assert answer["status"] == 504
    assert any("network error communicating with endpoint" in line for line in lines(answer))


def test_a_function_behind_a_proxy(api, apigateway, functions_client):
    arn = functions.create(functions_client, "TriedEcho", ECHO)
    api.proxy("/echo-function/{id}", "GET", arn)
    where = api.at("/echo-function/{id}", "GET")
    answer = apigateway.test_invoke_method(**where)
    assert answer["status"] == 500 and lines(answer)[-2:] == [
        "Execution failed due to configuration error: Invalid permissions on Lambda function",
        "Method completed with status: 500",
    ]
    source = f"arn:aws:execute-api:us-east-1:000000000000:{api.id}/test-invoke-stage/GET/echo-function/*"
    functions.allow_gateway(functions_client, "TriedEcho", source=source)
    answer = apigateway.test_invoke_method(**where, pathWithQueryString="/echo-function/1")
    assert answer["status"] == 201 and "Content-Type" not in answer["headers"]
    event = json.loads(answer["body"])
    assert event["headers"] is None and event["multiValueHeaders"] is None
    context = event["requestContext"]
    assert (context["stage"], context["path"]) == ("test-invoke-stage", "/echo-function/1")
    assert context["domainName"] == "testPrefix.testDomainName" and "deploymentId" not in context
    identity = context["identity"]
    assert (identity["sourceIp"], identity["apiKey"]) == ("test-invoke-source-ip", "test-invoke-api-key")
    assert identity["accessKey"] == "test" and identity["userAgent"].startswith("Boto3/")
    log = lines(answer)
    assert f"Sending request to https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/{arn}/invocations" in log
    assert any(line.startswith("Endpoint request body after") and line.endswith(" [TRUNCATED]") for line in log)


def test_a_function_that_raises(api, apigateway, functions_client):
    arn = functions.create(functions_client, "TriedRaise", RAISE)
    api.proxy("/raise", "GET", arn, credentials=functions.ROLE)
    answer = apigateway.test_invoke_method(**api.at("/raise", "GET"))
    assert answer["status"] == 502
    pattern = (
        "Lambda execution failed with status 200 due to customer function error: no such pet. "
        "Lambda request id: [0-9a-f-]{36}"
    )
    assert re.fullmatch(pattern, lines(answer)[-2]), answer["log"]
    api.method("/mapped")
    where = api.at("/mapped", "GET")
    uri = LAMBDA_URI.format(arn)
    apigateway.put_integration(
        **where, type="AWS", integrationHttpMethod="POST", uri=uri, credentials=functions.ROLE
    )
    api.response("/mapped", status=404, body="$input.path('$.errorMessage')", selectionPattern="no such.*")
    answer = apigateway.test_invoke_method(**where)
    assert (answer["status"], answer["body"]) == (404, "no such pet")


def test_the_command_line(api, aws):
    api.mock("/cli/{id}", "PUT", body='{"got": $input.json(\'$.a\')}')
    completed = aws(
        "apigateway",
        "test-invoke-method",
        "--rest-api-id",
        api.id,
        "--resource-id",
        api.resource("/cli/{id}"),
        "--http-method",
        "PUT",
        "--path-with-query-string",
        "/cli/1",
        "--headers",
        "Content-Type=application/json",
        "--body",
        '{"a": [1]}',
    )
    answer = json.loads(completed.stdout)
    assert answer["status"] == 200, answer["log"]
    assert "Method request headers: {Content-Type=application/json}" in lines(answer)
