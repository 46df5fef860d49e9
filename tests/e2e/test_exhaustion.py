"""What is used up: the disk of the data directory, and the server's descriptors. What needs more is refused in clear words,
what does not goes on, and all is well when there is more again."""

import contextlib
import http.client
import json
import os
import resource
import subprocess
import threading

import botocore.exceptions
import pytest
from conftest import Clients
from harness import functions, processes
from harness.rest_api import Api
from harness.server import Server
from harness.upstream import Upstream

SAYS = "def handler(event, context):\n    return [{!r}, event]\n"
TELLS = """
import urllib.request
def handler(event, context):
    urllib.request.urlopen(event["url"], timeout=20).read()
"""
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
DISK_BYTES = 64 * 1024 * 1024
FULL = "the disk of the data directory is full"


class Disk:
    """A small file system of its own, on which a server keeps its data."""

    def __init__(self, folder):
        self.filler = folder / "filler"

    def fill(self):
        """Leaves no room."""
        with self.filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass

    def empty(self):
        """Gives the room back."""
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"who fills a disk must be allowed to mount one: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def own(request, tmp_path):
    """A server of the test's own, on the disk if the test has one."""
    if "disk" in request.fixturenames:
        request.getfixturevalue("disk")
    server = Server(tmp_path, "--runtime-substitution").start()
    yield server
    server.stop()


def invoke(client, name, event=1):
    """What a function answers."""
    return json.load(client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])


def create(client, name, megabytes=0):
    """Asks for a function whose package cannot be made smaller; does not wait for it."""
    package = {"app.py": SAYS.format(name), "data": os.urandom(megabytes * 1024 * 1024)}
    return client.create_function(
        FunctionName=name,
        Runtime=functions.PYTHON,
        Handler="app.handler",
        Role=functions.ROLE,
        Code={"ZipFile": functions.archive(package)},
    )


def refusal(call):
    """The status, the code and the text of the error that a call must end with."""
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call()
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def described(clients):
    """All that the control plane says of what there is."""
    client = clients("lambda")
    return [
        client.list_functions(FunctionVersion="ALL")["Functions"],
        client.list_layers()["Layers"],
        [(api["name"], api["id"]) for api in clients("apigateway").get_rest_apis()["items"]],
        [role["RoleName"] for role in clients("iam").list_roles()["Roles"]],
    ]


def test_a_full_disk_refuses_what_is_to_be_kept_and_nothing_else(disk, own):
    clients = Clients(own)
    client, apigateway, iam = clients("lambda"), clients("apigateway"), clients("iam")
    for name in ("warm", "cold"):
        functions.create(client, name, SAYS.format(name))
    client.publish_version(FunctionName="warm")
    api = Api(apigateway, own.port).mock("/word", body='"word"')
    api.deploy()
    assert invoke(client, "warm") == ["warm", 1]
    before = described(clients)
    package = functions.archive({"app.py": SAYS.format("new"), "data": os.urandom(2 * 1024 * 1024)})
    large = json.dumps("x" * 200_000)
    code = (400, "CodeStorageExceededException", FULL.replace("the", "The", 1) + ".")
    service = (500, "ServiceException", f"The change was not kept: {FULL}.")
    event = (500, "ServiceException", f"The function could not be run: the event was not kept: {FULL}")
    gateway = (503, "ServiceUnavailableException", f"The change was not kept: {FULL}.")
    roles = (500, "ServiceFailure", f"The change was not kept: {FULL}.")
    attempts = [
        (code, lambda: create(client, "new", 2)),
        (code, lambda: client.update_function_code(FunctionName="warm", ZipFile=package)),
        (code, lambda: client.publish_layer_version(LayerName="new", Content={"ZipFile": package})),
        (service, lambda: client.update_function_configuration(FunctionName="warm", Description="x" * 256)),
        (service, lambda: client.publish_version(FunctionName="cold")),
        (service, lambda: client.create_alias(FunctionName="warm", Name="live", FunctionVersion="1")),
        (service, lambda: client.put_function_concurrency(FunctionName="warm", ReservedConcurrentExecutions=5)),
        (event, lambda: client.invoke(FunctionName="warm", InvocationType="Event", Payload=large)),
        (event, lambda: client.invoke_async(FunctionName="warm", InvokeArgs=large)),
        (gateway, lambda: apigateway.create_rest_api(name="new", description="x" * 1000)),
        (roles, lambda: iam.create_role(RoleName="new", AssumeRolePolicyDocument=TRUST)),
    ]

    disk.fill()
    for expected, attempt in attempts:
        assert refusal(attempt) == expected
    for number in range(20):
        assert invoke(client, "warm", number) == ["warm", number]
    assert api.call("/word").json() == "word"
    assert invoke(client, "cold") == ["cold", 1], "what was unpacked before can be started"
    assert described(clients) == before

    disk.empty()
    assert described(clients) == before
    for _, attempt in attempts:
        attempt()
    client.get_waiter("function_updated_v2").wait(FunctionName="warm", WaiterConfig={"Delay": 1})
    assert invoke(client, "warm") == ["new", 1]
    own.restart()
    client.get_waiter("function_active_v2").wait(FunctionName="new", WaiterConfig={"Delay": 1})
    assert [invoke(client, name) for name in ("new", "warm:1")] == [["new", 1], ["warm", 1]]


