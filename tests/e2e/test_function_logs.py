"""What functions print, in CloudWatch Logs: moto_server plays it, and the tests read it through Frontgate's own port."""

import json
import re

import pytest
from conftest import Clients
from harness import functions, processes
from harness.rest_api import Api
from harness.server import Server

TALK = """
import os, time
print('loaded', flush=True)
def handler(event, context):
    print('one\\ntwo')
    if event.get('exit'):
        os._exit(event['exit'])
    time.sleep(event.get('sleep', 0))
    print('x' * event.get('bytes', 0))
    return context.log_stream_name
"""
MILLISECONDS = r"\d+(\.\d\d)? ms"
MEGABYTES = r"\d+ MB"
REPORT = f"Duration: {MILLISECONDS}\tBilled Duration: {MILLISECONDS}\tMemory Size: {MEGABYTES}\tMax Memory Used: {MEGABYTES}\t"


@pytest.fixture(scope="module")
def server_flags(moto):
    return ["--runtime-substitution", "--service-endpoint", f"logs={moto.url}"]


def invoke(client, name, event=None):
    """Invokes a function; its answer, and the request id."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}))
    return json.load(answer["Payload"]), answer["ResponseMetadata"]["RequestId"]


def lines(clients, group, until):
    """The lines of a log group, once one of them holds the text."""

    def read():
        logs = clients("logs")
        try:
            pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
        except logs.exceptions.ResourceNotFoundException:
            return False
        texts = [event["message"] for page in pages for event in page["events"]]
        return any(until in text for text in texts) and texts

    return processes.poll(read, 20, pause=0.2)


def test_the_log_of_two_calls(clients):
    arn = functions.create(clients("lambda"), "talk", TALK)
    stream, first = invoke(clients("lambda"), "talk")
    again, second = invoke(clients("lambda"), "talk")
    assert stream == again
    start, loaded, *calls = lines(clients, "/aws/lambda/talk", f"REPORT RequestId: {second}")
    assert re.fullmatch(
        r"INIT_START Runtime Version: python:3\.13\.v\d+\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:\w{64}\n", start
    )
    assert loaded == "loaded\n"
    for number, request_id in enumerate([first, second]):
        call = calls[number * 6 : number * 6 + 6]
        assert call[:5] == [f"START RequestId: {request_id} Version: $LATEST\n", "one\n", "two\n", "\n", f"END RequestId: {request_id}\n"]
        init = f"Init Duration: {MILLISECONDS}\t" if number == 0 else ""
        assert re.fullmatch(f"REPORT RequestId: {request_id}\t{REPORT}{init}\n", call[5]), call[5]
    assert len(calls) == 12
    [shown] = clients("logs").describe_log_streams(logGroupName="/aws/lambda/talk")["logStreams"]
    assert shown["logStreamName"] == stream and re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert arn.endswith(":talk")


def test_a_gateway_leaves_the_same_lines(clients, apigateway, server):
    arn = functions.create(clients("lambda"), "behind", "def handler(event, context):\n    return {'statusCode': 200, 'body': context.aws_request_id}\n")
    functions.allow_gateway(clients("lambda"), "behind")
    api = Api(apigateway, server.port).proxy("/", "GET", arn)
    api.deploy()
    request_id = api.call("/").text
    found = lines(clients, "/aws/lambda/behind", "REPORT")
    assert [line.split()[0] for line in found] == ["INIT_START", "START", "END", "REPORT"]
    assert request_id in found[1]


def test_how_calls_end(clients):
    functions.create(clients("lambda"), "ends", TALK, Timeout=1)
    _, timed_out = invoke(clients("lambda"), "ends", {"sleep": 20})
    _, exited = invoke(clients("lambda"), "ends", {"exit": 3})
    # They are in streams of their own, which are delivered one after the other.
    for request_id in [timed_out, exited]:
        texts = lines(clients, "/aws/lambda/ends", f"REPORT RequestId: {request_id}")
    of_timeout = [text for text in texts if timed_out in text]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(f"{time} {timed_out} Task timed out after 1.00 seconds\n\n", of_timeout[1])
    assert of_timeout[2] == f"END RequestId: {timed_out}\n"
    assert of_timeout[3].endswith("\tStatus: timeout\n")
    of_exit = [text for text in texts if exited in text]
    assert of_exit[1] == f"RequestId: {exited} Error: Runtime exited with error: exit status 3\nRuntime.ExitError\n"
    assert of_exit[3].endswith("\tStatus: error\tError Type: Runtime.ExitError\n")
    functions.create(clients("lambda"), "broken", "import nothing_of_that_name\n")
    invoke(clients("lambda"), "broken")
    texts = lines(clients, "/aws/lambda/broken", "INIT_REPORT")
    report = next(text for text in texts if text.startswith("INIT_REPORT"))
    assert report.endswith("\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n")


def test_a_group_of_its_own_and_a_long_line(clients):
    functions.create(clients("lambda"), "elsewhere", TALK, LoggingConfig={"LogFormat": "Text", "LogGroup": "shared"}, Timeout=20)
    invoke(clients("lambda"), "elsewhere", {"bytes": 600_000})
    long = [text for text in lines(clients, "shared", "REPORT") if text.startswith("x")]
    assert [len(text) for text in long] == [262_118, 262_118, 75_767]
    assert sum(text.count("x") for text in long) == 600_000


def test_a_stop_delivers_what_waits(moto, clients, tmp_path):
    server = Server(tmp_path, "--runtime-substitution", "--service-endpoint", f"logs={moto.url}")
    server.start()
    try:
        own = Clients(server)
        functions.create(own("lambda"), "last", TALK)
        _, request_id = invoke(own("lambda"), "last")
    finally:
        server.stop()
    # Read through the other server: the log is where the endpoint is.
    assert f"END RequestId: {request_id}\n" in lines(clients, "/aws/lambda/last", "REPORT")
