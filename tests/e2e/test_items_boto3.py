"""The items tutorial through boto3."""

import json

from harness import functions
from harness.rest_api import LAMBDA_URI, call

CODE = """
import json
RELEASE = %d
ITEMS = {str(n): {"id": str(n), "name": name} for n, name in enumerate(("Lamp", "Chair", "Desk", "Shelf"), 1)}
def handler(event, context):
    parameters = event["pathParameters"]
    found = list(ITEMS.values()) if parameters is None else ITEMS.get(parameters["id"])
    return {"statusCode": 200 if found else 404, "body": json.dumps({"release": RELEASE, "found": found})}
"""


def test_the_tutorial(server, clients):
    apigateway, functions_client, iam = clients("apigateway"), clients("lambda"), clients("iam")
    account = clients("sts").get_caller_identity()["Account"]
    role = make_role(iam)
    api, methods = make_mock(apigateway)
    apigateway.create_deployment(restApiId=api, stageName="dev", stageDescription="for work in progress")

    def get(stage, path):
        return call(server.port, "GET", f"/_aws/execute-api/{api}/{stage}{path}")

    assert [item["name"] for item in get("dev", "/items").json()] == ["Lamp", "Chair", "Desk", "Shelf"]
    assert get("dev", "/items/2").json() == {"id": "2"}

    create(functions_client, role)
    put_function_behind(apigateway, functions_client, api, methods, account)
    assert get("dev", "/items/2").json() == {"id": "2"}, "a live edit must not be visible"
    patch = [{"op": "replace", "path": "/variables/lambdaAlias", "value": "dev"}]
    stage = apigateway.update_stage(restApiId=api, stageName="dev", patchOperations=patch)
    assert stage["variables"] == {"lambdaAlias": "dev"} and stage["description"] == "for work in progress"
    apigateway.create_deployment(restApiId=api, stageName="dev")
    apigateway.create_deployment(restApiId=api, stageName="prod", variables={"lambdaAlias": "prod"})
    assert apigateway.get_stage(restApiId=api, stageName="prod")["variables"] == {"lambdaAlias": "prod"}
    for name in ("dev", "prod"):
        assert len(get(name, "/items").json()["found"]) == 4
        assert get(name, "/items/4").json() == {"release": 1, "found": {"id": "4", "name": "Shelf"}}
        assert get(name, "/items/5").status == 404

    functions_client.update_function_code(FunctionName="Items", ZipFile=functions.archive({"app.py": CODE % 2}))
    functions_client.get_waiter("function_updated_v2").wait(FunctionName="Items", WaiterConfig={"Delay": 1})
    version = functions_client.publish_version(FunctionName="Items", Description="release 2")["Version"]
    assert version == "2"
    functions_client.update_alias(FunctionName="Items", Name="dev", FunctionVersion=version)
    assert (get("dev", "/items/1").json()["release"], get("prod", "/items/1").json()["release"]) == (2, 1)
    functions_client.update_alias(FunctionName="Items", Name="dev", FunctionVersion="1")
    assert get("dev", "/items/1").json()["release"] == 1
    clean_up(server, apigateway, functions_client, api)


def make_role(iam):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="items-boto3", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.attach_role_policy(
        RoleName="items-boto3", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    assert iam.get_role(RoleName="items-boto3")["Role"]["AssumeRolePolicyDocument"] == trust
    return role["Arn"]


def make_mock(apigateway):
    """The API with both methods answering by template; returns its id and what names each method."""
    api = apigateway.create_rest_api(name="items", endpointConfiguration={"types": ["REGIONAL"]})
    items = apigateway.create_resource(restApiId=api["id"], parentId=api["rootResourceId"], pathPart="items")["id"]
    item = apigateway.create_resource(restApiId=api["id"], parentId=items, pathPart="{id}")["id"]
    names = '#foreach($n in ["Lamp", "Chair", "Desk", "Shelf"]){"id": "$foreach.count", "name": "$n"}#if($foreach.hasNext),#end#end'
    methods = []
    for resource, template in ((items, f"[{names}]"), (item, '{"id": "$input.params(\'id\')"}')):
        at = {"restApiId": api["id"], "resourceId": resource, "httpMethod": "GET"}
        apigateway.put_method(**at, authorizationType="NONE")
        apigateway.put_method_response(**at, statusCode="200")
        apigateway.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        apigateway.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": template})
        methods.append(at)
    got = apigateway.get_method(**methods[0])
    assert (
        got["methodIntegration"]["integrationResponses"]["200"]["responseTemplates"]["application/json"] == f"[{names}]"
    )
    return api["id"], methods


def create(client, role):
    made = client.create_function(
        FunctionName="Items",
        Runtime=functions.PYTHON,
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": functions.archive({"app.py": CODE % 1})},
        Environment={"Variables": {"TABLE": "items"}},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201 and made["State"] == "Pending"
    assert made["Environment"] == {"Variables": {"TABLE": "items"}}
    client.get_waiter("function_active_v2").wait(FunctionName="Items", WaiterConfig={"Delay": 1})
    invoked = client.invoke(FunctionName="Items", Payload=json.dumps({"pathParameters": {"id": "1"}}))
    assert invoked["StatusCode"] == 200 and invoked["ExecutedVersion"] == "$LATEST" and "FunctionError" not in invoked
    assert json.loads(json.load(invoked["Payload"])["body"]) == {"release": 1, "found": {"id": "1", "name": "Lamp"}}
    client.publish_version(FunctionName="Items")
    for name in ("dev", "prod"):
        client.create_alias(FunctionName="Items", Name=name, FunctionVersion="1")
    assert client.invoke(FunctionName="Items:dev", Payload=b'{"pathParameters": null}')["ExecutedVersion"] == "1"


def put_function_behind(apigateway, client, api, methods, account):
    arn = f"arn:aws:lambda:us-east-1:{account}:function:Items:${{stageVariables.lambdaAlias}}"
    for at in methods:
        apigateway.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=LAMBDA_URI.format(arn))
    for name in ("dev", "prod"):
        source = f"arn:aws:execute-api:us-east-1:{account}:{api}/*/GET/items*"
        functions.allow_gateway(client, "Items", qualifier=name, source=source)


def clean_up(server, apigateway, client, api):
    apigateway.delete_stage(restApiId=api, stageName="prod")
    gone = call(server.port, "GET", f"/_aws/execute-api/{api}/prod/items")
    assert (gone.status, gone.json(), gone.header("x-amzn-ErrorType")) == (
        403,
        {"message": "Forbidden"},
        "ForbiddenException",
    )
    assert call(server.port, "GET", f"/_aws/execute-api/{api}/dev/items").status == 200
    apigateway.delete_rest_api(restApiId=api)
    assert call(server.port, "GET", f"/_aws/execute-api/{api}/dev/items").status == 403
    client.delete_function(FunctionName="Items")
    assert [function["FunctionName"] for function in client.list_functions()["Functions"]] == []
