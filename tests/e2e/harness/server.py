"""Runs the built `frontgate serve` on a free port with a data directory of its own, and checks how it ends."""

import http.client
import os
import pathlib
import random
import re
import signal
import socket
import subprocess

from . import processes

ROOT = pathlib.Path(__file__).resolve().parents[3]
READY_SECONDS = 20
STOP_SECONDS = 20
FOREIGN = re.compile(r"chrom|frontgate serve|^$")


def binary():
    """The program under test: FRONTGATE_BIN, else the debug build."""
    path = pathlib.Path(os.environ.get("FRONTGATE_BIN", ROOT / "target" / "debug" / "frontgate")).resolve()
    assert path.is_file(), f"{path} is not there; build it with `cargo build -p frontgate` or set FRONTGATE_BIN"
    return path


def free_port():
    """A TCP port that nobody listens on. It is below those that the kernel gives to outgoing connections, one of which
    could otherwise take it before the server does."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """One server process. Its data directory outlives it, so that `start` after `stop` is a restart."""

    def __init__(self, directory, *arguments, environment=None):
        self.data_dir = pathlib.Path(directory) / "data"
        self.log_file = pathlib.Path(directory) / "frontgate.log"
        self.port = free_port()
        self.arguments = [str(argument) for argument in arguments]
        self.environment = environment or {}
        self.process = None
        self.seen = {}

    @property
    def url(self):
        """Where everything answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Starts the process and waits until it is healthy."""
        command = [
            binary(),
            "serve",
            "--listen",
            f"127.0.0.1:{self.port}",
            "--data-dir",
            self.data_dir,
            *self.arguments,
        ]
        processes.adopt_orphans()
        self.before = processes.children()
        with self.log_file.open("ab") as log:
            environment = {**os.environ, "RUST_BACKTRACE": "1", **self.environment}
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                cwd=self.data_dir.parent,
            )
        try:
            processes.poll(self.is_ready, READY_SECONDS)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def is_ready(self):
        """Whether the health page answers; raises when the process has ended."""
        assert self.process.poll() is None, f"frontgate ended with {self.process.returncode}:\n{self.log()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/_frontgate/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def note_children(self):
        """Remembers the processes that the server has now; `stop` demands that they are gone."""
        self.seen.update(processes.descendants(self.process.pid))

    def stop(self, number=signal.SIGTERM):
        """Ends the server and checks that it ended well, left no process behind and never panicked."""
        if self.process is None:
            return
        process, self.process = self.process, None
        self.seen.update(processes.descendants(process.pid))
        early = process.poll()
        if early is None:
            process.send_signal(number)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = f"nothing within {STOP_SECONDS} seconds of signal {number}"
        # Orphans of the server are this process's children now. Browsers and other servers are somebody else's.
        adopted = {pid: about for pid, about in processes.children().items() if pid not in self.before}
        self.seen.update({pid: about for pid, about in adopted.items() if not FOREIGN.search(about[1])})
        left = processes.survivors(self.seen)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.seen = {}
        log = self.log()
        assert early is None, f"the server had ended on its own with {early}:\n{log[-4000:]}"
        assert not re.search(r"panicked at|has overflowed its stack", log), f"the server panicked:\n{panics(log)}"
        if number != signal.SIGKILL:
            assert status == 0, f"the server ended with {status}:\n{log[-4000:]}"
        assert not left, f"the server left processes behind: {left}"

    def restart(self, number=signal.SIGTERM):
        """Stops and starts again with the same data and port."""
        self.stop(number)
        return self.start()

    def log(self):
        """Everything the server has written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def check_alive(self):
        """Raises when the process is gone or has panicked."""
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log()[-4000:]}"
        assert "panicked at" not in self.log(), f"the server panicked:\n{panics(self.log())}"

    def resident_mb(self):
        """How much memory the process itself takes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024

    def certificate(self, directory):
        """Makes a certificate for localhost and adds a TLS listener; call before `start`. Returns the certificate file."""
        certificate, key = pathlib.Path(directory) / "certificate.pem", pathlib.Path(directory) / "key.pem"
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,DNS:*.execute-api.localhost,IP:127.0.0.1",
                "-keyout",
                key,
                "-out",
                certificate,
            ],
            check=True,
            capture_output=True,
        )
        self.tls_port = free_port()
        listen = f"127.0.0.1:{self.tls_port}"
        self.arguments += ["--tls-listen", listen, "--tls-certificate", str(certificate), "--tls-key", str(key)]
        return certificate


def panics(log):
    """The part of a log from the first panic on."""
    start = max(log.find("panicked at") - 200, 0)
    return log[start : start + 4000]
