"""Hostile texts and documents in every part of a request to what is deployed, see `harness/hostile.py`.

No text may become more than text on its way through the gateway: no header line, no second answer, no template.
"""

import base64
import json
import re
import urllib.parse

import pytest
from harness import functions, hostile
from harness.caller import Caller
from harness.model import Operation
from harness.rest_api import Api

SECONDS = 5
TEXTS = hostile.texts()
DOCUMENTS = hostile.documents()
SIGNED = list(Operation("apigateway", "CreateRestApi").headers().items())
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
ANY = {"$schema": "http://json-schema.org/draft-04/schema#", "title": "Any"}
# What AWS documents for text in JSON: the escaped apostrophe is none of JSON's escapes.
ESCAPED = '"$util.escapeJavaScript(%s).replaceAll("\\\\\'", "\'")"'
SHOWN = (
    '{"p": '
    + ESCAPED % "$input.params('p')"
    + ', "q": '
    + ESCAPED % "$input.params('q')"
    + ', "h": '
    + ESCAPED % "$input.params().header.get('X-Text')"
    + ', "url": "$util.urlEncode($input.params(\'q\'))", "coded": "$util.base64Encode($input.params(\'q\'))"}'
)
BODY = '{"body": ' + ESCAPED % "$input.body" + ', "json": "$util.base64Encode($input.json(\'$\'))"}'
OVERRIDE = """#set($name = $util.urlDecode($input.params('name')))#set($value = $util.urlDecode($input.params('value')))
#set($context.responseOverride.header[$name] = $value)x"""
# Headers by which HTTP itself works, with values that would make it fail.
FRAMING = {
    "Content-Length": "7",
    "content-length": "-1",
    "Transfer-Encoding": "chunked",
    "Connection": "close, x-amzn-RequestId",
    "Trailer": "X-A",
    "Upgrade": "h2c",
    "Content-Encoding": "gzip",
    ":status": "404",
    "Host": "elsewhere",
    "Set-Cookie": "a=1",
    "Date": "never",
    "Server": "x",
}
FUNCTION = """
import json
dumps = json.dumps
def handler(event, context):
    json.dumps = dumps
    if event["path"] == "/answer":
        json.dumps = lambda value: event["body"]
        return None
    if event["path"] == "/named":
        return {"statusCode": 200, "body": "x", **json.loads(event["body"])}
    q = (event["queryStringParameters"] or {}).get("q")
    shown = {"p": event["pathParameters"]["p"], "q": q, "h": event["headers"].get("X-Text"), "body": event["body"]}
    return {"statusCode": 200, "headers": {"X-Echo": q}, "body": json.dumps(shown)}
"""
ECHO = "def handler(event, context):\n    return event\n"
PARAMETERS = {"method.request.querystring.q": False, "method.request.path.p": True}
BACKEND = {"integration.request.querystring.q": "method.request.querystring.q", "integration.request.path.p": "method.request.path.p"}  # fmt: skip


