"""Every operation of the control plane, called wrongly in every way the model lets one think of.

AWS's errors are expected: 4xx, in the form of the protocol. Nothing else may change meanwhile, and nothing may hang.
"""

import http.client
import json
import re
import time
import uuid
from xml.etree import ElementTree

import pytest
from harness import functions
from harness.model import Operation, implemented
from harness.rest_api import Api, call

SECONDS = 5
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
AUTHORIZER = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:000000000000:function:none/invocations"
)


class Caller:
    """Sends requests over one connection, which is made anew when the server has closed it."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def send(self, method, path, headers, body):
        """(status, headers, body, seconds) of one request; a connection that closes without an answer is status 0."""
        started = time.monotonic()
        for attempt in range(2):
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                self.connection.putrequest(method, path, skip_accept_encoding=True)
                for name, value in headers.items():
                    self.connection.putheader(name, value)
                self.connection.putheader("Content-Length", str(len(body)))
                self.connection.endheaders(body)
                answer = self.connection.getresponse()
                content = answer.read()
                if answer.will_close:
                    self.connection.close()
                    self.connection = None
                return answer.status, answer.headers, content, time.monotonic() - started
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
                if fresh or attempt:
                    return 0, {}, b"", time.monotonic() - started
        raise AssertionError("unreachable")


@pytest.fixture(scope="module")
def fixed(apigateway, clients, server):
    """An API, a function and a role that no bad call names; they must be the same at the end."""
    api = Api(apigateway, server.port, name="fixed").mock("/word", body='"fixed"')
    api.deploy()
    functions.create(clients("lambda"), "Fixed", "def handler(event, context):\n    return 'fixed'\n")
    clients("iam").create_role(RoleName="fixed", AssumeRolePolicyDocument=TRUST)
    before = read(api, clients)
    yield before
    assert read(api, clients) == before
    assert api.call("/word").json() == "fixed"
    assert json.load(clients("lambda").invoke(FunctionName="Fixed")["Payload"]) == "fixed"


def read(api, clients):
    """What the control plane says of the fixed things."""
    parts = [
        api.client.get_rest_api(restApiId=api.id),
        api.client.get_resources(restApiId=api.id, embed=["methods"]),
        api.client.get_stages(restApiId=api.id),
        clients("lambda").get_function_configuration(FunctionName="Fixed"),
        clients("iam").get_role(RoleName="fixed"),
    ]
    for part in parts:
        part.pop("ResponseMetadata")
    return parts


def sacrifice(service, clients, port):
    """Makes something that the calls may spoil; returns the values of members that name it."""
    name = "s" + uuid.uuid4().hex[:12]
    if service == "apigateway":
        api = Api(clients("apigateway"), port, name=name).mock("/word", body='"word"')
        deployment = api.deploy(name)
        arn = f"arn:aws:apigateway:us-east-1::/restapis/{api.id}"
        client, here = clients("apigateway"), {"restApiId": api.id}
        client.create_model(**here, name=name, contentType="application/json", schema="{}")
        client.create_documentation_version(**here, documentationVersion=name)
        part = client.create_documentation_part(**here, location={"type": "METHOD", "path": "/x"}, properties="{}")
        authorizer = client.create_authorizer(
            **here, name=name, type="TOKEN", identitySource="method.request.header.A", authorizerUri=AUTHORIZER
        )
        return {
            "restApiId": api.id,
            "modelName": name,
            "contentType": "application/json",
            "requestValidatorId": client.create_request_validator(**here, name=name)["id"],
            "authorizerId": authorizer["id"],
            "documentationPartId": part["id"],
            "documentationVersion": name,
            "properties": "{}",
            "resourceId": api.resource("/word"),
            "parentId": api.resource("/"),
            "httpMethod": "GET",
            "statusCode": "200",
            "deploymentId": deployment,
            "stageName": name,
            "resourceArn": arn,
            "pathPart": name,
            "name": name,
            "authorizationType": "NONE",
            "type": "MOCK",
            "tagKeys": ["a"],
            "tags": {"a": "b"},
        }
    if service == "lambda":
        client = clients("lambda")
        arn = functions.create(client, name, "def handler(event, context):\n    return event\n")
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
        client.create_function_url_config(FunctionName=name, AuthType="NONE")
        client.publish_layer_version(LayerName=name, Content={"ZipFile": functions.archive({"x": "x"})})
        client.publish_version(FunctionName=name)
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        functions.allow_gateway(client, name)
        return {
            "FunctionName": name,
            "Name": "live",
            "FunctionVersion": "1",
            "StatementId": "gateway",
            "Role": functions.ROLE,
            "Runtime": functions.PYTHON,
            "Handler": "app.handler",
            "Code": {"ZipFile": functions.archive({"app.py": "x = 1"})},
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "Payload": b"{}",
            "InvokeArgs": b"{}",
            "LayerName": name,
            "VersionNumber": 1,
            "Resource": arn,
            "TagKeys": ["x"],
        }
    if service == "logs":
        client = clients("logs")
        client.create_log_group(logGroupName=name)
        client.create_log_stream(logGroupName=name, logStreamName=name)
        client.put_retention_policy(logGroupName=name, retentionInDays=7)
        return {
            "logGroupName": name,
            "logStreamName": name,
            "logEvents": [{"timestamp": int(time.time() * 1000), "message": "x"}],
            "retentionInDays": 7,
            "resourceArn": f"arn:aws:logs:us-east-1:000000000000:log-group:{name}",
            "tags": {"a": "b"},
            "tagKeys": ["a"],
            "filterPattern": "x",
            "logEventMessages": ["x"],
        }
    if service == "iam":
        client = clients("iam")
        client.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        client.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=POLICY)
        arn = client.create_policy(PolicyName=name, PolicyDocument=POLICY)["Policy"]["Arn"]
        client.attach_role_policy(RoleName=name, PolicyArn=arn)
        return {
            "RoleName": name,
            "PolicyName": name,
            "PolicyArn": arn,
            "PolicyDocument": POLICY,
            "AssumeRolePolicyDocument": TRUST,
        }
    return {}


def wrong_answer(operation, answer):
    """What is wrong with an answer to a bad call, or None."""
    status, headers, body, seconds = answer
    if seconds > SECONDS:
        return f"took {seconds:.1f} seconds"
    if status == 501 and b"Frontgate does not" in body:
        return None  # A setting that is not built yet is refused by name.
    if not 200 <= status < 500:
        return f"status {status} {body[:200]}"
    if status < 400:
        return None
    if operation.protocol == "query":
        if not body.startswith(b"<"):
            return f"no XML in a {status}: {body[:200]}"
        codes = [
            element.text
            for element in ElementTree.fromstring(body).iter()
            if element.tag.endswith("}Code") or element.tag == "Code"
        ]
        return None if codes and re.fullmatch(r"\w+", codes[0] or "") else f"no error code in {body[:200]}"
    if not re.match(r"\w+", headers.get("x-amzn-ErrorType", "")):
        return f"no x-amzn-ErrorType in a {status}: {body[:200]}"
    try:
        document = json.loads(body)
    except ValueError:
        return f"no JSON in a {status}: {body[:200]}"
    return None if {"message", "Message"} & set(document) else f"no message in {body[:200]}"


@pytest.mark.parametrize("service, name", implemented(), ids=lambda value: value)
def test_an_operation_called_wrongly_answers_with_an_error(service, name, server, clients, fixed):
    operation = Operation(service, name)
    caller = Caller(server.port)
    known = sacrifice(service, clients, server.port)
    wrong, count = [], 0
    for what, request in operation.spoilt(known):
        count += 1
        problem = wrong_answer(operation, caller.send(*request))
        if problem:
            wrong.append(f"{what}: {problem}")
    assert count > 20
    assert not wrong, f"{len(wrong)} of {count} bad calls:\n" + "\n".join(wrong[:25])


def test_the_model_gives_calls_that_work(server, clients, fixed):
    """The proof that the calls above fail for what is wrong with them: unspoilt, most of them succeed."""
    refused = []
    for service, name in implemented():
        operation = Operation(service, name)
        known = sacrifice(service, clients, server.port)
        if name.startswith(("Create", "AddPermission")):
            known |= {"FunctionName": "n" + uuid.uuid4().hex[:12]} if name == "CreateFunction" else {}
            known |= {
                key: "n" + uuid.uuid4().hex[:12]
                for key in ("RoleName", "PolicyName", "Name", "StatementId")
                if key in known
            }
            new = {"CreateStage": "stageName", "CreateLogGroup": "logGroupName", "CreateLogStream": "logStreamName"}
            known |= {new[name]: "n" + uuid.uuid4().hex[:12]} if name in new else {}
        method, path, headers, body = operation.request(
            operation.valid({key: known[key] for key in known if wanted(operation, key)})
        )
        status, _, content, _ = Caller(server.port).send(method, path, headers, body)
        if status >= 400:
            refused.append((name, status, content[:150]))
    assert len(refused) <= len(implemented()) // 5, refused


def wanted(operation, member):
    """Whether a member is required by an operation, so that a minimal call has it."""
    shape = operation.model.input_shape
    return shape is not None and (member in shape.required_members or member in ("Runtime", "Handler", "Payload"))


@pytest.mark.parametrize(
    "method, path, headers",
    [
        ("GET", "/nosuch", {}),
        ("POST", "/2015-03-31/nosuch", {}),
        ("DELETE", "/restapis", {}),
        ("PUT", "/2015-03-31/functions/x", {}),
        (
            "POST",
            "/",
            {
                "X-Amz-Target": "AWSCognitoIdentityProviderService.ListUserPools",
                "Content-Type": "application/x-amz-json-1.1",
            },
        ),
        ("POST", "/", {"X-Amz-Target": "Nonsense", "Content-Type": "application/x-amz-json-1.0"}),
        ("POST", "/", {"X-Amz-Target": "\x7f" * 1000, "Content-Type": "application/x-amz-json-1.0"}),
        ("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", {"smithy-protocol": "rpc-v2-cbor"}),
        ("POST", "/?Action=NoSuchAction&Version=2010-05-08", {}),
        ("GET", "/_frontgate/nosuch", {}),
        ("GET", "/_aws/nosuch", {}),
        ("GET", "/%", {}),
        ("GET", "/%zz", {}),
        ("OPTIONS", "*", {}),
        ("GET", "//", {}),
        ("GET", "/restapis/../restapis", {}),
    ],
)
def test_what_is_no_operation_is_named_or_refused(server, method, path, headers):
    signed = {
        "Authorization": Operation("lambda", "Invoke").headers()["Authorization"],
        "X-Amz-Date": "20260101T000000Z",
    }
    for extra in (signed, {}):
        answer = call(server.port, method, path, {**extra, **headers}, "{}" if method == "POST" else None, timeout=10)
        assert 400 <= answer.status < 500 or answer.status == 501, answer


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=host, Signature=zz",
        "AWS4-HMAC-SHA256 " + "Credential=" * 500,
        "Basic dGVzdDp0ZXN0",
        "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/lambda/aws4_request, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=\xff/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64,
    ],
)
def test_a_malformed_signature_is_refused(server, authorization):
    answer = call(
        server.port,
        "GET",
        "/2015-03-31/functions",
        {"Authorization": authorization.encode("latin-1").decode("latin-1")},
    )
    assert 400 <= answer.status < 500, answer


def test_a_body_larger_than_anything_is_refused_without_being_read_whole(server, clients, fixed):
    headers = Operation("lambda", "CreateFunction").headers()
    started = time.monotonic()
    try:
        answer = call(server.port, "POST", "/2015-03-31/functions", headers, b"x" * (80 * 1024 * 1024), timeout=30)
        assert answer.status in (400, 413), answer
    except (OSError, http.client.HTTPException):
        pass  # Closing on somebody who goes on sending is clean enough.
    assert time.monotonic() - started < 20
