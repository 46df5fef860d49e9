"""Reserved and provisioned concurrency, as boto3 meets them."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import functions
from harness.processes import poll

CODE = """
import os, time
def handler(event, context):
    time.sleep(event.get('wait', 0))
    return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.getpid()]
"""
NAME = "busy"


@pytest.fixture(scope="module")
def client(clients):
    """A client of Lambda; it does not try again."""
    return clients("lambda")


@pytest.fixture(scope="module", autouse=True)
def function(client):
    """The function with a published version."""
    functions.create(client, NAME, CODE)
    client.publish_version(FunctionName=NAME)


def invoke(client, qualifier="$LATEST", **event):
    answer = client.invoke(FunctionName=NAME, Qualifier=qualifier, Payload=json.dumps(event))
    return json.load(answer["Payload"])


def refused(client, qualifier="$LATEST"):
    """The error of a call that is throttled."""
    with pytest.raises(client.exceptions.TooManyRequestsException) as error:
        invoke(client, qualifier)
    return error.value.response


def test_a_reservation_is_the_functions_bound(client):
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=0)
    response = refused(client)
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["Type"] == "User" and response["message"] == "Rate Exceeded."
    assert "retry-after" not in response["ResponseMetadata"]["HTTPHeaders"]
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=3)

    def attempt(_):
        try:
            return invoke(client, wait=0.2)[0]
        except client.exceptions.TooManyRequestsException:
            return "throttled"

    with ThreadPoolExecutor(12) as pool:
        kinds = list(pool.map(attempt, range(48)))
    # More than three at once were asked for all the time, and three at once could be served.
    assert "throttled" in kinds and "on-demand" in kinds
    assert client.get_function(FunctionName=NAME)["Concurrency"] == {"ReservedConcurrentExecutions": 3}
    client.delete_function_concurrency(FunctionName=NAME)
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(attempt, range(24))) == {"on-demand"}


def test_provisioned_environments_wait_for_calls(client):
    client.put_provisioned_concurrency_config(FunctionName=NAME, Qualifier="1", ProvisionedConcurrentExecutions=2)
    ready = poll(lambda: provisioned(client)["Status"] == "READY" and provisioned(client), 30)
    assert ready["AllocatedProvisionedConcurrentExecutions"] == 2
    kinds = {tuple(invoke(client, "1")) for _ in range(10)}
    assert {kind for kind, _ in kinds} == {"provisioned-concurrency"}
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda _: invoke(client, "1", wait=1)[0], range(4)))
    assert sorted(at_once) == ["on-demand"] * 2 + ["provisioned-concurrency"] * 2
    # All that is reserved is provisioned: nothing is left for calls of other versions.
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=2)
    assert refused(client)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert invoke(client, "1")[0] == "provisioned-concurrency"
    client.delete_function_concurrency(FunctionName=NAME)
    client.delete_provisioned_concurrency_config(FunctionName=NAME, Qualifier="1")
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        provisioned(client)
    assert invoke(client, "1")[0] == "on-demand"


def provisioned(client):
    return client.get_provisioned_concurrency_config(FunctionName=NAME, Qualifier="1")


def test_provisioned_environments_are_there_again_after_a_restart(client, server):
    client.put_provisioned_concurrency_config(FunctionName=NAME, Qualifier="1", ProvisionedConcurrentExecutions=1)
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=5)
    server.restart()
    poll(lambda: provisioned(client)["Status"] == "READY", 30)
    assert invoke(client, "1")[0] == "provisioned-concurrency"
    assert client.get_function_concurrency(FunctionName=NAME)["ReservedConcurrentExecutions"] == 5
