"""HTTP and HTTP_PROXY integrations: what the backend is sent, what of its answer the client gets, and when it fails."""

import concurrent.futures
import http.client
import http.server
import json
import threading
import time

import pytest
from harness import upstream as backends
from harness.rest_api import Api
from harness.server import free_port

# Section 7.1 of what AWS does: dropped from a client's request before anything else.
DROPPED = [
    "Connection",
    "Content-MD5",
    "Expect",
    "Max-Forwards",
    "Proxy-Authenticate",
    "Server",
    "TE",
    "Trailer",
    "Upgrade",
    "WWW-Authenticate",
]


def names(request):
    """The header names of a remembered request, in lower case."""
    return [name.lower() for name, _ in request["headers"]]


def value(request, name):
    """The only value of a header of a remembered request, or None."""
    values = [value for key, value in request["headers"] if key.lower() == name.lower()]
    assert len(values) <= 1, values
    return values[0] if values else None


@pytest.fixture(scope="module")
def api(apigateway, server, upstream):
    api = Api(apigateway, server.port)
    parameters = {"method.request.path.proxy": True}
    api.backend(
        "/proxy/{proxy+}",
        "ANY",
        upstream.url + "/{proxy}",
        method={"requestParameters": parameters},
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )
    api.backend("/fixed", "ANY", upstream.url + "/echo/fixed")
    api.backend("/post-to-get", "POST", upstream.url + "/echo", backend_verb="GET")
    api.backend("/host", "GET", "http://${stageVariables.backend}/echo/${stageVariables.word}/x")
    mapped = {
        "integration.request.header.X-Mapped": "'literal'",
        "integration.request.header.X-Path": "method.request.path.id",
        "integration.request.querystring.added": "method.request.querystring.q",
        "integration.request.path.where": "method.request.header.X-Where",
        "integration.request.header.X-Stage": "context.stage",
        "integration.request.header.X-Word": "stageVariables.word",
        "integration.request.header.X-Missing": "method.request.header.X-Nowhere",
    }
    declared = {
        "method.request.path.id": True,
        "method.request.querystring.q": False,
        "method.request.header.X-Where": False,
        "method.request.header.X-Nowhere": False,
    }
    for path, kind in (("/mapped/{id}", "HTTP_PROXY"), ("/own/{id}", "HTTP")):
        api.backend(
            path,
            "POST",
            upstream.url + "/echo/{where}/end",
            kind=kind,
            method={"requestParameters": declared},
            requestParameters=mapped,
        )
    api.response("/own/{id}", "POST")
    api.backend("/plain", "GET", upstream.url + "/echo", kind="HTTP")
    api.response(
        "/plain",
        "GET",
        headers={"X-From": "integration.response.header.X-Upstream", "X-Body": "integration.response.body.method"},
    )
    api.response(
        "/plain", "GET", status=404, selectionPattern="4\\d\\d", body='{"status": "$input.json(\'$.status\')"}'
    )
    api.backend(
        "/status/{code}",
        "GET",
        upstream.url + "/status/{code}",
        kind="HTTP",
        method={"requestParameters": {"method.request.path.code": True}},
        requestParameters={"integration.request.path.code": "method.request.path.code"},
    )
    api.response("/status/{code}", status=200, selectionPattern="2\\d\\d", body='"fine"')
    api.response("/status/{code}", status=404, selectionPattern="4\\d\\d", body='{"mapped": $input.path("$.status")}')
    api.deploy(variables={"backend": f"127.0.0.1:{upstream.port}", "word": "alpha"})
    return api


