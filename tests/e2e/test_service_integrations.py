"""AWS integrations with services that are not ours: moto_server plays them, and the tests look there for what arrived."""

import base64
import gzip
import json

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest
from harness import processes
from harness.rest_api import Api
from harness.server import Server, free_port
from harness.upstream import Upstream

ROLE = "arn:aws:iam::000000000000:role/gateway"
FORM = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}


def address(call):
    """The address of an integration: `sqs:path/000000000000/queue`."""
    return f"arn:aws:apigateway:us-east-1:{call}"


@pytest.fixture(scope="module")
def server_flags(moto):
    """Of a server that knows where moto is; where Firehose should be, nobody listens."""
    return [*moto.flags(), "--service-endpoint", f"firehose=http://127.0.0.1:{free_port()}"]


@pytest.fixture
def api(apigateway, server):
    return Api(apigateway, server.port)


def integrate(api, path, verb, call, backend_verb="POST", template=None, answer=None, headers=None, **options):
    """Puts a service behind a method, with a default response."""
    if template is not None:
        options["requestTemplates"] = {"application/json": template}
    method = options.pop("method", {})
    api.backend(path, verb, address(call), "AWS", method, backend_verb, credentials=ROLE, **options)
    api.response(path, verb, body=answer, headers=headers)


def test_sqs_by_path_and_by_action(api, there):
    sqs = there("sqs")
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    path = "sqs:path/000000000000/orders"
    send = "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
    mapped = '{"id": "$input.path(\'$.SendMessageResponse.SendMessageResult.MessageId\')"}'
    integrate(api, "/path", "POST", path, template=send, answer=mapped, requestParameters=FORM)
    xml = {**FORM, "integration.request.header.Accept": "'application/xml'"}
    integrate(api, "/xml", "POST", path, template=send, requestParameters=xml)
    query = {
        "integration.request.querystring.QueueUrl": f"'{queue}'",
        "integration.request.querystring.MessageBody": "method.request.querystring.text",
    }
    declared = {"requestParameters": {"method.request.querystring.text": False}}
    integrate(api, "/action", "GET", "sqs:action/SendMessage", requestParameters=query, method=declared)
    api.deploy()
    answer = api.call("/path", "POST", body='{"a": "1&2"}')
    assert answer.status == 200, answer
    assert len(answer.json()["id"]) == 36
    answer = api.call("/xml", "POST", body="{}")
    assert answer.status == 200 and "<MessageId>" in answer.text, answer
    answer = api.call("/action?text=by%20action", "GET")
    assert "MessageId" in answer.json()["SendMessageResponse"]["SendMessageResult"], answer
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in received] == ['{"a": "1&2"}', "{}", "by action"]


def test_sns_by_action(api, there):
    sns, sqs = there("sns"), there("sqs")
    topic = sns.create_topic(Name="news")["TopicArn"]
    queue = sqs.create_queue(QueueName="readers")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:readers")
    query = {
        "integration.request.querystring.TopicArn": f"'{topic}'",
        "integration.request.querystring.Message": "method.request.body.message",
    }
    integrate(api, "/news", "POST", "sns:action/Publish", requestParameters=query)
    api.deploy()
    answer = api.call("/news", "POST", {"Content-Type": "application/json"}, '{"message": "hello"}')
    assert answer.status == 200, answer
    assert len(answer.json()["PublishResponse"]["PublishResult"]["MessageId"]) == 36
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == "hello"


def test_dynamodb(api, there):
    dynamodb = there("dynamodb")
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put = '{"TableName": "items", "Item": {"id": {"S": "$input.params(\'id\')"}, "name": {"S": $input.json("$.name")}}}'
    get = '{"TableName": "items", "Key": {"id": {"S": "$input.params(\'id\')"}}}'
    named = '{"name": "$input.path(\'$.Item.name.S\')"}'
    integrate(api, "/items/{id}", "PUT", "dynamodb:action/PutItem", template=put)
    integrate(api, "/items/{id}", "GET", "dynamodb:action/GetItem", template=get, answer=named)
    integrate(api, "/broken", "GET", "dynamodb:action/GetItem", template=get.replace("items", "nothing"))
    api.response("/broken", "GET", 422, body='{"why": "$input.path(\'$.__type\')"}', selectionPattern="4\\d\\d")
    api.deploy()
    assert api.call("/items/7", "PUT", body='{"name": "seven"}').status == 200
    assert dynamodb.get_item(TableName="items", Key={"id": {"S": "7"}})["Item"]["name"] == {"S": "seven"}
    assert api.call("/items/7").json() == {"name": "seven"}
    answer = api.call("/broken")
    assert answer.status == 422 and "Exception" in answer.json()["why"], answer


