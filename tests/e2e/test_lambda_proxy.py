"""AWS_PROXY: the event that a function gets, the answers it may give, and what the client sees when it fails."""

import base64
import concurrent.futures
import json
import re
import time

import pytest
from harness import functions
from harness.rest_api import Api, call

ECHO = {
    functions.PYTHON: "import json\ndef handler(event, context):\n"
    "    return {'statusCode': 200, 'body': json.dumps(event)}\n",
    functions.NODE: "export const handler = async (event) => ({statusCode: 200, body: JSON.stringify(event)});",
}
EVENT_KEYS = [
    "resource",
    "path",
    "httpMethod",
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "pathParameters",
    "stageVariables",
    "requestContext",
    "body",
    "isBase64Encoded",
]
CONTEXT_KEYS = [
    "resourceId",
    "resourcePath",
    "httpMethod",
    "extendedRequestId",
    "requestTime",
    "path",
    "accountId",
    "protocol",
    "stage",
    "domainPrefix",
    "requestTimeEpoch",
    "requestId",
    "identity",
    "domainName",
    "deploymentId",
    "apiId",
]
IDENTITY_KEYS = [
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "sourceIp",
    "principalOrgId",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "userAgent",
    "user",
]


@pytest.fixture(scope="module")
def api(apigateway, functions_for_events, server):
    api = Api(apigateway, server.port)
    for runtime, arn in functions_for_events.items():
        language = runtime[:4]
        api.proxy(f"/{language}", "ANY", arn)
        api.proxy(f"/{language}/{{proxy+}}", "ANY", arn)
        api.proxy(f"/{language}/users/{{user}}", "GET", arn)
    api.deployment = api.deploy()
    api.deploy("vars", variables={"word": "alpha"})
    return api


@pytest.fixture(scope="module")
def functions_for_events(functions_client):
    made = {}
    for runtime, source in ECHO.items():
        made[runtime] = functions.create(functions_client, f"Echo{runtime[:4]}", source, runtime)
        functions.allow_gateway(functions_client, f"Echo{runtime[:4]}")
    return made


@pytest.fixture(scope="module")
def functions_client(clients):
    return clients("lambda")


@pytest.mark.parametrize("language", ["pyth", "node"])
def test_the_event_of_a_plain_request(api, language):
    started = time.time()
    answer = api.call(f"/{language}", headers={"User-Agent": "e2e/1", "X-cased-NAME": "v"})
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    event = answer.json()
    assert list(event) == EVENT_KEYS
    context = event["requestContext"]
    assert list(context) == CONTEXT_KEYS and list(context["identity"]) == IDENTITY_KEYS
    assert (event["resource"], event["path"], event["httpMethod"]) == (f"/{language}", f"/{language}", "GET")
    for absent in (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ):
        assert event[absent] is None, absent
    assert event["isBase64Encoded"] is False
    assert event["headers"]["X-cased-NAME"] == "v" and event["headers"]["User-Agent"] == "e2e/1"
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1" and event["headers"]["X-Forwarded-Port"] == str(api.port)
    assert event["headers"]["X-Forwarded-Proto"] == "http" and event["headers"]["Host"] == f"127.0.0.1:{api.port}"
    assert re.match("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", event["headers"]["X-Amzn-Trace-Id"])
    assert event["multiValueHeaders"] == {name: [value] for name, value in event["headers"].items()}
    assert context["resourceId"] == api.resource(f"/{language}") and context["resourcePath"] == f"/{language}"
    assert context["path"] == f"/test/{language}" and context["stage"] == "test" and context["apiId"] == api.id
    assert context["deploymentId"] == api.deployment
    assert (
        context["accountId"] == "000000000000" and context["protocol"] == "HTTP/1.1" and context["httpMethod"] == "GET"
    )
    assert context["identity"] == {**dict.fromkeys(IDENTITY_KEYS), "sourceIp": "127.0.0.1", "userAgent": "e2e/1"}
    assert started - 1 <= context["requestTimeEpoch"] / 1000 <= time.time() + 1
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["requestTime"])
    assert context["requestId"] == answer.header("x-amzn-RequestId")
    assert context["extendedRequestId"] == answer.header("x-amz-apigw-id")
    assert answer.header("X-Amzn-Trace-Id").startswith("Root=1-")