def test_a_proxy_forwards_method_path_query_headers_and_body(api, upstream):
    sent = [
        ("X-One", "1"),
        ("x-CASE", "Kept"),
        ("Cookie", "a=1; b=2"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Accept", "text/html"),
        ("User-Agent", "e2e/1"),
    ]
    answer = api.call("/proxy/echo/a%20b/c?x=1&y=%2F&x=2&z=", "PUT", sent, "body text")
    assert answer.status == 200 and answer.header("X-Upstream") == "echo"
    request = upstream.last()
    assert (request["method"], request["path"], request["body"]) == ("PUT", "/echo/a%20b/c", "body text")
    assert backends.query_pairs(request) == [("x", "1"), ("x", "2"), ("y", "/"), ("z", "")] or backends.query_pairs(
        request
    ) == [("x", "1"), ("y", "/"), ("x", "2"), ("z", "")]
    for name, expected in sent:
        assert value(request, name) == expected
    assert value(request, "Host") == f"127.0.0.1:{upstream.port}"
    assert value(request, "Content-Length") == "9" and request["version"] == "HTTP/1.1"
    assert value(request, "X-Amzn-Apigateway-Api-Id") == api.id
    assert value(request, "X-Amzn-Trace-Id").startswith("Root=1-")


def test_defaults_are_added_when_the_client_gives_none(api, upstream):
    api.call("/proxy/echo")
    assert value(upstream.last(), "Accept") == "application/json"
    assert value(upstream.last(), "User-Agent") == f"AmazonAPIGateway_{api.id}"
    assert value(upstream.last(), "Content-Type") is None


@pytest.mark.parametrize("name", DROPPED)
def test_hop_headers_of_the_client_stop_here(api, upstream, name):
    text = {"Connection": "close", "Expect": "100-continue"}.get(name, "dropped")
    answer = api.call("/proxy/echo", "GET", {name: text, "X-Kept": "kept"})
    assert answer.status == 200
    assert value(upstream.last(), "X-Kept") == "kept"
    assert value(upstream.last(), name) != text


@pytest.mark.parametrize("verb", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_the_clients_verb_goes_through_any(api, upstream, verb):
    answer = api.call(
        "/fixed",
        verb,
        body=None if verb in ("GET", "HEAD", "OPTIONS") else '{"a": 1}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 200 and upstream.last()["method"] == verb and upstream.last()["path"] == "/echo/fixed"
    assert upstream.last()["body"] == ("" if verb in ("GET", "HEAD", "OPTIONS") else '{"a": 1}')


def test_a_backend_verb_without_a_body_gets_none(api, upstream):
    assert api.call("/post-to-get", "POST", {"Content-Type": "text/plain"}, "lost").status == 200
    assert (upstream.last()["method"], upstream.last()["body"]) == ("GET", "")


def test_stage_variables_fill_the_uri(api, upstream):
    assert api.call("/host").status == 200
    assert upstream.last()["path"] == "/echo/alpha/x"


def test_http_proxy_merges_what_is_mapped(api, upstream):
    api.call("/mapped/7?q=1&other=2", "POST", {"X-Mapped": "client", "X-Where": "here", "X-Client": "c"}, "{}")
    request = upstream.last()
    assert request["path"] == "/echo/here/end"
    assert (
        value(request, "X-Mapped") == "literal"
        and value(request, "X-Client") == "c"
        and value(request, "X-Path") == "7"
    )
    assert (
        value(request, "X-Stage") == "test"
        and value(request, "X-Word") == "alpha"
        and value(request, "X-Missing") is None
    )
    assert sorted(backends.query_pairs(request)) == [("added", "1"), ("other", "2"), ("q", "1")]


def test_http_sends_only_what_is_mapped(api, upstream):
    headers = {
        "X-Mapped": "client",
        "X-Where": "here",
        "X-Client": "c",
        "Content-Type": "application/json",
        "Cookie": "a=1",
    }
    answer = api.call("/own/7?q=1&other=2", "POST", headers, '{"a": 1}')
    request = upstream.last()
    assert answer.status == 200 and answer.json()["path"] == request["path"] == "/echo/here/end"
    assert set(names(request)) - {"host", "content-length", "connection", "accept-encoding"} == {
        "x-mapped",
        "x-path",
        "x-stage",
        "x-word",
        "accept",
        "user-agent",
        "content-type",
        "x-amzn-trace-id",
        "x-amzn-apigateway-api-id",
    }
    assert value(request, "X-Mapped") == "literal" and backends.query_pairs(request) == [("added", "1")]
    assert request["body"] == '{"a": 1}'


def test_http_gives_the_client_only_what_is_mapped(api):
    answer = api.call("/plain")
    assert answer.status == 200 and answer.json()["method"] == "GET"
    assert answer.header("X-From") == "echo" and answer.header("X-Body") == "GET"
    assert answer.header("X-Upstream") is None and answer.header("Content-Type") == "application/json"


def test_http_chooses_its_response_by_the_backends_status(api):
    assert api.call("/status/201").text == '"fine"'
    missing = api.call("/status/418")
    assert (missing.status, missing.json()) == (404, {"mapped": 418})
    unmatched = api.call("/status/500")
    assert (unmatched.status, unmatched.text) == (500, '{"message": "Internal server error"}')


def test_a_proxys_answer_comes_back_with_its_headers(api):
    answer = api.call("/proxy/headers")
    assert answer.status == 200 and answer.json() == {"headers": True}
    assert (
        answer.header("X-One") == "1"
        and answer.all("X-Two") == ["a", "b"]
        and answer.all("Set-Cookie") == ["a=1", "b=2"]
    )
    assert answer.header("x-amzn-Remapped-Server") == "upstream" and answer.header("x-amzn-Remapped-Date")
    assert answer.header("x-amzn-Remapped-Content-Length") == "17"
    assert answer.header("x-amzn-Remapped-x-amzn-RequestId") == "from-upstream"
    assert answer.header("x-amzn-RequestId") not in (None, "from-upstream")
    assert answer.header("Via") is None and answer.header("Pragma") == "no-cache" and answer.header("Age") == "7"
    assert answer.header("X-Amzn-Trace-Id") is None


@pytest.mark.parametrize("code", [200, 201, 204, 301, 304, 400, 401, 404, 418, 500, 503])
def test_a_proxys_status_comes_back(api, code):
    assert api.call(f"/proxy/status/{code}").status == code


def test_large_bodies_go_through_both_ways(api, upstream):
    answer = api.call(f"/proxy/bytes/{4 * 1024 * 1024}")
    assert answer.body == bytes(range(256)) * (4 * 1024 * 4) or len(answer.body) == 4 * 1024 * 1024
    assert answer.header("Content-Type") == "application/octet-stream"
    body = "0123456789" * 400_000
    assert api.call("/proxy/echo", "POST", {"Content-Type": "text/plain"}, body).status == 200
    assert upstream.last()["body"] == body


def test_more_than_ten_megabytes_are_too_large(api, upstream):
    count = len(upstream.requests)
    answer = api.call("/proxy/echo", "POST", {"Content-Type": "text/plain"}, b"x" * (10 * 1024 * 1024 + 1))
    assert answer.status == 413 and answer.json()["message"] == "Request Too Long"
    assert not any(len(request["body"]) > 10 * 1024 * 1024 for request in upstream.requests[count:])


def test_a_trace_header_of_the_client_is_continued(api, upstream):
    root = "1-65000000-0123456789abcdef01234567"
    api.call("/proxy/echo", headers={"X-Amzn-Trace-Id": f"Root={root}"})
    got = value(upstream.last(), "X-Amzn-Trace-Id")
    assert got.startswith(f"Root={root};Parent=") and got.endswith(";Sampled=0"), got


def test_a_signature_of_the_client_does_not_reach_the_backend(api, upstream):
    signed = (
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64
    )
    api.call("/proxy/echo", headers={"Authorization": signed})
    assert value(upstream.last(), "Authorization") is None
    api.call("/proxy/echo", headers={"Authorization": "Bearer token"})
    assert value(upstream.last(), "Authorization") == "Bearer token"


@pytest.fixture(scope="module")
def failing(apigateway, server, upstream):
    """An API whose backends fail, each in its way; the backends' connections are counted."""
    raw = {
        "garbage": backends.garbage,
        "headers": backends.endless_headers,
        "cut": backends.cut_body,
        "closes": backends.closes,
        "silent": backends.silent,
        "body": backends.endless_body,
        "trickle": backends.trickle,
    }
    running = {name: backends.RawUpstream(behave) for name, behave in raw.items()}
    urls = {name: backend.url for name, backend in running.items()}
    urls["dead"] = f"http://127.0.0.1:{free_port()}"
    urls["slow"] = f"{upstream.url}/slow/5000"
    urls["unknown"] = "http://no-such-host.invalid/"
    api = Api(apigateway, server.port)
    for name, url in urls.items():
        api.backend(f"/{name}", "GET", url, timeoutInMillis=500)
        api.backend(f"/own-{name}", "GET", url, kind="HTTP", timeoutInMillis=500)
        api.response(f"/own-{name}", "GET")
    api.deploy()
    yield api
    for backend in running.values():
        backend.close()


NETWORK_ERROR = (504, '{"message": "Network error communicating with endpoint"}')
TIMED_OUT = (504, '{"message": "Endpoint request timed out"}')
INTERNAL = (500, '{"message": "Internal server error"}')


@pytest.mark.parametrize(
    "name, expected",
    [
        ("dead", [NETWORK_ERROR]),
        ("closes", [NETWORK_ERROR, INTERNAL]),
        ("garbage", [NETWORK_ERROR, INTERNAL]),
        ("headers", [NETWORK_ERROR, INTERNAL, TIMED_OUT]),
        ("silent", [TIMED_OUT]),
        ("slow", [TIMED_OUT]),
        ("trickle", [TIMED_OUT, NETWORK_ERROR, INTERNAL]),
        ("unknown", [INTERNAL]),
    ],
)
@pytest.mark.parametrize("kind", ["", "own-"])
def test_a_backend_that_fails_is_answered_for(failing, name, expected, kind):
    started = time.monotonic()
    answer = failing.call(f"/{kind}{name}")
    assert (answer.status, answer.text) in expected
    assert answer.header("x-amzn-ErrorType") == "InternalServerErrorException"
    assert time.monotonic() - started < 3, "the integration's timeout of half a second was not kept"


@pytest.mark.parametrize("name", ["cut", "body"])
@pytest.mark.parametrize("kind", ["", "own-"])
def test_a_body_that_does_not_end_well_is_never_taken_for_whole(failing, name, kind):
    """Either an error, or a connection that breaks off before the promised end."""
    try:
        answer = failing.call(f"/{kind}{name}", timeout=20)
    except (http.client.HTTPException, OSError):
        return
    assert answer.status >= 500, (answer.status, len(answer.body))


def test_a_dead_backend_that_comes_back_is_called_again(apigateway, server):
    port = free_port()
    api = Api(apigateway, server.port).backend("/x", "GET", f"http://127.0.0.1:{port}/echo")
    api.deploy()
    assert api.call("/x").status == 504

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    revived = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=revived.serve_forever, daemon=True).start()
    try:
        assert api.call("/x").text == "ok"
    finally:
        revived.shutdown()
        revived.server_close()
    assert api.call("/x").status == 504


def test_our_own_control_plane_and_metadata_addresses_are_out_of_reach(apigateway, server):
    api = Api(apigateway, server.port)
    addresses = {
        "own": f"http://127.0.0.1:{server.port}/restapis",
        "name": f"http://localhost:{server.port}/restapis",
        "mapped": f"http://[::ffff:127.0.0.1]:{server.port}/restapis",
        "zero": f"http://0.0.0.0:{server.port}/restapis",
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "decimal": "http://2852039166/latest/meta-data/",
        "variable": "http://${stageVariables.target}/restapis",
    }
    for name, url in addresses.items():
        api.backend(f"/{name}", "ANY", url, timeoutInMillis=1000)
    api.deploy(variables={"target": f"127.0.0.1:{server.port}"})
    for name in addresses:
        for verb, body in (("GET", None), ("POST", '{"name": "through the back door"}')):
            answer = api.call(f"/{name}", verb, {"Content-Type": "application/json"}, body)
            assert answer.status in (500, 504), (name, answer)
    assert "through the back door" not in [found["name"] for found in apigateway.get_rest_apis()["items"]]


def test_many_requests_at_once_share_the_backend(api, upstream):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: api.call(f"/proxy/echo/{n}?n={n}"), range(200)))
    for number, answer in enumerate(answers):
        assert answer.status == 200 and answer.json()["path"] == f"/echo/{number}", (
            "an answer went to the wrong request"
        )
    assert json.loads(answers[0].body)["query"] == "n=0"
