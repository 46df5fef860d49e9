"""Backends for integrations to call: one that answers as its path says, and raw ones that behave badly."""

import http.server
import json
import socket
import threading
import time
import urllib.parse


class Upstream:
    """A threaded HTTP/1.1 server. `requests` holds what arrived, oldest first, as dictionaries.

    Paths: /echo… answers with the request as JSON; /status/N with that status; /slow/MILLISECONDS after that time;
    /headers with one of each header that a gateway treats specially; /bytes/N with N bytes; /text with plain text.
    """

    def __init__(self):
        upstream = self
        self.requests = []
        self.released = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are written apart; without this the body waits for the head to be acknowledged.
            disable_nagle_algorithm = True
            server_version = "upstream"
            sys_version = ""

            def log_message(self, *_):
                pass

            def handle_any(self):
                upstream.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        """Stops listening and lets waiting answers go."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        """Reads one request, remembers it, answers by its path."""
        body = read_body(handler)
        path, _, query = handler.path.partition("?")
        request = {
            "method": handler.command,
            "path": path,
            "query": query,
            "headers": handler.headers.items(),
            "body": body.decode("utf-8", "surrogateescape"),
            "version": handler.request_version,
        }
        self.requests.append(request)
        parts = path.strip("/").split("/")
        if parts[0] == "status":
            respond(
                handler, int(parts[1]), [("Content-Type", "application/json")], json.dumps({"status": int(parts[1])})
            )
        elif parts[0] == "slow":
            self.released.wait(int(parts[1]) / 1000)
            respond(handler, 200, [("Content-Type", "application/json")], '{"slow": true}')
        elif parts[0] == "headers":
            respond(handler, 200, SPECIAL_HEADERS, '{"headers": true}')
        elif parts[0] == "bytes":
            respond(
                handler, 200, [("Content-Type", "application/octet-stream")], bytes(range(256)) * (int(parts[1]) // 256)
            )
        elif parts[0] == "text":
            respond(handler, 200, [("Content-Type", "text/plain")], "plain text")
        else:
            respond(handler, 200, [("Content-Type", "application/json"), ("X-Upstream", "echo")], json.dumps(request))

    def last(self):
        """The newest request."""
        return self.requests[-1]


SPECIAL_HEADERS = [
    ("Content-Type", "application/json"),
    ("X-One", "1"),
    ("X-Two", "a"),
    ("X-Two", "b"),
    ("Set-Cookie", "a=1"),
    ("Set-Cookie", "b=2"),
    ("Via", "1.1 upstream"),
    ("Pragma", "no-cache"),
    ("Age", "7"),
    ("WWW-Authenticate", "Basic"),
    ("x-amzn-requestid", "from-upstream"),
]


def read_body(handler):
    """The body of a request, by length or by chunks."""
    if "chunked" in handler.headers.get("Transfer-Encoding", ""):
        body = b""
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            body += handler.rfile.read(size)
            handler.rfile.readline()
        handler.rfile.readline()
        return body
    return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))


def respond(handler, status, headers, body):
    """Sends one answer."""
    bodiless = handler.command == "HEAD" or status in (204, 304)
    content = b"" if status in (204, 304) else body.encode() if isinstance(body, str) else body
    try:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        if status not in (204, 304):
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if not bodiless:
            handler.wfile.write(content)
    except OSError:
        handler.close_connection = True


class RawUpstream:
    """Accepts connections and lets `behave(connection)` do with them what it likes; `connections` counts them. One that
    looks at the request has an `answer` of its own."""

    def __init__(self, behave=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.behave = behave
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Serves each connection on a thread of its own."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        """One connection, closed at the end."""
        with connection:
            connection.settimeout(20)
            try:
                self.answer(connection, connection.recv(65536))
            except OSError:
                pass

    def answer(self, connection, _request):
        """What it does with a connection after the head of a request."""
        self.behave(connection)

    def close(self):
        """Stops listening."""
        self.listener.close()


def garbage(connection):
    """Answers with what is not HTTP."""
    connection.sendall(b"\x16\x03\x01 this is no HTTP \x00\xff\r\n\r\n" * 20)


def endless_headers(connection):
    """Sends header lines for as long as anybody reads them, up to 64 MB."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(64 * 1024):
        connection.sendall(b"X-%d: " % number + b"x" * 1000 + b"\r\n")


def cut_body(connection):
    """Promises a body of 1000 bytes and closes after ten."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n0123456789")


def closes(_connection):
    """Closes without an answer."""


def silent(connection):
    """Reads and never answers, until the other side gives up."""
    while connection.recv(65536):
        pass


def endless_body(connection):
    """Sends a body without end in chunks, up to 64 MB."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(64 * 16):
        connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def trickle(connection):
    """Sends one byte of a header every tenth of a second."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def query_pairs(request):
    """The query of a remembered request, decoded, in order."""
    return urllib.parse.parse_qsl(request["query"], keep_blank_values=True)
