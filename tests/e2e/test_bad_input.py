"""Hostile texts, see `harness/hostile.py`, through every text field of API Gateway's control plane.

Nothing may hang or end in an error of the server's own, and what is taken comes back as it was.
"""

import concurrent.futures
import dataclasses
import json
import re
import urllib.parse

import pytest
from harness import hostile
from harness.caller import Caller
from harness.model import Operation
from harness.rest_api import Api

SECONDS = 5
LANES = 4
TEXT = "@text@"
# Deep documents, for fields that are read as JSON, patterns or paths, and for all others.
DEEP = ["[" * 50_000, '{"not":' * 5_000 + "{}" + "}" * 5_000, "[" * 300 + "]" * 300, "(" * 20_000, "$" + "..a" * 5_000]
TEXTS = DEEP + hostile.texts()
HEADERS = list(Operation("apigateway", "CreateRestApi").headers().items())


def quoted(text):
    """A text as one segment of a path or one value of a query."""
    return urllib.parse.quote(text, safe="")


def problem(answer):
    """What is wrong with an answer of the control plane, or None."""
    if answer is None:
        return "closed without an answer"
    if 200 <= answer.status < 300:
        return None
    if not 400 <= answer.status < 500:
        return f"status {answer.status} {answer.body[:200]}"
    if answer.status in (414, 431) and not answer.body:
        return None  # The head is longer than HTTP's parser takes; no service has seen it.
    if not re.match(r"\w+", answer.header("x-amzn-ErrorType") or ""):
        return f"no x-amzn-ErrorType in a {answer.status}: {answer.body[:200]}"
    try:
        return None if {"message", "Message"} & set(answer.json()) else f"no message in {answer.body[:200]}"
    except ValueError:
        return f"no JSON in a {answer.status}: {answer.body[:200]}"


def report(wrong):
    """Fails with the first of what went wrong."""
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong[:20])


# ---------------------------------------------------------------------------------------------- the control plane


@dataclasses.dataclass
class Field:
    """A call with TEXT in it, and where a Get call shows it again.

    `shown` is that call's path, with {made} for the member `made` of the answer, and then the keys that lead to the text;
    `value` is what stands there. What was made is deleted when `made` is given.
    """

    verb: str
    path: str
    body: object = None
    shown: tuple = ()
    value: str = TEXT
    made: str = ""


def patch(path, pointer, *keys, value=TEXT):
    """A member that is replaced; `keys` lead to what shows it."""
    operation = {"op": "replace", "path": pointer, "value": value}
    return Field("PATCH", path, {"patchOperations": [operation]}, (path, *keys) if keys else (), value)


def patching(target, **operation):
    """A patch operation that is hardly one."""
    return Field("PATCH", target, {"patchOperations": [{"op": "replace", "value": "x", **operation}]})


