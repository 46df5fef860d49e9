"""Packed bodies: minimumCompressionSize, Accept-Encoding, and requests that clients have packed."""

import gzip
import json
import zlib

import botocore.exceptions
import pytest
from harness import functions
from harness.rest_api import Api

TEXT = json.dumps({"words": ["some", "words"] * 200})


def unpacked(answer):
    """The body as its Content-Encoding says it is to be read."""
    coding = answer.header("Content-Encoding")
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[coding]
    return unpack(answer.body).decode()


@pytest.fixture(scope="module")
def api(apigateway, clients, server, upstream):
    api = Api(apigateway, server.port, minimumCompressionSize=1000)
    api.mock("/mock", body=TEXT)
    api.mock("/short", body=TEXT[:999])
    api.backend("/echo", "POST", upstream.url + "/echo")
    api.backend("/large/{bytes}", "GET", upstream.url + "/bytes/2000000")
    source = "def handler(event, context):\n    return {'body': event['body']}\n"
    arn = functions.create(clients("lambda"), "compression", source)
    functions.allow_gateway(clients("lambda"), "compression")
    api.proxy("/function", "POST", arn)
    api.deploy()
    return api


def patch(apigateway, api, value):
    operation = {"op": "replace", "path": "/minimumCompressionSize", "value": value}
    return apigateway.update_rest_api(restApiId=api.id, patchOperations=[operation])


def test_answers_are_packed_as_the_client_likes_it(api):
    for accept, coding in [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate;q=1.0, gzip;q=0.5", "deflate"),
        ("br, gzip;q=0.5", None),
        ("identity", None),
        ("*", None),
        (None, None),
    ]:
        answer = api.call("/mock", headers={"Accept-Encoding": accept} if accept else None)
        assert (answer.status, answer.header("Content-Encoding")) == (200, coding), accept
        assert answer.header("Content-Length") == str(len(answer.body))
        assert unpacked(answer) == TEXT
        assert (len(answer.body) < len(TEXT) / 4) == (coding is not None)
    short = api.call("/short", headers={"Accept-Encoding": "gzip"})
    assert (short.header("Content-Encoding"), short.text) == (None, TEXT[:999])


def test_packed_requests_are_unpacked_for_every_integration(api, upstream):
    for coding, pack in [("gzip", gzip.compress), ("deflate", zlib.compress)]:
        headers = {"Content-Encoding": coding, "Content-Type": "text/plain"}
        count = len(upstream.requests)
        body = pack(json.dumps(list(range(2000))).encode())
        assert len(body) > 1000, "what is smaller than the minimum is left as it is"
        assert api.call("/echo", "POST", headers, body).status == 200
        request = upstream.requests[count]
        assert json.loads(request["body"]) == list(range(2000))
        assert not [value for name, value in request["headers"] if name.lower() == "content-encoding"]
        answer = api.call("/function", "POST", headers, body)
        assert answer.json() == list(range(2000))


def test_what_is_not_packed_as_it_says_is_refused(api):
    body = gzip.compress(json.dumps(list(range(2000))).encode())
    for coding, sent, status in [
        ("gzip", body[:-5], 415),
        ("gzip", b"plain text " * 200, 415),
        ("deflate", body, 415),
        ("br", body, 415),
        ("gzip", gzip.compress(bytes(11 * 1024 * 1024)), 413),
    ]:
        for path in ("/echo", "/function"):
            answer = api.call(path, "POST", {"Content-Encoding": coding, "Content-Type": "text/plain"}, sent)
            message = {415: "Unsupported Media Type", 413: "Request Too Long"}[status]
            assert (answer.status, answer.json()) == (status, {"message": message}), (coding, path)


def test_the_minimum_is_a_part_of_the_deployment(apigateway, server):
    api = Api(apigateway, server.port)
    api.mock("/mock", body=TEXT)
    api.deploy()
    coding = lambda: api.call("/mock", headers={"Accept-Encoding": "gzip"}).header("Content-Encoding")  # noqa: E731
    assert coding() is None
    assert patch(apigateway, api, "0")["minimumCompressionSize"] == 0
    assert coding() is None
    api.deploy()
    assert coding() == "gzip"
    assert "minimumCompressionSize" not in patch(apigateway, api, "")
    api.deploy()
    assert coding() is None
    for value in ("-1", "10485761", "many"):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            patch(apigateway, api, value)
        message = "Invalid minimum compression size, must be between 0 and 10485760"
        assert refused.value.response["Error"]["Message"] == message


def test_a_large_answer_is_packed_on_its_way(api):
    answer = api.call("/large/x", headers={"Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") == "gzip"
    assert gzip.decompress(answer.body) == bytes(range(256)) * (2_000_000 // 256)