def test_s3_by_path_with_bytes(apigateway, server, there):
    s3 = there("s3")
    s3.create_bucket(Bucket="files")
    api = Api(apigateway, server.port, binaryMediaTypes=["image/png"])
    parameters = {
        "integration.request.path.key": "method.request.path.key",
        "integration.request.header.Content-Type": "method.request.header.Content-Type",
    }
    declared = {"requestParameters": {"method.request.path.key": True, "method.request.header.Content-Type": False}}
    integrate(
        api,
        "/{key+}",
        "ANY",
        "s3:path/files/{key}",
        "ANY",
        headers={"ETag": "integration.response.header.ETag", "Content-Type": "integration.response.header.Content-Type"},
        requestParameters=parameters,
        method=declared,
    )
    api.response("/{key+}", "ANY", 404, selectionPattern="404")
    api.deploy()
    image = gzip.compress(b"bytes that are no text")
    answer = api.call("/a/b%20c", "PUT", {"Content-Type": "image/png"}, image)
    assert answer.status == 200 and answer.header("ETag"), answer
    assert s3.get_object(Bucket="files", Key="a/b c")["Body"].read() == image
    assert api.call("/a/b%20c", headers={"Accept": "image/png"}).body == image
    # Bytes for whoever wants text are Base64.
    assert base64.b64decode(api.call("/a/b%20c", headers={"Accept": "text/plain"}).body) == image
    assert api.call("/a/b%20c", "HEAD").status == 200
    assert api.call("/a/b%20c", "DELETE").status == 200
    answer = api.call("/a/b%20c")
    assert answer.status == 404 and "<Code>NoSuchKey</Code>" in answer.text, answer


def test_kinesis_events_and_step_functions(api, there):
    kinesis, events, states = there("kinesis"), there("events"), there("stepfunctions")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    record = '{"StreamName": "clicks", "Data": "$util.base64Encode($input.body)", "PartitionKey": "p"}'
    integrate(api, "/clicks", "POST", "kinesis:action/PutRecord", template=record)
    # Unlike the others, EventBridge needs its target mapped.
    event = (
        '#set($context.requestOverride.header.X-Amz-Target = "AWSEvents.PutEvents")'
        '#set($context.requestOverride.header.Content-Type = "application/x-amz-json-1.1")'
        '{"Entries": [{"Source": "shop", "DetailType": "order", "Detail": "$util.escapeJavaScript($input.body)"}]}'
    )
    integrate(api, "/events", "POST", "events:action/PutEvents", template=event)
    definition = {"StartAt": "done", "States": {"done": {"Type": "Pass", "End": True}}}
    machine = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    start = f'{{"stateMachineArn": "{machine}", "input": "$util.escapeJavaScript($input.body)"}}'
    integrate(api, "/start", "POST", "states:action/StartExecution", template=start)
    api.deploy()
    assert api.call("/clicks", "POST", body='{"x": 1}').json()["SequenceNumber"]
    shard = kinesis.list_shards(StreamName="clicks")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="clicks", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    [found] = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert (found["Data"], found["PartitionKey"]) == (b'{"x": 1}', "p")
    answer = api.call("/events", "POST", body='{"id": 1}').json()
    assert answer["FailedEntryCount"] == 0 and answer["Entries"][0]["EventId"], answer
    execution = api.call("/start", "POST", body='{"order": 1}').json()["executionArn"]
    assert json.loads(states.describe_execution(executionArn=execution)["input"]) == {"order": 1}
    assert events.list_rules()["Rules"] == []


def test_ssm_speaks_the_query_protocol(api, there):
    there("ssm").put_parameter(Name="/shop/rate", Value="19", Type="String")
    query = {"integration.request.querystring.Name": "method.request.querystring.name"}
    declared = {"requestParameters": {"method.request.querystring.name": False}}
    integrate(api, "/rate", "GET", "ssm:action/GetParameter", requestParameters=query, method=declared)
    xml = {**query, "integration.request.header.Accept": "'text/xml'"}
    integrate(api, "/xml", "GET", "ssm:action/GetParameter", requestParameters=xml, method=declared)
    api.deploy()
    whole = api.call("/rate?name=/shop/rate").json()["GetParameterResponse"]
    parameter = whole["GetParameterResult"]["Parameter"]
    assert (parameter["Value"], parameter["Selector"], parameter["Version"]) == ("19", None, 1)
    assert whole["ResponseMetadata"]["RequestId"]
    assert "<Value>19</Value>" in api.call("/xml?name=/shop/rate").text
    assert api.call("/rate?name=nothing").json()["Error"]["Code"] == "ParameterNotFound"


