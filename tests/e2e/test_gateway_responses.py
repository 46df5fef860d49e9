"""Gateway responses: refusals in the words of the API's owner, and the account's settings."""

import json
import urllib.parse

import botocore.exceptions
import pytest
from harness.rest_api import Api

DEFAULT = '{"message":$context.error.messageString}'
CORS = {"gatewayresponse.header.Access-Control-Allow-Origin": "'https://shop.example'"}


@pytest.fixture
def api(apigateway, server):
    api = Api(apigateway, server.port, name="refusing")
    api.mock("/here", body='"here"')
    api.method("/items/{id}", "POST")
    apigateway.put_integration(
        **api.at("/items/{id}", "POST"), type="MOCK", passthroughBehavior="NEVER", requestTemplates={"text/x": "{}"}
    )
    api.method("/broken", "GET")
    apigateway.put_integration(
        **api.at("/broken", "GET"), type="MOCK", requestTemplates={"application/json": "no status"}
    )
    return api


def test_a_missing_token_in_ones_own_words(api, apigateway):
    api.deploy()
    before = api.call("/nowhere")
    assert (before.status, before.text) == (403, '{"message":"Missing Authentication Token"}')

    put = apigateway.put_gateway_response(
        restApiId=api.id,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters=CORS
        | {
            "gatewayresponse.header.x-request-query": "method.request.querystring.q",
            "gatewayresponse.header.x-request-header": "method.request.header.Accept",
            "gatewayresponse.header.x-request-path": "method.request.path.petId",
            "gatewayresponse.header.x-id": "context.requestId",
        },
        responseTemplates={
            "application/json": '{"error": {"text": $context.error.messageString, "type": "$context.error.responseType", '
            '"stage": "$context.stage", "path": "$context.path", "resource": "$context.resourcePath"}}'
        },
    )
    assert (put["statusCode"], put["defaultResponse"]) == ("404", False)

    # A live edit does not leak into what is deployed.
    assert api.call("/nowhere").text == before.text
    api.deploy()
    answer = api.call("/nowhere?q=1&q=2", headers={"Accept": "application/json"})
    assert answer.status == 404
    assert answer.json() == {
        "error": {
            "text": "Missing Authentication Token",
            "type": "MISSING_AUTHENTICATION_TOKEN",
            "stage": "test",
            "path": "/test/nowhere",
            "resource": "",
        }
    }
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("x-amzn-ErrorType") == "MissingAuthenticationTokenException"
    assert answer.header("Access-Control-Allow-Origin") == "https://shop.example"
    assert answer.header("x-request-query") == "2"
    assert answer.header("x-request-header") == "application/json"
    assert answer.header("x-id") == answer.header("x-amzn-RequestId")
    assert answer.header("x-request-path") is None

    # What is served stays as it is, and a deletion brings the gateway's words back once it is deployed.
    assert api.call("/here").header("Access-Control-Allow-Origin") is None
    apigateway.delete_gateway_response(restApiId=api.id, responseType="MISSING_AUTHENTICATION_TOKEN")
    assert api.call("/nowhere").status == 404
    api.deploy()
    assert api.call("/nowhere").text == before.text


def test_defaults_put_cors_headers_on_all_errors(api, apigateway):
    for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
        apigateway.put_gateway_response(restApiId=api.id, responseType=kind, responseParameters=CORS)
    shown = {item["responseType"]: item for item in apigateway.get_gateway_responses(restApiId=api.id)["items"]}
    assert len(shown) == 21
    assert shown["THROTTLED"]["responseParameters"] == CORS
    assert (shown["THROTTLED"]["statusCode"], shown["THROTTLED"]["defaultResponse"]) == ("429", True)
    assert shown["DEFAULT_5XX"]["defaultResponse"] is False
    api.deploy()
    for method, path, status, text in [
        ("GET", "/nowhere", 403, '{"message":"Missing Authentication Token"}'),
        ("POST", "/items/1", 415, '{"message":"Unsupported Media Type"}'),
        ("GET", "/broken", 500, '{"message": "Internal server error"}'),
    ]:
        answer = api.call(path, method, body="x" if method == "POST" else None)
        assert (answer.status, answer.text) == (status, text)
        assert answer.header("Access-Control-Allow-Origin") == "https://shop.example"


def test_a_type_of_its_own_wins_over_the_default_and_patches_act(api, apigateway):
    apigateway.put_gateway_response(restApiId=api.id, responseType="DEFAULT_4XX", statusCode="400")
    patched = apigateway.update_gateway_response(
        restApiId=api.id,
        responseType="UNSUPPORTED_MEDIA_TYPE",
        patchOperations=[
            {
                "op": "add",
                "path": "/responseTemplates/application~1xml",
                "value": "<e path='$context.resourcePath'>method.request.path.id</e>",
            },
            {"op": "add", "path": "/responseParameters/gatewayresponse.header.x-a", "value": "'b'"},
        ],
    )
    assert patched["responseTemplates"]["application/json"] == DEFAULT
    assert (patched["statusCode"], patched["defaultResponse"]) == ("415", False)
    api.deploy()
    assert api.call("/nowhere").status == 400
    answer = api.call("/items/7", "POST", headers={"Accept": "application/xml"}, body="x")
    assert (answer.status, answer.text) == (415, "<e path='/items/{id}'>7</e>")
    assert (answer.header("Content-Type"), answer.header("x-a")) == ("application/xml", "b")


