"""The clock is set, by hours and both ways, while events wait, environments are idle and connections are open."""

import http.client
import json
import signal
import time

import boto3
import pytest
from harness import functions, processes
from harness.clock import SteppedClock
from harness.rest_api import Api
from harness.server import Server

# Tells the test that it was called, and fails.
TELLS = """
import urllib.request
def handler(event, context):
    urllib.request.urlopen(event["url"], timeout=20).read()
    raise ValueError("on purpose")
"""
WHO = """
import os, uuid
KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
ME = {"me": str(uuid.uuid4()), "keys": {name.lower(): os.environ[name] for name in KEYS}}
def handler(event, context):
    return ME
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    return SteppedClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def server(clock, tmp_path_factory):
    """A server with a clock that is set."""
    directory = tmp_path_factory.mktemp("server")
    flags = ["--runtime-substitution", "--event-retry-delay", "1"]
    server = Server(directory, *flags, environment=clock.environment).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def clock_is_right(clock):
    yield
    clock.set(hours=0)


@pytest.fixture(scope="module")
def tells(clients, upstream):
    """Sends an event to a function that tells of it and fails; returns a function that says how often it has done so."""
    functions.create(clients("lambda"), "tells", TELLS, Timeout=30)

    def send(name):
        event = {"url": f"{upstream.url}/echo/{name}"}
        clients("lambda").invoke(FunctionName="tells", InvocationType="Event", Payload=json.dumps(event))
        return lambda: sum(request["path"] == f"/echo/{name}" for request in upstream.requests)

    return send


def hours_ahead(answer):
    """How far the server's clock is ahead, by the trace of a call that it has answered."""
    trace = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"]
    return round((int(trace.split("-")[1], 16) - time.time()) / 3600)


@pytest.mark.parametrize("steps", [(-5, -40), (40, 40), (40, -40)], ids=str)
def test_events_that_wait_are_tried_in_time_and_are_not_too_old(clock, tells, steps):
    times = tells(f"waits{steps[0]}{steps[1]}")
    for number, step in enumerate(steps, start=1):
        processes.poll(lambda number=number: times() >= number, 30)
        clock.set(hours=step)
    processes.poll(lambda: times() == 3, 30)


@pytest.mark.parametrize("hours", [-5, 5])
def test_an_event_that_waits_over_a_restart_is_tried_in_time(clock, tells, server, hours):
    times = tells(f"restart{hours}")
    processes.poll(lambda: times() >= 1, 30)
    server.stop(signal.SIGKILL)
    clock.set(hours=hours)
    server.start()
    processes.poll(lambda: times() >= 3, 30)


def test_environments_connections_and_credentials_outlast_steps(clock, server, clients, apigateway):
    client = clients("lambda")
    arn = functions.create(client, "who", WHO)
    api = Api(apigateway, server.port).mock("/word", body='"word"')
    api.deploy()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    who = json.load(client.invoke(FunctionName="who")["Payload"])
    inside = boto3.client("sts", endpoint_url=server.url, region_name="us-east-1", **who["keys"])
    modified = client.get_function_configuration(FunctionName="who")["LastModified"]
    for number, hours in enumerate([-30, 30, -3, 0]):
        clock.set(hours=hours)
        answer = client.invoke(FunctionName="who")
        assert hours_ahead(answer) == hours
        assert json.load(answer["Payload"]) == who, "it is the same environment"
        connection.request("GET", f"/_aws/execute-api/{api.id}/test/word")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'"word"')
        assert inside.get_caller_identity()["Arn"].endswith("/who")
        configuration = client.update_function_configuration(FunctionName="who", Description=str(number))
        assert configuration["FunctionArn"] == arn and configuration["LastModified"] > modified
        modified = configuration["LastModified"]
        client.get_waiter("function_updated_v2").wait(FunctionName="who", WaiterConfig={"Delay": 1})
        who = json.load(client.invoke(FunctionName="who")["Payload"])
        inside = boto3.client("sts", endpoint_url=server.url, region_name="us-east-1", **who["keys"])
    connection.close()
