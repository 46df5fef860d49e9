"""Makes the example APIs over the AWS wire protocol, if they are not there yet."""

import base64
import io
import json
import pathlib
import subprocess
import time
import zipfile

from aws_client import AwsError

HERE = pathlib.Path(__file__).resolve().parent
FUNCTIONS = "/2015-03-31/functions"
# Verb and path of the users API's methods, with the function behind each and its source.
USERS = {
    ("GET", "/users"): ("ExampleListUsers", "list_users"),
    ("POST", "/users"): ("ExampleCreateUser", "create_user"),
    ("DELETE", "/users/{id}"): ("ExampleDeleteUser", "delete_user"),
}
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Examples:
    """Builds the examples through one client. Each part is looked for before it is made, so a second run changes nothing."""

    def __init__(self, client, frontgate):
        self.client = client
        self.frontgate = frontgate
        self.account = client.query("sts", "2011-06-15", "GetCallerIdentity")["Account"]

    def items(self):
        """The items API: stage `mock` without code, stages `dev` and `prod` in front of one function. Returns its id."""
        role = self.role("example-role")
        self.function(
            "ExampleItems", "python3.13", "items_function.handler", role, HERE / "items" / "items_function.py"
        )
        for alias in ("dev", "prod"):
            self.alias("ExampleItems", alias)
        return self.finished_api("example-items", {"mock", "dev", "prod"}, self.make_items)

    def faq(self):
        """The FAQ API: one method in front of a Node function, stage `test`. Returns its id."""
        role = self.role("example-role")
        self.function("ExampleFaq", "nodejs22.x", "index.handler", role, HERE / "faq" / "index.mjs")
        return self.finished_api("example-faq", {"test"}, self.make_faq)

    def users(self):
        """The users API: three functions, one for each method, and CORS; stage `dev`. Returns its id."""
        role = self.role("example-role")
        for name, source in USERS.values():
            handler = f"{source}.handler"
            self.function(name, "python3.13", handler, role, HERE / "users" / f"{source}.py")
        return self.finished_api("example-users", {"dev"}, self.make_users)

    def make_items(self, api):
        """Resources, methods and the three stages of a new items API."""
        items = self.resource(api, self.root(api), "items")
        item = self.resource(api, items, "{id}")
        for resource, template in ((items, "mock-list.vtl"), (item, "mock-detail.vtl")):
            self.mock_method(api, resource, (HERE / "items" / template).read_text())
        self.deploy(api, "mock", {})
        for resource in (items, item):
            self.function_integration(api, resource, "ExampleItems:${stageVariables.lambdaAlias}")
        for alias in ("dev", "prod"):
            self.allow(api, "ExampleItems", alias)
            self.deploy(api, alias, {"lambdaAlias": alias})

    def make_faq(self, api):
        """The resource, method and stage of a new FAQ API."""
        faq = self.resource(api, self.root(api), "faq")
        self.client.rest("apigateway", "PUT", method_path(api, faq), {"authorizationType": "NONE"})
        self.function_integration(api, faq, "ExampleFaq")
        self.allow(api, "ExampleFaq", None)
        self.deploy(api, "test", {})

    def make_users(self, api):
        """The two resources of a new users API. CORS is enabled with the command that users would type."""
        users = self.resource(api, self.root(api), "users")
        resources = {"/users": users, "/users/{id}": self.resource(api, users, "{id}")}
        for (verb, path), (name, _) in USERS.items():
            self.client.rest("apigateway", "PUT", method_path(api, resources[path], verb), {"authorizationType": "NONE"})
            self.function_integration(api, resources[path], name, verb)
            self.allow(api, name, None, verb)
        for resource in resources.values():
            self.enable_cors(api, resource)
        self.deploy(api, "dev", {})

    def enable_cors(self, api, resource):
        """Lets web pages of other origins call the resource's methods."""
        command = [self.frontgate, "cors", "enable", "--rest-api-id", api, "--resource-id", resource]
        command += ["--endpoint-url", f"http://{self.client.host}:{self.client.port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"CORS was not enabled: {done.stderr.strip()}")

    def finished_api(self, name, stages, make):
        """Finds the API of this name; one that an interrupted run left without all its stages is made anew."""
        listed = self.client.rest("apigateway", "GET", "/restapis", query={"limit": "500"})
        for found in as_list(listed.get("item")):
            if found["name"] != name:
                continue
            there = as_list(self.client.rest("apigateway", "GET", f"/restapis/{found['id']}/stages").get("item"))
            if stages <= {stage["stageName"] for stage in there}:
                return found["id"]
            self.client.rest("apigateway", "DELETE", f"/restapis/{found['id']}")
        api = self.client.rest("apigateway", "POST", "/restapis", {"name": name})["id"]
        make(api)
        return api

    def root(self, api):
        """The id of an API's root resource."""
        resources = self.client.rest("apigateway", "GET", f"/restapis/{api}/resources")["item"]
        return next(resource["id"] for resource in as_list(resources) if resource["path"] == "/")

    def resource(self, api, parent, part):
        """Makes a resource and returns its id."""
        return self.client.rest("apigateway", "POST", f"/restapis/{api}/resources/{parent}", {"pathPart": part})["id"]

    def mock_method(self, api, resource, template):
        """A GET method that answers with a template and no backend."""
        path = method_path(api, resource)
        self.client.rest("apigateway", "PUT", path, {"authorizationType": "NONE"})
        self.client.rest("apigateway", "PUT", f"{path}/responses/200", {})
        mock = {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
        self.client.rest("apigateway", "PUT", f"{path}/integration", mock)
        response = {"responseTemplates": {"application/json": template}}
        self.client.rest("apigateway", "PUT", f"{path}/integration/responses/200", response)

    def function_integration(self, api, resource, function, verb="GET"):
        """Puts a function behind a method of a resource."""
        arn = f"arn:aws:lambda:{self.client.region}:{self.account}:function:{function}"
        uri = f"arn:aws:apigateway:{self.client.region}:lambda:path{FUNCTIONS}/{arn}/invocations"
        body = {"type": "AWS_PROXY", "httpMethod": "POST", "uri": uri}
        self.client.rest("apigateway", "PUT", f"{method_path(api, resource, verb)}/integration", body)

    def allow(self, api, function, alias, verb="GET"):
        """Lets the API call the function, or one alias of it."""
        statement = {
            "StatementId": f"{api}-{alias or 'latest'}",
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": f"arn:aws:execute-api:{self.client.region}:{self.account}:{api}/*/{verb}/*",
        }
        query = {"Qualifier": alias} if alias else {}
        self.client.rest("lambda", "POST", f"{FUNCTIONS}/{function}/policy", statement, query)

    def deploy(self, api, stage, variables):
        """Publishes the API as it stands to a stage."""
        self.client.rest(
            "apigateway", "POST", f"/restapis/{api}/deployments", {"stageName": stage, "variables": variables}
        )

    def role(self, name):
        """The ARN of a role that functions may take."""
        version = "2010-05-08"
        try:
            return self.client.query("iam", version, "GetRole", RoleName=name)["Arn"]
        except AwsError as error:
            if error.code != "NoSuchEntity":
                raise
        policy = json.dumps(TRUST_POLICY)
        return self.client.query("iam", version, "CreateRole", RoleName=name, AssumeRolePolicyDocument=policy)["Arn"]

    def function(self, name, runtime, handler, role, source):
        """Makes a function of one source file, unless there is one of this name, and waits until it is active."""
        path = f"{FUNCTIONS}/{name}"
        if not self.exists("lambda", path):
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as writer:
                writer.write(source, source.name)
            self.client.rest(
                "lambda",
                "POST",
                FUNCTIONS,
                {
                    "FunctionName": name,
                    "Runtime": runtime,
                    "Handler": handler,
                    "Role": role,
                    "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
                },
            )
        deadline = time.monotonic() + 30
        while (state := self.client.rest("lambda", "GET", path)["Configuration"]["State"]) != "Active":
            if state == "Failed" or time.monotonic() > deadline:
                raise SystemExit(f"function {name} did not become active: it is {state}")
            time.sleep(0.05)

    def alias(self, function, name):
        """An alias of the function's first published version."""
        if self.exists("lambda", f"{FUNCTIONS}/{function}/aliases/{name}"):
            return
        version = self.client.rest("lambda", "POST", f"{FUNCTIONS}/{function}/versions", {})["Version"]
        self.client.rest(
            "lambda", "POST", f"{FUNCTIONS}/{function}/aliases", {"Name": name, "FunctionVersion": version}
        )

    def exists(self, service, path):
        """Whether a GET of the path finds something."""
        try:
            self.client.rest(service, "GET", path)
            return True
        except AwsError as error:
            if error.status != 404:
                raise
            return False


def method_path(api, resource, verb="GET"):
    """The path of a resource's method in the management API."""
    return f"/restapis/{api}/resources/{resource}/methods/{verb}"


def as_list(value):
    """The members of a list that some answers write as a single member or leave out."""
    return value if isinstance(value, list) else [] if value is None else [value]
