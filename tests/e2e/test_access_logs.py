"""Access logs of stages: moto_server plays CloudWatch Logs, and the tests read there what was logged."""

import json
import re

import pytest
from conftest import Clients
from harness import processes
from harness.rest_api import Api
from harness.server import Server

CLF = (
    '$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] '
    '"$context.httpMethod $context.resourcePath $context.protocol" $context.status $context.responseLength '
    "$context.requestId $context.extendedRequestId"
)
JSON = json.dumps(
    {
        name: f"$context.{name}"
        for name in [
            "requestId", "requestTimeEpoch", "httpMethod", "path", "stage", "status", "responseLength", "responseLatency",
            "integrationStatus", "error.responseType", "error.message", "domainName", "identity.userAgent",
        ]
    }
)


@pytest.fixture(scope="module")
def server_flags(moto):
    return ["--service-endpoint", f"logs={moto.url}"]


@pytest.fixture(scope="module")
def logs(there):
    """CloudWatch Logs itself."""
    return there("logs")


def log_to(api, stage, group, line_format):
    """Switches the access log of a stage on."""
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"
    settings = {"destinationArn": arn, "format": line_format}
    shown = api.client.update_stage(
        restApiId=api.id,
        stageName=stage,
        patchOperations=[
            {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value} for name, value in settings.items()
        ],
    )
    assert shown["accessLogSettings"] == settings


def lines(logs, group, count):
    """The lines of the only stream of a group, once there are so many."""

    def read():
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        if not streams:
            return False
        [stream] = streams
        assert re.fullmatch("[0-9a-f]{32}", stream["logStreamName"])
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        texts = [event["message"] for event in events["events"]]
        return len(texts) >= count and texts

    found = processes.poll(read, 20, pause=0.2)
    assert len(found) == count, found
    return found


@pytest.fixture
def api(apigateway, server):
    api = Api(apigateway, server.port).mock("/items/{id}", body='{"ok": true}')
    api.deploy()
    return api


def test_common_log_format(api, logs):
    logs.create_log_group(logGroupName="/access/clf")
    log_to(api, "test", "/access/clf", CLF)
    answers = [api.call("/items/1"), api.call("/nothing")]
    assert [answer.status for answer in answers] == [200, 403]
    served, refused = lines(logs, "/access/clf", 2)
    time = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    ids = [f"{answer.header('x-amzn-requestid')} {answer.header('x-amz-apigw-id')}" for answer in answers]
    assert re.sub(time, "[time]", served) == f'127.0.0.1 - - [time] "GET /items/{{id}} HTTP/1.1" 200 12 {ids[0]}'
    length = len(answers[1].body)
    assert re.sub(time, "[time]", refused) == f'127.0.0.1 - - [time] "GET - HTTP/1.1" 403 {length} {ids[1]}'


def test_json(api, logs):
    logs.create_log_group(logGroupName="json")
    log_to(api, "test", "json", JSON)
    for number in range(20):
        assert api.call(f"/items/{number}", headers={"User-Agent": "e2e/1"}).status == 200
    assert api.call("/nothing").status == 403
    *served, refused = [json.loads(line) for line in lines(logs, "json", 21)]
    assert [line["path"] for line in served] == [f"/test/items/{number}" for number in range(20)]
    first = served[0]
    assert (first["status"], first["responseLength"], first["identity.userAgent"]) == ("200", "12", "e2e/1")
    assert (first["stage"], first["httpMethod"], first["error.message"]) == ("test", "GET", "-")
    assert first["responseLatency"].isdigit()
    assert (refused["status"], refused["error.responseType"]) == ("403", "MISSING_AUTHENTICATION_TOKEN")
    assert refused["error.message"] == "Missing Authentication Token"
    # Switched off, nothing is added.
    off = [{"op": "remove", "path": "/accessLogSettings"}]
    assert "accessLogSettings" not in api.client.update_stage(restApiId=api.id, stageName="test", patchOperations=off)
    assert api.call("/items/1").status == 200


def test_what_waits_is_delivered_when_the_server_stops(moto, logs, tmp_path):
    server = Server(tmp_path, "--service-endpoint", f"logs={moto.url}")
    server.start()
    try:
        api = Api(Clients(server)("apigateway"), server.port).mock("/items/{id}", body='{"ok": true}')
        api.deploy()
        logs.create_log_group(logGroupName="last")
        log_to(api, "test", "last", "$context.requestId $context.path")
        assert api.call("/items/1").status == 200
    finally:
        server.stop()
    [line] = lines(logs, "last", 1)
    assert line.endswith(" /test/items/1")


def test_a_log_group_that_is_not_there_does_no_harm(api, server):
    log_to(api, "test", "not-there", "$context.requestId")
    assert api.call("/items/1").status == 200
    processes.poll(lambda: "ResourceNotFoundException" in server.log(), 20, pause=0.2)
