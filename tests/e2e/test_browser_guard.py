"""A web page must not be able to drive the control plane: tried from Chromium, in every way that a page has.

Whoever reaches the control plane can create a function, and a function is code that runs on this machine.
"""

import base64
import json

import pytest
from harness import functions
from harness.browser import Browser, Site
from harness.processes import poll
from harness.rest_api import Api, call
from harness.upstream import Upstream

DATE = "20260101T000000Z"
SIGNATURE = "0" * 64


def scope(service):
    """The credential scope of a made-up signature."""
    return f"test/20260101/us-east-1/{service}/aws4_request"


def authorization(service):
    """A well-formed Authorization header; without `--auth enforce` nobody looks at the signature itself."""
    signed = f"AWS4-HMAC-SHA256 Credential={scope(service)}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
    return {"Authorization": signed, "X-Amz-Date": DATE}


def presigned(service):
    """A well-formed presigned query."""
    quoted = scope(service).replace("/", "%2F")
    return (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quoted}&X-Amz-Date={DATE}&X-Amz-Expires=900"
        f"&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
    )


ZIP = base64.b64encode(functions.archive({"app.py": "def handler(event, context): return 1"})).decode()
FUNCTION = {
    "FunctionName": "Evil",
    "Runtime": functions.PYTHON,
    "Handler": "app.handler",
    "Role": functions.ROLE,
    "Code": {"ZipFile": ZIP},
}
# Calls that make something: service, path, JSON body or None, form body or None.
TARGETS = [
    ("lambda", "/2015-03-31/functions", json.dumps(FUNCTION)),
    ("lambda", "/2015-03-31/functions/Seed/invocations", "{}"),
    ("apigateway", "/restapis", '{"name": "evil"}'),
]
ROLE_FORM = {
    "Action": "CreateRole",
    "Version": "2010-05-08",
    "RoleName": "evil",
    "AssumeRolePolicyDocument": '{"Version":"2012-10-17","Statement":[]}',
}

FETCH = """
const [url, init] = args;
try {
  const answer = await fetch(url, {method: "POST", ...init});
  return {type: answer.type, status: answer.status};
} catch (error) { return {refused: String(error)}; }
"""
FETCH_BYTES = """
try {
  const answer = await fetch(args[0], {method: "POST", mode: "no-cors", body: new TextEncoder().encode(args[1])});
  return {type: answer.type, status: answer.status};
} catch (error) { return {refused: String(error)}; }
"""
BEACON = "return navigator.sendBeacon(args[0], new Blob([args[1]], {type: args[2]}))"
# A form in a frame: of this page, or of a sandboxed one, whose origin is `null`.
FORM = """
const [url, enctype, fields, sandbox] = args;
const frame = document.createElement("iframe");
if (sandbox) frame.setAttribute("sandbox", "allow-scripts allow-forms");
const escape = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
const inputs = Object.entries(fields).map(([name, value]) =>
  `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`).join("");
frame.srcdoc = `<form method="post" action="${escape(url)}" enctype="${enctype}">${inputs}</form>` +
  `<script>document.forms[0].submit()<\\/script>`;
// The form is sent before its own page has loaded, so the frame's first and only load is that of the answer.
const loaded = new Promise((resolve) => { frame.onload = resolve; });
document.body.append(frame);
await loaded;
return true;
"""
IMAGE = """
const image = new Image();
await new Promise((resolve) => { image.onload = image.onerror = resolve; image.src = args[0]; });
return true;
"""


@pytest.fixture(scope="module")
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="module")
def browser(server, tmp_path_factory):
    # Asking for the server first makes the browser end before the server is checked for what it left behind.
    browser = Browser(tmp_path_factory.mktemp("profile"), "MAP evil.example 127.0.0.1, MAP *.localhost 127.0.0.1")
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def seed(clients):
    """A function that calls a backend, which thus knows whether a page could invoke it."""
    called = Upstream()
    source = "import urllib.request\ndef handler(event, context):\n    urllib.request.urlopen(event.get('url', URL)).read()\n"
    functions.create(clients("lambda"), "Seed", f"URL = {called.url!r}\n{source}")
    assert "FunctionError" not in clients("lambda").invoke(FunctionName="Seed")
    assert len(called.requests) == 1
    yield called
    called.close()


