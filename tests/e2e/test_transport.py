"""Connections: TLS, HTTP/2, keep-alive, a stop that lets requests finish, and the program's own page."""

import json
import signal
import socket
import subprocess
import threading

import pytest
from conftest import Clients
from harness import functions
from harness.processes import poll, survivors
from harness.rest_api import Api, call
from harness.server import Server, binary
from harness.upstream import Upstream


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that also listens with TLS."""
    directory = tmp_path_factory.mktemp("tls")
    server = Server(directory, "--runtime-substitution")
    server.certificate_file = server.certificate(directory)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def api(apigateway, server, upstream, clients):
    arn = functions.create(
        clients("lambda"), "Echo", "import json\ndef handler(event, context):\n    return {'body': json.dumps(event)}\n"
    )
    functions.allow_gateway(clients("lambda"), "Echo")
    api = Api(apigateway, server.port).mock("/mock", body='"mock"').proxy("/event", "ANY", arn)
    api.backend("/echo", "ANY", f"{upstream.url}/echo").backend("/large", "GET", f"{upstream.url}/bytes/3000064")
    api.deploy()
    return api


def curl(server, *arguments, check=True):
    """Runs curl, trusting the server's certificate."""
    command = ["curl", "--silent", "--show-error", "--cacert", server.certificate_file, "--max-time", "30", *arguments]
    completed = subprocess.run(command, capture_output=True, timeout=60)
    assert not check or completed.returncode == 0, completed.stderr
    return completed


@pytest.mark.parametrize("version, protocol", [("--http1.1", b"1.1"), ("--http2", b"2")])
def test_tls_serves_both_versions_of_http(server, api, version, protocol):
    url = f"https://localhost:{server.tls_port}/_aws/execute-api/{api.id}/test"
    done = curl(server, version, "--write-out", "\n%{http_version} %{http_code}", f"{url}/mock")
    assert done.stdout == b'"mock"\n' + protocol + b" 200"
    done = curl(server, version, "--data-binary", "a body", "--header", "X-Case: v", f"{url}/event")
    event = json.loads(done.stdout)
    assert event["body"] == "a body" and event["headers"]["X-Forwarded-Proto"] == "https"
    assert event["requestContext"]["protocol"] == ("HTTP/1.1" if protocol == b"1.1" else "HTTP/2.0") or protocol == b"2"
    done = curl(server, version, "--data-binary", "b" * 100_000, f"{url}/echo")
    assert json.loads(done.stdout)["body"] == "b" * 100_000
    assert len(curl(server, version, f"{url}/large").stdout) == 3_000_064


def test_one_http2_connection_carries_many_requests(server, api):
    url = f"https://localhost:{server.tls_port}/_aws/execute-api/{api.id}/test"
    urls = [f"{url}/{path}?n={number}" for number in range(20) for path in ("mock", "echo", "event")]
    done = curl(server, "--http2", "--parallel", "--write-out", "\n%{http_code} %{num_connects}\n", *urls)
    lines = done.stdout.decode().splitlines()
    assert sum(line.startswith("200 ") for line in lines) == 60, lines
    assert sum(int(line.split()[1]) for line in lines if line.startswith("200 ")) <= 6, "connections were not shared"


def test_a_host_name_of_an_api_works_over_tls(server, api):
    host = f"{api.id}.execute-api.localhost"
    done = curl(
        server,
        "--http2",
        "--resolve",
        f"{host}:{server.tls_port}:127.0.0.1",
        f"https://{host}:{server.tls_port}/test/mock",
    )
    assert done.stdout == b'"mock"'


def test_http2_without_tls_is_spoken_too(server, api):
    url = f"{server.url}/_aws/execute-api/{api.id}/test/mock"
    done = curl(server, "--http2-prior-knowledge", "--write-out", "\n%{http_version}", url)
    assert done.stdout == b'"mock"\n2'


def test_plain_http_on_the_tls_port_is_no_hang(server):
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while connection.recv(4096):
            pass
    assert call(server.tls_port, "GET", "/_frontgate/health", tls=server.certificate_file).status == 200


def test_a_connection_is_kept_and_requests_may_be_sent_ahead(server, api):
    request = f"GET /_aws/execute-api/{api.id}/test/mock HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request * 3)
        received = b""
        while received.count(b'"mock"') < 3:
            data = connection.recv(65536)
            assert data, received
            received += data
    assert received.count(b"HTTP/1.1 200") == 3


def test_the_health_page(server):
    answer = call(server.port, "GET", "/_frontgate/health")
    assert answer.status == 200
    assert isinstance(answer.json(), dict)


