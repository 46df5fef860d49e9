"""Runtimes: what the host has, wrapper scripts, AWS's own clients of the Runtime API."""

import io
import json
import pathlib
import re
import subprocess
import sys
import time
import zipfile

import awslambdaric
import pytest
from conftest import Clients
from harness import functions, processes, samples
from harness.server import Server, binary

# Functions that bring their own program see the system's folders alone.
SYSTEM = pathlib.Path(f"/usr/bin/python3.{sys.version_info.minor}")
INTERPRETER = SYSTEM if SYSTEM.exists() else pathlib.Path(sys.executable).resolve()

# An extension that prints what it hears.
LISTENER = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
events='{"events": ["INVOKE", "SHUTDOWN"]}'
identifier=$(curl -sS -D - -o /dev/null -X POST -H "Lambda-Extension-Name: listener" -d "$events" "$api/register" |
  tr -d '\\r' | sed -n 's/^lambda-extension-identifier: //p')
while :; do
  event=$(curl -sS -H "Lambda-Extension-Identifier: $identifier" "$api/event/next")
  echo "HEARD $event"
  case "$event" in *SHUTDOWN*) exit 0 ;; esac
done
"""


def package(files):
    """A zip of {name: text or bytes}; scripts are executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            info = zipfile.ZipInfo(name, time.localtime()[:6])
            info.external_attr = (0o755 if content.startswith(b"#!") else 0o644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def client(clients):
    """A client of Lambda."""
    return clients("lambda")


@pytest.fixture
def invoke(client):
    """Invokes a function; returns the answer and its decoded payload."""

    def run(name, payload, **options):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(payload), **options)
        return answer, json.loads(answer["Payload"].read())

    return run


def create(client, name, runtime, files, **options):
    """Creates a function and waits until it is active."""
    options = {"Handler": "app.handler", "Role": functions.ROLE, "Timeout": 20, **options}
    client.create_function(FunctionName=name, Runtime=runtime, Code={"ZipFile": package(files)}, **options)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def test_the_host_s_runtimes_are_listed():
    listed = subprocess.run([binary(), "runtimes"], capture_output=True, text=True, timeout=60, check=True).stdout
    rows = {row.split()[0]: row.split() for row in listed.splitlines()}
    assert rows["RUNTIME"] == ["RUNTIME", "RUNS", "VERSION", "PROGRAM", "OR", "NOTE"]
    assert rows["provided.al2023"][1] == "yes"
    minor = sys.version_info.minor
    assert rows[f"python3.{minor}"][1] == "yes"
    version, program = rows[f"python3.{minor}"][2:4]
    assert version.startswith(f"3.{minor}.") and pathlib.Path(program).exists()
    assert any(name.startswith("nodejs") and row[1] == "yes" for name, row in rows.items())


def test_a_wrapper_script_runs_the_runtime(client, invoke):
    wrapper = '#!/bin/bash\nargs=("$@")\nexport ADDED=yes\nexec "${args[@]:0:$#-1}" "-O" "${args[@]: -1}"\n'
    source = "import os\ndef handler(event, context): return [event, os.environ['ADDED'], __debug__]"
    variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}}
    files = {"app.py": source, "wrapper": wrapper}
    create(client, "Wrapped", functions.PYTHON, files, Environment=variables)
    assert invoke("Wrapped", 7)[1] == [7, "yes", False]
    source = "exports.handler = async (event) => [event, process.env.ADDED]"
    files = {"app.js": source, "wrapper": wrapper.replace("-O", "--no-warnings")}
    create(client, "WrappedNode", functions.NODE, files, Environment=variables)
    assert invoke("WrappedNode", 7)[1] == [7, "yes"]
    variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/not-there"}}
    create(client, "Unwrapped", functions.PYTHON, files, Environment=variables)
    answer, error = invoke("Unwrapped", 7)
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 127")


def test_aws_s_own_client_for_python_runs_a_function(client, invoke):
    site = pathlib.Path(awslambdaric.__file__).parent.parent
    files = {}
    for pattern in ("awslambdaric/**/*", "snapshot_restore_py*.py", "simplejson/**/*", "runtime_client*.so"):
        found = [path for path in site.glob(pattern) if path.is_file() and path.suffix != ".pyc"]
        assert found, f"{pattern} is not in {site}"
        files |= {str(path.relative_to(site)): path.read_bytes() for path in found}
    files["bootstrap"] = f'#!/bin/sh\nexec {INTERPRETER} -m awslambdaric "$_HANDLER"\n'
    files["app.py"] = """
def handler(event, context):
    if event == "raise": raise KeyError("broken")
    return [event, context.function_name, context.aws_request_id, context.get_remaining_time_in_millis() > 0]
"""
    create(client, "Client", "provided.al2023", files)
    for number in range(3):
        answer, result = invoke("Client", {"n": number})
        request_id = answer["ResponseMetadata"]["RequestId"]
        assert result == [{"n": number}, "Client", request_id, True]
    answer, error = invoke("Client", "raise")
    assert answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'broken'")


