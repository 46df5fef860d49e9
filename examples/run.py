#!/usr/bin/env python3
"""What `make run` does after building: starts Frontgate, makes the example APIs, prints URLs to try, ends on Ctrl-C."""

import argparse
import http.client
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from aws_client import AwsClient, AwsError
from build import Examples

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    """Returns the exit status."""
    options = parse_arguments()
    host, _, port = options.listen.rpartition(":")
    if not options.binary.is_file():
        return fail(f"{options.binary} is not there; build it with `cargo build`, or start with `make run`")
    if in_use(host, int(port)):
        return fail(
            f"{options.listen} is in use, perhaps by another Frontgate or by LocalStack.\n"
            f'End that program, or choose another port: make run ARGS="--listen 127.0.0.1:{int(port) + 1}"'
        )
    command = [
        options.binary,
        "serve",
        "--listen",
        options.listen,
        "--data-dir",
        options.data_dir,
        "--runtime-substitution",
    ]
    # Ctrl-C reaches the whole foreground group of a terminal. A session of its own keeps it from the server, which is
    # thus told once, by us, and not twice.
    stopping = threading.Event()
    started = []
    pass_on_signals(started, stopping)
    server = subprocess.Popen(command, start_new_session=True)
    started.append(server)
    if stopping.is_set():
        server.terminate()
    try:
        wait_until_healthy(server, host, int(port), stopping)
        examples = Examples(AwsClient(host, int(port)), options.binary)
        print(welcome(f"http://{options.listen}", examples.items(), examples.faq(), examples.users()), flush=True)
    except (AwsError, OSError, http.client.HTTPException) as error:
        if not stopping.is_set():
            end(server)
            return fail(f"the examples could not be made: {error}")
    except NotReady as error:
        end(server)
        return 0 if stopping.is_set() else fail(str(error))
    status = server.wait()
    return 0 if stopping.is_set() and status == 0 else fail(f"frontgate ended with status {status}")


def parse_arguments():
    """The command line. The defaults are what `make run` uses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:4566", metavar="ADDRESS:PORT", help="default: %(default)s")
    parser.add_argument("--data-dir", default="./frontgate-data", metavar="DIRECTORY", help="default: %(default)s")
    default = ROOT / "target" / "debug" / "frontgate"
    parser.add_argument("--binary", default=default, type=pathlib.Path, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args()
    if not options.listen.rpartition(":")[2].isdigit():
        parser.error(f"--listen {options.listen}: an address and a port are needed, as in 127.0.0.1:4566")
    return options


def in_use(host, port):
    """Whether somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


class NotReady(Exception):
    """The server did not come up."""


def wait_until_healthy(server, host, port, stopping):
    """Polls the health page until it answers. Raises NotReady after 30 seconds or when the server has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if server.poll() is not None or stopping.is_set():
            raise NotReady(f"frontgate ended with status {server.poll()} before it was ready")
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/_frontgate/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise NotReady("frontgate did not become healthy within 30 seconds")


def pass_on_signals(started, stopping):
    """Tells the server of Ctrl-C, termination or a closed terminal; it finishes what is in flight, and main sees it end."""

    def pass_on(number, _frame):
        stopping.set()
        for server in started:
            if server.poll() is None:
                server.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)


def end(server):
    """Ends the server, gently at first."""
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def welcome(address, items, faq, users):
    """What to try, as lines to paste into a shell."""
    return f"""
Frontgate answers on {address}. Try, in another terminal:

  # items: four items, as a mock and as one Python function behind two stages
  curl {address}/_aws/execute-api/{items}/mock/items
  curl {address}/_aws/execute-api/{items}/dev/items
  curl {address}/_aws/execute-api/{items}/prod/items/3

  # faq: a random question and its answer, from a Node function
  curl {address}/_aws/execute-api/{faq}/test/faq

  # users: three Python functions that web pages of any origin may call
  curl {address}/_aws/execute-api/{users}/dev/users
  curl --data '{{"name": "Alan Turing"}}' {address}/_aws/execute-api/{users}/dev/users

The folders below examples/ say how each is built by hand with the AWS CLI. Ctrl-C ends Frontgate.
"""


def fail(message):
    """Says what went wrong; returns the exit status for it."""
    print(f"run: {message}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
