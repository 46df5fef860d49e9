"""Packs the sample applications of `apps/` and puts them behind a REST API or a function URL. `scripts/set-up` has
installed what they depend on."""

import io
import os
import pathlib
import shutil
import sys
import zipfile

from . import functions, rest_api

APPS = pathlib.Path(__file__).resolve().parents[1] / "apps"
RUST = APPS / "rust" / "target" / "debug"
# What was installed for the tests' own Python runs there only.
PYTHON = f"python3.{sys.version_info.minor}"
NODE = "nodejs20.x"


def files(app, *more):
    """What makes up an application, by its place in the package: its own files, and what is installed beside them."""
    folder = APPS / app
    own = [path for path in folder.iterdir() if path.suffix in (".py", ".mjs", ".js", ".sh") or path.name == "package.json"]
    found = {path.name: path for path in own}
    for installed in [folder / "package", folder / "node_modules", *more]:
        if installed.is_dir():
            inside = installed if installed.name == "package" else installed.parent
            paths = (path for path in installed.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
            found.update({str(path.relative_to(inside)): path for path in paths})
    assert len(found) > len(own) or not more, f"{app} is not installed; run scripts/set-up"
    return found


def archive(found):
    """A zip of files by name, each with its mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as writer:
        for name, path in found.items():
            writer.write(path, name)
    return buffer.getvalue()


def folder(found, target):
    """Puts files into a folder, as links where the file system allows it."""
    for name, path in found.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:
            shutil.copy(path, place)
    # Where Frontgate runs as root, functions are another user.
    target.chmod(0o755)
    return target


class Front:
    """An address at which an application answers."""

    def __init__(self, kind, port, base):
        self.kind, self.port, self.base = kind, port, base

    def call(self, path, method="GET", headers=None, body=None):
        """Sends one request. As browsers and curl do it says what it takes; without that no REST API sends bytes."""
        return rest_api.call(self.port, method, self.base + path, {"Accept": "*/*", **(headers or {})}, body)


def behind_api(client, apigateway, port, name, arn):
    """A REST API of which all goes to one function."""
    functions.allow_gateway(client, name)
    api = rest_api.Api(apigateway, port, name=name, binaryMediaTypes=["*/*"])
    api.proxy("/", "ANY", arn).proxy("/{proxy+}", "ANY", arn)
    api.deploy()
    return Front("rest", port, f"/_aws/execute-api/{api.id}/test")


def behind_url(client, port, name):
    """The function's own URL."""
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    client.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    return Front("url", port, f"/_aws/lambda-url/{url.split('//')[1].split('.')[0]}")
