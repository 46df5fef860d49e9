"""Functions at full load: calls, updates and crashes mixed for a given time, and then the accounts.

    python soak.py --seconds 600

It starts a server of its own (FRONTGATE_BIN, else the debug build) and demands that nothing was answered that should not
have been; that every asynchronous event which was accepted has been run, three times if it fails, and that its destination
was told once what became of it; and that the server's descriptors, threads, processes and memory are at the end what they
were in the middle. `test_soak.py` runs it for a short time.
"""

import argparse
import collections
import http.client
import itertools
import json
import pathlib
import random
import socketserver
import statistics
import sys
import tempfile
import threading
import time

import boto3
from harness import functions, processes
from harness.server import Server

CALLERS = 8
# Signatures are not verified; any well-formed one is let through.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=" + "0" * 64
}
ECHO = "def handler(event, context): return event\n"
ECHO_NODE = "export const handler = async (event) => event;\n"
MARKED = "def handler(event, context): return {mark}\n"
CRASHES = """
import os, signal, sys, time
def handler(event, context):
    if event == 'raise': raise ValueError('on purpose')
    if event == 'exit': os._exit(3)
    if event == 'kill': os.kill(os.getpid(), signal.SIGKILL)
    if event == 'close': os.close(3)
    if event == 'hang': time.sleep(60)
    if event == 'child': os.fork() or time.sleep(60)
    if event == 'print': print('x' * 1000000)
    if event == 'large': return 'x' * 6291555
    if event == 'memory': return len(bytearray(os.urandom(1)) * (1 << 30))
    if event == 'odd': return {1, 2}
    return event
"""
HARMFUL = ("raise", "exit", "kill", "close", "hang", "large", "memory", "odd")
HARMLESS = ("child", "print")
# They tell us over the host's network, which functions share: of each run of an event, and of what became of it.
TELL = """
import os, socket
def tell(what, number):
    with socket.create_connection(('127.0.0.1', {port})) as connection:
        connection.sendall(b'%s %d\\n' % (what.encode(), number))
        connection.recv(1)
"""
ASYNC = """
def handler(event, context):
    tell('run', event['id'])
    if event['then'] == 'raise': raise ValueError('on purpose')
    if event['then'] == 'exit': os._exit(3)
"""
ENDED = """
def handler(event, context):
    tell(event['requestContext']['condition'], event['requestPayload']['id'])
"""
# An event that fails is tried again after this many seconds, and after twice as many.
RETRY_DELAY = 1
TRIES = 3


