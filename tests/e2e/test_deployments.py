"""Serving reads snapshots: an edit is seen after the deployment and not before, and an old one can be put back."""

import json
import signal
import threading

import botocore.exceptions
import pytest
from conftest import Clients
from harness.rest_api import Api, call
from harness.server import Server


def edit(api, text, path="/word"):
    """Changes what the mock of a path would answer, without deploying."""
    patch = [{"op": "replace", "path": "/responseTemplates/application~1json", "value": json.dumps(text)}]
    api.client.update_integration_response(**api.at(path, "GET"), statusCode="200", patchOperations=patch)


@pytest.fixture
def api(apigateway, server):
    return Api(apigateway, server.port).mock("/word", body='"one"')


def test_an_edit_is_seen_by_the_first_request_after_the_deployment_and_not_before(api):
    api.deploy()
    for number in range(2, 12):
        before = api.call("/word").json()
        edit(api, f"word {number}")
        assert api.call("/word").json() == before, "a live edit is visible without a deployment"
        api.deploy()
        assert api.call("/word").json() == f"word {number}", "the first request after the deployment does not see it"


def test_no_kind_of_live_edit_reaches_a_deployed_stage(api, apigateway):
    api.deploy()
    api.mock("/other", body='"other"')
    assert api.call("/other").status == 403
    apigateway.delete_method(**api.at("/word", "GET"))
    assert api.call("/word").json() == "one"
    apigateway.delete_resource(restApiId=api.id, resourceId=api.resource("/word"))
    assert api.call("/word").json() == "one"
    api.deploy()
    assert api.call("/word").status == 403 and api.call("/other").json() == "other"


def test_an_old_deployment_can_be_put_back(api, apigateway):
    first = api.deploy(description="first")
    edit(api, "two")
    second = api.deploy(description="second")
    assert api.call("/word").json() == "two"
    for deployment, word in ((first, "one"), (second, "two"), (first, "one")):
        patch = [{"op": "replace", "path": "/deploymentId", "value": deployment}]
        assert (
            apigateway.update_stage(restApiId=api.id, stageName="test", patchOperations=patch)["deploymentId"]
            == deployment
        )
        assert api.call("/word").json() == word
    listed = apigateway.get_deployments(restApiId=api.id)["items"]
    assert {item["id"]: item["description"] for item in listed} == {first: "first", second: "second"}


def test_each_stage_serves_its_own_deployment_and_variables(api, apigateway):
    edit(api, "$stageVariables.word")
    first = api.deploy("a", variables={"word": "alpha"})
    edit(api, "still $stageVariables.word")
    api.deploy("b", variables={"word": "beta"})
    assert (api.call("/word", stage="a").json(), api.call("/word", stage="b").json()) == ("alpha", "still beta")
    # A stage's variables are the stage's own and take effect at once.
    patch = [{"op": "replace", "path": "/variables/word", "value": "gamma"}]
    apigateway.update_stage(restApiId=api.id, stageName="a", patchOperations=patch)
    assert (api.call("/word", stage="a").json(), api.call("/word", stage="b").json()) == ("gamma", "still beta")
    apigateway.create_stage(restApiId=api.id, stageName="c", deploymentId=first, variables={"word": "delta"})
    assert api.call("/word", stage="c").json() == "delta"
    apigateway.delete_stage(restApiId=api.id, stageName="c")
    assert api.call("/word", stage="c").status == 403


def test_a_deployment_in_use_cannot_be_deleted(api, apigateway):
    first = api.deploy()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        apigateway.delete_deployment(restApiId=api.id, deploymentId=first)
    error = refused.value.response["Error"]
    assert error["Message"] == "Active stages pointing to this deployment must be moved or deleted"
    assert error["Code"] == "BadRequestException"
    second = api.deploy()
    apigateway.delete_deployment(restApiId=api.id, deploymentId=first)
    assert [item["id"] for item in apigateway.get_deployments(restApiId=api.id)["items"]] == [second]


def test_a_request_sees_one_deployment_while_others_replace_it(api):
    """The list and its length come from one template; while deployments change both, no answer may mix them."""
    pair = '{"count": %d, "list": [%s]}'
    set_pair(api, pair, 1)
    api.deploy()
    done, wrong = threading.Event(), []

    def watch():
        while not done.is_set():
            answer = api.call("/word")
            body = answer.json() if answer.status == 200 else None
            if body is None or body["count"] != len(body["list"]):
                wrong.append(answer)

    watchers = [threading.Thread(target=watch) for _ in range(4)]
    for watcher in watchers:
        watcher.start()
    try:
        for number in range(2, 20):
            set_pair(api, pair, number)
            api.deploy()
    finally:
        done.set()
        for watcher in watchers:
            watcher.join()
    assert wrong == []


def set_pair(api, pair, number):
    """Makes the mock answer with a list of that length."""
    value = pair % (number, ", ".join(["0"] * number))
    patch = [{"op": "replace", "path": "/responseTemplates/application~1json", "value": value}]
    api.client.update_integration_response(**api.at("/word", "GET"), statusCode="200", patchOperations=patch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["clean", "killed"])
def test_a_restart_serves_the_same(tmp_path, number):
    server = Server(tmp_path, "--runtime-substitution").start()
    try:
        client = Clients(server)("apigateway")
        api = Api(client, server.port).mock("/word", body='"$stageVariables.word"')
        api.deploy("a", variables={"word": "alpha"})
        edit(api, "deployed later")
        api.deploy("b")
        edit(api, "never deployed")
        before = answers(api)
        listed = described(client, api.id)
        server.restart(number)
        assert answers(api) == before == [(200, '"alpha"'), (200, '"deployed later"'), (403, '{"message":"Forbidden"}')]
        assert described(client, api.id) == listed
        api.deploy("b")
        assert api.call("/word", stage="b").json() == "never deployed"
    finally:
        server.stop()


def answers(api):
    """What three stages answer; the last does not exist."""
    return [(answer.status, answer.text) for answer in (api.call("/word", stage=stage) for stage in "abc")]


def described(client, api):
    """Everything the control plane says about an API, apart from request ids."""
    parts = [
        client.get_rest_api(restApiId=api),
        client.get_resources(restApiId=api, embed=["methods"]),
        client.get_deployments(restApiId=api),
        client.get_stages(restApiId=api),
    ]
    for part in parts:
        part.pop("ResponseMetadata")
    return parts


def test_two_servers_cannot_share_a_data_directory(server, tmp_path):
    second = Server(tmp_path)
    second.data_dir = server.data_dir
    with pytest.raises(AssertionError, match="frontgate ended with"):
        second.start()
    assert "in use" in second.log() and "panicked" not in second.log(), second.log()
    assert call(server.port, "GET", "/_frontgate/health").status == 200
