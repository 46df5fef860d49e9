"""Calls of AWS services that are not ours, at our port: they are forwarded to where `--service-endpoint` says."""

import http.client
import os

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest
from harness.server import free_port


@pytest.fixture(scope="module")
def server_flags(moto, tmp_path_factory):
    """Of a server that knows where moto is, by its settings file; where Kinesis should be, nobody listens."""
    flags = moto.flags()
    lines = [flag.replace("=", ' = "', 1) + '"' for flag in flags[1::2] if not flag.startswith("kinesis=")]
    lines.append(f'kinesis = "http://127.0.0.1:{free_port()}"')
    settings = tmp_path_factory.mktemp("settings") / "frontgate.toml"
    settings.write_text("[service-endpoint]\n" + "\n".join(lines) + "\n")
    return ["--config", settings]


def test_the_aws_cli_keeps_objects_in_s3(aws, server):
    content = os.urandom(300_000)
    (aws.directory / "blob").write_bytes(content)
    aws("s3", "mb", "s3://shelf")
    aws("s3", "cp", "blob", "s3://shelf/a/b c")
    assert "300000" in aws("s3", "ls", "s3://shelf/a/").stdout
    # HEAD: the length of a body that does not come.
    assert '"ContentLength": 300000' in aws("s3api", "head-object", "--bucket", "shelf", "--key", "a/b c").stdout
    aws("s3", "cp", "s3://shelf/a/b c", "back")
    assert (aws.directory / "back").read_bytes() == content
    aws("s3", "rm", "s3://shelf/a/b c")
    missing = aws("s3api", "head-object", "--bucket", "shelf", "--key", "a/b c", fails=True)
    assert "(404)" in missing.stderr
    aws("s3", "rb", "s3://shelf")


def test_query_json_and_cbor_services(aws, clients, server):
    queue = aws("--endpoint-url", server.url, "sqs", "create-queue", "--queue-name", "q").stdout
    # moto makes addresses of the host that it is called under, so that they lead here again.
    assert f"{server.url}/000000000000/q" in queue
    sqs = clients("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="through the gateway")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "through the gateway"
    topic = clients("sns").create_topic(Name="t")["TopicArn"]
    assert topic in aws("sns", "list-topics").stdout
    assert clients("dynamodb").list_tables()["TableNames"] == []
    clients("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    assert clients("cloudwatch").list_metrics(Namespace="n")["Metrics"][0]["MetricName"] == "m"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        clients("ssm").get_parameter(Name="nothing")
    assert error.value.response["Error"]["Code"] == "ParameterNotFound"


def test_a_presigned_address_works_here(server):
    s3 = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(signature_version="s3v4"),
    )
    s3.create_bucket(Bucket="signed")
    s3.put_object(Bucket="signed", Key="k", Body=b"v", ContentType="text/x")
    address = s3.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "k"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", address.removeprefix(server.url))
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type"), answer.read()) == (200, "text/x", b"v")
    connection.request("GET", address.removeprefix(server.url), headers={"If-None-Match": answer.getheader("ETag")})
    assert connection.getresponse().status == 304
    connection.close()


def test_a_bucket_may_stand_in_the_host(server, clients):
    """Names below localhost need not resolve here: the connection is made by address."""
    clients("s3").create_bucket(Bucket="hosted")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    host = f"hosted.s3.localhost.localstack.cloud:{server.port}"
    for method, body in [("PUT", b"in the host"), ("GET", b"")]:
        request = botocore.awsrequest.AWSRequest(method, f"http://{host}/key", data=body, headers={"Host": host})
        keys = botocore.credentials.Credentials("test", "test")
        botocore.auth.S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        connection.request(method, "/key", body=body, headers=dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
    assert content == b"in the host"
    connection.close()
    assert clients("s3").list_objects_v2(Bucket="hosted")["KeyCount"] == 1


def test_an_endpoint_where_nobody_is_and_a_service_without_one(clients):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        clients("kinesis").list_streams()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    message = error.value.response["Error"]["Message"]
    assert message.startswith("kinesis cannot be reached at http://127.0.0.1:") and "--service-endpoint" in message
    with pytest.raises(botocore.exceptions.ClientError) as error:
        clients("kms").list_keys()
    assert "--service-endpoint kms=URL" in error.value.response["Error"]["Message"]


def test_a_web_page_cannot_use_it(server):
    target = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}

    def call(extra):
        # A refused call ends its connection.
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", "/", body="{}", headers={**target, **extra})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    assert call({})[0] == 200
    assert call({"Origin": "http://evil.test"})[0] == 403
    assert call({"Sec-Fetch-Site": "cross-site"})[0] == 403
    # A call that has been here already goes no further.
    status, content = call({"Via": "1.1 frontgate"})
    assert status == 503 and b"leads back to Frontgate" in content
