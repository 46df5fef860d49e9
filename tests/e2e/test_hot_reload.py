"""Functions that run from a folder of this machine (the bucket `hot-reload`): what is saved is live on the next call."""

import json
import os
import shutil

import botocore.exceptions
import pytest
from conftest import Clients
from harness import functions
from harness.server import Server


@pytest.fixture
def tmp_path(tmp_path):
    """A folder that others can read: where the tests run as root, functions are another user."""
    tmp_path.chmod(0o755)
    return tmp_path


def code(folder):
    return {"S3Bucket": "hot-reload", "S3Key": str(folder)}


def invoke(client, name):
    answer = client.invoke(FunctionName=name)
    value = json.load(answer["Payload"])
    assert "FunctionError" not in answer, value
    return value


def save(path, text):
    """As editors do: into a new file that takes the place of the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(text)
    os.replace(beside, path)


def test_python_with_a_module_in_a_folder_below(clients, tmp_path):
    client, part = clients("lambda"), tmp_path / "lib" / "part.py"
    save(part, "WORD = 'one'\n")
    save(tmp_path / "app.py", "import os\nfrom lib import part\ndef handler(event, context):\n    return [part.WORD, os.getpid()]\n")
    functions.create(client, "hot-python", "", Code=code(tmp_path))
    first = invoke(client, "hot-python")
    assert first[0] == "one" and invoke(client, "hot-python") == first
    for word in ["two", "six"]:
        save(part, f"WORD = '{word}'\n")
        now = invoke(client, "hot-python")
        assert now[0] == word and invoke(client, "hot-python") == now
    shown = client.get_function(FunctionName="hot-python")
    assert (shown["Configuration"]["CodeSize"], "Location" in shown["Code"]) == (0, False)


def test_node_with_many_packages(clients, tmp_path):
    client = clients("lambda")
    for number in range(2000):
        folder = tmp_path / "node_modules" / f"package{number}" / "lib"
        folder.mkdir(parents=True)
        (folder / "index.js").write_text(f"module.exports = {number};")
    save(tmp_path / "index.mjs", "import part from 'package7/lib/index.js';\nexport const handler = async () => part;\n")
    functions.create(client, "hot-node", "", runtime=functions.NODE, Code=code(tmp_path))
    assert invoke(client, "hot-node") == 7
    save(tmp_path / "node_modules" / "package7" / "lib" / "index.js", "module.exports = 'seven';")
    assert invoke(client, "hot-node") == "seven"


def test_from_a_package_to_a_folder_and_back(clients, tmp_path):
    client = clients("lambda")
    functions.create(client, "moves", "def handler(event, context):\n    return 'package'\n")
    assert invoke(client, "moves") == "package"
    save(tmp_path / "app.py", "def handler(event, context):\n    return 'folder'\n")
    client.update_function_code(FunctionName="moves", **code(tmp_path))
    assert invoke(client, "moves") == "folder"
    package = functions.archive({"app.py": "def handler(event, context):\n    return 'again'\n"})
    client.update_function_code(FunctionName="moves", ZipFile=package)
    save(tmp_path / "app.py", "raise RuntimeError\n")
    assert invoke(client, "moves") == "again"


def test_a_build_that_replaces_its_folder(clients, tmp_path):
    client, folder = clients("lambda"), tmp_path / "dist"
    for word in ["one", "two", "three"]:
        shutil.rmtree(folder, ignore_errors=True)
        save(folder / "app.py", f"def handler(event, context):\n    return '{word}'\n")
        if word == "one":
            functions.create(client, "built", "", Code=code(folder))
        assert invoke(client, "built") == word


def test_a_restart_keeps_the_folder(tmp_path):
    server = Server(tmp_path, "--runtime-substitution")
    server.start()
    try:
        save(tmp_path / "code" / "app.py", "def handler(event, context):\n    return 'one'\n")
        functions.create(Clients(server)("lambda"), "stays", "", Code=code(tmp_path / "code"))
        server.stop()
        server.start()
        save(tmp_path / "code" / "app.py", "def handler(event, context):\n    return 'two'\n")
        assert invoke(Clients(server)("lambda"), "stays") == "two"
    finally:
        server.stop()


def test_folders_that_are_refused(clients, tmp_path):
    def refusal(client, folder):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            functions.create(client, "refused", "", Code=code(folder))
        assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"
        return error.value.response["Error"]["Message"]

    assert refusal(clients("lambda"), tmp_path / "missing").endswith("missing cannot be read: No such file or directory (os error 2)")
    assert "is an absolute path" in refusal(clients("lambda"), "code")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to("/")
    server = Server(tmp_path, "--runtime-substitution", "--hot-reload-root", inside)
    server.start()
    try:
        client = Clients(server)("lambda")
        for folder in [tmp_path, "/", inside / "out" / "etc", f"{inside}/../inside"]:
            assert "--hot-reload-root" in refusal(client, folder)
        save(inside / "app.py", "def handler(event, context):\n    return 1\n")
        functions.create(client, "allowed", "", Code=code(inside))
        assert invoke(client, "allowed") == 1
    finally:
        server.stop()
