"""The small resources of the control plane, and what the settings of a stage do to requests."""

import botocore.exceptions
import pytest

from harness.rest_api import Api


def patch(*operations):
    """Patch operations from (op, path, value) or (op, path)."""
    return [dict(zip(("op", "path", "value"), operation)) for operation in operations]


def refused(code, call, **parameters):
    """Calls what must be refused with a code; the message."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return error["Message"]


def test_a_methods_rate_is_enforced_and_survives_a_deployment(apigateway, server):
    api = Api(apigateway, server.port).mock("/slow").mock("/free")
    api.deploy()
    stage = {"restApiId": api.id, "stageName": "test"}
    slow = patch(
        ("replace", "/~1slow/GET/throttling/rateLimit", "0.01"),
        ("replace", "/~1slow/GET/throttling/burstLimit", "2"),
    )
    shown = apigateway.update_stage(**stage, patchOperations=slow)["methodSettings"]["~1slow/GET"]
    assert (shown["throttlingRateLimit"], shown["throttlingBurstLimit"]) == (0.01, 2)

    assert [api.call("/slow").status for _ in range(4)] == [200, 200, 429, 429]
    refusal = api.call("/slow")
    assert refusal.json() == {"message": "Too Many Requests"}
    assert refusal.header("x-amzn-errortype") == "TooManyRequestsException"
    assert api.call("/free").status == 200
    # A new deployment is no new burst; a new limit is.
    api.deploy()
    assert api.call("/slow").status == 429
    apigateway.update_stage(
        **stage, patchOperations=patch(("replace", "/~1slow/GET/throttling/burstLimit", "3"))
    )
    assert [api.call("/slow").status for _ in range(4)] == [200, 200, 200, 429]
    apigateway.update_stage(**stage, patchOperations=patch(("remove", "/~1slow/GET")))
    assert api.call("/slow").status == 200

    # What holds for all methods holds for each by itself.
    apigateway.update_stage(
        **stage,
        patchOperations=patch(
            ("replace", "/*/*/throttling/rateLimit", "0.01"), ("replace", "/*/*/throttling/burstLimit", "1")
        ),
    )
    for path in ("/slow", "/free"):
        assert [api.call(path).status for _ in range(2)] == [200, 429]


def test_caches_that_are_not_there_can_be_flushed(apigateway, server):
    api = Api(apigateway, server.port).mock("/x")
    api.deploy()
    assert apigateway.flush_stage_cache(restApiId=api.id, stageName="test")["ResponseMetadata"]["HTTPStatusCode"] == 202
    answer = apigateway.flush_stage_authorizers_cache(restApiId=api.id, stageName="test")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    refused("NotFoundException", apigateway.flush_stage_cache, restApiId=api.id, stageName="none")
