"""Functions that try to harm the server, the host or each other."""

import io
import json
import subprocess
import zipfile

import pytest
from conftest import Clients
from harness import functions, processes
from harness.server import Server

SOURCE = """
import ctypes, json, os, socket, subprocess, sys, tempfile, time

def handler(event, context):
    return globals()[event['do']](event)

def fine(event):
    return 'fine'

def deep(event):
    os.chdir(tempfile.gettempdir())
    for level in range(event['levels']):
        os.mkdir('d')
        os.chdir('d')
    os.chdir('/')
    return 'made'

def noise(event):
    for _ in range(event['megabytes'] * 16):
        sys.stdout.write('x' * 65536)
        sys.stderr.write('\\x00\\xff\\r\\n' * 100)
    return 'said'

def descriptors(event):
    found = {}
    for name in os.listdir('/proc/self/fd'):
        try:
            found[name] = os.readlink('/proc/self/fd/' + name)
        except OSError:
            pass
    return found

def rubbish(event):
    for name in os.listdir('/proc/self/fd'):
        try:
            link = os.readlink('/proc/self/fd/' + name)
            if link.startswith('socket:'):
                os.write(int(name), b'\\xff\\xff\\xff\\xff rubbish' * 100)
        except OSError:
            pass
    return 'wrote'

def closes(event):
    os.closerange(0, 1000)
    time.sleep(5)

def memory(event):
    held = []
    for _ in range(64):
        held.append(bytearray(os.urandom(1)) * (32 * 1024 * 1024))
    return len(held)

def children(event):
    for _ in range(event['count']):
        subprocess.Popen(['sleep', '1000'])
    return 'started'

def own_file(event):
    try:
        with open(__file__, 'w') as file:
            file.write('changed')
    except OSError as error:
        return 'refused'
    return 'written'
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose folder is removed by a program that deep folders cannot harm; Python's and pytest's own can be."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory, "--runtime-substitution").start()
    yield server
    try:
        server.stop()
    finally:
        subprocess.run(["rm", "-rf", directory], check=False)


@pytest.fixture(scope="module")
def client(clients):
    """A client of Lambda, with the function made."""
    functions.create(clients("lambda"), "Hostile", SOURCE, Timeout=30, MemorySize=256)
    return clients("lambda")


def do(client, what, name="Hostile", **more):
    """Has the function do something; returns whether it failed and what it answered."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"do": what, **more}))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


@pytest.fixture(autouse=True)
def the_next_call_is_served(client):
    """After each test another call of the same function is answered as ever."""
    yield
    assert do(client, "fine") == (None, "fine")


@pytest.mark.parametrize("levels", [100, 1500, 5000])
def test_deep_folders_do_no_harm_when_they_are_removed(client, levels):
    assert do(client, "deep", levels=levels) == (None, "made")
    # New code ends the old environments, whose folders are then removed.
    client.update_function_code(FunctionName="Hostile", ZipFile=functions.archive({"app.py": f"{SOURCE}\n# {levels}"}))
    client.get_waiter("function_updated_v2").wait(FunctionName="Hostile", WaiterConfig={"Delay": 1})
    for _ in range(3):
        assert do(client, "fine") == (None, "fine")


def test_100_mb_of_output_are_no_answer_no_hang_and_are_not_kept(client, server):
    functions.create(client, "Loud", SOURCE, Timeout=120)
    answers = []
    for megabytes in (1, 100):
        before = server.resident_mb()
        answers.append(do(client, "noise", name="Loud", megabytes=megabytes))
    assert answers == [(None, "said")] * 2
    assert server.resident_mb() - before < 50


def test_a_function_inherits_no_descriptor_of_the_server(client, server):
    failed, found = do(client, "descriptors")
    assert failed is None
    for number, target in found.items():
        assert "sqlite" not in target and "frontgate.log" not in target, (number, target)
    others = [target for number, target in found.items() if int(number) > 2 and not target.startswith("/proc/")]
    assert len(others) <= 3, found


@pytest.mark.parametrize("what", ["rubbish", "closes"])
def test_a_function_that_spoils_its_socket_fails_alone(client, what):
    failed, answer = do(client, what)
    assert failed == "Unhandled" or answer == "wrote"
    assert do(client, "fine") == (None, "fine")


def test_memory_is_bounded(client):
    failed, answer = do(client, "memory")
    assert failed == "Unhandled", f"a function of 256 MB took {answer} times 32 MB"


def test_a_package_cannot_be_changed_by_its_function(client):
    client.publish_version(FunctionName="Hostile")
    do(client, "own_file")
    assert do(client, "fine") == (None, "fine")
    got = client.get_function_configuration(FunctionName="Hostile", Qualifier="1")
    assert got["CodeSha256"] == client.get_function_configuration(FunctionName="Hostile")["CodeSha256"]


