"""Broken, oversize and hostile HTTP: AWS's error or a clean close, and the next client is served."""

import json
import socket
import threading
import time

import pytest
from harness.processes import poll
from harness.rest_api import Api, call

SECONDS = 8


@pytest.fixture(scope="module")
def api(apigateway, server, upstream):
    api = Api(apigateway, server.port).mock("/word", body='"word"')
    api.backend(
        "/proxy/{proxy+}",
        "ANY",
        upstream.url + "/echo/{proxy}",
        method={"requestParameters": {"method.request.path.proxy": True}},
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )
    api.deploy()
    return api


@pytest.fixture(scope="module", autouse=True)
def trickle(api):
    """A client that sends its head one byte at a time, from the first test on; set once the server has cut it off."""
    cut_off, done = threading.Event(), threading.Event()

    def send():
        with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
            try:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
                connection.settimeout(0.01)
                while not done.wait(0.5):
                    connection.sendall(b"x")
                    try:
                        if not connection.recv(4096):
                            break
                    except TimeoutError:
                        continue
            except OSError:
                pass
            cut_off.set()

    threading.Thread(target=send, daemon=True).start()
    yield cut_off
    done.set()


@pytest.fixture(autouse=True)
def the_next_client_is_served(api):
    """After each test, whatever it did, an ordinary request is answered at once."""
    yield
    started = time.monotonic()
    assert api.call("/word", timeout=5).json() == "word"
    assert time.monotonic() - started < 2