class Notes(socketserver.ThreadingTCPServer):
    """Counts what functions say of events, by (what, number of the event)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        self.seen = collections.Counter()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Note)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Note(socketserver.StreamRequestHandler):
    def handle(self):
        what, number = self.rfile.readline().decode().split()
        with self.server.lock:
            self.server.seen[what, int(number)] += 1
        self.wfile.write(b"k")


class Soak:
    """One run."""

    def __init__(self, server, seconds):
        self.server, self.seconds = server, seconds
        self.client = boto3.client(
            "lambda",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.notes = Notes()
        self.calls = collections.Counter()
        # What each event that was accepted does, by its number.
        self.accepted, self.numbers = {}, itertools.count(1)
        self.mark = 0
        self.wrong, self.samples = [], []
        self.now = {}
        self.over = threading.Event()

    def prepare(self):
        for number in range(4):
            functions.create(self.client, f"echo{number}", ECHO)
        functions.create(self.client, "node", ECHO_NODE, functions.NODE)
        functions.create(self.client, "marked", MARKED.format(mark=0))
        functions.create(self.client, "crashes", CRASHES, Timeout=1)
        tell = TELL.format(port=self.notes.server_address[1])
        ended = functions.create(self.client, "ended", tell + ENDED, Timeout=30)
        functions.create(self.client, "async", tell + ASYNC, Timeout=30)
        told = {"OnSuccess": {"Destination": ended}, "OnFailure": {"Destination": ended}}
        self.client.put_function_event_invoke_config(FunctionName="async", DestinationConfig=told)

    def run(self):
        """Runs it all; returns what it came to."""
        self.prepare()
        tasks = [self.call_all_the_time] * CALLERS + [self.update_all_the_time, self.watch]
        threads = [threading.Thread(target=self.guarded, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        self.over.wait(self.seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        processes.poll(lambda: not self.unsettled(), 120, default=lambda: None)
        self.wrong += self.unsettled()[:20]
        self.notes.shutdown()
        self.notes.server_close()
        return self.accounts()

    def unsettled(self):
        """What is not as it should be with events: each run, and its end told once."""
        seen, wrong = self.notes.seen, []
        for number, then in list(self.accepted.items()):
            end, runs = ("Success", 1) if then == "return" else ("RetriesExhausted", TRIES)
            told = {what: seen[what, number] for what in ("run", "Success", "RetriesExhausted", "EventAgeExceeded")}
            told = {what: times for what, times in told.items() if times}
            if told != {"run": runs, end: 1}:
                wrong.append(f"event {number} ({then}): {told}")
        unknown = {number for _, number in list(seen)} - set(self.accepted)
        return wrong + [f"event {number} was never accepted" for number in sorted(unknown)]

    def guarded(self, task):
        try:
            task()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
            self.wrong.append(f"{task.__name__}: {error!r}")
            self.over.set()

    def call_all_the_time(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        kinds, weights = zip(*[("echo", 50), ("node", 25), ("marked", 12), ("crashes", 3), ("async", 10)], strict=True)
        while not self.over.is_set():
            kind = random.choices(kinds, weights)[0]
            try:
                getattr(self, kind)(connection)
            except OSError as error:
                self.wrong.append(f"{kind}: {error!r}")
                connection.close()
            self.calls[kind] += 1
        connection.close()

    def invoke(self, connection, name, event, headers=None):
        self.now[threading.get_ident()] = (name, event if name == "crashes" else "", time.monotonic())
        path = f"/2015-03-31/functions/{name}/invocations"
        connection.request("POST", path, json.dumps(event), {**SIGNED, **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, answer.headers.get("X-Amz-Function-Error"), body

    def expect(self, what, got, wanted):
        if got != wanted:
            self.wrong.append(f"{what}: {got!r} instead of {wanted!r}")
            if len(self.wrong) > 20:
                self.over.set()

    def echo(self, connection):
        event = {"text": "x" * random.choice((1, 100, 10_000)), "n": random.random()}
        status, failed, body = self.invoke(connection, f"echo{random.randrange(4)}", event)
        self.expect("echo", (status, failed, body and json.loads(body)), (200, None, event))

    def node(self, connection):
        event = {"n": random.random()}
        status, failed, body = self.invoke(connection, "node", event)
        self.expect("node", (status, failed, body and json.loads(body)), (200, None, event))

    def marked(self, connection):
        least = self.mark
        status, failed, body = self.invoke(connection, "marked", {})
        # What was acknowledged before the call is what runs, or what came after it.
        self.expect("marked", (status, failed, int(body) >= least), (200, None, True))

    def crashes(self, connection):
        event = random.choice(HARMFUL + HARMLESS)
        status, failed, _ = self.invoke(connection, "crashes", event)
        self.expect(f"crashes: {event}", (status, failed), (200, None if event in HARMLESS else "Unhandled"))

    def async_(self, connection):
        number, then = next(self.numbers), random.choices(("return", "raise", "exit"), (90, 5, 5))[0]
        # Before it is sent, for it may be run before we hear that it was accepted.
        self.accepted[number] = then
        status, _, body = self.invoke(
            connection, "async", {"id": number, "then": then}, {"X-Amz-Invocation-Type": "Event"}
        )
        self.expect("async", (status, body), (202, b""))

    def update_all_the_time(self):
        while not self.over.wait(0.5):
            mark = self.mark + 1
            package = functions.archive({"app.py": MARKED.format(mark=mark)})
            self.client.update_function_code(FunctionName="marked", ZipFile=package)
            self.mark = mark
            self.calls["update"] += 1
            name = f"brief{mark % 3}"
            functions.create(self.client, name, ECHO)
            answer = self.client.invoke(FunctionName=name, Payload=b"1")
            self.expect(name, answer["Payload"].read(), b"1")
            self.client.delete_function(FunctionName=name)
            # The environments of a function that has events waiting are replaced too.
            self.client.update_function_configuration(FunctionName="async", Description=str(mark))

    def watch(self):
        began, pid = time.monotonic(), self.server.process.pid
        while not self.over.wait(max(0.2, self.seconds / 500)):
            self.samples.append(
                {
                    "at": time.monotonic() - began,
                    "descriptors": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())),
                    "threads": len(list(pathlib.Path(f"/proc/{pid}/task").iterdir())),
                    "processes": len(processes.descendants(pid)),
                    "memory_mb": self.server.resident_mb(),
                }
            )

    def accounts(self):
        """Numbers of the run, and what is wrong, if anything."""

        def typical(name, begin, end):
            within = [sample[name] for sample in self.samples if begin <= sample["at"] / self.seconds <= end]
            return statistics.median(within) if within else 0

        grown = {}
        # The allowance is for what comes and goes, a tenth and some: a leak of one for each of thousands of calls is more.
        for name, allowance in (("descriptors", 60), ("threads", 16), ("processes", 24), ("memory_mb", 24)):
            middle, end = typical(name, 0.3, 0.6), typical(name, 0.8, 1)
            grown[name] = [round(middle), round(end)]
            if end > middle * 1.1 + allowance:
                self.wrong.append(f"{name} grew from {middle:.0f} to {end:.0f}")
        return {
            "seconds": self.seconds,
            "calls": dict(self.calls),
            "events": {"accepted": len(self.accepted), **self.told()},
            "middle and end": grown,
            "wrong": self.wrong,
        }

    def told(self):
        """How often functions said what of events."""
        sums = collections.Counter()
        for (what, _), times in self.notes.seen.items():
            sums[what] += times
        return dict(sums)


# The name of the kind of call is a word of the language.
setattr(Soak, "async", Soak.async_)


def soak(seconds, *arguments):
    """Starts a server, loads it, stops it; returns the accounts."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--runtime-substitution", "--event-retry-delay", str(RETRY_DELAY)]
        server = Server(folder, *flags, *arguments).start()
        try:
            accounts = Soak(server, seconds).run()
            server.check_alive()
        finally:
            server.stop()
        return accounts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("arguments", nargs="*", help="more arguments of `frontgate serve`, after --")
    given = parser.parse_args()
    accounts = soak(given.seconds, *given.arguments)
    print(json.dumps(accounts, indent=2))
    sys.exit(1 if accounts["wrong"] else 0)


if __name__ == "__main__":
    main()