def test_what_a_validator_finds_is_told_in_ones_own_words(api, apigateway):
    apigateway.create_model(
        restApiId=api.id,
        name="Pet",
        contentType="application/json",
        schema=json.dumps({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}),
    )
    validator = apigateway.create_request_validator(
        restApiId=api.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    api.method(
        "/pets",
        "POST",
        requestValidatorId=validator,
        requestModels={"application/json": "Pet"},
        requestParameters={"method.request.querystring.owner": True},
    )
    apigateway.put_integration(
        **api.at("/pets", "POST"), type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    api.response("/pets", "POST")
    for kind in ("BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS"):
        apigateway.put_gateway_response(
            restApiId=api.id,
            responseType=kind,
            statusCode="422",
            responseTemplates={
                "text/plain": "$context.error.message|$context.error.validationErrorString|$context.resourcePath"
            },
        )
    api.deploy()
    refused = api.call("/pets", "POST", body="{}")
    assert (refused.status, refused.text) == (422, "Missing required request parameters: [owner]||/pets")
    refused = api.call("/pets?owner=me", "POST", body="{}")
    details = '[object has missing required properties (["name"])]'
    assert (refused.status, refused.text) == (422, f"Invalid request body|{details}|/pets")
    assert refused.header("Content-Type") == "text/plain"
    assert refused.header("x-amzn-ErrorType") == "BadRequestException"
    assert api.call("/pets?owner=me", "POST", body='{"name": "Tom"}').status == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"responseParameters": {"method.response.header.A": "'x'"}},
        {"responseParameters": {"gatewayresponse.header.A": "*"}},
        {"responseParameters": {"gatewayresponse.header.A": "method.request.body"}},
        {"responseParameters": {"gatewayresponse.header.A": "'a\r\nB: c'"}},
        {"responseParameters": {"gatewayresponse.header.A b": "'x'"}},
        {"responseTemplates": {"json": "x"}},
        {"responseTemplates": {"application/json": "x" * (300 * 1024 + 1)}},
        {"responseTemplates": {"application/json": "$context.stage" * 1001}},
        {"responseTemplates": {f"text/{number}": "x" * 300_000 for number in range(4)}},
        {"statusCode": "600"},
    ],
)
def test_bad_settings_are_refused_whole(api, apigateway, settings):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        apigateway.put_gateway_response(restApiId=api.id, responseType="THROTTLED", **settings)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert apigateway.get_gateway_response(restApiId=api.id, responseType="THROTTLED")["defaultResponse"] is True


# Each is a template, a query value and a header value at once.
NAUGHTY = [
    "\r\nSet-Cookie: a=b",
    "\0\x01\x7f",
    "$context.error.messageString ${context.",
    "#set($x = 1)#foreach($i in [1..100000])$i#end",
    "$util.parseJson('{') $input.body",
    "method.request.header.x-naughty method.request.querystring.naughty",
    "$method.request.querystring.naughty${method.request.path.}",
    "\u202e\ufeff\U0001f4a9\u0000",
    "'; DROP TABLE gateway_responses; --",
    "</script><script>alert(1)</script>",
    "%00%0d%0a%25",
    "$" * 1000 + "m" * 1000,
]


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_strings_neither_break_the_answer_nor_add_headers(api, apigateway, text):
    apigateway.put_gateway_response(
        restApiId=api.id,
        responseType="DEFAULT_4XX",
        responseParameters={
            "gatewayresponse.header.x-query": "method.request.querystring.naughty",
            "gatewayresponse.header.x-queries": "method.request.multivaluequerystring.naughty",
            "gatewayresponse.header.x-agent": "context.identity.userAgent",
        },
        responseTemplates={"application/json": text + "|method.request.querystring.naughty|"},
    )
    api.deploy()
    answer = api.call("/nowhere?" + urllib.parse.urlencode({"naughty": ["x", text]}, doseq=True))
    assert answer.status == 403
    assert answer.header("Set-Cookie") is None
    assert answer.text.endswith(f"|{text}|")
    sendable = all(character == "\t" or (ord(character) >= 32 and ord(character) != 127) for character in text)
    assert (answer.header("x-query") is not None) == sendable
    assert api.call("/here").text == '"here"'


def test_the_account(apigateway, aws):
    account = apigateway.get_account()
    del account["ResponseMetadata"]
    assert account == {
        "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    }
    role = "arn:aws:iam::000000000000:role/logs"
    operation = f"op=replace,path=/cloudwatchRoleArn,value={role}"
    updated = json.loads(aws("apigateway", "update-account", "--patch-operations", operation).stdout)
    assert updated["cloudwatchRoleArn"] == role
    assert apigateway.get_account()["cloudwatchRoleArn"] == role
    with pytest.raises(botocore.exceptions.ClientError, match="The role ARN is not well formed"):
        apigateway.update_account(
            patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::1:role/x"}]
        )
    apigateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}])
    assert "cloudwatchRoleArn" not in apigateway.get_account()
