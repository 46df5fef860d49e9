"""Functions that try to harm the server, the host or each other."""

import json
import subprocess

import pytest
from conftest import Clients
from harness import functions
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
    for _ in range(200):
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
    functions.create(clients("lambda"), "Hostile", SOURCE, Timeout=5, MemorySize=256)
    return clients("lambda")


def do(client, what, **more):
    """Has the function do something; returns whether it failed and what it answered."""
    answer = client.invoke(FunctionName="Hostile", Payload=json.dumps({"do": what, **more}))
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


def test_much_output_is_no_answer_and_no_hang(client):
    assert do(client, "noise") == (None, "said")


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
