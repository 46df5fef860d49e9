"""Lambda called by itself, and as an AWS integration with mapping templates."""

import base64
import json
import re

import botocore.exceptions
import pytest
from harness import functions
from harness.rest_api import LAMBDA_URI, Api, call

SOURCE = {
    functions.PYTHON: """
import json, os, signal, sys, time
def handler(event, context):
    kind = event.get('kind') if isinstance(event, dict) else None
    if kind == 'raises':
        raise ValueError('broken ' + event['why'])
    if kind == 'exits': sys.exit(3)
    if kind == 'quits': os._exit(0)
    if kind == 'killed': os.kill(os.getpid(), signal.SIGKILL)
    if kind == 'hangs': time.sleep(30)
    if kind == 'large': return 'x' * 6291600
    if kind == 'context':
        return [context.function_name, context.function_version, context.invoked_function_arn, context.memory_limit_in_mb,
                context.aws_request_id, context.log_group_name, context.get_remaining_time_in_millis() <= 1000, context.client_context and context.client_context.custom]
    if kind == 'environment': return dict(os.environ)
    return event
""",
    functions.NODE: """
export const handler = async (event, context) => {
  const kind = event && event.kind;
  if (kind === "raises") throw new TypeError("broken " + event.why);
  if (kind === "exits") process.exit(3);
  if (kind === "quits") process.exit(0);
  if (kind === "killed") process.kill(process.pid, "SIGKILL");
  if (kind === "hangs") await new Promise((resolve) => setTimeout(resolve, 30000));
  if (kind === "large") return "x".repeat(6291600);
  if (kind === "context") return [context.functionName, context.functionVersion, context.invokedFunctionArn, context.memoryLimitInMB,
    context.awsRequestId, context.logGroupName, context.getRemainingTimeInMillis() <= 1000, context.clientContext ? context.clientContext.custom : null];
  if (kind === "environment") return process.env;
  return event;
};
""",
}
RUNTIMES = [functions.PYTHON, functions.NODE]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@pytest.fixture(scope="module")
def client(clients):
    """A client of Lambda."""
    return clients("lambda")


@pytest.fixture(scope="module")
def named(client):
    """The names of the functions by runtime."""
    names = {}
    for runtime, source in SOURCE.items():
        names[runtime] = f"Direct{runtime[:4]}"
        functions.create(
            client, names[runtime], source, runtime, Timeout=1, Environment={"Variables": {"OWN": "own value"}}
        )
    return names


@pytest.fixture
def invoke(client, named):
    """Invokes the function of a runtime; returns the answer and its decoded payload."""

    def run(runtime, payload, **options):
        answer = client.invoke(FunctionName=named[runtime], Payload=json.dumps(payload), **options)
        text = answer["Payload"].read()
        return answer, json.loads(text) if text else None

    return run


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "payload", [{"a": [1, 2.5, None, True, "ü✓"]}, [], "text", 7, None, {"deep": {"er": {"still": 1}}}], ids=repr
)
def test_a_payload_comes_back(invoke, runtime, payload):
    answer, got = invoke(runtime, payload)
    assert got == payload and answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer


def test_the_headers_of_an_answer(invoke):
    headers = invoke(functions.PYTHON, {})[0]["ResponseMetadata"]["HTTPHeaders"]
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-requestid"])
    assert headers["x-amzn-trace-id"].lower().startswith("root=1-")
    assert headers["x-amzn-remapped-content-length"] == "0"


def test_an_exception_of_python(invoke):
    answer, error = invoke(functions.PYTHON, {"kind": "raises", "why": "ü"})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "broken ü")
    assert error["requestId"] == answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    # On AWS the file is /var/task/app.py. Until functions get a root of their own, the path is the host's.
    (frame,) = error["stackTrace"]
    assert frame.startswith('  File "/') and "app.py\", line 6, in handler\n    raise ValueError('broken '" in frame
    assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]


