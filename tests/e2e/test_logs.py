"""CloudWatch Logs: what functions and stages write, read with boto3 and with the AWS CLI as one debugs on AWS."""

import base64
import gzip
import json
import re
import subprocess
import time

import botocore.exceptions
import pytest
from conftest import Clients
from harness import functions, processes
from harness.rest_api import Api
from harness.server import Server

FAILS = """
def handler(event, context):
    print('looking for item', event.get('id'))
    items = {'1': 'one'}
    return items[event['id']]
"""


@pytest.fixture
def logs(clients):
    return clients("logs")


def now():
    return int(time.time() * 1000)


def messages(logs, group, **filters):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **filters)
    return [event["message"] for page in pages for event in page["events"]]


def made(logs, group, *streams):
    logs.create_log_group(logGroupName=group)
    for stream in streams:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def test_the_debugging_story(clients, logs, client_environment, server):
    """A function fails; its error is found with `aws logs filter-log-events`, and the next one is seen coming."""
    functions.create(clients("lambda"), "items", FAILS)

    def aws(*arguments):
        return subprocess.run(
            ["aws", *arguments, "--endpoint-url", server.url],
            env=client_environment, capture_output=True, text=True, timeout=60, check=True,
        ).stdout

    def invoke(item):
        answer = clients("lambda").invoke(FunctionName="items", Payload=json.dumps({"id": item}))
        return answer["ResponseMetadata"]["RequestId"], answer.get("FunctionError")

    good, error = invoke("1")
    assert error is None
    bad, error = invoke("nine")
    assert error == "Unhandled"

    def found():
        events = json.loads(aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/items", "--filter-pattern", "KeyError"))
        return events["events"]

    [event] = processes.poll(found, 20, pause=0.3)
    assert event["message"].startswith("[ERROR] KeyError: 'nine'")
    whole = messages(logs, "/aws/lambda/items", logStreamNames=[event["logStreamName"]])
    assert any("line 5, in handler" in line for line in whole[whole.index(event["message"]) :])
    about = messages(logs, "/aws/lambda/items", filterPattern=f'"{bad}"', logStreamNames=[event["logStreamName"]])
    assert [line.split()[0] for line in about][:1] == ["START"] and about[-1].startswith("REPORT ")
    assert not any(good in line for line in about)
    # What `aws logs tail --follow` does: it asks again from the newest event on, and leaves out what it has shown.
    shown, start = set(), now()

    def followed():
        invoke("ten")
        query = {"logGroupName": "/aws/lambda/items", "startTime": start, "filterPattern": "KeyError", "interleaved": True}
        for event in logs.filter_log_events(**query)["events"]:
            shown.add((event["eventId"], event["message"]))
        return any("KeyError: 'ten'" in message for _, message in shown)

    processes.poll(followed, 20, pause=0.3)
    assert not any("looking for" in message or "nine" in message for _, message in shown)


def test_a_stages_access_log(apigateway, logs, server):
    api = Api(apigateway, server.port).mock("/items/{id}", body='{"ok": true}')
    api.deploy()
    logs.create_log_group(logGroupName="access/items")
    [group] = logs.describe_log_groups(logGroupNamePrefix="access/items")["logGroups"]
    line_format = '$context.requestId "$context.httpMethod $context.resourcePath" $context.status $context.responseLength'
    apigateway.update_stage(
        restApiId=api.id,
        stageName="test",
        patchOperations=[
            {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": group["logGroupArn"]},
            {"op": "replace", "path": "/accessLogSettings/format", "value": line_format},
        ],
    )
    answers = [api.call("/items/1"), api.call("/nothing")]
    lines = processes.poll(lambda: len(found := messages(logs, "access/items")) == 2 and found, 20, pause=0.2)
    ids = [answer.header("x-amzn-requestid") for answer in answers]
    assert lines == [f'{ids[0]} "GET /items/{{id}}" 200 12', f'{ids[1]} "GET -" 403 {len(answers[1].body)}']
    # The columns of a line can be looked for.
    assert messages(logs, "access/items", filterPattern="[id, request, status = 4*, length > 10]") == lines[1:]
    [stream] = logs.describe_log_streams(logGroupName="access/items")["logStreams"]
    assert re.fullmatch("[0-9a-f]{32}", stream["logStreamName"])


def test_a_stages_execution_log(apigateway, logs, server):
    """A mapping template that fails is found in the execution log."""
    api = Api(apigateway, server.port).mock("/items/{id}", body='{"ok": true}').mock("/broken", body="#set($x = ")
    api.deploy()
    group = f"API-Gateway-Execution-Logs_{api.id}/test"

    def log(**settings):
        paths = {"level": "/*/*/logging/loglevel", "data": "/*/*/logging/dataTrace"}
        operations = [{"op": "replace", "path": paths[name], "value": value} for name, value in settings.items()]
        return apigateway.update_stage(restApiId=api.id, stageName="test", patchOperations=operations)

    with pytest.raises(apigateway.exceptions.BadRequestException, match="CloudWatch Logs role ARN must be set"):
        log(level="INFO")
    role = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::000000000000:role/logs"}]
    apigateway.update_account(patchOperations=role)
    shown = log(level="INFO", data="true")["methodSettings"]["*/*"]
    assert (shown["loggingLevel"], shown["dataTraceEnabled"]) == ("INFO", True)

    def lines(answer, last):
        request_id = answer.header("x-amzn-requestid")

        def found():
            try:
                texts = messages(logs, group, filterPattern=f'"{request_id}"')
            except logs.exceptions.ResourceNotFoundException:
                return False
            return any(last in text for text in texts) and texts

        return [text.removeprefix(f"({request_id}) ") for text in processes.poll(found, 20, pause=0.2)]

    whole = lines(api.call("/items/7?q=1"), "Method completed")
    assert [line.split(":")[0] for line in whole] == [
        "Extended Request Id", "Verifying Usage Plan for request",
        "API Key  authorized because method 'GET /items/{id}' does not require API Key. Request will not contribute to throttle or quota limits",
        f"Usage Plan check succeeded for API Key  and API Stage {api.id}/test", "Starting execution for request", "HTTP Method",
        "Method request path", "Method request query string", "Method request headers", "Method request body before transformations",
        "Method response body after transformations", "Method response headers", "Successfully completed execution",
        "Method completed with status",
    ]
    assert "Method request query string: {q=1}" in whole and 'Method response body after transformations: {"ok": true}' in whole
    log(level="ERROR")
    answer = api.call("/broken")
    assert answer.status == 500
    failure, end = lines(answer, "Method completed")
    assert failure.startswith("Execution failed") and end == "Method completed with status: 500"
    assert log(level="OFF")["methodSettings"]["*/*"]["loggingLevel"] == "OFF"


def test_pages_of_a_stream(logs):
    made(logs, "pages", "s")
    start = now() - 60_000
    for batch in range(3):
        events = [{"timestamp": start + batch * 100 + at, "message": f"event {batch * 100 + at}"} for at in range(100)]
        answer = logs.put_log_events(logGroupName="pages", logStreamName="s", logEvents=events)
        assert answer["nextSequenceToken"] and "rejectedLogEventsInfo" not in answer
    place = {"logGroupName": "pages", "logStreamName": "s", "limit": 70}
    read, token = [], {"startFromHead": True}
    while True:
        page = logs.get_log_events(**place, **token)
        read += [event["message"] for event in page["events"]]
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        token = {"nextToken": page["nextForwardToken"]}
    assert read == [f"event {at}" for at in range(300)]
    # What comes later is behind the same token.
    logs.put_log_events(logGroupName="pages", logStreamName="s", logEvents=[{"timestamp": now(), "message": "later"}])
    assert [event["message"] for event in logs.get_log_events(**place, **token)["events"]] == ["later"]
    newest = logs.get_log_events(**place)
    assert [event["message"] for event in newest["events"]][-2:] == ["event 299", "later"]
    before = logs.get_log_events(**place, nextToken=newest["nextBackwardToken"])
    assert [event["message"] for event in before["events"]][-1] == "event 230"
    assert len(messages(logs, "pages", PaginationConfig={"PageSize": 50})) == 301


def test_what_is_looked_for_in_several_streams(logs):
    made(logs, "search", "web/1", "web/2", "job/1")
    start = now() - 10_000
    for number, stream in enumerate(["web/1", "web/2", "job/1"]):
        events = [
            {"timestamp": start + at * 10 + number, "message": json.dumps({"stream": stream, "at": at, "status": 500 if at % 5 == 0 else 200})}
            for at in range(20)
        ]
        logs.put_log_events(logGroupName="search", logStreamName=stream, logEvents=events)
    found = [json.loads(text) for text in messages(logs, "search", filterPattern="{ $.status = 5* && $.at > 0 }", logStreamNamePrefix="web/")]
    assert [(event["at"], event["stream"]) for event in found] == [(at, f"web/{n}") for at in (5, 10, 15) for n in (1, 2)]
    between = messages(logs, "search", startTime=start + 50, endTime=start + 51)
    assert [json.loads(text)["stream"] for text in between] == ["web/1", "web/2"]
    for pattern in ["a.b", "{ $.a", "[a, ..., b, ...]"]:
        with pytest.raises(botocore.exceptions.ClientError) as refusal:
            logs.filter_log_events(logGroupName="search", filterPattern=pattern)
        assert refusal.value.response["Error"]["Code"] == "InvalidParameterException"


def test_groups_tags_and_retention(logs):
    logs.create_log_group(logGroupName="kept", tags={"team": "items"})
    logs.put_retention_policy(logGroupName="kept", retentionInDays=1)
    [group] = logs.describe_log_groups(logGroupNamePrefix="kept")["logGroups"]
    assert group["retentionInDays"] == 1 and group["arn"] == group["logGroupArn"] + ":*"
    logs.tag_resource(resourceArn=group["logGroupArn"], tags={"stage": "dev"})
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"team": "items", "stage": "dev"}
    logs.create_log_stream(logGroupName="kept", logStreamName="s")
    old = [{"timestamp": now() - 2 * 86_400_000, "message": "old"}]
    assert logs.put_log_events(logGroupName="kept", logStreamName="s", logEvents=old)["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName="kept")
    assert "rejectedLogEventsInfo" not in logs.put_log_events(logGroupName="kept", logStreamName="s", logEvents=old)
    assert messages(logs, "kept") == ["old"]
    # A retention removes what is older.
    logs.put_retention_policy(logGroupName="kept", retentionInDays=1)
    processes.poll(lambda: messages(logs, "kept") == [], 20, pause=0.2)
    logs.delete_log_group(logGroupName="kept")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName="kept")
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        logs.put_metric_filter(logGroupName="kept", filterName="f", filterPattern="", metricTransformations=[
            {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}])
    assert refusal.value.response["Error"]["Code"] == "NotImplemented"


ECHO = """
import json
def handler(event, context):
    print(json.dumps(event))
"""


def test_a_subscription_invokes_a_function(clients, logs):
    made(logs, "watched", "s")
    arn = functions.create(clients("lambda"), "watch", ECHO)
    subscription = {"logGroupName": "watched", "filterName": "errors", "filterPattern": "ERROR", "destinationArn": arn}
    with pytest.raises(logs.exceptions.InvalidParameterException, match="permission to execute your function"):
        logs.put_subscription_filter(**subscription)
    [group] = logs.describe_log_groups(logGroupNamePrefix="watched")["logGroups"]
    clients("lambda").add_permission(
        FunctionName="watch", StatementId="logs", Action="lambda:InvokeFunction",
        Principal="logs.us-east-1.amazonaws.com", SourceArn=group["arn"], SourceAccount="000000000000",
    )
    logs.put_subscription_filter(**subscription)
    [shown] = logs.describe_subscription_filters(logGroupName="watched")["subscriptionFilters"]
    assert shown["distribution"] == "ByLogStream" and shown["creationTime"] <= now()
    events = [{"timestamp": now(), "message": text} for text in ["ERROR one", "INFO two", "ERROR three"]]
    logs.put_log_events(logGroupName="watched", logStreamName="s", logEvents=events)

    def told():
        try:
            return messages(logs, "/aws/lambda/watch", filterPattern="{ $.awslogs.data = * }")
        except logs.exceptions.ResourceNotFoundException:
            return False

    [event] = processes.poll(told, 20, pause=0.3)
    data = json.loads(gzip.decompress(base64.b64decode(json.loads(event)["awslogs"]["data"])))
    assert (data["messageType"], data["owner"], data["logGroup"], data["logStream"]) == ("DATA_MESSAGE", "000000000000", "watched", "s")
    assert [event["message"] for event in data["logEvents"]] == ["ERROR one", "ERROR three"]
    logs.delete_subscription_filter(logGroupName="watched", filterName="errors")
    assert logs.describe_subscription_filters(logGroupName="watched")["subscriptionFilters"] == []


def test_live_tail(clients):
    logs = clients("logs", inject_host_prefix=False)
    made(logs, "live", "s")
    [group] = logs.describe_log_groups(logGroupNamePrefix="live")["logGroups"]
    stream = logs.start_live_tail(logGroupIdentifiers=[group["logGroupArn"]], logEventFilterPattern="ERROR")["responseStream"]
    written = False
    for event in stream:
        if "sessionStart" in event:
            assert event["sessionStart"]["logEventFilterPattern"] == "ERROR" and event["sessionStart"]["sessionId"]
        elif not written:
            written = True
            events = [{"timestamp": now(), "message": text} for text in ["ERROR one", "INFO two"]]
            logs.put_log_events(logGroupName="live", logStreamName="s", logEvents=events)
        elif results := event["sessionUpdate"]["sessionResults"]:
            break
    stream.close()
    assert [(result["message"], result["logStreamName"], result["logGroupIdentifier"]) for result in results] == [
        ("ERROR one", "s", "000000000000:live")
    ]
    assert event["sessionUpdate"]["sessionMetadata"] == {"sampled": False}


def test_a_restart_keeps_what_was_written(tmp_path):
    server = Server(tmp_path, "--runtime-substitution")
    server.start()
    own = Clients(server)
    functions.create(own("lambda"), "last", "def handler(event, context):\n    print('the last words')\n")
    own("lambda").invoke(FunctionName="last")
    server.stop()
    server.start()
    try:
        assert messages(Clients(server)("logs"), "/aws/lambda/last", filterPattern='"last words"') == ["the last words\n"]
    finally:
        server.stop()