def test_an_event_that_is_run_while_the_disk_is_full_is_over_when_there_is_room(disk, own):
    client, upstream = Clients(own)("lambda"), Upstream()
    functions.create(client, "tells", TELLS, Timeout=30)
    send = lambda path: client.invoke(
        FunctionName="tells", InvocationType="Event", Payload=json.dumps({"url": f"{upstream.url}{path}"})
    )
    arrived = lambda: [request["path"] for request in upstream.requests]
    send("/slow/1000")
    processes.poll(lambda: arrived() == ["/slow/1000"], 20)
    disk.fill()
    processes.poll(lambda: "cannot be written yet" in own.log(), 30)
    disk.empty()
    send("/echo")
    processes.poll(lambda: "/echo" in arrived(), 20)
    # What was written down is not done again, not after a restart either.
    own.restart()
    send("/echo/last")
    processes.poll(lambda: "/echo/last" in arrived(), 20)
    upstream.close()
    assert arrived().count("/slow/1000") == 1


def test_without_a_sandbox_a_start_needs_room_for_a_copy_of_the_code(disk, tmp_path):
    server = Server(tmp_path, "--runtime-substitution", "--sandbox", "off").start()
    try:
        client = Clients(server)("lambda")
        for name in ("warm", "cold"):
            functions.create(client, name, SAYS.format(name))
        assert invoke(client, "warm") == ["warm", 1]
        disk.fill()
        status, code, text = refusal(lambda: invoke(client, "cold"))
        assert (status, code) == (500, "ServiceException") and "No space left on device" in text, text
        assert invoke(client, "warm") == ["warm", 1]
        disk.empty()
        assert invoke(client, "cold") == ["cold", 1]
    finally:
        server.stop()


def test_a_server_that_cannot_write_at_its_start_says_so(disk, own):
    own.stop()
    disk.fill()
    with pytest.raises(AssertionError, match="frontgate ended with"):
        own.start()
    own.process = None
    assert own.log().splitlines()[-1].endswith("the disk is full"), own.log()[-2000:]
    disk.empty()
    own.start()
    assert invoke_new(own) == ["after", 1]


def invoke_new(server):
    client = Clients(server)("lambda")
    functions.create(client, "after", SAYS.format("after"))
    return invoke(client, "after")


def test_without_descriptors_what_runs_goes_on_and_the_rest_is_refused_or_waits(own):
    client = Clients(own)("lambda")
    functions.create(client, "warm", SAYS.format("warm"))
    cold = [f"cold{number}" for number in range(4)]
    for name in cold:
        functions.create(client, name, SAYS.format(name))
    api = Api(Clients(own)("apigateway"), own.port).mock("/word", body='"word"')
    api.deploy()
    assert invoke(client, "warm") == ["warm", 1]
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=20)

    def word():
        connection.request("GET", f"/_aws/execute-api/{api.id}/test/word")
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert word() == (200, b'"word"')
    pid, later = own.process.pid, []
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
    least = next(number for number in range(len(taken) + 1) if number not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (least, before[1]))
    try:
        # Interpreters that have been started beforehand may still become functions.
        outcomes = []
        for name in cold:
            try:
                outcomes.append(invoke(client, name))
            except botocore.exceptions.ClientError as error:
                outcomes.append(error.response["Error"])
        refused = [error for error in outcomes if isinstance(error, dict)]
        assert refused, outcomes
        for error in refused:
            assert error["Code"] == "ServiceException" and "Too many open files" in error["Message"], error
        for number in range(20):
            assert invoke(client, "warm", number) == ["warm", number]
            assert word() == (200, b'"word"')
        newcomer = threading.Thread(target=lambda: later.append(api.call("/word").json()))
        newcomer.start()
        newcomer.join(0.5)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    newcomer.join(30)
    assert later == ["word"], "who came when there were none is served when there are some"
    for name in cold:
        assert invoke(client, name) == [name, 1]
    create(client, "after", 1)
    client.get_waiter("function_active_v2").wait(FunctionName="after", WaiterConfig={"Delay": 1})
    assert invoke(client, "after") == ["after", 1]
    connection.close()