def test_answers_of_the_control_plane_carry_request_ids(server, clients):
    for service, operation in (("apigateway", "get_rest_apis"), ("lambda", "list_functions"), ("iam", "list_roles")):
        metadata = getattr(clients(service), operation)()["ResponseMetadata"]
        assert len(metadata["RequestId"]) == 36, (service, metadata)
    ids = {clients("apigateway").get_rest_apis()["ResponseMetadata"]["RequestId"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stop_lets_requests_finish(tmp_path, number):
    """What is in flight when the signal comes is answered whole; new connections are refused; nothing is left behind."""
    upstream = Upstream()
    server = Server(tmp_path, "--runtime-substitution").start()
    clients = Clients(server)
    called = upstream.url + "/echo"
    source = (
        "import time, urllib.request\ndef handler(event, context):\n"
        f"    urllib.request.urlopen('{called}').read()\n    time.sleep(1)\n    return {{'body': 'from the function'}}\n"
    )
    arn = functions.create(clients("lambda"), "Slow", source, Timeout=10)
    functions.allow_gateway(clients("lambda"), "Slow")
    api = Api(clients("apigateway"), server.port).proxy("/function", "GET", arn)
    api.backend("/backend", "GET", f"{upstream.url}/slow/60000")
    api.deploy()
    answers = {}

    def get(path):
        answers[path] = api.call(path)

    threads = [threading.Thread(target=get, args=(path,)) for path in ("/function", "/backend")]
    for thread in threads:
        thread.start()
    poll(lambda: len(upstream.requests) >= 2, 20)
    server.note_children()
    server.process.send_signal(number)
    poll(lambda: refuses(server.port), 5)
    upstream.released.set()
    for thread in threads:
        thread.join(20)
    assert server.process.wait(20) == 0, server.log()
    process, server.process = server.process, None
    assert process.returncode == 0 and "panicked" not in server.log()
    upstream.close()
    assert (answers["/function"].status, answers["/function"].text) == (200, "from the function")
    assert (answers["/backend"].status, answers["/backend"].json()) == (200, {"slow": True})
    assert survivors(server.seen) == {}


def refuses(port):
    """Whether nobody takes new connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return False
    except OSError:
        return True


def test_what_does_not_end_is_ended_after_the_grace_period(tmp_path):
    upstream = Upstream()
    server = Server(tmp_path, "--grace-period", "1").start()
    api = Api(Clients(server)("apigateway"), server.port).backend("/slow", "GET", f"{upstream.url}/slow/60000")
    api.deploy()
    thread = threading.Thread(target=lambda: pytest.raises(Exception, api.call, "/slow"), daemon=True)
    thread.start()
    poll(lambda: len(upstream.requests) == 1, 10)
    server.stop()
    upstream.close()
    thread.join(10)


def test_killing_the_server_ends_its_functions(tmp_path):
    server = Server(tmp_path, "--runtime-substitution").start()
    client = Clients(server)("lambda")
    for runtime, source in (
        (functions.PYTHON, "def handler(event, context):\n    return 1\n"),
        (functions.NODE, "export const handler = async () => 1;"),
    ):
        functions.create(client, f"Kept{runtime[:4]}", source, runtime)
        assert client.invoke(FunctionName=f"Kept{runtime[:4]}")["StatusCode"] == 200
    server.note_children()
    assert server.seen, "the functions run in processes of their own"
    server.stop(signal.SIGKILL)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--listen", "nonsense"], "nonsense"),
        (["--no-such-flag"], "--no-such-flag"),
        (["--tls-listen", "127.0.0.1:0"], "--tls-certificate"),
        (["--listen", "0.0.0.0:0"], "--insecure-remote-admin"),
        (["--auth", "enforce"], "enforce"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_a_reason(tmp_path, arguments, said):
    completed = subprocess.run(
        [binary(), "serve", "--data-dir", tmp_path / "data", *arguments], capture_output=True, text=True, timeout=20
    )
    assert completed.returncode not in (0, 101) and said in completed.stderr, completed.stderr
    assert "panicked" not in completed.stderr


def test_the_configuration_can_be_checked_without_starting(tmp_path):
    completed = subprocess.run(
        [binary(), "serve", "--check-config", "--data-dir", tmp_path / "data"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert completed.returncode == 0, completed.stderr
    assert not (tmp_path / "data").exists()


def test_a_runtime_that_is_not_here_is_refused_with_what_is_here(tmp_path):
    server = Server(tmp_path).start()
    try:
        client = Clients(server)("lambda")
        with pytest.raises(client.exceptions.ClientError) as refused:
            functions.create(client, "Old", "def handler(event, context): pass", "python3.8")
        message = str(refused.value)
        assert "python3.8" in message and "--runtime-substitution" in message and "3." in message
        assert client.list_functions()["Functions"] == []
    finally:
        server.stop()