@pytest.fixture(scope="module")
def api(apigateway, clients, server, upstream):
    api = Api(apigateway, server.port, name="hostile")
    api.mock("/shown/{p}", "POST", body=SHOWN)
    api.backend(
        "/mapped/{p}",
        "POST",
        upstream.url + "/echo/{p}",
        method={"requestParameters": PARAMETERS},
        requestParameters=BACKEND | {"integration.request.header.X-Mapped": "method.request.querystring.q"},
    )
    api.backend("/body", "POST", upstream.url + "/echo", "HTTP", requestTemplates={"application/json": BODY})
    api.response("/body", "POST")
    api.mock("/path", "POST", request='{"statusCode": 200, "a": "$input.path(\'$\').none"}', body="x")
    api.mock("/parsed", "POST", request='#set($v = $util.parseJson($input.body)){"statusCode": 200}', body="x")
    function = functions.create(clients("lambda"), "Shown", FUNCTION)
    functions.allow_gateway(clients("lambda"), "Shown")
    echo = functions.create(clients("lambda"), "Echo", ECHO)
    functions.allow_gateway(clients("lambda"), "Echo")
    api.proxy("/function/{p}", "POST", function).proxy("/answer", "POST", function).proxy("/named", "POST", function)
    api.backend("/override", "POST", upstream.url + "/echo", "HTTP")
    api.response("/override", "POST", body=OVERRIDE)
    api.proxy("/custom", "POST", echo, type="AWS").response("/custom", "POST")
    apigateway.create_model(restApiId=api.id, name="Any", contentType="application/json", schema=json.dumps(ANY))
    validator = apigateway.create_request_validator(restApiId=api.id, name="body", validateRequestBody=True)["id"]
    options = {"requestValidatorId": validator, "requestModels": {"application/json": "Any"}}
    api.method("/validated", "POST", **options)
    apigateway.put_integration(
        **api.at("/validated", "POST"), type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    api.response("/validated", "POST")
    apigateway.put_gateway_response(
        restApiId=api.id,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        responseParameters={"gatewayresponse.header.X-Text": "method.request.querystring.q"},
        responseTemplates={"application/json": "method.request.querystring.q"},
    )
    api.deploy()
    return api


@pytest.fixture
def caller(server):
    """A connection on which every answer comes soon."""
    caller = Caller(server.port)
    yield caller
    caller.close()
    assert caller.slowest < SECONDS


def send(caller, api, path, body=b"", headers=()):
    """Sends a body to a path of the deployed API."""
    headers = [("Content-Type", "application/json"), *headers]
    return caller.send("POST", f"/_aws/execute-api/{api.id}/test{path}", headers, body)


def parts(text):
    """(path segment, query value, header value) of a text, each coded as HTTP wants it; "x" where it cannot be sent."""
    coded = urllib.parse.quote(text, safe="")
    header = text if text.strip(" \t") == text and not CONTROL.search(text) else "x"
    return coded if coded.strip(".") else "x", coded, header


def report(wrong):
    """Fails with the first of what went wrong."""
    assert not wrong, f"{len(wrong)} cases:\n" + "\n".join(wrong[:20])


def each_text(caller, api, path, names):
    """(text, its segment as sent, its header, answer of POST `path` with the text in all parts, list of what is wrong)."""
    wrong = []
    for text in TEXTS:
        segment, coded, header = parts(text)
        body = text.encode()
        answer = send(caller, api, f"{path}/{segment}?q={coded}", body, [("X-Text", header)])
        if answer is None or not {name.lower() for name in answer.names()} <= names | {"x-amzn-errortype"}:
            wrong.append(f"{text[:80]!r}: {answer}")
        else:
            yield text, segment, header, answer, wrong
    report(wrong)


def names(caller, api, path):
    """The names of the headers of an answer to a request without harm."""
    answer = send(caller, api, f"{path}/a?q=a", b"{}", [("X-Text", "a")])
    return {name.lower() for name in answer.names()}


def test_templates_show_texts_as_they_are(api, caller):
    for text, segment, header, answer, wrong in each_text(caller, api, "/shown", names(caller, api, "/shown")):
        if answer.status != 200:
            wrong.append(f"{text[:80]!r}: {answer}")
            continue
        shown = answer.json()
        shown["url"] = urllib.parse.unquote_plus(shown["url"])
        shown["coded"] = base64.b64decode(shown["coded"]).decode()
        wanted = {"p": segment, "q": text, "h": header, "url": text, "coded": text}
        if shown != wanted:
            wrong.append(f"{text[:80]!r}: {shown!r:.300}")


def test_backends_get_texts_as_they_are(api, caller, upstream):
    plain = names(caller, api, "/mapped")
    for text, segment, header, answer, wrong in each_text(caller, api, "/mapped", plain):
        if answer.status != 200:
            # What is no header's value cannot be sent as one.
            if answer.status != 500 or not CONTROL.search(text):
                wrong.append(f"{text[:80]!r}: {answer}")
            continue
        seen = upstream.last()
        headers = {name.lower(): value.encode("latin-1").decode() for name, value in seen["headers"]}
        query = dict(urllib.parse.parse_qsl(seen["query"], keep_blank_values=True)).get("q")
        found = (seen["path"], query, headers["x-text"], seen["body"])
        if found != ("/echo/" + segment, text, header, text) or "x-injected" in headers:
            wrong.append(f"{text[:80]!r}: {seen!r:.600}")


def test_functions_get_texts_as_they_are(api, caller):
    plain = names(caller, api, "/function")
    for text, segment, header, answer, wrong in each_text(caller, api, "/function", plain):
        if answer.status != 200:
            # The function gives the text as a header's value.
            if answer.status != 502 or not CONTROL.search(text):
                wrong.append(f"{text[:80]!r}: {answer}")
            continue
        wanted = {"p": segment, "q": text, "h": header, "body": text or None}
        if answer.json() != wanted:
            wrong.append(f"{text[:80]!r}: {answer.text[:300]!r}")


def test_errors_show_texts_and_nothing_more(api, caller):
    plain = names(caller, api, "/nowhere")
    for text, _, _, answer, wrong in each_text(caller, api, "/nowhere", plain):
        if answer.status != 403 or answer.text != text:
            wrong.append(f"{text[:80]!r}: {answer}")


def test_bodies_in_templates_and_validators(api, caller):
    wrong = []
    for text in TEXTS:
        answer = send(caller, api, "/body", text.encode())
        shown = json.loads(answer.json()["body"])["body"] if answer.status == 200 else answer
        if shown != (text or "{}"):
            wrong.append(f"{text[:80]!r}: {shown!r:.300}")
        if (answer := send(caller, api, "/validated", text.encode())).status not in (200, 400):
            wrong.append(f"{text[:80]!r}: validated: {answer}")
    report(wrong)


# ------------------------------------------------------------------------------------------------- JSON or not


def decided(name, body):
    """True: JSON. False: not JSON. None: either may be said."""
    return {"y": True, "n": False, "i": None}[name[0]] if body.strip(b" \t\r\n") else None


def judged(wrong, what, name, body, accepted, answer):
    """Notes a document that was wrongly taken or refused."""
    wanted = decided(name, body)
    if wanted is not None and accepted != wanted:
        wrong.append(f"{what} {name}: {answer}")


def test_validators_and_templates_know_json(api, caller):
    wrong = []
    for name, body in DOCUMENTS.items():
        validated = send(caller, api, "/validated", body)
        judged(wrong, "validated", name, body, validated.status == 200, validated)
        if validated.status not in (200, 400):
            wrong.append(f"validated {name}: {validated}")

        shown = send(caller, api, "/body", body)
        if shown.status != 200:
            wrong.append(f"shown {name}: {shown}")
            continue
        text = base64.b64decode(json.loads(shown.json()["body"])["json"])
        judged(wrong, "shown", name, body, text != b'""' or body.strip() == b'""', text)
        if decided(name, body) and json.loads(text) != json.loads(body):
            wrong.append(f"shown {name}: {text}")

        path = send(caller, api, "/path", body)
        if path.status != 200:
            wrong.append(f"path {name}: {path}")

        parsed = send(caller, api, "/parsed", body)
        judged(wrong, "parsed", name, body, parsed.status == 200, parsed)
        if parsed.status not in (200, 500):
            wrong.append(f"parsed {name}: {parsed}")
    report(wrong)


def test_functions_take_and_give_json(api, caller):
    wrong = []
    for name, body in DOCUMENTS.items():
        if len(body) > 50_000:
            continue
        answer = send(caller, api, "/custom", body)
        refused = b"Could not parse request body into json" in answer.body
        judged(wrong, "custom", name, body, not refused, answer)
        if decided(name, body) and answer.json() != json.loads(body):
            wrong.append(f"custom {name}: {answer}")
        if answer.status >= 500:
            wrong.append(f"custom {name}: {answer}")

        # What a function gives that is not the answer of a proxy is a bad gateway, JSON or not.
        answer = send(caller, api, "/answer", body)
        if answer.status not in (200, 502):
            wrong.append(f"answer {name}: {answer}")
        if name.startswith("n_") and body.strip() and answer.status != 502:
            wrong.append(f"answer {name}: {answer}")
    report(wrong)


@pytest.mark.parametrize(
    "bad", [b"\xe9", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\\ud800", b"\\udc00\\ud800", b"\n"]
)
def test_a_name_that_is_no_text_is_refused(bad, caller, api):
    for body in (b'{"name": "a%s"}', b'{"name": "a", "tags": {"a": "%s"}}', b'{"name": "a", "tags": {"%s": "a"}}'):
        answer = caller.send("POST", "/restapis", SIGNED, body % bad)
        assert answer.status == 400, answer
        assert answer.header("x-amzn-ErrorType").startswith("SerializationException"), answer


def test_the_control_plane_knows_json(caller, api):
    wrong = []
    for name, body in DOCUMENTS.items():
        answer = caller.send("POST", "/restapis", SIGNED, body)
        code = answer.header("x-amzn-ErrorType") or ""
        serialization = code.startswith("SerializationException")
        # An object lacks the name; what is no object is none of the call's structures either.
        is_object = body.lstrip().startswith(b"{")
        wanted = {True: not is_object, False: True, None: serialization}[decided(name, body)]
        if answer.status != 400 or not code or serialization != wanted:
            wrong.append(f"{name}: {answer}")
    report(wrong)


# ------------------------------------------------------------------------------------------------- headers and the rest


@pytest.mark.parametrize("path", ["/shown/a", "/mapped/a", "/function/a"])
def test_headers_that_come_twice_or_are_no_text(path, api, caller, upstream):
    plain = names(caller, api, path[:-2])
    for headers in (
        [("X-Text", "first"), ("X-Text", "last")],
        [("X-Text", "a"), ("x-text", "b"), ("X-TEXT", "c")] * 50,
        [("Content-Type", "text/plain"), ("Content-Type", "")],
        [("Authorization", "a"), ("Authorization", "b")],
        [("X-Amzn-Trace-Id", "Root=1"), ("X-Amzn-Trace-Id", "Root=2")],
        [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "\u00e9")],
        [("Accept", "a/b"), ("Accept", "c/d")],
        [("Cookie", "a=1"), ("Cookie", "b=2")],
        [("X-Text", b"\xff\xfe")],
        [("X-Text", b"\xe9")],
        [("X-Text", b"\xed\xa0\x80")],
        [("X-Text", b"a" * 8000)],
        [("X-Text", "")],
        [(f"X-{number}", "a") for number in range(60)],
    ):
        answer = send(caller, api, path + "?q=a", b"{}", headers)
        assert answer is not None and answer.status < 500, (headers, answer)
        if answer.status == 200:
            assert {name.lower() for name in answer.names()} <= plain, (headers, answer)
    if path == "/shown/a":
        answer = send(caller, api, path, b"{}", [("X-Text", "first"), ("X-Text", "last")])
        assert answer.json()["h"] == "last"


def test_texts_that_cannot_be_headers_are_not_sent_as_such(apigateway, server, caller):
    """Static values, overrides and a function's headers; a deployment freezes what the control plane has taken."""
    api = Api(apigateway, server.port, name="headers")
    texts = [text for text in hostile.OWN_TEXTS if CONTROL.search(text)] + ["a: b", "\u00e9", " a "]
    override = "#set($context.responseOverride.header.X-A = $util.urlDecode($input.params('q')))x"
    for number, text in enumerate(texts):
        api.mock(f"/static{number}", "POST", body="x", headers={"X-A": f"'{text}'"})
    api.mock("/override", "POST", body=override)
    api.deploy()
    for number, text in enumerate(texts):
        for path in (f"/static{number}", f"/override?q={twice(text)}"):
            answer = send(caller, api, path, b"{}")
            assert answer is not None and answer.status in (200, 500), (path, text, answer)
            assert "x-injected" not in [name.lower() for name in answer.names()], (path, text, answer)


def test_headers_that_a_backend_names(api, caller):
    """A function's answer and an override: the answer's frame stays whole, and there is no line but the one named."""
    plain = send(caller, api, "/override?name=X-A&value=a", b"{}")
    assert plain.header("X-A") == "a"
    wrong = []
    for name, value in [*FRAMING.items(), *((text, "x") for text in TEXTS), *(("X-A", text) for text in TEXTS)]:
        query = f"?name={twice(name)}&value={twice(value)}"
        for path, body in (
            ("/named", {"headers": {name: value}}),
            ("/named", {"multiValueHeaders": {name: [value, value]}}),
            ("/named" + query, {"headers": {"X-A": [value], "X-B": {name: value}, "X-C": None}}),
            ("/override" + query, {}),
        ):
            answer = send(caller, api, path, json.dumps(body).encode())
            if answer is None or answer.status not in (200, 500, 502):
                wrong.append(f"{path[:9]} {name[:80]!r}: {value[:80]!r}: {answer}")
            elif "x-injected" in {header.lower() for header in answer.names()}:
                wrong.append(f"{path[:9]} {name[:80]!r}: {value[:80]!r}: {answer}")
            elif answer.status == 200 and answer.body.strip() != b"x":
                wrong.append(f"{path[:9]} {name[:80]!r}: {value[:80]!r}: {answer}")
    report(wrong)


def twice(text):
    """A query value that a template has to decode once more."""
    return urllib.parse.quote(urllib.parse.quote(text, safe=""), safe="")


def test_patterns_that_backtrack_end_soon(apigateway, server, caller, upstream):
    api = Api(apigateway, server.port, name="patterns")
    api.backend("/{p}", "POST", upstream.url + "/status/404", "HTTP")
    api.response("/{p}", "POST", 200)
    for number, pattern in enumerate(["(4+)+$x", "(.*)*\\1y", "(?=(4|40)+)z", "[" * 50, "(" * 5000, "4{1,99999999}"]):
        api.response("/{p}", "POST", 400 + number, selectionPattern=pattern)
    api.deploy()
    answer = send(caller, api, "/a", b"{}")
    assert answer is not None and answer.status in (200, 500), answer


def is_pattern(caller, api, text):
    """Whether a model with a pattern is taken."""
    model = {"name": "Word", "contentType": "application/json", "schema": json.dumps({"pattern": text})}
    answer = caller.send("POST", f"/restapis/{api.id}/models", SIGNED, json.dumps(model).encode())
    if answer.status == 201:
        assert caller.send("DELETE", f"/restapis/{api.id}/models/Word", SIGNED).status == 202
    return answer.status == 201


def test_texts_are_names_values_and_patterns_of_models(apigateway, server, caller):
    api = Api(apigateway, server.port, name="models")
    named = {"required": TEXTS, "properties": {text: {"enum": [text]} for text in TEXTS}, "additionalProperties": False}
    taken = [text for text in TEXTS if is_pattern(caller, api, text)]
    assert len(taken) > len(TEXTS) / 2
    patterns = {"properties": {f"p{number}": {"pattern": text} for number, text in enumerate(taken)}}
    described = {"title": "\n".join(TEXTS), "description": "\r".join(TEXTS), "default": TEXTS}
    formats = {"properties": {text: {"format": text} for text in TEXTS}}
    validator = apigateway.create_request_validator(restApiId=api.id, name="body", validateRequestBody=True)["id"]
    for name, schema in {"Named": named, "Patterns": patterns, "Described": described, "Formats": formats}.items():
        text = json.dumps({"type": "object", **schema})
        apigateway.create_model(restApiId=api.id, name=name, contentType="application/json", schema=text)
        assert apigateway.get_model(restApiId=api.id, modelName=name)["schema"] == text
        assert apigateway.get_model_template(restApiId=api.id, modelName=name)["value"]
        api.mock(f"/{name}", "POST", body="x")
        apigateway.update_method(
            **api.at(f"/{name}", "POST"),
            patchOperations=[
                {"op": "replace", "path": "/requestValidatorId", "value": validator},
                {"op": "add", "path": "/requestModels/application~1json", "value": name},
            ],
        )
    apigateway.put_gateway_response(
        restApiId=api.id,
        responseType="BAD_REQUEST_BODY",
        responseTemplates={"application/json": "$context.error.validationErrorString"},
    )
    api.deploy()
    whole = {text: text for text in TEXTS}
    for name, body, status in (
        ("Named", whole, 200),
        ("Named", {**whole, "one more": 1}, 400),
        ("Named", {text: text + "x" for text in TEXTS}, 400),
        ("Named", {}, 400),
        ("Described", {}, 200),
        ("Formats", whole, 200),
        ("Formats", {text: "x" for text in TEXTS}, 200),
        ("Patterns", {f"p{number}": None for number, _ in enumerate(TEXTS)}, 200),
    ):
        answer = send(caller, api, f"/{name}", json.dumps(body).encode())
        assert answer.status == status, (name, answer)
        assert status == 200 or answer.text.startswith("["), answer
    for value in ("a" * 3000 + "!", "[" * 3000, "\u00e9" * 3000, ""):
        body = {f"p{number}": value for number, _ in enumerate(TEXTS)}
        answer = send(caller, api, "/Patterns", json.dumps(body).encode())
        assert answer.status == 400, answer


@pytest.mark.parametrize(
    "template",
    [
        "#set($x = 1 / 0)[$x]",
        "#set($x = 1 % 0)[$x]",
        "#set($x = 9223372036854775807 * 9223372036854775807)[$x]",
        "$input.class.classLoader.loadClass('java.lang.Runtime')",
        "$util.getClass().forName('java.lang.System').getenv()",
        "#include('/etc/passwd')#parse('/etc/passwd')",
        "#macro(m)#m()#end#m()",
        "#evaluate('$input.class')",
        "#define($a)$a$a#end$a",
        "$input.json('$" + "..*" * 200 + "')",
        "$input.path('$" + "[?(@" * 100 + "')",
        "#if(" + "(" * 5000 + "1" + ")" * 5000 + ")x#end",
    ],
)
def test_a_tried_template_reaches_for_nothing(template, apigateway, api, plane, caller):
    apigateway.put_integration(
        **plane.at("/tried", "POST"), type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    plane.client.put_integration_response(
        **plane.at("/tried", "POST"), statusCode="200", responseTemplates={"application/json": template}
    )
    answer = apigateway.test_invoke_method(**plane.at("/tried", "POST"), body='{"a": [1, {"b": [[[2]]]}]}')
    assert answer["status"] in (200, 500)
    assert not re.search("root:|java.lang|PATH=", answer.get("body", ""))


@pytest.fixture(scope="module")
def plane(apigateway, server):
    """An API that is not deployed."""
    return Api(apigateway, server.port, name="tried").mock("/tried", "POST", body="x")
