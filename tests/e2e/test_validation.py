"""Models and request validators: what they refuse and let through, frozen by deployments, and hostile models and bodies."""

import json
import re
import time

import botocore.exceptions
import pytest
from harness.rest_api import Api

BASE = "https://apigateway.amazonaws.com/restapis/{}/models/{}"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
INVALID = {"message": "Invalid request body"}


@pytest.fixture(scope="module")
def apigateway(clients):
    return clients("apigateway")


class ValidatedApi(Api):
    """An API with a validator of both kinds and a mock behind each method."""

    def __init__(self, client, port):
        super().__init__(client, port, name="validated")
        made = client.create_request_validator(
            restApiId=self.id, name="all", validateRequestParameters=True, validateRequestBody=True
        )
        self.validator = made["id"]

    def model(self, name, schema):
        """Makes a model; returns the address by which others refer to it."""
        self.client.create_model(
            restApiId=self.id, name=name, contentType="application/json", schema=json.dumps(schema)
        )
        return BASE.format(self.id, name)

    def validated(self, path, verb="POST", model=None, **options):
        """A mock method whose requests are validated, with a model for application/json."""
        models = {"requestModels": {"application/json": model}} if model else {}
        self.method(path, verb, requestValidatorId=self.validator, **models, **options)
        self.client.put_integration(
            **self.at(path, verb), type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
        )
        return self.response(path, verb, 200, body='{"data": "ok"}')

    def post(self, path, body=None, **headers):
        """Posts a body, a value as its JSON."""
        content = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        return self.call(path, "POST", headers or {"Content-Type": "application/json"}, content)


@pytest.fixture
def api(apigateway, server):
    return ValidatedApi(apigateway, server.port)


