"""What becomes of asynchronous invocations: destinations and dead letter queues, which moto_server plays, and that
neither a kill nor a stop loses any."""

import concurrent.futures
import json
import signal

import botocore.exceptions
import pytest
from conftest import Clients
from harness import functions, processes
from harness.server import Server

ACCOUNT = "000000000000"
ECHO = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no way: " + "x" * event.get("length", 0))
    return {"got": event}
"""


@pytest.fixture(scope="module")
def server_flags(moto):
    """Of a server that knows where the services are and waits one second where AWS waits a minute."""
    return ["--runtime-substitution", "--event-retry-delay", "1", *moto.flags()]


def queue(there, name):
    """Makes a queue; returns its URL and its ARN."""
    return there("sqs").create_queue(QueueName=name)["QueueUrl"], f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def received(there, url):
    """Takes the messages that are in a queue; false when there are none."""
    options = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
    messages = there("sqs").receive_message(QueueUrl=url, **options).get("Messages", [])
    for message in messages:
        there("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages or False


def one(there, url):
    [message] = processes.poll(lambda: received(there, url), 30)
    return message


def send(client, name, event):
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())
    assert answer["StatusCode"] == 202
    return answer["ResponseMetadata"]["RequestId"]


def test_the_config_of_events(clients, there):
    client = clients("lambda")
    _, arn = queue(there, "configured")
    function = functions.create(client, "Configured", ECHO)
    put = client.put_function_event_invoke_config(
        FunctionName="Configured", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    assert put["FunctionArn"] == f"{function}:$LATEST"
    assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": arn}}
    updated = client.update_function_event_invoke_config(FunctionName="Configured", MaximumEventAgeInSeconds=120)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 120)
    assert updated["LastModified"] >= put["LastModified"]
    listed = client.list_function_event_invoke_configs(FunctionName="Configured")
    assert [config["FunctionArn"] for config in listed["FunctionEventInvokeConfigs"]] == [f"{function}:$LATEST"]
    client.delete_function_event_invoke_config(FunctionName="Configured")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        client.get_function_event_invoke_config(FunctionName="Configured")


def test_queues_are_told_of_success_and_failure(clients, there):
    client = clients("lambda")
    done, done_arn = queue(there, "done")
    failed, failed_arn = queue(there, "failed")
    arn = functions.create(client, "ToQueues", ECHO)
    client.put_function_event_invoke_config(
        FunctionName="ToQueues",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": done_arn}, "OnFailure": {"Destination": failed_arn}},
    )
    request_id = send(client, "ToQueues", {"a": "ä&=%"})
    message = one(there, done)
    assert message["Attributes"]["AWSTraceHeader"].startswith("Root=1-")
    record = json.loads(message["Body"])
    timestamp = record.pop("timestamp")
    assert len(timestamp) == 24 and timestamp.endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{arn}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": "ä&=%"},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"got": {"a": "ä&=%"}},
    }
    request_id = send(client, "ToQueues", {"fail": 1})
    record = json.loads(one(there, failed)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["requestId"] == request_id
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert record["responsePayload"]["requestId"] == request_id


def test_retries_and_the_age_of_events(clients, there):
    client = clients("lambda")
    url, arn = queue(there, "tried")
    functions.create(client, "Tried", ECHO)
    client.put_function_event_invoke_config(
        FunctionName="Tried", DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    request_id = send(client, "Tried", {"fail": 1})
    context = json.loads(one(there, url)["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 3)
    assert context["requestId"] == request_id
    client.update_function_event_invoke_config(FunctionName="Tried", MaximumRetryAttempts=1)
    client.publish_version(FunctionName="Tried")
    client.create_alias(FunctionName="Tried", Name="live", FunctionVersion="1")
    client.put_function_event_invoke_config(
        FunctionName="Tried",
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    send(client, "Tried", {"fail": 1})
    context = json.loads(one(there, url)["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 2)
    send(client, "Tried:live", {"fail": 1})
    record = json.loads(one(there, url)["Body"])
    assert record["requestContext"]["functionArn"].endswith(":function:Tried:live")
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["executedVersion"] == "1"


def test_a_dead_letter_queue_gets_the_event_and_why(clients, there):
    client = clients("lambda")
    dead, dead_arn = queue(there, "dead")
    functions.create(client, "ToDeadLetters", ECHO, DeadLetterConfig={"TargetArn": dead_arn})
    client.put_function_event_invoke_config(FunctionName="ToDeadLetters", MaximumRetryAttempts=0)
    request_id = send(client, "ToDeadLetters", {"fail": 1, "length": 2000})
    message = one(there, dead)
    assert json.loads(message["Body"]) == {"fail": 1, "length": 2000}
    attributes = message["MessageAttributes"]
    assert (attributes["RequestID"]["StringValue"], attributes["RequestID"]["DataType"]) == (request_id, "String")
    assert (attributes["ErrorCode"]["StringValue"], attributes["ErrorCode"]["DataType"]) == ("200", "Number")
    text = attributes["ErrorMessage"]["StringValue"]
    assert text.startswith("no way: xxx") and len(text) == 1024
    shown = client.update_function_configuration(FunctionName="ToDeadLetters", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in shown


def test_topics_buses_buckets_and_functions_are_told(clients, there):
    client = clients("lambda")
    url, arn = queue(there, "readers")
    topic = there("sns").create_topic(Name="outcomes")["TopicArn"]
    there("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    bus = there("events").create_event_bus(Name="outcomes")["EventBusArn"]
    pattern = json.dumps({"source": ["lambda"]})
    there("events").put_rule(Name="all", EventBusName="outcomes", EventPattern=pattern)
    there("events").put_targets(Rule="all", EventBusName="outcomes", Targets=[{"Id": "1", "Arn": arn}])
    there("s3").create_bucket(Bucket="outcomes")
    listener = functions.create(client, "Listener", ECHO)
    client.put_function_event_invoke_config(
        FunctionName="Listener", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    speaker = functions.create(client, "Speaker", ECHO)

    def tell(target, event):
        which = "OnFailure" if event.get("fail") else "OnSuccess"
        client.put_function_event_invoke_config(
            FunctionName="Speaker", MaximumRetryAttempts=0, DestinationConfig={which: {"Destination": target}}
        )
        return send(client, "Speaker", event)

    request_id = tell(topic, {"n": 1})
    notification = json.loads(one(there, url)["Body"])
    assert json.loads(notification["Message"])["requestContext"]["requestId"] == request_id
    request_id = tell(bus, {"fail": 1})
    event = json.loads(one(there, url)["Body"])
    assert (event["source"], event["detail-type"]) == ("lambda", "Lambda Function Invocation Result - Failure")
    assert event["resources"] == [bus, f"{speaker}:$LATEST"]
    assert event["detail"]["requestContext"]["requestId"] == request_id
    request_id = tell(listener, {"n": 2})
    record = json.loads(one(there, url)["Body"])
    inner = record["requestPayload"]
    assert record["requestContext"]["functionArn"] == f"{listener}:$LATEST"
    assert (inner["requestContext"]["requestId"], inner["responsePayload"]) == (request_id, {"got": {"n": 2}})
    request_id = tell("arn:aws:s3:::outcomes", {"fail": 1})
    [found] = processes.poll(lambda: there("s3").list_objects_v2(Bucket="outcomes").get("Contents") or False, 30)
    assert found["Key"].startswith("aws/lambda/async/Speaker/20")
    stored = there("s3").get_object(Bucket="outcomes", Key=found["Key"])["Body"].read()
    assert json.loads(stored)["requestContext"]["requestId"] == request_id


def test_who_has_no_address_is_named_in_the_log(tmp_path):
    """SQS is nowhere: the config is taken, as on AWS; the delivery is refused, counted and logged with the flag."""
    server = Server(tmp_path, "--runtime-substitution")
    server.start()
    try:
        client = Clients(server)("lambda")
        functions.create(client, "ToNobody", ECHO)
        target = f"arn:aws:sqs:us-east-1:{ACCOUNT}:nobody"
        client.put_function_event_invoke_config(
            FunctionName="ToNobody", DestinationConfig={"OnSuccess": {"Destination": target}}
        )
        send(client, "ToNobody", {})
        processes.poll(lambda: "--service-endpoint sqs=URL" in server.log(), 30)
        assert "could not be delivered and is lost" in server.log() and "undelivered=1" in server.log()
    finally:
        server.stop()


@pytest.mark.timeout(300)
def test_a_kill_loses_no_event(moto, there, tmp_path):
    """500 events while the server is killed in the middle: each one that was acknowledged is accounted for in the end,
    in the queue of those that went well or in the dead letter queue."""
    done, done_arn = queue(there, "killed-done")
    dead, dead_arn = queue(there, "killed-dead")
    server = Server(tmp_path, "--runtime-substitution", *moto.flags())
    server.start()
    acknowledged = []

    def offer(number):
        try:
            send(client, "Killed", {"n": number, **({"fail": 1} if number % 10 == 0 else {})})
            acknowledged.append(number)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            pass  # The kill came first; nobody was promised anything.

    try:
        client = Clients(server)("lambda")
        functions.create(client, "Killed", ECHO, DeadLetterConfig={"TargetArn": dead_arn})
        client.put_function_event_invoke_config(
            FunctionName="Killed",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnSuccess": {"Destination": done_arn}},
        )
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            offers = [pool.submit(offer, number) for number in range(500)]
            processes.poll(lambda: len(acknowledged) >= 250, 60)
            server.stop(signal.SIGKILL)
            server.start()
            concurrent.futures.wait(offers)
        missing = set(acknowledged)
        assert len(missing) >= 250

        def all_accounted_for():
            for message in received(there, done) or []:
                missing.discard(json.loads(message["Body"])["requestPayload"]["n"])
            for message in received(there, dead) or []:
                missing.discard(json.loads(message["Body"])["n"])
            return not missing

        processes.poll(all_accounted_for, 120)
        # A stop loses nothing either: what is sent now is told of after the next start at the latest.
        for number in range(1000, 1020):
            offer(number)
        server.stop()
        server.start()
        missing.update(range(1000, 1020))
        processes.poll(all_accounted_for, 60)
    finally:
        server.stop()
