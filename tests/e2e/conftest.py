"""Fixtures: one server for each test module, clients for it, backends. See README.md for how to run."""

import os
import pathlib
import shutil
import subprocess
import sys

import boto3
import botocore.config
import pytest

from harness.moto import Moto
from harness.server import Server
from harness.upstream import Upstream

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_PAGER": "",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="module")
def server_flags():
    """The flags of the module's server. A module that needs others has a fixture of this name."""
    return ["--runtime-substitution"]


@pytest.fixture(scope="module")
def server(server_flags, tmp_path_factory):
    """A running server that the tests of one module share."""
    server = Server(tmp_path_factory.mktemp("server"), *server_flags)
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def server_is_alive(request):
    """Finds the test after which the module's server was dead or had panicked."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        server.check_alive()
        server.note_children()


class Clients:
    """boto3 clients for one server, by service name; every request is sent once, with the parameters as they are."""

    def __init__(self, server):
        self.server = server
        self.made = {}

    def __call__(self, service, **options):
        if options or service not in self.made:
            config = botocore.config.Config(
                retries={"total_max_attempts": 1},
                read_timeout=60,
                connect_timeout=5,
                max_pool_connections=20,
                **options,
            )
            client = boto3.client(
                service,
                endpoint_url=self.server.url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=config,
            )
            if options:
                return client
            self.made[service] = client
        return self.made[service]


@pytest.fixture(scope="module")
def clients(server):
    """A maker of boto3 clients: clients("lambda")."""
    return Clients(server)


@pytest.fixture(scope="module")
def apigateway(clients):
    """A client of API Gateway."""
    return clients("apigateway")


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """AWS services that are not ours."""
    moto = Moto(tmp_path_factory.mktemp("moto"))
    yield moto
    moto.close()


@pytest.fixture(scope="module")
def there(moto):
    """A maker of boto3 clients that speak with moto itself."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return lambda service: boto3.client(service, endpoint_url=moto.url, **keys)


@pytest.fixture(scope="module")
def upstream():
    """A well-behaved HTTP backend."""
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="session")
def client_environment():
    """What the AWS CLI and the README's commands find in their environment, apart from the server's address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # The CLI that requirements.txt pins lies beside this interpreter.
    tools = str(pathlib.Path(sys.executable).parent)
    environment["PATH"] = tools + os.pathsep + environment["PATH"]
    assert shutil.which("aws", path=tools), f"the AWS CLI is not in {tools}; install tests/e2e/requirements.txt there"
    return environment | CREDENTIALS


@pytest.fixture(scope="module")
def aws(server, client_environment, tmp_path_factory):
    """Runs the AWS CLI: aws("apigateway", "get-rest-apis") returns the completed process."""
    directory = tmp_path_factory.mktemp("cli")

    def run(*arguments, fails=False):
        completed = subprocess.run(
            ["aws", *arguments],
            env=client_environment | {"AWS_ENDPOINT_URL": server.url},
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if not fails:
            assert completed.returncode == 0, f"aws {' '.join(arguments)}\n{completed.stderr}"
        return completed

    run.directory = directory
    return run
