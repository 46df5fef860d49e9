"""DELETE /users/{id}: answers that the user is gone. Nothing is kept: the example has no database."""


def handler(event, context):
    """Answers 204 for the id that stands in the path."""
    print(f"deleting user {event['pathParameters']['id']}")
    return {"statusCode": 204, "headers": {"Access-Control-Allow-Origin": "*"}}
