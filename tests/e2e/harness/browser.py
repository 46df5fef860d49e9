"""Drives a headless Chromium through chromedriver's HTTP protocol (WebDriver), with the standard library alone."""

import http.client
import http.server
import json
import shutil
import subprocess
import threading

from . import processes
from .server import free_port

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


class Browser:
    """One Chromium with an empty profile. `rules` are host resolver rules, which stand in for an attacker's DNS."""

    def __init__(self, profile, rules=""):
        programs = {"chromium": shutil.which("chromium"), "chromedriver": shutil.which("chromedriver")}
        missing = [name for name, path in programs.items() if path is None]
        assert not missing, f"{', '.join(missing)} not found: install the Debian packages chromium and chromium-driver"
        self.port = free_port()
        self.driver = subprocess.Popen(
            [programs["chromedriver"], f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.session = None
        try:
            processes.poll(lambda: self.driver.poll() is None and self.is_ready(), 30)
            flags = [*FLAGS, f"--user-data-dir={profile}"] + ([f"--host-resolver-rules={rules}"] if rules else [])
            options = {"binary": programs["chromium"], "args": flags}
            capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
            self.session = self.send("POST", "/session", {"capabilities": capabilities})["sessionId"]
            self.command("POST", "/timeouts", {"script": 30_000, "pageLoad": 30_000})
        except BaseException:
            self.close()
            raise

    def is_ready(self):
        """Whether chromedriver takes sessions."""
        try:
            return bool(self.send("GET", "/status")["ready"])
        except OSError:
            return False

    def send(self, method, path, body=None):
        """One WebDriver command; raises with the driver's message when it fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
            assert answer.status == 200, f"{method} {path}: {value['error']}: {value['message']}"
            return value
        finally:
            connection.close()

    def command(self, method, path, body=None):
        """A command of the session."""
        return self.send(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        """Goes to a page and waits until it has loaded."""
        self.command("POST", "/url", {"url": url})

    def url(self):
        """The address of the page that is shown."""
        return self.command("GET", "/url")

    def run(self, script, *arguments):
        """Runs the body of an asynchronous function in the page and returns what it returns."""
        wrapped = (
            "const done = arguments[arguments.length - 1]; const args = [...arguments].slice(0, -1);"
            "(async () => {" + script + "})().then((value) => done({value}), (error) => done({error: String(error)}));"
        )
        outcome = self.command("POST", "/execute/async", {"script": wrapped, "args": list(arguments)})
        assert "error" not in outcome, outcome["error"]
        return outcome.get("value")

    def close(self):
        """Ends the browser and its driver."""
        try:
            if self.session:
                self.send("DELETE", f"/session/{self.session}")
        except (OSError, AssertionError, http.client.HTTPException):
            pass
        finally:
            self.driver.terminate()
            self.driver.wait(20)


class Site:
    """A web server with one page, for a page of another origin; also takes the place of an attacker's server."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                page = b"<!doctype html><title>another origin</title><p>page</p>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        """Stops listening."""
        self.server.shutdown()
        self.server.server_close()