@pytest.fixture
def nothing_made(clients, seed):
    """Fails the test if anything was made, or the seed function was run, while it ran."""
    before = state(clients, seed)
    yield
    assert state(clients, seed) == before


def state(clients, seed):
    """Everything that the attacks try to make, and how often the seed function has run."""
    return [
        sorted(function["FunctionName"] for function in clients("lambda").list_functions()["Functions"]),
        sorted(api["id"] for api in clients("apigateway").get_rest_apis()["items"]),
        sorted(role["RoleName"] for role in clients("iam").list_roles()["Roles"]),
        len(seed.requests),
    ]


def attacks(browser, base):
    """Tries everything from the page that is open; returns [(what was tried, what the page learnt)]."""
    outcomes = []

    def tried(what, outcome):
        outcomes.append((what, outcome))

    role = "&".join(f"{name}={value}" for name, value in ROLE_FORM.items())
    for service, path, body in TARGETS:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"):
            headers = {"Content-Type": kind}
            tried(
                f"no-cors {path} {kind}",
                browser.run(FETCH, base + path, {"mode": "no-cors", "headers": headers, "body": body}),
            )
            tried(f"cors {path} {kind}", browser.run(FETCH, base + path, {"headers": headers, "body": body}))
        signed = {"Content-Type": "application/json", **authorization(service)}
        tried(f"signed {path}", browser.run(FETCH, base + path, {"headers": signed, "body": body}))
        query = f"{base}{path}?{presigned(service)}"
        tried(f"presigned {path}", browser.run(FETCH, query, {"mode": "no-cors", "body": body}))
        tried(f"without a type {path}", browser.run(FETCH_BYTES, base + path, body))
        tried(f"beacon {path}", browser.run(BEACON, base + path, body, "text/plain"))
        for sandbox in (False, True):
            # enctype text/plain sends name=value as it is: a JSON document that closes around the equals sign.
            trick = {body[:-1] + ', "x": "': '"}'} if body != "{}" else {'{"x": "': '"}'}
            tried(f"form {path} {sandbox}", browser.run(FORM, base + path, "text/plain", trick, sandbox))
            tried(f"presigned form {path} {sandbox}", browser.run(FORM, query, "text/plain", trick, sandbox))
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        init = {"mode": "no-cors", "headers": {"Content-Type": kind}, "body": role}
        tried(f"query protocol {kind}", browser.run(FETCH, f"{base}/", init))
        tried(f"query protocol, presigned {kind}", browser.run(FETCH, f"{base}/?{presigned('iam')}", init))
    tried(
        "query protocol, signed",
        browser.run(
            FETCH,
            f"{base}/",
            {"headers": {"Content-Type": "application/x-www-form-urlencoded", **authorization("iam")}, "body": role},
        ),
    )
    for sandbox in (False, True):
        for enctype in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
            for query in ("", f"?{presigned('iam')}"):
                tried(
                    f"query form {enctype} {query}", browser.run(FORM, f"{base}/{query}", enctype, ROLE_FORM, sandbox)
                )
    # GET carries no Origin header, and the query protocol takes its parameters from the URL as well.
    tried("image", browser.run(IMAGE, f"{base}/?{role}&{presigned('iam')}"))
    tried("image, unsigned", browser.run(IMAGE, f"{base}/?{role}"))
    tried(
        "GET, no-cors", browser.run(FETCH, f"{base}/?{role}&{presigned('iam')}", {"method": "GET", "mode": "no-cors"})
    )
    return outcomes