def test_an_exception_of_node(invoke):
    answer, error = invoke(functions.NODE, {"kind": "raises", "why": "ü"})
    assert answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "broken ü")
    assert error["trace"][0] == "TypeError: broken ü" and "task/index.mjs:4:" in error["trace"][1]
    assert list(error) == ["errorType", "errorMessage", "trace"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "kind, reason",
    [
        ("exits", "Runtime exited with error: exit status 3"),
        ("quits", "Runtime exited without providing a reason"),
        ("killed", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends(invoke, runtime, kind, reason):
    answer, error = invoke(runtime, {"kind": kind})
    request_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert answer["FunctionError"] == "Unhandled"
    assert error == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {reason}"}
    assert invoke(runtime, {"again": 1})[1] == {"again": 1}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_time_out(invoke, runtime):
    answer, error = invoke(runtime, {"kind": "hangs"})
    request_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert answer["FunctionError"] == "Unhandled"
    classic = re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z {request_id} Task timed out after 1\.00 seconds", error["errorMessage"]
    )
    newer = error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert classic and list(error) == ["errorMessage"] or newer, error
    assert invoke(runtime, {"again": 1})[1] == {"again": 1}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_response_that_is_too_large(invoke, runtime):
    answer, error = invoke(runtime, {"kind": "large"})
    assert answer["FunctionError"] == "Unhandled"
    assert error == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_a_function_knows_of_itself(invoke, named, runtime):
    custom = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer, got = invoke(runtime, {"kind": "context"}, ClientContext=custom)
    name = named[runtime]
    request_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert got == [name, "$LATEST", ARN + name, "128", request_id, f"/aws/lambda/{name}", True, {"k": "v"}]
    _, environment = invoke(runtime, {"kind": "environment"})
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name and environment["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128" and environment["AWS_REGION"] == "us-east-1"
    # On AWS the task root is /var/task; see above.
    assert environment["LAMBDA_TASK_ROOT"].endswith("/task") and environment["OWN"] == "own value"
    assert environment["_HANDLER"] in ("app.handler", "index.handler") and environment["TZ"] == ":UTC"
    assert not [key for key in environment if key.startswith("FRONTGATE") or key == "RUST_BACKTRACE"], (
        "the server's own environment leaks"
    )


@pytest.mark.parametrize(
    "runtime, source, kind, message",
    [
        (
            functions.PYTHON,
            "import nosuch\ndef handler(event, context): pass",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nosuch'",
        ),
        (
            functions.PYTHON,
            "def other(event, context): pass",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
        ),
        (
            functions.PYTHON,
            "def handler(event, context)\n  pass",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app'",
        ),
        (
            functions.NODE,
            "export const other = 1;",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        (functions.NODE, "export const handler = ;", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        (
            functions.NODE,
            "import 'nosuch-package'; export const handler = 1;",
            "Runtime.ImportModuleError",
            "nosuch-package",
        ),
    ],
    ids=lambda value: value if str(value).startswith("Runtime.") else "",
)
def test_code_that_cannot_be_loaded(client, runtime, source, kind, message, request):
    name = "Load" + re.sub("[^A-Za-z0-9]", "", request.node.name)
    functions.create(client, name, source, runtime)
    answer = client.invoke(FunctionName=name)
    error = json.load(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled" and error["errorType"] == kind and message in error["errorMessage"]


def test_the_kinds_of_invocation(client, named):
    name = named["python3.13"]
    dry = client.invoke(FunctionName=name, InvocationType="DryRun")
    assert dry["StatusCode"] == 204 and dry["Payload"].read() == b""
    assert json.load(client.invoke(FunctionName=name)["Payload"]) == {}, "no body at all is an empty object"
    tail = client.invoke(FunctionName=name, LogType="Tail", Payload=b"{}")
    log = base64.b64decode(tail["LogResult"]).decode()
    request_id = tail["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert f"START RequestId: {request_id} Version: $LATEST" in log and f"END RequestId: {request_id}" in log
    assert f"REPORT RequestId: {request_id}\tDuration: " in log
    for form in (f"{ARN}{name}", f"000000000000:function:{name}", f"{name}:$LATEST"):
        assert client.invoke(FunctionName=form, Payload=b"1")["StatusCode"] == 200


def test_what_cannot_be_invoked(client, named):
    name = named["python3.13"]
    for call_it, code, message in [
        (
            lambda: client.invoke(FunctionName="nosuch"),
            "ResourceNotFoundException",
            f"Function not found: {ARN}nosuch:$LATEST",
        ),
        (
            lambda: client.invoke(FunctionName=name, Qualifier="9"),
            "ResourceNotFoundException",
            f"Function not found: {ARN}{name}:9",
        ),
        (
            lambda: client.invoke(FunctionName=f"{name}:$LATEST", Qualifier="1"),
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        ),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            call_it()
        assert (refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]) == (code, message)
    with pytest.raises(botocore.exceptions.ClientError, match="Could not parse request body into json") as refused:
        client.invoke(FunctionName=name, Payload=b"\x99 not json")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"
    large = b'"' + b"x" * (6 * 1024 * 1024 + 100) + b'"'
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.invoke(FunctionName=name, Payload=large)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"


def test_environments_are_kept_warm(client):
    source = "import os\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return [count, os.getpid()]\n"
    functions.create(client, "Warm", source)
    first, second = (json.load(client.invoke(FunctionName="Warm")["Payload"]) for _ in range(2))
    assert second == [first[0] + 1, first[1]], "the second call should find the environment of the first"
    client.update_function_code(FunctionName="Warm", ZipFile=functions.archive({"app.py": source + "# changed"}))
    client.get_waiter("function_updated_v2").wait(FunctionName="Warm", WaiterConfig={"Delay": 1})
    assert json.load(client.invoke(FunctionName="Warm")["Payload"])[0] == 1, "new code, new environment"


@pytest.fixture(scope="module")
def mapped(apigateway, client, server):
    """AWS integrations of a function that answers its event, or raises what the event says."""
    source = (
        "def handler(event, context):\n    if event.get('raise'): raise Exception(event['raise'])\n    return event\n"
    )
    arn = functions.create(client, "Mapped", source)
    functions.allow_gateway(client, "Mapped")
    api = Api(apigateway, server.port)
    template = '{"id": "$input.params(\'id\')", "body": $input.json(\'$\'), "stage": "$context.stage", "word": "$stageVariables.word"}'
    for path, options in (("/event/{id}", {"requestTemplates": {"application/json": template}}), ("/raw", {})):
        api.method(path, "POST")
        api.client.put_integration(
            **api.at(path, "POST"), type="AWS", integrationHttpMethod="POST", uri=LAMBDA_URI.format(arn), **options
        )
    api.response("/event/{id}", "POST", body="{\"got\": $input.json('$'), \"word\": $input.json('$.word')}")
    api.response("/raw", "POST", headers={"X-Body": "integration.response.body.a"})
    api.response(
        "/raw", "POST", status=404, selectionPattern="not found.*", body="{\"error\": $input.json('$.errorMessage')}"
    )
    api.response("/raw", "POST", status=400, selectionPattern="bad", body='{"error": "$input.path(\'$.errorType\')"}')
    api.deploy(variables={"word": "alpha"})
    return api


def test_a_template_makes_the_event_and_another_the_answer(mapped):
    answer = mapped.call("/event/7", "POST", {"Content-Type": "application/json"}, '{"n": [1]}')
    event = {"id": "7", "body": {"n": [1]}, "stage": "test", "word": "alpha"}
    assert (answer.status, answer.json()) == (200, {"got": event, "word": "alpha"})
    assert answer.header("X-Amzn-Trace-Id").startswith("Root=1-")


def test_without_templates_the_body_is_the_event_and_the_answer(mapped):
    answer = mapped.call("/raw", "POST", {"Content-Type": "application/json"}, '{"a": "b"}')
    assert (answer.status, answer.json(), answer.header("X-Body")) == (200, {"a": "b"}, "b")


@pytest.mark.parametrize(
    "message, status, body",
    [
        ("not found: 7", 404, {"error": "not found: 7"}),
        ("bad", 400, {"error": "Exception"}),
        ("bad and more", 200, None),
        ("other", 200, None),
    ],
)
def test_an_error_of_the_function_chooses_the_response(mapped, message, status, body):
    answer = mapped.call("/raw", "POST", {"Content-Type": "application/json"}, json.dumps({"raise": message}))
    assert answer.status == status
    assert answer.json() == body if body else answer.json()["errorMessage"] == message


def test_a_body_that_is_no_json_is_refused_before_the_function(mapped):
    """Lambda's refusal has no errorMessage, so the default integration response passes it on."""
    answer = mapped.call("/raw", "POST", {"Content-Type": "application/json"}, "{not json")
    assert answer.status == 200
    assert answer.json()["message"].startswith("Could not parse request body into json: ")


def test_an_invocation_type_that_is_not_built_is_refused_by_name(mapped):
    mapped.method("/dry", "POST")
    with pytest.raises(botocore.exceptions.ClientError, match="X-Amz-Invocation-Type .* not supported"):
        mapped.client.put_integration(
            **mapped.at("/dry", "POST"),
            type="AWS",
            integrationHttpMethod="POST",
            uri=LAMBDA_URI.format(f"{ARN}Mapped"),
            requestParameters={"integration.request.header.X-Amz-Invocation-Type": "'DryRun'"},
        )


def test_function_urls_and_other_addresses_are_not_mistaken(server):
    answer = call(server.port, "GET", "/_aws/lambda-url/nosuchurl0/")
    assert answer.status in (403, 404, 501)