def refusal(call, **arguments):
    """Code and text with which a call is refused."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_parameters_then_the_body(api, apigateway):
    schema = {"$schema": DRAFT_4, "type": "object", "required": ["a", "b"]}
    schema["properties"] = {"a": {"type": "number"}, "b": {"type": "number"}}
    api.model("testSchema", schema)
    required = ("path.test", "querystring.qs1", "header.x-header-param")
    parameters = {f"method.request.{name}": True for name in required}
    for verb in ("GET", "POST"):
        api.validated("/nested/{test}", verb, "testSchema", requestParameters=parameters)
    api.deploy()
    here, header = "/nested/value", {"x-header-param": "test"}

    good = api.call(f"{here}?qs1=test", "POST", header, '{"a": 1, "b": 2}')
    assert (good.status, good.json()) == (200, {"data": "ok"})
    assert api.call(f"{here}?qs1=test", "GET", header).json() == INVALID

    place = {**api.at("/nested/{test}", "POST")}
    patch = [
        {"op": "add", "path": "/requestParameters/method.request.path.issuer", "value": "true"},
        {"op": "remove", "path": "/requestParameters/method.request.path.test", "value": "true"},
    ]
    patched = apigateway.update_method(**place, patchOperations=patch)
    assert patched["requestValidatorId"] == api.validator
    assert patched["requestModels"] == {"application/json": "testSchema"}
    api.deploy()
    missing = api.post(here, {"test": "test"})
    assert missing.status == 400
    assert missing.json() == {"message": "Missing required request parameters: [x-header-param, issuer, qs1]"}
    assert missing.header("x-amzn-ErrorType") == "BadRequestException"
    assert missing.header("Content-Type") == "application/json"
    assert api.call(f"{here}?qs1=test").json()["message"].endswith("[x-header-param]")
    assert api.call(here, headers=header).json()["message"].endswith("[qs1]")
    assert api.call(f"{here}?qs1=", headers={"x-header-param": ""}).json()["message"].endswith("[x-header-param, qs1]")

    switch_off = [
        {"op": "replace", "path": "/validateRequestBody", "value": "false"},
        {"op": "replace", "path": "/validateRequestParameters", "value": "false"},
    ]
    apigateway.update_request_validator(
        restApiId=api.id, requestValidatorId=api.validator, patchOperations=switch_off
    )
    assert api.post(here, {"test": "test"}).status == 400, "an edit is not served before a deployment"
    api.deploy()
    assert api.post(here, {"test": "test"}).status == 200
    assert api.call(here).status == 200


def test_models_that_refer_to_models(api):
    pet = api.model("Pet", {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "number"}}})
    api.model("Pets", {"type": "array", "items": {"$ref": pet}})
    maybe = {"status": {"oneOf": [{"type": "null"}, {"$ref": pet}]}}
    api.model("Maybe", {"type": "object", "properties": maybe, "required": ["status"]})
    api.validated("/list", model="Pets").validated("/maybe", model="Maybe").deploy()

    assert api.post("/list", [{"a": 1, "b": 2}]).json() == {"data": "ok"}
    for body in (None, "", [{"a": 1}], [{"a": "1", "b": 2}], {"a": 1, "b": 2}):
        assert api.post("/list", body).json() == INVALID
    for body in ({"status": None}, {"status": {"a": 1, "b": "x"}}):
        assert api.post("/maybe", body).status == 200
    for body in (None, {"badFormat": "bla"}, {"status": 1}):
        assert api.post("/maybe", body).json() == INVALID


def test_models_in_a_circle(api, apigateway):
    person, house = (BASE.format(api.id, name) for name in ("Person", "House"))
    api.model("House", {"type": "object", "properties": {"contains": {"type": "array", "items": {"$ref": person}}}})
    properties = {"name": {"type": "string"}, "b": {"type": "number"}, "house": {"$ref": house}}
    api.model("Person", {"type": "object", "required": ["b", "name"], "properties": properties})
    api.model("Endless", {"allOf": [{"$ref": BASE.format(api.id, "Endless")}]})
    api.model("Missing", {"properties": {"x": {"$ref": BASE.format(api.id, "Nobody")}}})
    for name in ("Person", "Endless", "Missing"):
        api.validated(f"/{name}", model=name)
    api.deploy()

    inner = {"contains": [{"name": "Person2", "b": 3}]}
    assert api.post("/Person", {"name": "Person1", "b": 2, "house": inner}).status == 200
    assert api.post("/Person", {"random": "blabla"}).json() == INVALID
    assert api.post("/Person", {"name": "Person1", "b": 2, "house": {"contains": [{"x": 1}]}}).json() == INVALID
    deep = {"name": "x", "b": 1}
    for _ in range(40):
        deep = {"name": "x", "b": 1, "house": {"contains": [deep]}}
    assert api.post("/Person", deep).status == 200
    # What cannot be decided is refused.
    assert api.post("/Endless", {}).json() == INVALID
    assert api.post("/Missing", {}).status == 200
    assert api.post("/Missing", {"x": 1}).json() == INVALID
    template = apigateway.get_model_template(restApiId=api.id, modelName="Person")["value"]
    assert template.startswith("#set($inputRoot = $input.path('$'))\n{\n  \"name\" : \"$inputRoot.name\",\n")


def test_the_texts_of_the_validator_reach_gateway_responses(api, apigateway):
    api.model("Pet", {"type": "object", "required": ["name"], "properties": {"kind": {"enum": ["cat", "dog", "fish"]}}})
    api.validated("/pets", model="Pet")
    apigateway.put_gateway_response(
        restApiId=api.id,
        responseType="BAD_REQUEST_BODY",
        statusCode="422",
        responseTemplates={"application/json": "$context.error.message: $context.error.validationErrorString"},
    )
    api.deploy()
    for body, text in (
        ({}, '[object has missing required properties (["name"])]'),
        (
            {"name": 1, "kind": "bird"},
            '[instance value ("bird") not found in enum (possible values: ["cat","dog","fish"])]',
        ),
        ([], '[instance type (array) does not match any allowed primitive type (allowed: ["object"])]'),
    ):
        answer = api.post("/pets", body)
        assert (answer.status, answer.text) == (422, f"Invalid request body: {text}")


@pytest.fixture(scope="module")
def hostile(apigateway, server):
    """Models that are as much work as a model can be."""
    api = ValidatedApi(apigateway, server.port)
    doubled = {f"d{n}": {"allOf": [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(60)}
    api.model("Doubling", {"$ref": "#/definitions/d0", "definitions": {**doubled, "d60": {}}})
    api.model("Pattern", {"items": {"pattern": "^(a+)+$"}})
    api.model("Looking", {"items": {"pattern": "^(?=(a+)+$)\\1b"}})
    api.model("Object", {"type": "object", "properties": {"a": {"type": "string"}}, "uniqueItems": True})
    for name in ("Doubling", "Pattern", "Looking", "Object"):
        api.validated(f"/{name}", model=name)
    api.deploy()
    return api


def test_catastrophic_models_end_soon(hostile):
    long = "a" * 5000 + "!"
    for path, body in (
        ("/Doubling", {}),
        ("/Pattern", [long] * 1000),
        ("/Looking", [long] * 1000),
        ("/Object", "[" * 100_000 + "]" * 100_000),
        ("/Object", '{"a":' * 100_000),
        ("/Object", b'{"a":"' + b"\xff" * 1_000_000 + b'"}'),
    ):
        started = time.monotonic()
        answer = hostile.post(path, body)
        assert (answer.status, answer.json()) == (400, INVALID), path
        # A debug build on a busy machine; what is not bounded would take years.
        assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a": "x", "a": 1}', 400),
        (b'{"a": 1, "a": "x"}', 200),
        ('{"a": "x"}'.encode("utf-16"), 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"a": "\xe9"}', 400),
        (b'{"a": "\\ud800"}', 200),
        (b'{"a": "\\u0000"}', 200),
        (b'{"__proto__": {}, "": {}, "\\n": 1}', 200),
        (b"{}garbage", 400),
        (b"{'a': 1}", 400),
        (b"NaN", 400),
        (b'{"n": 1e400}', 400),
        (b'{"n": 123456789012345678901234567890123456789012345678901234567890}', 200),
        (b"  \r\n\t{ } ", 200),
        (b"null", 400),
        (b"<xml/>", 400),
    ],
)
def test_odd_bodies(hostile, body, status):
    assert hostile.post("/Object", body).status == status


def test_the_media_type_chooses_the_model(api, apigateway):
    api.model("Pet", {"type": "object", "required": ["name"]})
    models = {"application/json": "Pet", "application/xml": "Empty"}
    api.method("/pets", "POST", requestValidatorId=api.validator, requestModels=models)
    templates = dict.fromkeys((*models, "text/plain"), '{"statusCode": 200}')
    apigateway.put_integration(**api.at("/pets", "POST"), type="MOCK", requestTemplates=templates)
    api.response("/pets", "POST")
    api.deploy()
    for kind, body, status in (
        ("application/json; charset=utf-8", "{}", 400),
        ("Application/JSON", "{}", 400),
        ("application/json", '{"name": 1}', 200),
        ("application/xml", "<a/>", 200),
        ("text/plain", "{}", 200),
    ):
        assert api.call("/pets", "POST", {"Content-Type": kind}, body).status == status, kind


def test_bad_models_are_refused(api, apigateway):
    at = {"restApiId": api.id, "contentType": "application/json"}
    prefix = "Invalid model specified: Validation Result: warnings : [], errors : ["
    for schema, problem in (
        ("{", "Invalid model schema specified]"),
        ('{"type": "strin"}', "Invalid model schema specified]"),
        ('{"pattern": "("}', "Invalid model schema specified]"),
        ('{"pattern": "((a{1000}){1000}){1000}"}', "Invalid model schema specified]"),
        ('{"title": "%s"}' % ("x" * 500_000), "Invalid model schema specified]"),
        ('{"not": ' * 1_000 + "{}" + "}" * 1_000, "Invalid model schema specified]"),
        ('{"example": 1}', 'Invalid model schema specified. Unsupported keyword(s): ["example"]]'),
        ('{"$ref": "Pet"}', "Invalid model schema specified, Model reference must be in canonical form]"),
    ):
        found = refusal(apigateway.create_model, **at, name="Bad", schema=schema)
        assert found == ("BadRequestException", prefix + problem), schema[:40]
    names = [item["name"] for item in apigateway.get_models(restApiId=api.id)["items"]]
    assert names == ["Empty", "Error"]


def test_what_is_in_use_stays(api, apigateway):
    api.model("Pet", {})
    api.validated("/pets", model="Pet")
    assert refusal(apigateway.delete_model, restApiId=api.id, modelName="Pet") == (
        "ConflictException",
        "Cannot delete model 'Pet', is referenced in method request: /pets/POST",
    )
    code, text = refusal(apigateway.delete_request_validator, restApiId=api.id, requestValidatorId=api.validator)
    assert (code, text) == (
        "ConflictException",
        "Cannot delete request validator 'all', is referenced in method: POST//pets",
    )
    apigateway.delete_method(**api.at("/pets", "POST"))
    apigateway.delete_model(restApiId=api.id, modelName="Pet")
    apigateway.delete_request_validator(restApiId=api.id, requestValidatorId=api.validator)


def test_lists_come_in_pages(api, apigateway):
    for number in range(60):
        api.model(f"Model{number:02}", {})
        apigateway.create_request_validator(restApiId=api.id, name=f"v{number}")
    pages = apigateway.get_paginator("get_models").paginate(restApiId=api.id)
    assert [len(page["items"]) for page in pages] == [25, 25, 12]
    pages = apigateway.get_paginator("get_request_validators").paginate(restApiId=api.id)
    ids = [item["id"] for page in pages for item in page["items"]]
    assert len(set(ids)) == 61 and all(re.fullmatch("[a-z0-9]{6}", one) for one in ids)
