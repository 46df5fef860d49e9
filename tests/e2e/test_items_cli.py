"""The items tutorial through the AWS CLI, step by step, looking at what each command answers."""

import json
import re

import pytest
from harness import functions
from harness.rest_api import call

ITEMS = [{"id": str(number), "name": name} for number, name in enumerate(("Lamp", "Chair", "Desk", "Shelf"), 1)]
CODE = """
import json
RELEASE = %d
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"release": RELEASE, "alias": event["stageVariables"]["lambdaAlias"],
            "id": event["pathParameters"] and event["pathParameters"]["id"], "version": context.function_version})}
"""


@pytest.fixture(scope="module")
def cli(aws):
    """Runs the AWS CLI and returns its JSON answer."""

    def run(*arguments):
        output = aws(*arguments).stdout
        return json.loads(output) if output.strip() else None

    run.directory = aws.directory
    return run


def get(server, api, stage, path):
    """Calls the deployed API."""
    return call(server.port, "GET", f"/_aws/execute-api/{api}/{stage}{path}")


@pytest.mark.timeout(300)
def test_the_tutorial(server, cli):
    identity = cli("sts", "get-caller-identity")
    assert identity["Account"] == "000000000000"
    assert identity["Arn"].startswith("arn:aws:")
    api, items, item = make_api(cli)
    mock = deploy_mock(server, cli, api, items, item)
    make_function(cli)
    connect_function(cli, api, (items, item))
    assert get(server, api, "dev", "/items").json() == {"items": ITEMS}, "a live edit must not be visible"
    deploy_stages(server, cli, api)
    release_to_dev(server, cli, api)
    roll_back(server, cli, api, mock)


def make_api(cli):
    made = cli("apigateway", "create-rest-api", "--name", "items", "--description", "Four items")
    assert re.fullmatch("[a-z0-9]{10}", made["id"])
    assert made["name"] == "items" and made["description"] == "Four items"
    assert made["apiKeySource"] == "HEADER" and made["disableExecuteApiEndpoint"] is False
    assert made["endpointConfiguration"]["types"] == ["EDGE"]
    api = made["id"]
    resources = cli("apigateway", "get-resources", "--rest-api-id", api)["items"]
    assert [resource["path"] for resource in resources] == ["/"]
    root = resources[0]["id"]
    assert made["rootResourceId"] == root and re.fullmatch("[a-z0-9]{10}", root)
    items = cli("apigateway", "create-resource", "--rest-api-id", api, "--parent-id", root, "--path-part", "items")
    assert items == {"id": items["id"], "parentId": root, "pathPart": "items", "path": "/items"}
    assert re.fullmatch("[a-z0-9]{6}", items["id"])
    item = cli("apigateway", "create-resource", "--rest-api-id", api, "--parent-id", items["id"], "--path-part", "{id}")
    assert item["path"] == "/items/{id}"
    return api, items["id"], item["id"]


def deploy_mock(server, cli, api, items, item):
    bodies = {items: json.dumps({"items": ITEMS}), item: '{"id": "$input.params(\'id\')"}'}
    for resource, body in bodies.items():
        at = ("--rest-api-id", api, "--resource-id", resource, "--http-method", "GET")
        method = cli("apigateway", "put-method", *at, "--authorization-type", "NONE")
        assert method == {"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": False}
        models = ("--response-models", '{"application/json": "Empty"}')
        response = cli("apigateway", "put-method-response", *at, "--status-code", "200", *models)
        assert response == {"statusCode": "200", "responseModels": {"application/json": "Empty"}}
        request = {"application/json": '{"statusCode": 200}'}
        integration = cli(
            "apigateway", "put-integration", *at, "--type", "MOCK", "--request-templates", json.dumps(request)
        )
        assert integration["type"] == "MOCK" and integration["requestTemplates"] == request
        assert integration["passthroughBehavior"] == "WHEN_NO_MATCH" and integration["timeoutInMillis"] == 29000
        assert integration["cacheNamespace"] == resource and integration["cacheKeyParameters"] == []
        templates = json.dumps({"application/json": body})
        answer = cli(
            "apigateway", "put-integration-response", *at, "--status-code", "200", "--response-templates", templates
        )
        assert answer == {"statusCode": "200", "responseTemplates": {"application/json": body}}
    assert get(server, api, "dev", "/items").status == 403, "nothing is deployed yet"
    deployment = cli(
        "apigateway", "create-deployment", "--rest-api-id", api, "--stage-name", "dev", "--description", "mock"
    )
    assert re.fullmatch("[a-z0-9]{6}", deployment["id"]) and deployment["description"] == "mock"
    answer = get(server, api, "dev", "/items")
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    assert answer.json() == {"items": ITEMS}
    assert get(server, api, "dev", "/items/3").json() == {"id": "3"}
    return deployment["id"]


