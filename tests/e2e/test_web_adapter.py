"""AWS Lambda Web Adapter: a web server runs as a function, unchanged. The adapter is an extension in a layer, whose wrapper
script starts the server in the runtime's place."""

import json

import pytest
from harness import functions, samples
from harness.server import free_port
from test_samples import BYTES, PNG, converse

# As the adapter's own layer has it: the handler's name is a script of the package.
WRAPPER = "#!/bin/sh\nexec \"$LAMBDA_TASK_ROOT/$_HANDLER\"\n"
VARIABLES = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_READINESS_CHECK_PATH": "/notes",
    # The stage is in the path that a REST API passes on.
    "AWS_LWA_REMOVE_BASE_PATH": "/test",
}


@pytest.fixture(scope="module")
def layer(clients, tmp_path_factory):
    """The layer with the adapter."""
    wrapper = tmp_path_factory.mktemp("layer") / "bootstrap"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    content = samples.archive({"bootstrap": wrapper, "extensions/lambda-adapter": samples.RUST / "lambda-adapter"})
    made = clients("lambda").publish_layer_version(LayerName="web-adapter", Content={"ZipFile": content})
    return made["LayerVersionArn"]


@pytest.mark.parametrize("kind", ["rest", "url"])
def test_a_server_in_node_is_a_function(clients, apigateway, server, layer, kind):
    # Functions use the host's network, where each server needs a port of its own.
    client, name, port = clients("lambda"), f"adapted-{kind}", str(free_port())
    arn = functions.create(
        client,
        name,
        "",
        runtime=samples.NODE,
        Handler="run.sh",
        Code={"ZipFile": samples.archive(samples.files("express"))},
        Layers=[layer],
        Environment={"Variables": {**VARIABLES, "PORT": port, "AWS_LWA_PORT": port}},
        Timeout=30,
        MemorySize=1024,
    )
    if kind == "rest":
        front = samples.behind_api(client, apigateway, server.port, name, arn)
    else:
        front = samples.behind_url(client, server.port, name)
    converse(front)
    pixel = front.call("/pixel")
    assert (pixel.header("Content-Type"), pixel.body[:8]) == ("image/png", PNG)
    assert front.call("/echo", "POST", {"Content-Type": "text/plain"}, "text").text == "text"
    assert front.call("/echo", "POST", {"Content-Type": "image/png"}, BYTES).body == BYTES
    failed = front.call("/fails")
    assert (failed.status, json.loads(failed.body)) == (418, {"message": "this was to be expected"})