def test_the_events_domain_is_the_host_of_the_request(api):
    host = f"{api.id}.execute-api.us-east-1.amazonaws.com"
    event = call(api.port, "GET", "/test/pyth", host=host).json()
    assert event["requestContext"]["domainName"] == host and event["requestContext"]["domainPrefix"] == api.id
    assert event["requestContext"]["path"] == "/test/pyth" and event["path"] == "/pyth"


def test_the_event_of_a_full_request(api):
    headers = [
        ("X-Two", "a"),
        ("X-Two", "b"),
        ("Content-Type", "application/json"),
        ("Cookie", "c=1"),
        ("Content-MD5", "x"),
        ("Max-Forwards", "1"),
        ("Accept", "*/*"),
    ]
    event = api.call("/pyth/users/7?a=1&b=x%20y+z&a=2&empty=&&flag", "GET", headers, stage="vars").json()
    assert event["resource"] == "/pyth/users/{user}" and event["pathParameters"] == {"user": "7"}
    assert event["queryStringParameters"] == {"a": "2", "b": "x y z", "empty": "", "flag": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y z"], "empty": [""], "flag": [""]}
    assert event["stageVariables"] == {"word": "alpha"} and event["requestContext"]["stage"] == "vars"
    assert event["headers"]["X-Two"] == "b" and event["multiValueHeaders"]["X-Two"] == ["a", "b"]
    assert not {"content-md5", "max-forwards", "content-length", "connection"} & {
        name.lower() for name in event["headers"]
    }


@pytest.mark.parametrize(
    "path, event_path, proxy",
    [
        ("/pyth/proxy-value", "/pyth/proxy-value", "proxy-value"),
        ("/pyth/proxy-value/", "/pyth/proxy-value/", "proxy-value"),
        ("/pyth/proxy-value//double-slash", "/pyth/proxy-value//double-slash", "proxy-value//double-slash"),
        (
            "/pyth/p/test%2Balias@g.com/x/test+alias@g.com",
            "/pyth/p/test%2Balias@g.com/x/test+alias@g.com",
            "p/test%2Balias@g.com/x/test+alias@g.com",
        ),
    ],
)
def test_the_path_is_kept_as_sent(api, path, event_path, proxy):
    event = api.call(path).json()
    assert (event["path"], event["pathParameters"]["proxy"]) == (event_path, proxy)
    assert event["requestContext"]["path"] == f"/test{event_path}"


@pytest.mark.parametrize("language", ["pyth", "node"])
@pytest.mark.parametrize("body", ['{"a": 1}', "plain", "ünïcödé ✓", 'line\nline\r\n\t"quoted" \\'])
def test_a_text_body_is_passed_as_it_is(api, language, body):
    event = api.call(f"/{language}", "POST", {"Content-Type": "application/json"}, body.encode()).json()
    assert (event["body"], event["isBase64Encoded"], event["httpMethod"]) == (body, False, "POST")


def test_a_body_that_is_no_text_is_passed_in_base64(api):
    event = api.call("/pyth", "POST", {"Content-Type": "application/octet-stream"}, b"\xff\xfe\x00\x01").json()
    assert event["isBase64Encoded"] is True and base64.b64decode(event["body"]) == b"\xff\xfe\x00\x01"


# What a function answers, and what the client gets: status, body, headers that must be there.
ANSWERS = [
    ("{}", 200, "", {"Content-Type": ["application/json"]}),
    ("{'headers': {'X-A': 'b'}}", 200, "", {"X-A": ["b"]}),
    ("{'statusCode': 201, 'headers': None, 'body': 'made'}", 201, "made", {"Content-Type": ["application/json"]}),
    ("{'statusCode': '202', 'body': 'text status'}", 202, "text status", {}),
    ("{'statusCode': 200, 'body': None}", 200, "", {}),
    (
        "{'headers': {'X-Yes': True, 'X-No': False, 'X-Number': 7}}",
        200,
        "",
        {"X-Yes": ["true"], "X-No": ["false"], "X-Number": ["7"]},
    ),
    ("{'multiValueHeaders': {'Set-Cookie': ['a=1', 'b=2']}}", 200, "", {"Set-Cookie": ["a=1", "b=2"]}),
    (
        "{'headers': {'X-Both': 'single'}, 'multiValueHeaders': {'X-Both': ['m1', 'm2']}}",
        200,
        "",
        {"X-Both": ["m1", "m2", "single"]},
    ),
    (
        "{'headers': {'content-type': 'text/html; charset=utf-8'}, 'body': '<p>'}",
        200,
        "<p>",
        {"Content-Type": ["text/html; charset=utf-8"]},
    ),
    (
        "{'headers': {'Date': 'd', 'Server': 's', 'Connection': 'close', 'Content-Length': '1'}, 'body': 'four'}",
        200,
        "four",
        {
            "x-amzn-Remapped-Date": ["d"],
            "x-amzn-Remapped-Server": ["s"],
            "x-amzn-Remapped-Connection": ["close"],
            "x-amzn-Remapped-Content-Length": ["1"],
            "Content-Length": ["4"],
        },
    ),
    ("{'isBase64Encoded': True, 'body': 'YWJj'}", 200, "YWJj", {}),
    ("{'statusCode': 404, 'body': 'ü✓'}", 404, "ü✓", {}),
    (
        "{'statusCode': 302, 'headers': {'Location': 'https://example.org/'}}",
        302,
        "",
        {"Location": ["https://example.org/"]},
    ),
]
MALFORMED = [
    "{'statusCode': 'abc'}",
    "{'statusCode': 200, 'wrongKey': 1}",
    "'text'",
    "7",
    "[1]",
    "None",
    "''",
    "True",
    "{'multiValueHeaders': {'X': 'not a list'}}",
    "{'body': {'an': 'object'}}",
    "{'headers': 'text'}",
    "{'headers': {'X': {'a': 1}}}",
    "{'statusCode': 200, 'isBase64Encoded': 'maybe'}",
    "{'statusCode': 99999}",
]


@pytest.fixture(scope="module")
def answering(apigateway, functions_client, server):
    """One function that answers with the Python expression at the index that the path names."""
    source = f"ANSWERS = {ANSWERS!r}\nMALFORMED = {MALFORMED!r}\n" + (
        "def handler(event, context):\n"
        "    kind, number = event['path'].strip('/').split('/')\n"
        "    text = ANSWERS[int(number)][0] if kind == 'a' else MALFORMED[int(number)]\n"
        "    return eval(text)\n"
    )
    arn = functions.create(functions_client, "Answers", source)
    functions.allow_gateway(functions_client, "Answers")
    api = Api(apigateway, server.port).proxy("/{proxy+}", "GET", arn)
    api.deploy()
    return api


@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=lambda number: ANSWERS[number][0])
def test_a_well_formed_answer_reaches_the_client(answering, number):
    _, status, body, headers = ANSWERS[number]
    answer = answering.call(f"/a/{number}")
    assert (answer.status, answer.text) == (status, body)
    for name, values in headers.items():
        assert answer.all(name) == values, name