def exchange(port, sent, seconds=SECONDS, half_close=True):
    """Sends bytes and reads until the server closes or `seconds` have passed; returns (bytes, whether it closed)."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                connection.settimeout(max(deadline - time.monotonic(), 0.01))
                data = connection.recv(65536)
                if not data:
                    return received, True
                received += data
        except TimeoutError:
            return received, False
        except OSError:
            return received, True
    return received, False


def statuses(received):
    """The status codes of the answers in what was received."""
    return [int(line.split()[1]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.")]


PATH = b"/_aws/execute-api/{api}/test/word"
MALFORMED = {
    "nothing": b"",
    "one byte": b"G",
    "no HTTP": b"\x00\x01\x02\x03" * 100,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200,
    "only a line": b"GET /\r\n\r\n",
    "no version": b"GET {path}\r\nHost: x\r\n\r\n",
    "version 3": b"GET {path} HTTP/3.0\r\nHost: x\r\n\r\n",
    "version 9.9": b"GET {path} HTTP/9.9\r\nHost: x\r\n\r\n",
    "a blank in the path": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL in the path": b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "high bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "no colon": b"GET {path} HTTP/1.1\r\nHost x\r\n\r\n",
    "a blank before the colon": b"GET {path} HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
    "an empty name": b"GET {path} HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "a NUL in a value": b"GET {path} HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
    "a bare CR": b"GET {path} HTTP/1.1\r\nHost: x\r\nA: b\rc: d\r\n\r\n",
    "a folded line": b"GET {path} HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "cut in the head": b"GET {path} HTTP/1.1\r\nHost: x\r\nA: ",
    "cut in the body": b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    "cut in a chunk": b"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc",
    "a bad chunk size": b"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a huge chunk size": b"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a negative length": b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length with a plus": b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    "a length that is no number": b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "a length beyond everything": b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "two lengths": b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "an unknown coding": b"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\nabc",
    "only an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an HTTP/2 preface and rubbish": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    "an HTTP/2 frame too large": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x04\x00\x00\x00\x00\x00" + b"x" * 1000,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_request_gets_an_error_or_a_clean_close(api, what):
    received, closed = exchange(api.port, fill(MALFORMED[what], api))
    assert closed, f"the connection is still open after {SECONDS} seconds: {received[:200]}"
    assert all(400 <= status < 500 or status == 505 for status in statuses(received)), received[:300]


def fill(text, api):
    """Puts the path of a deployed method into a request."""
    return text.replace(b"{path}", PATH.replace(b"{api}", api.id.encode()))


@pytest.mark.parametrize(
    "what, request_text",
    {
        "a long path": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "a very long path": b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "a long query": b"GET {path}?" + b"a=b&" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "a large header": b"GET {path} HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
        "a very large header": b"GET {path} HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 4_000_000 + b"\r\n\r\n",
        "many headers": b"GET {path} HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"H%d: v\r\n" % n for n in range(5_000))
        + b"\r\n",
        "a long method": b"A" * 100_000 + b" {path} HTTP/1.1\r\nHost: x\r\n\r\n",
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_oversize_head_is_refused(api, what, request_text):
    received, closed = exchange(api.port, fill(request_text, api))
    assert closed, "the connection is still open"
    assert all(400 <= status < 500 for status in statuses(received)), received[:300]


SMUGGLED = b"GET /_aws/execute-api/{api}/test/proxy/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLING = {
    "length and chunks": (b"Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunks and length": (b"Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n", b"0\r\n\r\n"),
    "an odd coding": (b"Content-Length: {length}\r\nTransfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "a coding after a tab": (b"Content-Length: {length}\r\nTransfer-Encoding:\tchunked\r\n", b"0\r\n\r\n"),
    "a coding with a blank": (b"Content-Length: {length}\r\nTransfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "two codings": (
        b"Content-Length: {length}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"0\r\n\r\n",
    ),
    "a folded coding": (b"Content-Length: {length}\r\nX: y\r\n Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: {length}\r\n", b""),
    "a list of lengths": (b"Content-Length: 0, {length}\r\n", b""),
    "a line end in a value": (b"Content-Length: {length}\r\nX: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
}


@pytest.mark.parametrize("what", SMUGGLING)
def test_a_request_cannot_hide_in_the_body_of_another(api, upstream, what):
    """Where length and chunks disagree, front and backend must not see different requests; here the backend sees ours."""
    count = len(upstream.requests)
    headers, before = SMUGGLING[what]
    body = before + fill_id(SMUGGLED, api)
    head = (
        b"POST /_aws/execute-api/"
        + api.id.encode()
        + b"/test/proxy/first HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    )
    received, closed = exchange(api.port, head + headers.replace(b"{length}", str(len(body)).encode()) + b"\r\n" + body)
    assert closed
    forwarded = upstream.requests[count:]
    paths = [request["path"] for request in forwarded]
    assert len(statuses(received)) <= 1, f"two answers to one request: {received[:500]}"
    assert paths in ([], ["/echo/first"]), paths
    for request in forwarded:
        names = [name.lower() for name, _ in request["headers"]]
        assert not ("content-length" in names and "transfer-encoding" in names), names


def fill_id(text, api):
    """Puts the API's id into a request."""
    return text.replace(b"{api}", api.id.encode())


@pytest.mark.parametrize(
    "name, value",
    [
        ("X-A", "b\r\nX-Injected: yes"),
        ("X-Mapped", "a\nX-Injected: yes"),
        ("X\r\nX-Injected", "yes"),
    ],
)
def test_line_ends_cannot_be_injected(api, upstream, name, value):
    head = f"GET /_aws/execute-api/{api.id}/test/proxy/x HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\nConnection: close\r\n\r\n"
    count = len(upstream.requests)
    exchange(api.port, head.encode())
    for request in upstream.requests[count:]:
        assert "\r" not in str(request["headers"]) or "\n" not in str(request["headers"])


def test_escaped_line_ends_do_not_become_header_lines(apigateway, server, upstream):
    api = Api(apigateway, server.port)
    declared = {"method.request.querystring.v": False, "method.request.path.p": True}
    api.backend(
        "/{p}",
        "GET",
        upstream.url + "/echo/{p}",
        method={"requestParameters": declared},
        requestParameters={
            "integration.request.header.X-Value": "method.request.querystring.v",
            "integration.request.path.p": "method.request.path.p",
        },
    )
    api.mock("/made", body="#set($context.responseOverride.header.X-Made = $input.params('v'))x")
    api.deploy()
    for value in ("a%0d%0aX-Injected:%20yes", "a%0aX-Injected:%20yes", "%00", "a%0d%0a%0d%0aGET%20/second%20HTTP/1.1"):
        count = len(upstream.requests)
        answer = api.call(f"/{value.replace('%0d%0a%0d%0aGET%20/', '')}?v={value}")
        assert answer.status < 600
        for request in upstream.requests[count:]:
            assert "x-injected" not in [name.lower() for name, _ in request["headers"]]
        assert len(upstream.requests) <= count + 1
        made = api.call(f"/made?v={value}")
        assert "x-injected" not in [name.lower() for name in made.names()]


