"""What `make run` starts: the examples, URLs that answer, a clean end on Ctrl-C, and the same again on old data."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading

from harness import processes
from harness.server import ROOT, binary, free_port

QUESTIONS = re.findall(r'question: "(.*?)"', (ROOT / "examples" / "faq" / "index.mjs").read_text())


class Run:
    """examples/run.py in a process of its own, with what it has printed so far."""

    def __init__(self, directory, port):
        processes.adopt_orphans()
        # Nothing but the standard library is at hand, and no credentials.
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        command = [sys.executable, "-S", ROOT / "examples" / "run.py"]
        self.process = subprocess.Popen(
            [
                *command,
                "--binary",
                binary(),
                "--listen",
                f"127.0.0.1:{port}",
                "--data-dir",
                directory / "frontgate-data",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=directory,
        )
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        """Takes what is printed, so that the program never waits for a reader."""
        for line in self.process.stdout:
            self.lines.append(line)

    def text(self):
        """What it has printed."""
        return "".join(self.lines)

    def curl_lines(self):
        """The curl lines, once it has printed them all."""

        def ready():
            assert self.process.poll() is None, self.text()
            return "Ctrl-C ends" in self.text()

        processes.poll(ready, 60)
        return [line.strip() for line in self.lines if line.strip().startswith("curl ")]

    def end(self, number=signal.SIGINT):
        """Sends the signal; returns the exit status after checking that no process is left."""
        seen = processes.descendants(self.process.pid)
        assert any("serve" in command for _, command in seen.values())
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.reader.join(5)
        assert processes.survivors(seen) == {}
        return status


def answers(lines):
    """What the curl lines print, run as they are."""
    printed = {}
    for line in lines:
        command = shlex.split(line)
        done = subprocess.run(
            [command[0], "--silent", "--fail", *command[1:]], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"{line}: {done.stdout} {done.stderr}"
        printed[line] = json.loads(done.stdout)
    return printed


def check(lines):
    """The printed lines cover all examples, and each answers what its example is about."""
    printed = list(answers(lines).items())
    assert len(printed) == 6, printed
    assert "/mock/items" in printed[0][0] and len(printed[0][1]["items"]) == 4
    assert "/dev/items" in printed[1][0] and [item["name"] for item in printed[1][1]["items"]][3] == "Shelf"
    assert "/prod/items/3" in printed[2][0] and printed[2][1]["item"]["name"] == "Desk"
    assert "/faq" in printed[3][0] and printed[3][1]["question"] in QUESTIONS and printed[3][1]["answer"]
    assert "/dev/users" in printed[4][0] and len(printed[4][1]["users"]) == 2
    assert "--data" in printed[5][0] and printed[5][1]["id"] == "alan-turing"


def test_it_serves_the_examples_and_ends_on_ctrl_c(tmp_path):
    port = free_port()
    first = Run(tmp_path, port)
    try:
        lines = first.curl_lines()
        check(lines)
        status = first.end(signal.SIGINT)
        assert status == 0, first.text()
    finally:
        first.process.kill()
    assert "panicked" not in first.text() and "Traceback" not in first.text(), first.text()
    again = Run(tmp_path, port)
    try:
        assert again.curl_lines() == lines, "the second start made new APIs"
        check(lines)
        assert again.end(signal.SIGTERM) == 0, again.text()
    finally:
        again.process.kill()
    assert "Traceback" not in again.text(), again.text()


def test_a_port_in_use_is_said_before_anything_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = Run(tmp_path, taken.getsockname()[1])
        assert run.process.wait(30) == 1
        run.reader.join(5)
    assert "is in use" in run.text() and "--listen 127.0.0.1:" in run.text() and "Traceback" not in run.text()
    assert not (tmp_path / "frontgate-data").exists()


def test_a_program_that_is_not_built_is_said(tmp_path):
    completed = subprocess.run(
        [sys.executable, ROOT / "examples" / "run.py", "--binary", tmp_path / "frontgate"],
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 1 and "build it" in completed.stderr and "Traceback" not in completed.stderr