@pytest.mark.parametrize("number", range(len(MALFORMED)), ids=lambda number: MALFORMED[number])
def test_a_malformed_answer_is_a_bad_gateway(answering, number):
    answer = answering.call(f"/m/{number}")
    assert (answer.status, answer.text) == (502, '{"message": "Internal server error"}')
    assert answer.header("x-amzn-ErrorType") == "InternalServerErrorException"


FAILURES = {
    functions.PYTHON: """
import os, signal, sys, time
def handler(event, context):
    kind = event['path'].rpartition('/')[2]
    if kind == 'raises': raise ValueError('secret detail')
    if kind == 'exits': sys.exit(3)
    if kind == 'quits': os._exit(0)
    if kind == 'killed': os.kill(os.getpid(), signal.SIGKILL)
    if kind == 'hangs': time.sleep(30)
    if kind == 'marshal': return {1, 2}
    return {'body': 'fine'}
""",
    functions.NODE: """
export const handler = async (event) => {
  const kind = event.path.split("/").pop();
  if (kind === "raises") throw new Error("secret detail");
  if (kind === "exits") process.exit(3);
  if (kind === "quits") process.exit(0);
  if (kind === "killed") process.kill(process.pid, "SIGKILL");
  if (kind === "hangs") await new Promise((resolve) => setTimeout(resolve, 30000));
  if (kind === "marshal") { const a = {}; a.a = a; return a; }
  return {body: "fine"};
};
""",
}