def test_a_service_without_an_endpoint_says_which_flag_it_needs(api, apigateway, server):
    integrate(api, "/keys", "GET", "kms:action/ListKeys")
    integrate(api, "/hose", "POST", "firehose:action/PutRecord")
    api.deploy()
    answer = api.call("/keys")
    assert (answer.status, answer.json()) == (500, {"message": "Internal server error"})
    processes.poll(lambda: "start Frontgate with `--service-endpoint kms=URL`" in server.log(), 5)
    assert "--service-endpoint kms=URL" in apigateway.test_invoke_method(**api.at("/keys", "GET"))["log"]
    answer = api.call("/hose", "POST", body="{}")
    assert (answer.status, answer.json()) == (504, {"message": "Network error communicating with endpoint"})


def test_what_aws_refuses_is_refused(api, apigateway):
    api.method("/x", "GET")

    def refusal(**options):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            apigateway.put_integration(**api.at("/x", "GET"), integrationHttpMethod="POST", **options)
        return error.value.response["Error"]["Message"]

    only = "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
    assert refusal(type="AWS_PROXY", uri=address("sqs:path/0/q"), credentials=ROLE) == only
    assert refusal(type="AWS", uri=address("sqs:path/0/q")) == "Role ARN must be specified for AWS integrations"
    assert "must contain path or action" in refusal(type="AWS", uri=address("sqs:queue/q"), credentials=ROLE)
    assert "iam, a service of Frontgate itself" in refusal(type="AWS", uri=address("iam:action/ListRoles"), credentials=ROLE)


@pytest.fixture(scope="module")
def verifier():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.mark.parametrize("service, call", [("s3", "s3:path/bucket/{key}"), ("sqs", "sqs:path/0/{key}")])
def test_requests_are_signed_with_the_keys_of_the_endpoint(verifier, tmp_path, service, call):
    """What botocore computes from the request that arrives is the signature that it has."""
    secret = "a/secret+key"
    endpoint = f"{service}=http://AKIDTEST:a%2Fsecret%2Bkey@127.0.0.1:{verifier.port}"
    server = Server(tmp_path, "--service-endpoint", endpoint)
    server.start()
    try:
        assert secret not in server.log()
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        client = boto3.client("apigateway", endpoint_url=server.url, region_name="us-east-1", config=config, **keys)
        api = Api(client, server.port)
        parameters = {
            "integration.request.path.key": "method.request.path.key",
            "integration.request.querystring.q": "method.request.querystring.q",
        }
        declared = {"requestParameters": {"method.request.path.key": True, "method.request.querystring.q": False}}
        integrate(api, "/{key+}", "PUT", call, "PUT", requestParameters=parameters, method=declared)
        api.deploy()
        for path in ["/plain?q=1", "/a/b%20c//d?q=x%2By%26z", "/%C3%BC(1)'!*?q=", "/dots/../up?q=~"]:
            api.call(path, "PUT", {"Content-Type": "text/plain"}, "the body")
            arrived = verifier.last()
            target = arrived["path"] + ("?" + arrived["query"] if arrived["query"] else "")
            headers = {name.lower(): value for name, value in arrived["headers"]}
            scheme, _, rest = headers["authorization"].partition(" ")
            parts = dict(part.strip().split("=", 1) for part in rest.split(","))
            key_id, date, region, name, _ = parts["Credential"].split("/")
            assert (scheme, key_id, region, name) == ("AWS4-HMAC-SHA256", "AKIDTEST", "us-east-1", service)
            signed = parts["SignedHeaders"].split(";")
            assert {"host", "x-amz-date", "content-type"} <= set(signed)
            request = botocore.awsrequest.AWSRequest(
                "PUT",
                f"http://127.0.0.1:{verifier.port}{target}",
                data=b"the body",
                headers={name: headers[name] for name in signed},
            )
            request.context["timestamp"] = headers["x-amz-date"]
            signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
            auth = signer(botocore.credentials.Credentials("AKIDTEST", secret), service, "us-east-1")
            text = auth.string_to_sign(request, auth.canonical_request(request))
            assert auth.signature(text, request) == parts["Signature"], arrived
    finally:
        server.stop()
