"""Function URLs, and the operations that invoke a function other than Invoke: configured by boto3 and the AWS CLI, called by
a plain HTTP client."""

import base64
import http.client
import json
import socket
import threading

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest
from harness import functions
from harness.processes import poll
from harness.rest_api import Answer, Api
from harness.upstream import RawUpstream

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 201, "headers": {"My-Header": "a"}, "cookies": ["c=1", "d=2"], "body": json.dumps(event)}
"""

# Writes a part, waits until the test opens the gate, writes the rest.
STORY = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const asked = event.queryStringParameters ?? event;
  if (asked.fail === 'early') throw new Error('early');
  if (asked.metadata) {
    stream = awslambda.HttpResponseStream.from(stream, {
      statusCode: 202, headers: { 'Content-Type': 'text/plain', 'X-A': 'b' }, cookies: ['a=1', 'b=2'],
    });
  } else {
    stream.setContentType('text/html');
  }
  stream.write('first;');
  if (asked.gate) await fetch(asked.gate);
  if (asked.fail === 'late') throw new Error('late');
  stream.write('last');
  stream.end();
});
"""


class Gate(RawUpstream):
    """An HTTP server whose answer waits until the test opens it."""

    def __init__(self):
        self.opened = threading.Event()
        super().__init__()

    def answer(self, connection, _request):
        self.opened.wait(30)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    def close(self):
        self.opened.set()
        super().close()


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def lambda_(clients):
    client = clients("lambda")
    functions.create(client, "echo", ECHO)
    functions.create(client, "story", STORY, functions.NODE, Timeout=40)
    return client


def make_url(client, name, open_to_all=True, **options):
    """A new URL of a function; its host."""
    options = {"AuthType": "NONE", **options}
    qualified = {"Qualifier": options["Qualifier"]} if "Qualifier" in options else {}
    try:
        client.delete_function_url_config(FunctionName=name, **qualified)
    except client.exceptions.ResourceNotFoundException:
        pass
    url = client.create_function_url_config(FunctionName=name, **options)["FunctionUrl"]
    if open_to_all:
        try:
            client.add_permission(
                FunctionName=name,
                StatementId="url",
                Action="lambda:InvokeFunctionUrl",
                Principal="*",
                FunctionUrlAuthType="NONE",
                **qualified,
            )
        except client.exceptions.ResourceConflictException:
            pass
    assert url.startswith("http://") and url.endswith("/")
    return url[len("http://") : -1]