def test_a_page_of_another_origin_makes_nothing(server, site, browser, nothing_made):
    browser.open(f"http://127.0.0.1:{site.port}/")
    outcomes = attacks(browser, server.url)
    readable = [
        (what, outcome) for what, outcome in outcomes if isinstance(outcome, dict) and outcome.get("type") == "cors"
    ]
    assert readable == [], "a page of another origin could read the answer"
    assert len(outcomes) > 50


def test_a_page_under_a_name_that_points_here_makes_nothing(server, browser, nothing_made):
    """DNS rebinding: the attacker's name resolves to us, so page and control plane have the same origin."""
    browser.open(f"http://evil.example:{server.port}/")
    assert browser.run("return location.host") == f"evil.example:{server.port}"
    outcomes = dict(attacks(browser, f"http://evil.example:{server.port}"))
    answered = {
        what: outcome["status"]
        for what, outcome in outcomes.items()
        if isinstance(outcome, dict) and outcome.get("status")
    }
    assert answered, "nothing was sent"
    assert all(400 <= status < 500 for status in answered.values()), answered


def test_a_page_of_a_deployed_api_makes_nothing(server, browser, apigateway, seed, clients):
    """A deployed API may show anybody's pages; at its own host name it is another origin than the control plane."""
    api = Api(apigateway, server.port).mock(
        "/page", body="<!doctype html><p>page</p>", headers={"Content-Type": "'text/html'"}
    )
    api.deploy()
    before = state(clients, seed)
    browser.open(f"http://{api.host()}/test/page")
    assert browser.run("return document.body.textContent") == "page"
    attacks(browser, server.url)
    attacks(browser, f"http://localhost:{server.port}")
    assert state(clients, seed) == before


def test_navigating_to_a_presigned_call_makes_nothing(server, site, browser, nothing_made):
    role = "&".join(f"{name}={value}" for name, value in ROLE_FORM.items())
    browser.open(f"http://127.0.0.1:{site.port}/")
    browser.run(
        "setTimeout(() => { location.href = args[0]; }, 0); return true", f"{server.url}/?{role}&{presigned('iam')}"
    )
    poll(lambda: browser.url().startswith(server.url), 10)


def test_the_attacks_do_arrive_where_nobody_guards(site, browser):
    """The proof that the tests above try something: a server without a guard gets every one of the simple requests."""
    unguarded = Upstream()
    try:
        browser.open(f"http://127.0.0.1:{site.port}/")
        attacks(browser, unguarded.url)
        arrived = [(request["method"], request["path"]) for request in unguarded.requests]
        bodies = " ".join(request["body"] for request in unguarded.requests)
    finally:
        unguarded.close()
    assert arrived.count(("POST", "/2015-03-31/functions")) >= 6 and arrived.count(("POST", "/restapis")) >= 6
    assert arrived.count(("POST", "/")) >= 10 and arrived.count(("GET", "/")) >= 3
    assert '"FunctionName": "Evil"' in bodies and "Action=CreateRole" in bodies


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:4566"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_what_a_browser_would_say_is_refused(server, clients, headers):
    host = headers.get("Host")
    extra = {name: value for name, value in headers.items() if name != "Host"}
    sent = {"Content-Type": "application/json", **authorization("apigateway"), **extra}
    answer = call(server.port, "POST", "/restapis", sent, '{"name": "evil"}', host=host)
    assert 400 <= answer.status < 500, answer
    assert "evil" not in [api["name"] for api in clients("apigateway").get_rest_apis()["items"]]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_what_a_client_says_is_accepted(server, host):
    sent = {"Content-Type": "application/json", **authorization("apigateway")}
    answer = call(server.port, "GET", "/restapis", sent, host=f"{host}:{server.port}")
    assert answer.status == 200, answer
    unsigned = call(
        server.port, "POST", "/restapis", {"Content-Type": "application/json"}, "{}", host=f"{host}:{server.port}"
    )
    assert unsigned.status == 400, "a content type that no form can send needs no signature; the name is missing"
