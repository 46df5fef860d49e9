"""POST /users: takes a user as JSON and answers with it and its id. Nothing is kept: the example has no database."""

import json
import re


def handler(event, context):
    """Answers 201 with the user, or 400 with what is wrong."""
    try:
        name = json.loads(event["body"] or "{}").get("name")
    except (ValueError, AttributeError):
        return answer(400, {"message": "the body is not a JSON object"})
    if not isinstance(name, str) or not name.strip():
        return answer(400, {"message": "a user needs a name"})
    return answer(201, {"id": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), "name": name})


def answer(status, body):
    """An answer that pages of any origin may read."""
    return {"statusCode": status, "headers": {"Access-Control-Allow-Origin": "*"}, "body": json.dumps(body)}
