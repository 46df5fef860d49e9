"""GET /users: the users, as an AWS_PROXY integration wants its answer."""

import json

USERS = [{"id": "ada", "name": "Ada Lovelace"}, {"id": "grace", "name": "Grace Hopper"}]


def handler(event, context):
    """Answers with all users. The header lets pages of any origin read the answer; the preflight has its own."""
    return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": json.dumps({"users": USERS})}
