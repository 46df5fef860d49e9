"""Invocations that nobody waits for: through the Lambda API and behind an AWS integration."""

import json
import pathlib
import signal

import pytest
from harness import functions, processes
from harness.rest_api import Api, call
from harness.server import Server

NOTE = """
import json
def handler(event, context):
    with open({path!r}, "a") as notes:
        notes.write(context.aws_request_id + " " + json.dumps(event) + "\\n")
    {more}
"""


@pytest.fixture(scope="module")
def server_flags():
    """Of a server whose functions may write where the tests read."""
    return ["--runtime-substitution", "--sandbox", "off"]


@pytest.fixture
def notes(tmp_path):
    """The file into which the functions of a test write what they have got."""
    return tmp_path / "notes"


def lines(notes):
    return notes.read_text().splitlines() if notes.exists() else []


def create(clients, name, notes, more="return 1"):
    functions.create(clients("lambda"), name, NOTE.format(path=str(notes), more=more))


def test_an_event_is_accepted_and_run(clients, notes):
    create(clients, "AsyncNote", notes)
    answer = clients("lambda").invoke(FunctionName="AsyncNote", InvocationType="Event", Payload=b'{"n": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert "FunctionError" not in answer and "ExecutedVersion" not in answer
    seen = processes.poll(lambda: lines(notes) or False, 20)
    assert seen == [f"{answer['ResponseMetadata']['RequestId']} " + '{"n": 1}']


def test_a_client_of_the_api_does_not_wait(server, clients, notes):
    """The tutorial's asynchronous integration: a mapped header, 202 from Lambda, the default integration response."""
    create(clients, "AsyncBehindApi", notes)
    functions.allow_gateway(clients("lambda"), "AsyncBehindApi")
    api = Api(clients("apigateway"), server.port)
    api.method("/jobs", "POST")
    arn = "arn:aws:lambda:us-east-1:000000000000:function:AsyncBehindApi"
    clients("apigateway").put_integration(
        **api.at("/jobs", "POST"),
        type="AWS",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        requestParameters={"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
    )
    api.response("/jobs", "POST", 202, '{"accepted": true}')
    api.deploy("dev")
    path = f"/_aws/execute-api/{api.id}/dev/jobs"
    answer = call(server.port, "POST", path, {"Content-Type": "application/json"}, '{"job": 7}')
    assert (answer.status, answer.json()) == (202, {"accepted": True})
    seen = processes.poll(lambda: lines(notes) or False, 20)
    assert json.loads(seen[0].split(" ", 1)[1]) == {"job": 7}


def test_what_was_accepted_survives_a_kill(tmp_path, notes):
    """The function is not run before the server is killed, for it waits; after the restart it is."""
    from conftest import Clients

    gate = tmp_path / "gate"
    server = Server(tmp_path, "--runtime-substitution", "--sandbox", "off")
    server.start()
    try:
        more = f"import os, time\n    while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
        client = Clients(server)("lambda")
        functions.create(client, "Slow", NOTE.format(path=str(notes), more=more))
        for number in range(5):
            accepted = client.invoke(FunctionName="Slow", InvocationType="Event", Payload=json.dumps(number).encode())
            assert accepted["StatusCode"] == 202
        processes.poll(lambda: len(lines(notes)) >= 1, 20)
        server.stop(signal.SIGKILL)
        gate.touch()
        pathlib.Path(notes).unlink()
        server.start()
        processes.poll(lambda: len({line.split(" ")[1] for line in lines(notes)}) == 5, 30)
    finally:
        server.stop()
    assert sorted(line.split(" ")[1] for line in lines(notes)) == ["0", "1", "2", "3", "4"]


def test_refusals(clients):
    client = clients("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="AsyncNobody", InvocationType="Event", Payload=b"{}")
    functions.create(client, "AsyncRefuse", "def handler(e, c): pass\n")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName="AsyncRefuse", InvocationType="Event", Payload=b"{")
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke(FunctionName="AsyncRefuse", InvocationType="Event", Payload=b'"%s"' % (b"x" * 1_048_576))
