// The items tutorial through the JavaScript SDK v3. ../test_items_js.py starts the server, writes the function's zip
// files and names both in the environment.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as gateway from "@aws-sdk/client-api-gateway";
import * as iam from "@aws-sdk/client-iam";
import * as lambda from "@aws-sdk/client-lambda";
import * as sts from "@aws-sdk/client-sts";

const endpoint = process.env.FRONTGATE_URL;
const options = { endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" }, maxAttempts: 1 };
const apis = new gateway.APIGatewayClient(options);
const functions = new lambda.LambdaClient(options);
const roles = new iam.IAMClient(options);
const NAMES = ["Lamp", "Chair", "Desk", "Shelf"];

/** Calls the deployed API; returns the status and the JSON body. */
async function get(api, stage, path) {
  const answer = await fetch(`${endpoint}/_aws/execute-api/${api}/${stage}${path}`);
  return [answer.status, await answer.json()];
}

/** Makes the API with two mock methods; returns its id and what names each method. */
async function makeMock() {
  const api = await apis.send(new gateway.CreateRestApiCommand({ name: "items" }));
  assert.match(api.id, /^[a-z0-9]{10}$/);
  assert.ok(api.createdDate instanceof Date && Math.abs(api.createdDate - Date.now()) < 120_000);
  const make = (parentId, pathPart) => apis.send(new gateway.CreateResourceCommand({ restApiId: api.id, parentId, pathPart }));
  const items = await make(api.rootResourceId, "items");
  const item = await make(items.id, "{id}");
  assert.equal(item.path, "/items/{id}");
  const bodies = [JSON.stringify(NAMES), `{"id": "$input.params('id')"}`];
  const methods = [items, item].map((resource) => ({ restApiId: api.id, resourceId: resource.id, httpMethod: "GET" }));
  for (const [index, at] of methods.entries()) {
    await apis.send(new gateway.PutMethodCommand({ ...at, authorizationType: "NONE" }));
    await apis.send(new gateway.PutMethodResponseCommand({ ...at, statusCode: "200" }));
    const requestTemplates = { "application/json": '{"statusCode": 200}' };
    await apis.send(new gateway.PutIntegrationCommand({ ...at, type: "MOCK", requestTemplates }));
    const responseTemplates = { "application/json": bodies[index] };
    await apis.send(new gateway.PutIntegrationResponseCommand({ ...at, statusCode: "200", responseTemplates }));
  }
  return [api.id, methods];
}

/** Makes the function, its first version and the aliases. */
async function makeFunction(role) {
  const made = await functions.send(new lambda.CreateFunctionCommand({
    FunctionName: "ItemsJs", Runtime: "nodejs22.x", Role: role, Handler: "index.handler",
    Code: { ZipFile: readFileSync(process.env.RELEASE_1) },
  }));
  assert.equal(made.State, "Pending");
  await lambda.waitUntilFunctionActiveV2({ client: functions, maxWaitTime: 30, minDelay: 1 }, { FunctionName: "ItemsJs" });
  await functions.send(new lambda.PublishVersionCommand({ FunctionName: "ItemsJs" }));
  for (const Name of ["dev", "prod"]) {
    await functions.send(new lambda.CreateAliasCommand({ FunctionName: "ItemsJs", Name, FunctionVersion: "1" }));
  }
  const Payload = new TextEncoder().encode(JSON.stringify({ pathParameters: { id: "2" } }));
  const invoked = await functions.send(new lambda.InvokeCommand({ FunctionName: "ItemsJs:dev", Payload }));
  assert.equal(invoked.ExecutedVersion, "1");
  assert.deepEqual(JSON.parse(JSON.parse(new TextDecoder().decode(invoked.Payload)).body), { release: 1, found: "Chair" });
}

/** Puts the function behind the methods, by an alias that the stage names, and lets the gateway call it. */
async function connect(api, methods, account) {
  const arn = `arn:aws:lambda:us-east-1:${account}:function:ItemsJs:` + "${stageVariables.lambdaAlias}";
  const uri = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${arn}/invocations`;
  for (const at of methods) {
    await apis.send(new gateway.PutIntegrationCommand({ ...at, type: "AWS_PROXY", integrationHttpMethod: "POST", uri }));
  }
  for (const Qualifier of ["dev", "prod"]) {
    await functions.send(new lambda.AddPermissionCommand({
      FunctionName: "ItemsJs", Qualifier, StatementId: "gateway", Action: "lambda:InvokeFunction",
      Principal: "apigateway.amazonaws.com", SourceArn: `arn:aws:execute-api:us-east-1:${account}:${api}/*/GET/items*`,
    }));
  }
}

test("the items tutorial", async () => {
  const { Account: account } = await new sts.STSClient(options).send(new sts.GetCallerIdentityCommand({}));
  const Statement = [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }];
  const AssumeRolePolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  const { Role: role } = await roles.send(new iam.CreateRoleCommand({ RoleName: "items-js", AssumeRolePolicyDocument }));
  const [api, methods] = await makeMock();
  const { id: mock } = await apis.send(new gateway.CreateDeploymentCommand({ restApiId: api, stageName: "dev" }));
  assert.deepEqual(await get(api, "dev", "/items"), [200, NAMES]);
  assert.deepEqual(await get(api, "dev", "/items/3"), [200, { id: "3" }]);

  await makeFunction(role.Arn);
  await connect(api, methods, account);
  assert.deepEqual(await get(api, "dev", "/items/3"), [200, { id: "3" }], "a live edit must not be visible");
  const patch = (stageName, path, value) =>
    apis.send(new gateway.UpdateStageCommand({ restApiId: api, stageName, patchOperations: [{ op: "replace", path, value }] }));
  await patch("dev", "/variables/lambdaAlias", "dev");
  await apis.send(new gateway.CreateDeploymentCommand({ restApiId: api, stageName: "dev" }));
  const variables = { lambdaAlias: "prod" };
  await apis.send(new gateway.CreateDeploymentCommand({ restApiId: api, stageName: "prod", variables }));
  for (const stage of ["dev", "prod"]) {
    assert.deepEqual(await get(api, stage, "/items/3"), [200, { release: 1, found: "Desk" }]);
    assert.deepEqual(await get(api, stage, "/items"), [200, { release: 1, found: NAMES }]);
  }

  const ZipFile = readFileSync(process.env.RELEASE_2);
  await functions.send(new lambda.UpdateFunctionCodeCommand({ FunctionName: "ItemsJs", ZipFile }));
  await lambda.waitUntilFunctionUpdatedV2({ client: functions, maxWaitTime: 30, minDelay: 1 }, { FunctionName: "ItemsJs" });
  const { Version } = await functions.send(new lambda.PublishVersionCommand({ FunctionName: "ItemsJs" }));
  const point = (FunctionVersion) =>
    functions.send(new lambda.UpdateAliasCommand({ FunctionName: "ItemsJs", Name: "dev", FunctionVersion }));
  await point(Version);
  assert.deepEqual(await get(api, "dev", "/items/3"), [200, { release: 2, found: "Desk" }]);
  assert.deepEqual(await get(api, "prod", "/items/3"), [200, { release: 1, found: "Desk" }]);
  await point("1");
  assert.deepEqual(await get(api, "dev", "/items/3"), [200, { release: 1, found: "Desk" }]);
  await patch("dev", "/deploymentId", mock);
  assert.deepEqual(await get(api, "dev", "/items/3"), [200, { id: "3" }]);
});

test("errors carry AWS's names and texts", async () => {
  await assert.rejects(apis.send(new gateway.GetRestApiCommand({ restApiId: "nosuchapi0" })), {
    name: "NotFoundException", message: "Invalid API identifier specified 000000000000:nosuchapi0",
  });
  await assert.rejects(functions.send(new lambda.GetFunctionCommand({ FunctionName: "nosuch" })), {
    name: "ResourceNotFoundException",
    message: "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nosuch",
  });
  await assert.rejects(roles.send(new iam.GetRoleCommand({ RoleName: "nosuch" })), (error) => {
    assert.match(error.name, /^NoSuchEntity/);
    assert.equal(error.message, "The role with name nosuch cannot be found.");
    return true;
  });
});
