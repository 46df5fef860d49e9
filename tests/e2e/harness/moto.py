"""Runs `moto_server`, which plays the AWS services that are not ours."""

import http.client
import pathlib
import subprocess
import sys

from . import processes
from .server import free_port

READY_SECONDS = 30

SERVICES = ["cloudwatch", "dynamodb", "events", "kinesis", "s3", "sns", "sqs", "ssm", "stepfunctions"]


class Moto:
    """One moto_server on a free port, with the account that Frontgate has by default."""

    def __init__(self, directory):
        program = pathlib.Path(sys.executable).parent / "moto_server"
        assert program.is_file(), f"{program} is not there; install tests/e2e/requirements.txt"
        self.port = free_port()
        self.log_file = pathlib.Path(directory) / "moto.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-H", "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"MOTO_ACCOUNT_ID": "000000000000"},
                start_new_session=True,
            )
        try:
            processes.poll(self.is_ready, READY_SECONDS, pause=0.1)
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        """Where every service answers."""
        return f"http://127.0.0.1:{self.port}"

    def flags(self):
        """The flags that tell Frontgate so."""
        return [word for name in SERVICES for word in ("--service-endpoint", f"{name}={self.url}")]

    def is_ready(self):
        """Whether it answers; raises when it has ended."""
        assert self.process.poll() is None, f"moto_server ended:\n{self.log_file.read_text()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/moto-api/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def close(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
