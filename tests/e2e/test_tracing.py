"""`tracingEnabled` of a stage: the decision to sample that backends see."""

from harness import functions
from harness.rest_api import Api

ECHO = "import json\ndef handler(e, c):\n    import os\n    return {'body': os.environ['_X_AMZN_TRACE_ID']}\n"


def sampled(api, headers=None):
    """The decision that the function sees."""
    return api.call("/x", headers=headers).text.rsplit("Sampled=", 1)[1]


def test_a_stage_that_traces_samples_the_first_request_of_a_second(server, clients):
    arn = functions.create(clients("lambda"), "Traced", ECHO)
    functions.allow_gateway(clients("lambda"), "Traced")
    api = Api(clients("apigateway"), server.port)
    api.proxy("/x", "GET", arn)
    api.deploy()
    assert {sampled(api) for _ in range(5)} == {"0"}
    operation = {"op": "replace", "path": "/tracingEnabled", "value": "true"}
    stage = clients("apigateway").update_stage(restApiId=api.id, stageName="test", patchOperations=[operation])
    assert stage["tracingEnabled"] is True
    assert sampled(api) == "1"
    root = "1-5f5e1000-000000000000000000000001"
    decided = f"Root={root};Parent=53995c3f42cd8ad8;Sampled=0"
    assert {sampled(api, {"X-Amzn-Trace-Id": decided}) for _ in range(3)} == {"0"}, "the client has decided"
    # Sooner or later another second begins, or one in twenty comes; but not every request is sampled.
    seen = [sampled(api) for _ in range(200)]
    assert "0" in seen