def call(server, host, path="/", method="GET", body=None, headers=None):
    """Calls a URL by its host, whatever a resolver thinks of it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {"Host": host, **(headers or {})})
    response = connection.getresponse()
    answer = Answer(response.status, response.getheaders(), response.read())
    connection.close()
    return answer


def test_a_url_calls_its_function(server, lambda_):
    host = make_url(lambda_, "echo")
    assert host.endswith(f".lambda-url.us-east-1.localhost:{server.port}")
    headers = {"Content-Type": "application/json", "Cookie": "x=1; y=2"}
    answer = call(server, host, "/a%20b?q=1&q=2", "POST", '{"n": 1}', headers)
    assert (answer.status, answer.header("My-Header"), answer.all("Set-Cookie")) == (201, "a", ["c=1", "d=2"])
    assert answer.header("Content-Type") == "application/json" and answer.header("x-amzn-RequestId")
    event = answer.json()
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == ("/a%20b", "/a b")
    assert (event["queryStringParameters"], event["cookies"]) == ({"q": "1,2"}, ["x=1", "y=2"])
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    id_ = host.split(".")[0]
    by_path = call(server, f"127.0.0.1:{server.port}", f"/_aws/lambda-url/{id_}/a%20b")
    assert (by_path.status, by_path.json()["rawPath"]) == (201, "/a%20b")


def test_who_may_call_is_the_policys_to_say(server, lambda_):
    functions.create(lambda_, "shut", ECHO)
    host = make_url(lambda_, "shut", open_to_all=False)
    refused = call(server, host)
    assert (refused.status, refused.header("x-amzn-ErrorType")) == (403, "AccessDeniedException")
    assert refused.json()["Message"].startswith("Forbidden. For troubleshooting Function URL authorization issues")
    lambda_.add_permission(
        FunctionName="shut",
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert call(server, host).status == 201
    lambda_.remove_permission(FunctionName="shut", StatementId="url")
    assert call(server, host).status == 403
    lambda_.delete_function(FunctionName="shut")
    gone = call(server, host)
    assert (gone.status, gone.json()) == (403, {"Message": None})


def test_aws_iam_wants_a_signature(server, lambda_):
    host = make_url(lambda_, "echo", open_to_all=False, AuthType="AWS_IAM")
    assert call(server, host).status == 403
    credentials = botocore.credentials.Credentials("test", "test")
    for service, status in [("lambda", 201), ("execute-api", 403)]:
        request = botocore.awsrequest.AWSRequest("GET", f"http://{host}/x")
        botocore.auth.SigV4Auth(credentials, service, "us-east-1").add_auth(request)
        answer = call(server, host, "/x", headers=dict(request.headers))
        assert answer.status == status, service
        if status == 201:
            assert answer.json()["requestContext"]["authorizer"]["iam"]["accessKey"] == "test"
    signer = botocore.auth.SigV4QueryAuth(credentials, "lambda", "us-east-1")
    request = botocore.awsrequest.AWSRequest("GET", f"http://{host}/x")
    signer.add_auth(request)
    assert call(server, host, request.url.split(host)[1]).status == 201


def test_pages_are_told_what_they_may(server, lambda_):
    cors = {"AllowOrigins": ["https://www.example.com"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "MaxAge": 60}
    host = make_url(lambda_, "echo", Cors=cors)
    origin = {"Origin": "https://www.example.com"}
    preflight = call(server, host, method="OPTIONS", headers=origin | {"Access-Control-Request-Method": "GET"})
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.header("Access-Control-Allow-Origin") == "https://www.example.com"
    assert preflight.header("Access-Control-Allow-Methods") == "GET"
    assert call(server, host, headers=origin).header("Access-Control-Allow-Origin") == "https://www.example.com"
    other = call(server, host, headers={"Origin": "https://other.example.com"})
    assert (other.status, other.header("Access-Control-Allow-Origin")) == (201, None)


def test_an_alias_has_a_url_of_its_own(server, lambda_):
    version = lambda_.publish_version(FunctionName="echo")["Version"]
    lambda_.create_alias(FunctionName="echo", Name="live", FunctionVersion=version)
    host = make_url(lambda_, "echo", Qualifier="live")
    assert call(server, host).status == 201
    urls = lambda_.list_function_url_configs(FunctionName="echo")["FunctionUrlConfigs"]
    assert f"http://{host}/" in [url["FunctionUrl"] for url in urls]
    lambda_.delete_alias(FunctionName="echo", Name="live")
    assert call(server, host).status == 403


def test_a_streams_parts_come_while_it_is_written(server, lambda_, gate):
    host = make_url(lambda_, "story", InvokeMode="RESPONSE_STREAM")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/?metadata=1&gate={gate.url}", headers={"Host": host})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type"), answer.getheader("X-A")) == (202, "text/plain", "b")
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.read1(100) == b"first;"
    gate.opened.set()
    assert answer.read() == b"last"
    connection.close()
    plain = call(server, host)
    assert (plain.status, plain.header("Content-Type"), plain.body) == (200, "text/html", b"first;last")
    failed = call(server, host, "/?fail=early")
    assert (failed.status, failed.body) == (502, b"Internal Server Error")
    with pytest.raises(http.client.IncompleteRead) as broken:
        call(server, host, "/?fail=late")
    assert broken.value.partial == b"first;"


def test_an_api_calls_a_function_by_its_url(server, lambda_, apigateway):
    host = make_url(lambda_, "echo")
    api = Api(apigateway, server.port)
    api.backend("/p", "GET", f"http://{host}/from-api")
    api.deploy()
    answer = api.call("/p")
    assert (answer.status, answer.json()["rawPath"]) == (201, "/from-api")


def test_the_cli_makes_urls(server, lambda_, aws):
    make_url(lambda_, "echo")
    aws("lambda", "delete-function-url-config", "--function-name", "echo")
    made = json.loads(
        aws("lambda", "create-function-url-config", "--function-name", "echo", "--auth-type", "NONE").stdout
    )
    assert call(server, made["FunctionUrl"][len("http://") : -1]).status == 201
    again = aws("lambda", "create-function-url-config", "--function-name", "echo", "--auth-type", "NONE", fails=True)
    assert "FunctionUrlConfig exists for this Lambda function" in again.stderr


def test_boto3_reads_events_while_the_function_writes(lambda_, gate):
    answer = lambda_.invoke_with_response_stream(
        FunctionName="story", Payload=json.dumps({"gate": gate.url}).encode(), LogType="Tail"
    )
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first;"}}
    gate.opened.set()
    assert next(events) == {"PayloadChunk": {"Payload": b"last"}}
    complete = next(events)["InvokeComplete"]
    assert "ErrorCode" not in complete
    assert "END RequestId" in base64.b64decode(complete["LogResult"]).decode()
    assert next(events, None) is None


def test_a_failure_ends_the_events(lambda_):
    for payload, chunks in [(b'{"fail": "early"}', []), (b'{"fail": "late"}', [b"first;"])]:
        answer = lambda_.invoke_with_response_stream(FunctionName="story", Payload=payload)
        *parts, last = answer["EventStream"]
        assert [part["PayloadChunk"]["Payload"] for part in parts] == chunks
        assert last["InvokeComplete"]["ErrorCode"] == "Unhandled"
        details = json.loads(last["InvokeComplete"]["ErrorDetails"])
        assert details["errorMessage"] == payload.decode().split('"')[3]
    whole = lambda_.invoke_with_response_stream(FunctionName="echo", Payload=b"{}")
    part, last = whole["EventStream"]
    assert json.loads(part["PayloadChunk"]["Payload"])["statusCode"] == 201 and last == {"InvokeComplete": {}}
    dry = lambda_.invoke_with_response_stream(FunctionName="echo", InvocationType="DryRun")
    assert dry["StatusCode"] == 204
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        lambda_.invoke_with_response_stream(FunctionName="absent", Payload=b"{}")
    assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_old_client_does_not_wait(lambda_, tmp_path):
    seen = []
    listener = socket.create_server(("127.0.0.1", 0))
    source = """
import socket
def handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as connection:
        connection.sendall(b"here")
"""
    functions.create(lambda_, "caller", source)

    def accept():
        connection, _ = listener.accept()
        with connection:
            seen.append(connection.recv(100))

    threading.Thread(target=accept, daemon=True).start()
    arguments = json.dumps({"port": listener.getsockname()[1]})
    assert lambda_.invoke_async(FunctionName="caller", InvokeArgs=arguments)["Status"] == 202
    poll(lambda: seen == [b"here"], 30)
    listener.close()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        lambda_.invoke_async(FunctionName="caller", InvokeArgs=b"not JSON")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"
