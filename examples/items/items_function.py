"""Answers the items API: all items, or one by its id. It is called through an AWS_PROXY integration."""

import json

RELEASE = 1

ITEMS = [
    {"id": "1", "name": "Lamp", "price": 29.5},
    {"id": "2", "name": "Chair", "price": 84.0},
    {"id": "3", "name": "Desk", "price": 249.0},
    {"id": "4", "name": "Shelf", "price": 119.9},
]


def handler(event, context):
    """Returns the list for /items and one item for /items/{id}; an unknown id is a 404."""
    item_id = (event["pathParameters"] or {}).get("id")
    if item_id is None:
        return answer(200, {"release": RELEASE, "items": ITEMS})
    for item in ITEMS:
        if item["id"] == item_id:
            return answer(200, {"release": RELEASE, "item": item})
    return answer(404, {"message": f"There is no item {item_id}"})


def answer(status, body):
    """Wraps a body in the form that API Gateway asks of a proxy integration."""
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