METHOD = "/resources/{child}/methods/GET"
INTEGRATION = METHOD + "/integration"
RESPONSE = INTEGRATION + "/responses/200"
REFUSED = "/gatewayresponses/DEFAULT_4XX"
HEADER = "gatewayresponse.header.X-A"
MODEL = {"name": "Word", "contentType": "application/json", "schema": "{}"}
MOCK = {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke"}
POLICY = {"Version": "2012-10-17"}
MAPPED = "method.response.header.X-A"
FIELDS = {
    "API name": patch("", "/name", "name"),
    "API description": patch("", "/description", "description"),
    "path part": Field("POST", "/resources/{root}", {"pathPart": TEXT}, ("/resources/{made}", "pathPart"), made="id"),
    "path variable": Field(
        "POST", "/resources/{root}", {"pathPart": "{" + TEXT + "}"}, ("/resources/{made}", "pathPart"), "{" + TEXT + "}", "id"
    ),
    "path part, moved": patch("/resources/{child}", "/pathPart", "pathPart"),
    "model name": Field("POST", "/models", MODEL | {"name": TEXT}, ("/models/{made}", "name"), made="name"),
    "model type": Field(
        "POST", "/models", MODEL | {"contentType": TEXT}, ("/models/{made}", "contentType"), made="name"
    ),
    "schema": patch("/models/Given", "/schema", "schema"),
    "schema's pattern": Field(
        "PATCH", "/models/Given", {"patchOperations": [{"op": "replace", "path": "/schema", "value": TEXT}]}
    ),
    "model description": patch("/models/Given", "/description", "description"),
    "validator name": patch("/requestvalidators/{validator}", "/name", "name"),
    "error template": Field(
        "PUT", REFUSED, {"responseTemplates": {"application/json": TEXT}}, (REFUSED, "responseTemplates", "application/json")
    ),
    "error template's type": Field(
        "PUT", REFUSED, {"responseTemplates": {TEXT: "x"}}, (REFUSED, "responseTemplates", TEXT), "x"
    ),
    "error header": Field(
        "PUT", REFUSED, {"responseParameters": {HEADER: f"'{TEXT}'"}}, (REFUSED, "responseParameters", HEADER), f"'{TEXT}'"
    ),
    "error mapping": Field(
        "PUT", REFUSED, {"responseParameters": {HEADER: TEXT}}, (REFUSED, "responseParameters", HEADER)
    ),
    "error header's name": Field("PUT", REFUSED, {"responseParameters": {"gatewayresponse.header." + TEXT: "'a'"}}),
    "stage variable": patch("/stages/test", "/variables/a", "variables", "a"),
    "stage variable's name": Field(
        "PATCH", "/stages/test", {"patchOperations": [{"op": "replace", "path": "/variables/" + TEXT, "value": "x"}]}
    ),
    "stage description": patch("/stages/test", "/description", "description"),
    "stage name": Field(
        "POST",
        "/stages",
        {"stageName": TEXT, "deploymentId": "{deployment}", "description": TEXT},
        ("/stages/{made}", "stageName"),
        made="stageName",
    ),
    "deployment description": patch("/deployments/{deployment}", "/description", "description"),
    "tag": Field("PUT", "/tags/{arn}", {"tags": {"a": TEXT}}, ("/tags/{arn}", "tags", "a")),
    "tag's key": Field("PUT", "/tags/{arn}", {"tags": {TEXT: "x"}}, ("/tags/{arn}", "tags", TEXT), "x"),
    "operation name": patch(METHOD, "/operationName", "operationName"),
    "parameter": Field(
        "PATCH",
        METHOD,
        {"patchOperations": [{"op": "add", "path": "/requestParameters/method.request.header." + TEXT, "value": "false"}]},
    ),
    "request template": Field(
        "PUT",
        INTEGRATION,
        MOCK | {"requestTemplates": {"application/json": TEXT}},
        (INTEGRATION, "requestTemplates", "application/json"),
    ),
    "request template's type": Field(
        "PUT", INTEGRATION, MOCK | {"requestTemplates": {TEXT: "x"}}, (INTEGRATION, "requestTemplates", TEXT), "x"
    ),
    "integration address": Field("PUT", INTEGRATION, {"type": "HTTP", "httpMethod": "GET", "uri": TEXT}),
    "integration host": Field(
        "PUT", INTEGRATION, {"type": "HTTP", "httpMethod": "GET", "uri": f"http://{TEXT}/"}, (INTEGRATION, "uri"), f"http://{TEXT}/"
    ),
    "request mapping": Field(
        "PUT", INTEGRATION, MOCK | {"requestParameters": {"integration.request.header.X-A": TEXT}}
    ),
    "cache namespace": Field(
        # An empty one is none, which is the resource.
        "PUT", INTEGRATION, MOCK | {"cacheNamespace": "x" + TEXT}, (INTEGRATION, "cacheNamespace"), "x" + TEXT
    ),
    "response template": Field(
        "PUT",
        RESPONSE,
        {"responseTemplates": {"application/json": TEXT}},
        (RESPONSE, "responseTemplates", "application/json"),
    ),
    "selection pattern": Field(
        "PUT", RESPONSE, {"selectionPattern": TEXT}, (RESPONSE, "selectionPattern")
    ),
    "response mapping": Field(
        "PUT", RESPONSE, {"responseParameters": {MAPPED: TEXT}}, (RESPONSE, "responseParameters", MAPPED)
    ),
    "response header": Field(
        "PUT",
        RESPONSE,
        {"responseParameters": {MAPPED: f"'{TEXT}'"}},
        (RESPONSE, "responseParameters", MAPPED),
        f"'{TEXT}'",
    ),
    "API policy": patch("", "/policy", "policy"),
    "policy's resource": Field("PATCH", "", {"patchOperations": [{"op": "replace", "path": "/policy", "value": TEXT}]}),
    "binary type": Field("PATCH", "", {"patchOperations": [{"op": "add", "path": "/binaryMediaTypes/" + TEXT}]}),
    "endpoint type": patch("", "/endpointConfiguration/types/EDGE"),
    "compressed size": patch("", "/minimumCompressionSize"),
    "key source": patch("", "/apiKeySource"),
    "model of a type": Field(
        "PATCH", METHOD, {"patchOperations": [{"op": "add", "path": "/requestModels/application~1json", "value": TEXT}]}
    ),
    "authorization": patch(METHOD, "/authorizationType"),
    "credentials": Field("PUT", INTEGRATION, MOCK | {"credentials": TEXT}),
    "connection": Field("PUT", INTEGRATION, MOCK | {"connectionType": "VPC_LINK", "connectionId": TEXT}),
    "cache key": Field("PUT", INTEGRATION, MOCK | {"cacheKeyParameters": [TEXT]}),
    "content handling": Field("PUT", INTEGRATION, MOCK | {"contentHandling": TEXT}),
    "passthrough": Field("PUT", INTEGRATION, MOCK | {"passthroughBehavior": TEXT}),
    "log format": patch("/stages/test", "/accessLogSettings/format", "accessLogSettings", "format"),
    "log group": patch("/stages/test", "/accessLogSettings/destinationArn"),
    "log level": patch("/stages/test", "/*/*/logging/loggingLevel"),
    "rate": patch("/stages/test", "/*/*/throttling/rateLimit"),
    "link name": Field("POST", "@vpclinks", {"name": TEXT, "description": TEXT, "targetArns": [TEXT]}),
    "imported documentation": Field("PUT", "/documentation/parts?mode=merge", TEXT),
    "authorizer name": patch("/authorizers/{authorizer}", "/name", "name"),
    "identity source": patch("/authorizers/{authorizer}", "/identitySource", "identitySource"),
    "identity pattern": patch(
        "/authorizers/{authorizer}", "/identityValidationExpression", "identityValidationExpression"
    ),
    "authorizer address": patch("/authorizers/{authorizer}", "/authorizerUri", "authorizerUri"),
    "documentation": patch("/documentation/parts/{part}", "/properties", "properties"),
    "documented path": Field(
        "POST",
        "/documentation/parts",
        {"location": {"type": "RESOURCE", "path": "/" + TEXT}, "properties": "{}"},
        ("/documentation/parts/{made}", "location", "path"),
        "/" + TEXT,
        "id",
    ),
    "documented name": Field(
        "POST",
        "/documentation/parts",
        {"location": {"type": "MODEL", "name": TEXT}, "properties": "{}"},
        ("/documentation/parts/{made}", "location", "name"),
        made="id",
    ),
    "documentation version": Field(
        "POST",
        "/documentation/versions",
        {"documentationVersion": TEXT},
        ("/documentation/versions/{made}", "version"),
        made="version",
    ),
    "patch path of an API": patching("", path=TEXT),
    "patch path of a stage": patching("/stages/test", path=TEXT),
    "patch path of a setting": patching("/stages/test", path="/" + TEXT + "/throttling/rateLimit", value="1"),
    "patch path of a method": patching(METHOD, path="/" + TEXT),
    "patch path of an integration": patching(INTEGRATION, path=TEXT),
    "patch path of a template": patching(RESPONSE, path="/responseTemplates/" + TEXT),
    "patch operation": patching("/stages/test", op=TEXT, path="/description"),
    "patch source": patching("/stages/test", op="copy", path="/variables/b", **{"from": TEXT}),
    "account's role": Field("PATCH", "/account", {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": TEXT}]}),
    "identifier": Field("GET", "/resources/" + TEXT),
    "verb": Field("PUT", "/resources/{child}/methods/" + TEXT, {"authorizationType": "NONE"}),
    "page": Field("GET", "/resources?limit=" + TEXT + "&position=" + TEXT),
    "tried path": Field("POST", METHOD, {"pathWithQueryString": TEXT}),
    "tried query": Field("POST", METHOD, {"pathWithQueryString": "/word?a=" + TEXT + "&" + TEXT}),
    "tried header": Field("POST", METHOD, {"headers": {"X-A": TEXT}, "multiValueHeaders": {"X-B": [TEXT, TEXT]}}),
    "tried header's name": Field("POST", METHOD, {"headers": {TEXT: "x"}}),
    "tried body": Field("POST", METHOD, {"body": TEXT, "headers": {"Content-Type": "application/json"}}),
    "tried variable": Field("POST", METHOD, {"stageVariables": {"a": TEXT}}),
}  # fmt: skip


def make(client, port):
    """Makes an API with one of everything for calls to spoil; returns the identifiers."""
    api = Api(client, port, name="spoilt")
    api.mock("/child", body="$input.params('a')", headers={"X-A": "'a'"})
    here = {"restApiId": api.id}
    client.create_model(**here, name="Given", contentType="application/json", schema="{}")
    return {
        "api": api.id,
        "root": api.resource("/"),
        "child": api.resource("/child"),
        "deployment": api.deploy(),
        "arn": quoted(f"arn:aws:apigateway:us-east-1::/restapis/{api.id}/stages/test"),
        "validator": client.create_request_validator(**here, name="all")["id"],
        "authorizer": client.create_authorizer(
            **here,
            name="token",
            type="TOKEN",
            identitySource="method.request.header.A",
            authorizerUri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
            "arn:aws:lambda:us-east-1:000000000000:function:none/invocations",
        )["id"],
        "part": client.create_documentation_part(**here, location={"type": "API"}, properties="{}")["id"],
    }


def address(path, names):
    """The full path of a field's path."""
    for name, value in names.items():
        path = path.replace("{" + name + "}", value)
    if path.startswith("@"):
        return "/" + path[1:]
    return path if path.startswith(("/tags", "/account")) else f"/restapis/{names['api']}{path}"


def restored(field, caller, plane):
    """Puts the integration and its response back as they were, for calls that need them."""
    if field.path in (INTEGRATION, RESPONSE):
        for path, body in ((INTEGRATION, MOCK), (RESPONSE, {"responseTemplates": {"application/json": "x"}})):
            assert caller.send("PUT", address(path, plane), HEADERS, json.dumps(body).encode()).status == 201


def calls(name, plane):
    """(text, path, body) of a field's calls."""
    field = FIELDS[name]
    path = address(field.path, plane)
    body = json.dumps(field.body).replace("{deployment}", plane["deployment"]) if field.body else ""
    for text in TEXTS:
        inner = text
        if name == "schema's pattern":
            inner = json.dumps({"pattern": text})
        elif name == "policy's resource":
            inner = json.dumps(
                POLICY | {"Statement": [{**ALLOW, "Resource": text, "Condition": {"StringLike": {text: text}}}]}
            )
        # The whole of a body is sent as it is.
        coded = text if field.body == TEXT else body.replace(TEXT, json.dumps(inner)[1:-1])
        yield text, path.replace(TEXT, quoted(text)), coded.encode()


def spoil(names, client, port):
    """What went wrong with some fields, which get an API of their own; and how often each took a text."""
    plane, caller, wrong, taken = make(client, port), Caller(port), [], dict.fromkeys(names, 0)
    for name in names:
        field = FIELDS[name]
        for text, path, body in calls(name, plane):
            answer = caller.send(field.verb, path, HEADERS, body)
            if fault := problem(answer) or unlike(field, text, answer, caller, plane):
                wrong.append(f"{name} {text[:80]!r}: {fault}")
            taken[name] += answer is not None and answer.status < 300
        restored(field, caller, plane)
    caller.close()
    if caller.slowest > SECONDS:
        wrong.append(f"a call took {caller.slowest:.1f} seconds")
    return wrong, taken


@pytest.mark.timeout(300)
def test_a_field_takes_a_text_as_it_is_or_refuses_it(apigateway, server):
    names = list(FIELDS)
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        lanes = [pool.submit(spoil, names[lane::LANES], apigateway, server.port) for lane in range(LANES)]
    results = [lane.result() for lane in lanes]
    report([fault for wrong, _ in results for fault in wrong])
    taken = {name: count for _, counts in results for name, count in counts.items()}
    # Patch paths, addresses and the like want a form that few texts have.
    assert sum(count > 0 for count in taken.values()) > len(FIELDS) / 2, taken


def unlike(field, text, answer, caller, plane):
    """What a Get call shows differently from what was taken, or None; deletes what was made."""
    if answer.status >= 300 or not field.shown:
        return None
    made = answer.json()[field.made] if field.made else ""
    path = address(field.shown[0], plane).replace("{made}", quoted(made))
    value = answer.json() if answer.body else {}
    # Answers to writes show the same document; for the many texts they do.
    if text in hostile.OWN_TEXTS or field.made or not answer.body:
        found = caller.send("GET", path, HEADERS)
        if found.status != 200:
            return f"taken, but then {found.status} {found.text[:200]}"
        value = found.json()
    for key in field.shown[1:]:
        value = (value or {}).get(key.replace(TEXT, text))
    if field.made and not 200 <= (gone := caller.send("DELETE", path, HEADERS)).status < 300:
        return f"cannot be deleted: {gone.status} {gone.text[:200]}"
    wanted = field.value.replace(TEXT, text)
    return None if value == wanted or (not wanted and value is None) else f"comes back as {value!r:.200}"


def test_a_text_is_tried_as_template_header_and_pattern(apigateway, server):
    """Taken as they are, they must also do no harm when they are used."""
    plane, caller, wrong = make(apigateway, server.port), Caller(server.port), []
    apigateway.put_method_response(
        restApiId=plane["api"], resourceId=plane["child"], httpMethod="GET", statusCode="400"
    )
    request = {"pathWithQueryString": "/child?a=%3Cb%3E", "body": '{"a": 1}', "headers": {"Accept": "a/b"}}
    for text in TEXTS:
        fallback = {"responseTemplates": {"application/json": text}, "responseParameters": {MAPPED: f"'{text}'"}}
        for path, body in (
            (RESPONSE, fallback),
            (RESPONSE.replace("200", "400"), {"selectionPattern": text or "x", "responseTemplates": {"a/b": text}}),
        ):
            put = caller.send("PUT", address(path, plane), HEADERS, json.dumps(body).encode())
            assert put.status == 201, (text, put)
        answer = caller.send("POST", address(METHOD, plane), HEADERS, json.dumps(request).encode())
        if answer is None or answer.status != 200 or answer.json()["status"] not in (200, 400, 500):
            wrong.append(f"{text[:80]!r}: {answer}")
    assert apigateway.create_deployment(restApiId=plane["api"], stageName="again")["id"]
    report(wrong)
    assert caller.slowest < SECONDS