def make_function(cli):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = cli("iam", "create-role", "--role-name", "items", "--assume-role-policy-document", json.dumps(policy))[
        "Role"
    ]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/items" and role["RoleId"].startswith("AROA")
    assert role["AssumeRolePolicyDocument"] == policy
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    cli("iam", "attach-role-policy", "--role-name", "items", "--policy-arn", basic)
    inline = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    cli(
        "iam",
        "put-role-policy",
        "--role-name",
        "items",
        "--policy-name",
        "read",
        "--policy-document",
        json.dumps(inline),
    )
    assert cli("iam", "get-role", "--role-name", "items")["Role"]["Arn"] == role["Arn"]
    (cli.directory / "function.zip").write_bytes(functions.archive({"app.py": CODE % 1}))
    made = cli(
        "lambda",
        "create-function",
        "--function-name",
        "ItemsFunction",
        "--runtime",
        functions.PYTHON,
        "--role",
        role["Arn"],
        "--handler",
        "app.handler",
        "--zip-file",
        "fileb://function.zip",
    )
    assert made["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:ItemsFunction"
    assert (made["State"], made["Version"], made["Timeout"], made["MemorySize"]) == ("Pending", "$LATEST", 3, 128)
    assert made["Runtime"] == functions.PYTHON and made["Role"] == role["Arn"]
    cli("lambda", "wait", "function-active-v2", "--function-name", "ItemsFunction")
    got = cli("lambda", "get-function", "--function-name", "ItemsFunction")["Configuration"]
    assert (got["State"], got["LastUpdateStatus"], got["CodeSha256"]) == ("Active", "Successful", made["CodeSha256"])
    published = cli("lambda", "publish-version", "--function-name", "ItemsFunction")
    assert published["Version"] == "1" and published["FunctionArn"].endswith(":ItemsFunction:1")
    again = cli("lambda", "publish-version", "--function-name", "ItemsFunction")
    assert again["Version"] == "1", "nothing changed, so there is no new version"
    for name in ("dev", "prod"):
        alias = cli(
            "lambda", "create-alias", "--function-name", "ItemsFunction", "--name", name, "--function-version", "1"
        )
        assert alias["AliasArn"].endswith(f":ItemsFunction:{name}") and alias["FunctionVersion"] == "1"


def connect_function(cli, api, resources):
    uri = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        "arn:aws:lambda:us-east-1:000000000000:function:ItemsFunction:${stageVariables.lambdaAlias}/invocations"
    )
    for resource in resources:
        integration = cli(
            "apigateway",
            "put-integration",
            "--rest-api-id",
            api,
            "--resource-id",
            resource,
            "--http-method",
            "GET",
            "--type",
            "AWS_PROXY",
            "--integration-http-method",
            "POST",
            "--uri",
            uri,
        )
        assert integration["type"] == "AWS_PROXY" and integration["uri"] == uri and integration["httpMethod"] == "POST"
    for alias in ("dev", "prod"):
        source = f"arn:aws:execute-api:us-east-1:000000000000:{api}/*/GET/items*"
        added = cli(
            "lambda",
            "add-permission",
            "--function-name",
            f"ItemsFunction:{alias}",
            "--statement-id",
            alias,
            "--action",
            "lambda:InvokeFunction",
            "--principal",
            "apigateway.amazonaws.com",
            "--source-arn",
            source,
        )
        statement = json.loads(added["Statement"])
        assert statement == {
            "Sid": alias,
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": f"arn:aws:lambda:us-east-1:000000000000:function:ItemsFunction:{alias}",
            "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        }


def deploy_stages(server, cli, api):
    stage = cli(
        "apigateway",
        "update-stage",
        "--rest-api-id",
        api,
        "--stage-name",
        "dev",
        "--patch-operations",
        "op=replace,path=/variables/lambdaAlias,value=dev",
    )
    assert stage["variables"] == {"lambdaAlias": "dev"}
    cli("apigateway", "create-deployment", "--rest-api-id", api, "--stage-name", "dev")
    deployment = cli("apigateway", "create-deployment", "--rest-api-id", api, "--description", "for prod")
    made = cli(
        "apigateway",
        "create-stage",
        "--rest-api-id",
        api,
        "--stage-name",
        "prod",
        "--deployment-id",
        deployment["id"],
        "--variables",
        "lambdaAlias=prod",
    )
    assert made["deploymentId"] == deployment["id"] and made["variables"] == {"lambdaAlias": "prod"}
    assert made["cacheClusterEnabled"] is False and made["tracingEnabled"] is False and made["methodSettings"] == {}
    for alias in ("dev", "prod"):
        answer = get(server, api, alias, "/items/2")
        assert answer.json() == {"release": 1, "alias": alias, "id": "2", "version": "1"}, answer
        assert get(server, api, alias, "/items").json()["id"] is None
    names = [stage["stageName"] for stage in cli("apigateway", "get-stages", "--rest-api-id", api)["item"]]
    assert sorted(names) == ["dev", "prod"]


def release_to_dev(server, cli, api):
    (cli.directory / "function.zip").write_bytes(functions.archive({"app.py": CODE % 2}))
    updated = cli(
        "lambda", "update-function-code", "--function-name", "ItemsFunction", "--zip-file", "fileb://function.zip"
    )
    assert updated["LastUpdateStatus"] == "InProgress"
    cli("lambda", "wait", "function-updated-v2", "--function-name", "ItemsFunction")
    assert get(server, api, "dev", "/items/2").json()["release"] == 1, "an alias serves its version, not $LATEST"
    assert cli("lambda", "publish-version", "--function-name", "ItemsFunction")["Version"] == "2"
    moved = cli(
        "lambda", "update-alias", "--function-name", "ItemsFunction", "--name", "dev", "--function-version", "2"
    )
    assert moved["FunctionVersion"] == "2"
    assert get(server, api, "dev", "/items/2").json() == {"release": 2, "alias": "dev", "id": "2", "version": "2"}
    assert get(server, api, "prod", "/items/2").json() == {"release": 1, "alias": "prod", "id": "2", "version": "1"}


def roll_back(server, cli, api, mock):
    cli("lambda", "update-alias", "--function-name", "ItemsFunction", "--name", "dev", "--function-version", "1")
    assert get(server, api, "dev", "/items/2").json()["release"] == 1
    stage = cli(
        "apigateway",
        "update-stage",
        "--rest-api-id",
        api,
        "--stage-name",
        "dev",
        "--patch-operations",
        f"op=replace,path=/deploymentId,value={mock}",
    )
    assert stage["deploymentId"] == mock
    assert get(server, api, "dev", "/items/3").json() == {"id": "3"}
    listed = cli("apigateway", "get-deployments", "--rest-api-id", api)["items"]
    assert mock in [deployment["id"] for deployment in listed] and len(listed) == 3


def test_the_cli_shows_errors_as_it_does_with_aws(aws):
    failed = aws("apigateway", "get-rest-api", "--rest-api-id", "nosuchapi0", fails=True)
    assert failed.returncode == 254 or failed.returncode == 255
    assert (
        "An error occurred (NotFoundException) when calling the GetRestApi operation: Invalid API identifier"
        in failed.stderr
    )
    failed = aws("lambda", "get-function", "--function-name", "nosuch", fails=True)
    missing = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nosuch"
    assert f"(ResourceNotFoundException) when calling the GetFunction operation: {missing}" in failed.stderr
    failed = aws("iam", "get-role", "--role-name", "nosuch", fails=True)
    assert (
        "(NoSuchEntity) when calling the GetRole operation: The role with name nosuch cannot be found." in failed.stderr
    )


def test_a_service_that_is_not_there_is_named_with_the_flag_that_would_forward_it(aws):
    failed = aws("dynamodb", "list-tables", fails=True)
    assert failed.returncode != 0
    assert "dynamodb" in failed.stderr and "--service-endpoint dynamodb=URL" in failed.stderr


def test_an_operation_that_is_not_there_is_named(aws):
    failed = aws("apigateway", "get-sdk-types", fails=True)
    assert failed.returncode != 0
    assert "NotImplemented" in failed.stderr and "GetSdkTypes" in failed.stderr