def test_slow_clients_do_not_keep_others_waiting(api):
    """Two hundred clients that send a byte now and then, and read nothing, while an ordinary one is served."""
    slow = []
    try:
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", api.port), timeout=5)
            connection.sendall(
                b"GET /_aws/execute-api/"
                if number % 2
                else f"POST /_aws/execute-api/{api.id}/test/proxy/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na".encode()
            )
            slow.append(connection)
        started = time.monotonic()
        for _ in range(50):
            assert api.call("/word", timeout=5).json() == "word"
        assert time.monotonic() - started < 5
    finally:
        for connection in slow:
            connection.close()


def test_a_client_that_leaves_in_the_middle_is_forgotten(api, upstream):
    for number in range(50):
        with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
            connection.sendall(
                f"GET /_aws/execute-api/{api.id}/test/proxy/{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert json.loads(api.call("/proxy/after").text)["path"] == "/echo/after"


def test_a_client_that_reads_slowly_gets_everything(apigateway, server, upstream):
    api = Api(apigateway, server.port).backend("/large", "GET", f"{upstream.url}/bytes/{4 * 1024 * 1024}")
    api.deploy()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f"GET /_aws/execute-api/{api.id}/test/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        received = 0
        while data := connection.recv(1000):
            received += len(data)
    assert received > 4 * 1024 * 1024


@pytest.mark.parametrize(
    "name, value",
    [
        ("Host", ""),
        ("Host", "a" * 5000),
        ("Host", "x.execute-api."),
        ("Host", ".execute-api.localhost"),
        ("Host", "[::1"),
        ("Host", "a b"),
        ("Host", "\u00e9.execute-api.localhost"),
        ("Host", "..execute-api..localhost"),
        ("Host", "127.0.0.1:99999"),
        ("X-Amzn-Trace-Id", "Root=" + "x" * 5000),
        ("X-Amzn-Trace-Id", "=;=;Root=;Parent"),
        ("Cookie", ";" * 5000),
        ("X-HTTP-Method-Override", "A" * 1000),
        ("X-HTTP-Method-Override", "G\u00e9T"),
        ("Content-Encoding", "gzip"),
        ("Expect", "nonsense"),
        ("X-Forwarded-For", ", " * 2000),
        ("Accept", "/;q=" * 1000),
        ("Content-Type", "\u00e9;;;=/"),
        ("Accept-Encoding", "gzip;q=abc, *;q=9"),
    ],
)
def test_strange_header_values_do_no_harm(api, name, value):
    text = f"POST /_aws/execute-api/{api.id}/test/proxy/x HTTP/1.1\r\n" + (
        f"{name}: {value}\r\n" if name == "Host" else f"Host: x\r\n{name}: {value}\r\n"
    )
    received, closed = exchange(
        api.port, (text + "Content-Length: 3\r\nConnection: close\r\n\r\nabc").encode("latin-1")
    )
    assert closed
    assert all(status < 500 for status in statuses(received)), received[:300]


def test_a_head_that_never_ends_is_given_up(trickle):
    """A client may not hold a connection for ever by sending a little of its head now and then."""
    poll(trickle.is_set, 60, pause=0.2)


def test_the_control_plane_still_answers_after_all_this(apigateway, server, api):
    assert api.id in [found["id"] for found in apigateway.get_rest_apis(limit=500)["items"]]
    assert call(server.port, "GET", "/_frontgate/health").status == 200