def test_children_that_a_function_leaves_end_with_the_server(tmp_path):
    """Those of its process group, that is. One that makes a session of its own escapes until there is a pid namespace."""
    server = Server(tmp_path, "--runtime-substitution").start()
    try:
        client = Clients(server)("lambda")
        functions.create(client, "Hostile", SOURCE, Timeout=5)
        assert do(client, "children", count=20) == (None, "started")
        server.note_children()
        sleeping = [pid for pid, (_, command) in server.seen.items() if command.startswith("sleep")]
        assert len(sleeping) == 20
    finally:
        server.stop()


NODE = """
let calls = 0;
export const handler = (event, context, callback) => {
  calls += 1;
  if (event === 'twice') { callback(null, 'one'); callback(null, 'two'); callback(new Error('three')); }
  else if (event === 'later') { setTimeout(() => callback(null, 'late'), 20); callback(null, 'early'); }
  else if (event === 'function') callback(null, () => 1);
  else if (event === 'circle') { const circle = {}; circle.circle = circle; callback(null, circle); }
  else if (event === 'bigint') callback(null, 1n);
  else if (event === 'getter') callback(null, { get x() { throw new Error('no'); } });
  else if (event === 'never') { setInterval(() => {}, 1000); }
  else callback(null, calls);
};
"""


def test_answers_that_come_twice_not_as_json_or_never_are_one_answer_each(client):
    functions.create(client, "Answers", NODE, functions.NODE, Timeout=3)

    def ask(event):
        answer = client.invoke(FunctionName="Answers", Payload=json.dumps(event))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    assert ask("twice") == (None, "one")
    assert ask("how many") == (None, 2), "what came after the answer is not the next one's"
    assert ask("later") == (None, "early")
    assert ask("how many") == (None, 4)
    assert ask("function") == (None, None)
    for event in ("circle", "bigint", "getter"):
        failed, answer = ask(event)
        assert (failed, answer["errorType"]) == ("Unhandled", "Runtime.MarshalError"), event
    failed, answer = ask("never")
    assert (failed, answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert ask("how many") == (None, 1), "of a new process"


# The head of a program for a PowerPC of 64 bits.
FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x15\x00" + bytes(44)


@pytest.mark.parametrize(
    "what, bootstrap, mode, told",
    [
        ("not executable", b"#!/bin/sh\n", 0o644, "permission denied"),
        ("another CPU", FOREIGN, 0o755, "exec format error"),
        ("no program", b"\x00\xff" * 1000, 0o755, "exec format error"),
        ("nothing", b"", 0o755, "exec format error"),
        ("no interpreter", b"#!/no/such/program\n", 0o755, "no such file or directory"),
    ],
)
def test_a_program_that_cannot_be_run_is_told_so(client, what, bootstrap, mode, told):
    name = "Program" + what.title().replace(" ", "")
    functions.create(client, name, "", "provided.al2023", Code={"ZipFile": program(bootstrap, mode)})
    for _ in range(2):
        answer = client.invoke(FunctionName=name)
        error = json.loads(answer["Payload"].read())
        assert (answer["FunctionError"], error["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint")
        assert error["errorMessage"].endswith(f"Error: fork/exec /var/task/bootstrap: {told}"), error


def test_a_program_that_is_cut_off_fails_alone(client):
    with open("/bin/true", "rb") as file:
        cut = file.read(1000)
    functions.create(client, "ProgramCut", "", "provided.al2023", Code={"ZipFile": program(cut, 0o755)})
    assert client.invoke(FunctionName="ProgramCut")["FunctionError"] == "Unhandled"


def program(content, mode):
    """A package with a program."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = mode << 16
        writer.writestr(entry, content)
    return buffer.getvalue()


# As an SDK does, it passes on the trace that it was called with.
AGAIN = """
import json, os, urllib.error, urllib.request
def handler(event, context):
    urllib.request.urlopen(event["url"], timeout=20).read()
    address = os.environ["AWS_ENDPOINT_URL"] + "/2015-03-31/functions/" + event["function"] + "/invocations"
    headers = {
        "X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"],
        "X-Amz-Invocation-Type": event["type"],
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
        "SignedHeaders=host, Signature=" + "0" * 64,
    }
    try:
        request = urllib.request.Request(address, json.dumps(event).encode(), headers)
        return urllib.request.urlopen(request, timeout=60).read().decode()
    except urllib.error.HTTPError as error:
        return error.headers["x-amzn-ErrorType"]
"""


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_a_function_that_calls_itself_without_end_is_stopped(client, upstream, kind):
    name = f"Again{kind}"
    functions.create(client, name, AGAIN, Timeout=60)
    path = f"/echo/{kind}"
    event = {"url": upstream.url + path, "function": name, "type": kind}
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read().decode()
    runs = lambda: sum(request["path"] == path for request in upstream.requests)
    processes.poll(lambda: runs() >= 16, 60)
    if kind == "RequestResponse":
        assert "RecursiveInvocationException" in answer
    # Nothing of it is left to run: another event of the same function is run and is the last.
    last = {**event, "url": f"{upstream.url}/echo/last{kind}", "function": "Hostile", "type": "DryRun"}
    client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(last))
    processes.poll(lambda: any(request["path"] == f"/echo/last{kind}" for request in upstream.requests), 20)
    assert runs() == 16
