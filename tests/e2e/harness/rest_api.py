"""Builds REST APIs with few words, and calls what is deployed without a client that tidies up."""

import dataclasses
import http.client
import json
import ssl

LAMBDA_URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{}/invocations"


@dataclasses.dataclass
class Answer:
    """An HTTP answer: status, headers as sent (order, case and repetitions kept), body."""

    status: int
    headers: list
    body: bytes

    def header(self, name):
        """The only value of a header, or None; more than one is an error."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    def all(self, name):
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def names(self):
        """The names of all headers, as sent."""
        return [key for key, _ in self.headers]

    @property
    def text(self):
        """The body as text."""
        return self.body.decode()

    def json(self):
        """The body's JSON value."""
        return json.loads(self.body)


def call(port, method, path, headers=None, body=None, host=None, timeout=40, tls=None):
    """Sends one HTTP/1.1 request with exactly these headers (plus Host and Content-Length) and returns the answer.

    `headers` is a dictionary or a list of pairs; `tls` is the certificate file to trust.
    """
    if tls:
        context = ssl.create_default_context(cafile=str(tls))
        connection = http.client.HTTPSConnection("localhost", port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    content = body.encode() if isinstance(body, str) else body
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        for name, value in pairs:
            connection.putheader(name, value)
        if content is not None and not any(
            name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs
        ):
            connection.putheader("Content-Length", str(len(content)))
        try:
            connection.endheaders(content)
        except BrokenPipeError:
            pass  # A server that refuses a body answers before it has come; the answer is still there to read.
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


class Api:
    """A REST API under construction. Resources are made as methods name their paths."""

    def __init__(self, client, port, name="e2e", **options):
        self.client, self.port = client, port
        self.id = client.create_rest_api(name=name, **options)["id"]
        root = next(item for item in client.get_resources(restApiId=self.id)["items"] if item["path"] == "/")
        self.resources = {"": root["id"], "/": root["id"]}

    def resource(self, path):
        """The id of the resource at a path, which is made with its parents if it is missing."""
        path = path.rstrip("/")
        if path not in self.resources:
            parent, _, part = path.rpartition("/")
            made = self.client.create_resource(restApiId=self.id, parentId=self.resource(parent), pathPart=part)
            self.resources[path] = made["id"]
        return self.resources[path]

    def at(self, path, verb):
        """The parameters that name a method."""
        return {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": verb}

    def method(self, path, verb="GET", **options):
        """Makes a method without authorization."""
        self.client.put_method(**self.at(path, verb), **{"authorizationType": "NONE", **options})
        return self

    def mock(self, path, verb="GET", body=None, status=200, request='{"statusCode": %d}', headers=None, **options):
        """A mock whose request template gives the status, and whose response template, if any, gives the body."""
        request_template = request % status if "%d" in request else request
        self.method(path, verb)
        self.client.put_integration(
            **self.at(path, verb), type="MOCK", requestTemplates={"application/json": request_template}, **options
        )
        self.response(path, verb, status, body=body, headers=headers)
        return self

    def response(self, path, verb="GET", status=200, body=None, headers=None, **options):
        """A method response and its integration response; `headers` maps names to mapping expressions."""
        headers = headers or {}
        declared = {f"method.response.header.{name}": False for name in headers}
        mapped = {f"method.response.header.{name}": expression for name, expression in headers.items()}
        self.client.put_method_response(**self.at(path, verb), statusCode=str(status), responseParameters=declared)
        templates = {} if body is None else {"responseTemplates": {"application/json": body}}
        self.client.put_integration_response(
            **self.at(path, verb), statusCode=str(status), responseParameters=mapped, **templates, **options
        )
        return self

    def proxy(self, path, verb, function, **options):
        """Puts a Lambda function behind a method as AWS_PROXY; `function` is its ARN, perhaps with a stage variable."""
        method = options.pop("method", {})
        self.method(path, verb, **method)
        self.client.put_integration(
            **self.at(path, verb),
            **{"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": LAMBDA_URI.format(function), **options},
        )
        return self

    def backend(self, path, verb, uri, kind="HTTP_PROXY", method=None, backend_verb=None, **options):
        """Puts an HTTP backend behind a method."""
        self.method(path, verb, **(method or {}))
        self.client.put_integration(
            **self.at(path, verb), type=kind, uri=uri, integrationHttpMethod=backend_verb or verb, **options
        )
        return self

    def deploy(self, stage="test", **options):
        """Publishes the API as it stands; returns the deployment's id."""
        return self.client.create_deployment(restApiId=self.id, stageName=stage, **options)["id"]

    def call(self, path, method="GET", headers=None, body=None, stage="test", **options):
        """Calls the deployed API by path address."""
        return call(self.port, method, f"/_aws/execute-api/{self.id}/{stage}{path}", headers, body, **options)

    def host(self):
        """The host name under which the API answers."""
        return f"{self.id}.execute-api.localhost:{self.port}"
