"""Answers that are passed on while they come: responseTransferMode STREAM in front of a function and of an HTTP backend."""

import http.client
import json
import threading
import time

import botocore.exceptions
import pytest
from harness import functions
from harness.processes import poll
from harness.rest_api import Api
from harness.upstream import RawUpstream

STREAM_URI = "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/{}/response-streaming-invocations"

STORY = """
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  const query = event.queryStringParameters ?? {};
  if (query.fail === 'early') throw new Error('early');
  stream = awslambda.HttpResponseStream.from(stream, {
    statusCode: 201,
    headers: { 'Content-Type': 'text/plain', 'X-Path': event.path },
    multiValueHeaders: { 'X-Many': ['1', '2'] },
    cookies: ['a=1', 'b=2'],
  });
  const pause = Number(query.pause ?? 0);
  for (let at = 0; at < 3; at++) {
    stream.write(`part ${at};`);
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (query.fail === 'late') throw new Error('late');
  }
  if (query.megabytes) {
    const block = Buffer.alloc(1024 * 1024, 'x');
    for (let at = 0; at < Number(query.megabytes); at++) {
      await new Promise((resolve) => stream.write(block, resolve));
    }
  }
  stream.end();
});
"""

RAW = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('no metadata');
  stream.end();
});
"""


class Dripping(RawUpstream):
    """An HTTP backend that sends `first`, waits until the test has seen it, and sends the rest."""

    def __init__(self):
        self.seen = threading.Event()
        super().__init__()

    def answer(self, connection, request):
        megabytes = int(request.decode().split(" ")[1].strip("/"))
        length = 5 + megabytes * 1024 * 1024
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nfirst".encode())
        self.seen.wait(20)
        for _ in range(megabytes):
            connection.sendall(b"x" * 1024 * 1024)


@pytest.fixture(scope="module")
def dripping():
    backend = Dripping()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def api(apigateway, clients, server, dripping):
    api = Api(apigateway, server.port)
    lambda_ = clients("lambda")
    for name, source, runtime in [
        ("story", STORY, functions.NODE),
        ("raw", RAW, functions.NODE),
        ("whole", "def handler(event, context):\n    return {'statusCode': 200, 'body': 'whole'}\n", functions.PYTHON),
    ]:
        arn = functions.create(lambda_, f"stream-{name}", source, runtime, Timeout=30)
        functions.allow_gateway(lambda_, f"stream-{name}")
        api.proxy(f"/{name}", "GET", arn, uri=STREAM_URI.format(arn), responseTransferMode="STREAM")
    api.backend("/http/{proxy+}", "GET", dripping.url + "/30", responseTransferMode="STREAM", timeoutInMillis=60000)
    api.backend("/buffered", "GET", dripping.url + "/11")
    api.deploy()
    return api


def opened(api, path):
    """An answer whose head has come."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    connection.request("GET", f"/_aws/execute-api/{api.id}/test{path}")
    return connection, connection.getresponse()


def test_a_functions_parts_come_when_they_are_written(api):
    connection, answer = opened(api, "/story?pause=400")
    began = time.monotonic()
    assert answer.status == 201
    assert (answer.getheader("Content-Type"), answer.getheader("X-Path")) == ("text/plain", "/story")
    assert answer.headers.get_all("X-Many") == ["1", "2"] and answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.read1(100) == b"part 0;"
    first = time.monotonic() - began
    assert answer.read() == b"part 1;part 2;"
    assert time.monotonic() - began - first > 0.6, "the first part came before the last was written"
    connection.close()


def test_a_function_may_stream_more_than_its_six_megabytes(api):
    answer = api.call("/story?megabytes=9")
    assert (answer.status, len(answer.body)) == (201, 21 + 9 * 1024 * 1024)


def test_what_is_no_stream_is_an_error(api):
    for path, status in [("/raw", 500), ("/whole", 500), ("/story?fail=early", 502)]:
        answer = api.call(path)
        assert (answer.status, answer.json()) == (status, {"message": "Internal server error"}), path


def test_a_stream_that_fails_does_not_look_whole(api):
    connection, answer = opened(api, "/story?fail=late")
    assert answer.status == 201
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert broken.value.partial == b"part 0;"
    connection.close()
    assert api.call("/story").status == 201, "the next call is served"


def test_a_plain_invocation_gets_the_stream_whole(clients, api):
    payload = clients("lambda").invoke(FunctionName="stream-raw", Payload=b"{}")["Payload"].read()
    assert payload == b"no metadata"


def test_a_client_that_leaves_costs_nothing_but_its_own_stream(api):
    for _ in range(3):
        connection, answer = opened(api, "/story?megabytes=9&pause=1")
        assert answer.read1(7) == b"part 0;"
        connection.close()
    assert poll(lambda: api.call("/story").status == 201, 20)


def test_a_backends_thirty_megabytes_come_at_awss_pace(api, dripping):
    dripping.seen.clear()
    connection, answer = opened(api, "/http/x")
    # The first byte is here before the backend goes on.
    assert answer.status == 200 and answer.read(5) == b"first"
    began = time.monotonic()
    dripping.seen.set()
    assert len(answer.read(10 * 1024 * 1024 - 5)) == 10 * 1024 * 1024 - 5
    assert time.monotonic() - began < 4, "ten megabytes are not held back"
    rest = answer.read()
    assert len(rest) == 20 * 1024 * 1024 + 5
    assert 8 < time.monotonic() - began < 30, "twenty more go at 2 MB/s"
    connection.close()


def test_without_it_ten_megabytes_are_the_most(api, dripping):
    dripping.seen.set()
    answer = api.call("/buffered")
    assert (answer.status, answer.json()) == (500, {"message": "Internal server error"})


def test_only_proxies_stream_and_for_fifteen_minutes_at_most(apigateway, server):
    api = Api(apigateway, server.port)
    api.backend("/p", "GET", "http://127.0.0.1:9/", responseTransferMode="STREAM", timeoutInMillis=900000)
    stored = apigateway.get_integration(**api.at("/p", "GET"))
    assert (stored["responseTransferMode"], stored["timeoutInMillis"]) == ("STREAM", 900000)
    api.method("/h")
    for parameters, message in [
        ({"type": "HTTP", "responseTransferMode": "STREAM"}, "Invalid ResponseTransferMode. "),
        ({"type": "HTTP_PROXY", "timeoutInMillis": 29001}, "Timeout should be between 50 ms and 29000 ms"),
        (
            {"type": "HTTP_PROXY", "responseTransferMode": "STREAM", "timeoutInMillis": 900001},
            "Timeout should be between 50 ms and 900000 ms",
        ),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            apigateway.put_integration(
                **api.at("/h", "GET"), integrationHttpMethod="GET", uri="http://127.0.0.1:9/", **parameters
            )
        error = refused.value.response["Error"]
        assert error["Code"] == "BadRequestException" and message in error["Message"], json.dumps(error)
