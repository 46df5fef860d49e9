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


def test_an_integration_by_a_vpc_link_is_sent_to_its_own_address(apigateway, server, upstream):
    balancer = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/50dc6c495c0c9188"
    link = apigateway.create_vpc_link(name="private", targetArns=[balancer])
    assert link["status"] == "PENDING"
    shown = apigateway.get_vpc_link(vpcLinkId=link["id"])
    assert (shown["status"], shown["statusMessage"]) == ("AVAILABLE", "Your vpc link is ready for use")

    api = Api(apigateway, server.port)
    connection = {"connectionType": "VPC_LINK", "connectionId": "${stageVariables.link}", "integrationTarget": balancer}
    api.backend("/private", "GET", f"{upstream.url}/behind", **connection)
    api.deploy(variables={"link": link["id"]})
    assert api.call("/private").status == 200
    in_use = refused("BadRequestException", apigateway.delete_vpc_link, vpcLinkId=link["id"])
    assert f"Vpc link '{link['id']}', is referenced in [{api.id}:GET:" in in_use
    apigateway.delete_rest_api(restApiId=api.id)
    apigateway.delete_vpc_link(vpcLinkId=link["id"])
    refused("NotFoundException", apigateway.get_vpc_link, vpcLinkId=link["id"])


def test_a_method_with_an_authorizer_stays_shut(apigateway, server):
    api = Api(apigateway, server.port)
    function = "arn:aws:lambda:us-east-1:000000000000:function:auth"
    authorizer = apigateway.create_authorizer(
        restApiId=api.id,
        name="lambda",
        type="TOKEN",
        identitySource="method.request.header.Auth",
        authorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
    )
    api.mock("/open").method("/guarded", authorizationType="CUSTOM", authorizerId=authorizer["id"])
    apigateway.put_integration(**api.at("/guarded", "GET"), type="MOCK")
    api.deploy()
    assert api.call("/open").status == 200
    assert api.call("/guarded", headers={"Auth": "anything"}).status == 403
    message = refused(
        "ConflictException", apigateway.delete_authorizer, restApiId=api.id, authorizerId=authorizer["id"]
    )
    assert message.endswith("is referenced in method: /guarded/GET")


def test_documentation_is_kept_in_parts_and_versions(apigateway, server):
    api = Api(apigateway, server.port).mock("/x")
    part = apigateway.create_documentation_part(
        restApiId=api.id, location={"type": "METHOD", "path": "/x", "method": "GET"}, properties='{"description": "d"}'
    )
    assert apigateway.get_documentation_parts(restApiId=api.id)["items"][0]["id"] == part["id"]
    document = b"""{"openapi": "3.0.1", "x-amazon-apigateway-documentation": {"documentationParts": [
        {"location": {"type": "API"}, "properties": {"description": "all"}}]}}"""
    imported = apigateway.import_documentation_parts(restApiId=api.id, mode="overwrite", body=document)
    items = apigateway.get_documentation_parts(restApiId=api.id)["items"]
    assert [(item["id"], item["location"]["type"]) for item in items] == [(imported["ids"][0], "API")]

    apigateway.create_documentation_version(restApiId=api.id, documentationVersion="1.0")
    api.deploy()
    patched = apigateway.update_stage(
        restApiId=api.id, stageName="test", patchOperations=patch(("replace", "/documentationVersion", "1.0"))
    )
    assert patched["documentationVersion"] == "1.0"
