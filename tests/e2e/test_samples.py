"""Sample applications of `apps/`, unchanged as they would run on AWS, each behind a REST API and behind a function URL:
Powertools, FastAPI with Mangum, Express with serverless-http, `lambda_http` in Rust."""

import json

import pytest
from harness import functions, processes, samples

PNG = b"\x89PNG\r\n\x1a\n"
BYTES = bytes(range(256)) * 40
JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=["rest", "url"])
def deploy(request, clients, apigateway, server):
    """Creates a function from an application and puts it behind the front that the test is run with."""

    def deploy(name, code, **options):
        client, name = clients("lambda"), f"{name}-{request.param}"
        options = {"Timeout": 30, "MemorySize": 512, **options}
        arn = functions.create(client, name, "", Code=code, **options)
        if request.param == "rest":
            return samples.behind_api(client, apigateway, server.port, name, arn)
        return samples.behind_url(client, server.port, name)

    deploy.kind = request.param
    return deploy


def converse(front, echoes=True):
    """What all of them understand: routes, query, headers, bodies, cookies."""
    listed = front.call("/notes?contains=plants&tag=a&tag=b%20c", headers={"User-Agent": "samples/1"})
    assert (listed.status, listed.header("Content-Type").split(";")[0]) == (200, "application/json"), listed
    answer = listed.json()
    assert answer["notes"] == [{"id": "1", "text": "water the plants"}]
    # A function URL joins what is repeated, and Powertools takes that apart again.
    assert ",".join(answer["tags"]) == "a,b c", answer
    assert answer["agent"] == "samples/1"
    assert front.call("/notes?contains=nothing").json()["notes"] == []

    added = front.call("/notes", "POST", JSON, json.dumps({"text": "Zürich ☕"}))
    assert added.status == 201, added
    note = added.json()
    assert note["text"] == "Zürich ☕" and added.header("Location") == f"/notes/{note['id']}"
    cookies = added.all("Set-Cookie")
    assert len(cookies) == 2 and cookies[0].startswith(f"last={note['id']}") and cookies[1].startswith("theme=dark")
    assert "HttpOnly" in cookies[1]
    assert front.call(f"/notes/{note['id']}").json() == note

    missing = front.call("/notes/none")
    assert missing.status == 404 and "there is no note none" in missing.text
    assert front.call("/notes", "POST", JSON, "{}").status in (400, 422)
    assert front.call("/nothing/of/that/name").status == 404
    if echoes:
        echoed = front.call("/echo", "POST", {"Content-Type": "application/octet-stream"}, BYTES)
        assert (echoed.status, echoed.body) == (200, BYTES)


def test_powertools(deploy, server, tmp_path):
    folder = samples.folder(samples.files("powertools"), tmp_path)
    variables = {"RESOLVER": deploy.kind, "POWERTOOLS_SERVICE_NAME": "notes"}
    code = {"S3Bucket": "hot-reload", "S3Key": str(folder)}
    front = deploy("powertools", code, runtime=samples.PYTHON, Handler="app.handler", Environment={"Variables": variables})
    converse(front, echoes=False)
    pixel = front.call("/pixel", headers={"Accept": "image/png"})
    assert (pixel.status, pixel.header("Content-Type"), pixel.body[:8]) == (200, "image/png", PNG)
    preflight = front.call("/notes", "OPTIONS", {"Origin": "https://app.example"})
    assert (preflight.status, preflight.header("Access-Control-Allow-Origin")) == (204, "https://app.example")
    failed = front.call("/fails")
    assert (failed.status, failed.text) == (418, "this was to be expected")

    # Logger and metrics write JSON; the tracer finds no daemon and must not mind.
    def printed():
        lines = [line for line in server.log().splitlines() if f"powertools-{deploy.kind}" in line and "{" in line]
        awaited = ("NotesAdded", "RuntimeError")
        return lines if all(any(word in line for line in lines) for word in awaited) else None

    lines = processes.poll(printed, 20, pause=0.2)
    # The name of the function follows.
    entries = [json.JSONDecoder().raw_decode(line, line.index("{"))[0] for line in lines]
    added = next(entry for entry in entries if "NotesAdded" in entry)
    assert added["NotesAdded"] == [1.0] and added["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Samples"
    assert sum("ColdStart" in entry for entry in entries) == 1
    request = next(entry for entry in entries if entry.get("message") == "a request")
    assert request["function_name"] == f"powertools-{deploy.kind}" and request["cold_start"] is True
    assert any(entry.get("exception_name") == "RuntimeError" for entry in entries)


def test_fastapi_with_mangum(deploy):
    package = samples.archive(samples.files("fastapi"))
    front = deploy("fastapi", {"ZipFile": package}, runtime=samples.PYTHON, Handler="app.handler")
    converse(front)
    invalid = front.call("/notes", "POST", JSON, json.dumps({"text": ""}))
    assert invalid.status == 422 and invalid.json()["detail"][0]["loc"] == ["body", "text"]
    sent = front.call("/cookies", headers={"Cookie": "last=1; theme=dark"})
    assert sent.json() == {"last": "1", "theme": "dark"}
    pixel = front.call("/pixel")
    assert (pixel.header("Content-Type"), pixel.body[:8]) == ("image/png", PNG)
    failed = front.call("/fails")
    assert (failed.status, failed.json()) == (418, {"detail": "this was to be expected"})
    assert front.call("/openapi.json").json()["info"]["title"] == "Notes"


def test_express_with_serverless_http(deploy):
    package = samples.archive(samples.files("express"))
    front = deploy("express", {"ZipFile": package}, runtime=samples.NODE, Handler="index.handler")
    converse(front)
    sent = front.call("/cookies", headers={"Cookie": "last=1; theme=dark"})
    assert sent.json() == {"cookies": "last=1; theme=dark"}
    pixel = front.call("/pixel")
    assert (pixel.header("Content-Type"), pixel.body[:8]) == ("image/png", PNG)
    assert (front.call("/fails").status, front.call("/fails").json()) == (418, {"message": "this was to be expected"})
    assert front.call("/notes", "POST", JSON, "{not json").status == 418


def test_lambda_http_in_rust(deploy):
    package = samples.archive({"bootstrap": samples.RUST / "notes"})
    front = deploy("rust", {"ZipFile": package}, runtime="provided.al2023", Handler="unused")
    converse(front)
    sent = front.call("/cookies", headers={"Cookie": "last=1; theme=dark"})
    assert sent.json() == {"cookies": "last=1; theme=dark"}
    # The handler returns an error, which is the function's.
    assert front.call("/fails").status == 502
    assert front.call("/notes").status == 200