@pytest.fixture(scope="module")
def failing(apigateway, functions_client, server):
    api = Api(apigateway, server.port)
    for runtime, source in FAILURES.items():
        name = f"Fails{runtime[:4]}"
        arn = functions.create(functions_client, name, source, runtime, Timeout=1)
        functions.allow_gateway(functions_client, name)
        api.proxy(f"/{runtime[:4]}/{{proxy+}}", "GET", arn)
    api.deploy()
    return api


@pytest.mark.parametrize("language", ["pyth", "node"])
@pytest.mark.parametrize("kind", ["raises", "exits", "quits", "killed", "hangs", "marshal"])
def test_a_function_that_fails_is_a_bad_gateway_and_the_next_call_is_served(failing, language, kind):
    answer = failing.call(f"/{language}/{kind}", timeout=15)
    assert (answer.status, answer.text) == (502, '{"message": "Internal server error"}')
    assert answer.header("x-amzn-ErrorType") == "InternalServerErrorException"
    again = failing.call(f"/{language}/fine")
    assert (again.status, again.text) == (200, "fine")


def test_what_the_gateway_may_not_call_or_find_is_answered_for(apigateway, functions_client, server):
    forbidden = functions.create(functions_client, "Forbidden", ECHO[functions.PYTHON])
    elsewhere = functions.create(functions_client, "Elsewhere", ECHO[functions.PYTHON])
    functions.allow_gateway(
        functions_client, "Elsewhere", source="arn:aws:execute-api:us-east-1:000000000000:otherapi00/*"
    )
    allowed = functions.create(functions_client, "Allowed", ECHO[functions.PYTHON])
    functions.allow_gateway(functions_client, "Allowed")
    api = Api(apigateway, server.port)
    api.proxy("/forbidden", "GET", forbidden).proxy("/elsewhere", "GET", elsewhere)
    api.proxy("/get", "GET", allowed, integrationHttpMethod="GET").proxy("/alias", "GET", f"{allowed}:nosuch")
    api.proxy("/gone", "GET", allowed.replace("Allowed", "Gone")).proxy("/fine", "GET", allowed)
    api.deploy()
    for path in ("/forbidden", "/elsewhere", "/get"):
        answer = api.call(path)
        assert (answer.status, answer.text) == (500, '{"message": "Internal server error"}'), path
    for path in ("/gone", "/alias"):
        assert api.call(path).status in (500, 502), path
    assert api.call("/fine").status == 200
    functions_client.remove_permission(FunctionName="Allowed", StatementId="gateway")
    assert api.call("/fine").status == 500, "a permission is looked up at each call, not deployed"
    functions.allow_gateway(
        functions_client, "Allowed", source=f"arn:aws:execute-api:us-east-1:000000000000:{api.id}/test/GET/fine"
    )
    assert api.call("/fine").status == 200


def test_calls_at_once_each_get_their_own_answer(api):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for language in ("pyth", "node"):
            answers = list(pool.map(lambda n: api.call(f"/{language}/n{n}?n={n}"), range(60)))
            for number, answer in enumerate(answers):
                assert answer.status == 200, answer
                assert answer.json()["queryStringParameters"] == {"n": str(number)}


def test_a_large_answer_and_one_that_is_too_large(apigateway, functions_client, server):
    source = "def handler(event, context):\n    return {'body': 'x' * int(event['queryStringParameters']['n'])}\n"
    arn = functions.create(functions_client, "Large", source, MemorySize=512)
    functions.allow_gateway(functions_client, "Large")
    api = Api(apigateway, server.port).proxy("/large", "GET", arn)
    api.deploy()
    assert len(api.call("/large?n=5000000").body) == 5_000_000
    assert api.call("/large?n=7000000").status == 502
    assert api.call("/large?n=10").text == "x" * 10
    assert json.loads(api.call("/large?n=no").text) == {"message": "Internal server error"}
