"""Notes, as a function with Powertools for AWS Lambda: routes, logger, metrics and tracer."""

import base64
import os

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import (
    APIGatewayHttpResolver,
    APIGatewayRestResolver,
    CORSConfig,
    LambdaFunctionUrlResolver,
    Response,
    content_types,
)
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.shared.cookies import Cookie

RESOLVERS = {"rest": APIGatewayRestResolver, "http": APIGatewayHttpResolver, "url": LambdaFunctionUrlResolver}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

logger = Logger(service="notes")
metrics = Metrics(namespace="Samples", service="notes")
tracer = Tracer(service="notes")
app = RESOLVERS[os.environ["RESOLVER"]](cors=CORSConfig(allow_origin="https://app.example", max_age=600))
notes = {"1": {"id": "1", "text": "water the plants"}}


@app.get("/notes")
def list_notes():
    wanted = app.current_event.get_query_string_value("contains", default_value="")
    tags = app.current_event.resolved_query_string_parameters.get("tag", [])
    found = [note for note in notes.values() if wanted in note["text"]]
    return {"notes": found, "tags": tags, "agent": app.current_event.headers.get("user-agent", "")}


@app.get("/notes/<note_id>")
@tracer.capture_method
def get_note(note_id):
    if note_id not in notes:
        raise NotFoundError(f"there is no note {note_id}")
    return notes[note_id]


@app.post("/notes")
def add_note():
    body = app.current_event.json_body
    if "text" not in body:
        raise BadRequestError("a note has a text")
    metrics.add_metric(name="NotesAdded", unit=MetricUnit.Count, value=1)
    note = {"id": str(len(notes) + 1), "text": body["text"]}
    notes[note["id"]] = note
    return Response(
        status_code=201,
        content_type=content_types.APPLICATION_JSON,
        body=note,
        headers={"Location": f"/notes/{note['id']}"},
        cookies=[Cookie(name="last", value=note["id"]), Cookie(name="theme", value="dark", http_only=True)],
    )


@app.get("/pixel", compress=False)
def pixel():
    return Response(status_code=200, content_type="image/png", body=PNG)


@app.get("/fails")
def fails():
    raise RuntimeError("this was to be expected")


@app.exception_handler(RuntimeError)
def explain(error):
    logger.exception("a route failed")
    return Response(status_code=418, content_type=content_types.TEXT_PLAIN, body=str(error))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, log_event=False)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    logger.info("a request")
    return app.resolve(event, context)