def test_aws_s_own_client_for_node_runs_a_function(client, invoke):
    installed = samples.APPS / "ric" / "node_modules"
    client_files = [installed / "aws-lambda-ric" / part for part in ("package.json", "bin", "dist")]
    assert (client_files[-1] / "rapid-client.node").exists(), "aws-lambda-ric is not installed; run scripts/set-up"
    paths = [path for part in client_files for path in [part, *part.rglob("*")] if path.is_file()]
    files = {f"node_modules/{path.relative_to(installed)}": path.read_bytes() for path in paths}
    files["bootstrap"] = '#!/bin/sh\nexec node node_modules/aws-lambda-ric/bin/index.mjs "$_HANDLER"\n'
    files["app.mjs"] = """
export const handler = async (event, context) => {
  if (event === "raise") throw new TypeError("broken");
  return [event, context.functionName, context.awsRequestId, context.getRemainingTimeInMillis() > 0];
};
export const streamed = awslambda.streamifyResponse(async (event, stream) => {
  for (const part of event) stream.write(part);
  stream.end();
});
export const called = (event, context, callback) => setTimeout(() => callback(null, { called: event }), 1);
"""
    create(client, "NodeClient", "provided.al2023", files)
    for number in range(3):
        answer, result = invoke("NodeClient", {"n": number})
        assert result == [{"n": number}, "NodeClient", answer["ResponseMetadata"]["RequestId"], True]
    answer, error = invoke("NodeClient", "raise")
    assert answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "broken")
    assert invoke("NodeClient", 7)[1][0] == 7
    create(client, "NodeClientCalled", "provided.al2023", files, Handler="app.called")
    assert invoke("NodeClientCalled", 7)[1] == {"called": 7}
    create(client, "NodeClientStreams", "provided.al2023", files, Handler="app.streamed")
    events = client.invoke_with_response_stream(FunctionName="NodeClientStreams", Payload=b'["a", "bc"]')["EventStream"]
    assert b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event) == b"abc"


def test_programs_that_cannot_be_run_are_told(client, invoke):
    told = {
        "Missing": ({"other": ""}, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        "Plain": ({"bootstrap": "echo"}, "fork/exec /var/task/bootstrap: permission denied"),
    }
    for name, (files, message) in told.items():
        create(client, name, "provided.al2023", files)
        answer, error = invoke(name, {})
        assert answer["FunctionError"] == "Unhandled"
        assert error["errorType"] == "Runtime.InvalidEntrypoint"
        assert error["errorMessage"].endswith(f" Error: {message}")


def test_an_extension_of_a_layer_hears_of_invocations_and_of_the_end(server, client, invoke):
    layer = client.publish_layer_version(LayerName="listener", Content={"ZipFile": package({"extensions/listener": LISTENER})})
    source = "def handler(event, context): return [event, context.aws_request_id]"
    create(client, "Heard", functions.PYTHON, {"app.py": source}, Layers=[layer["LayerVersionArn"]])

    def heard(kind, text):
        """The events of that kind that the extension has printed and that hold a text."""
        events = [json.loads(line) for line in re.findall(r"HEARD (\{.*\})", server.log())]
        return [event for event in events if event["eventType"] == kind and text in json.dumps(event)]

    for number in range(2):
        answer, (event, request_id) = invoke("Heard", number)
        assert event == number
        assert request_id == answer["ResponseMetadata"]["RequestId"]
        processes.poll(lambda: heard("INVOKE", request_id), 20)
    client.update_function_configuration(FunctionName="Heard", Layers=[])
    processes.poll(lambda: heard("SHUTDOWN", "spindown"), 20)
    assert invoke("Heard", 3)[1][0] == 3


INSIDE = """
import json, os, threading, urllib.request
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension/"
def call(path, data=None, **headers):
    with urllib.request.urlopen(urllib.request.Request(API + path, data, headers)) as answer:
        return answer.headers, json.load(answer)
headers, told = call("register", b'{"events": ["INVOKE"]}', **{"Lambda-Extension-Name": "inside"})
identity = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
heard = {}
def listen():
    while True:
        event = call("event/next", **identity)[1]
        heard.setdefault(event["requestId"], threading.Event()).set()
threading.Thread(target=listen, daemon=True).start()
def handler(event, context):
    heard.setdefault(context.aws_request_id, threading.Event()).wait()
    return [event, told["functionName"], told["handler"]]
"""


def test_an_extension_inside_a_function_hears_of_its_invocations(client, invoke):
    create(client, "Inside", functions.PYTHON, {"app.py": INSIDE})
    for number in range(3):
        assert invoke("Inside", number)[1] == [number, "Inside", "app.handler"]


def test_an_extension_that_crashes_fails_the_function(client, invoke):
    crash = {"extensions/crash": "#!/bin/sh\nexit 3\n"}
    layer = client.publish_layer_version(LayerName="crash", Content={"ZipFile": package(crash)})
    create(client, "Crashed", functions.PYTHON, {"app.py": "def handler(*_): pass"}, Layers=[layer["LayerVersionArn"]])
    answer, error = invoke("Crashed", {})
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorType"] == "Extension.Crash"
    assert error["errorMessage"].endswith("Error: exit code 3")


def test_what_stands_beside_frontgate_is_no_extension(tmp_path):
    """A function without layers has no /opt, whatever is in the folder that Frontgate was started in."""
    for name in ("extensions/beside", "bootstrap"):
        # The server is started in this folder.
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    server = Server(tmp_path, "--runtime-substitution")
    server.start()
    try:
        client = Clients(server)("lambda")
        functions.create(client, "Plain", "def handler(event, context): return event\n")
        answer = client.invoke(FunctionName="Plain", Payload=b'"same"')
        assert ("FunctionError" in answer, answer["Payload"].read()) == (False, b'"same"')
    finally:
        server.stop()
