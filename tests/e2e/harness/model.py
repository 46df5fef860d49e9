"""Makes requests for every operation that is implemented, from botocore's models: valid ones, and ways to spoil them."""

import json
import re
import urllib.parse

import botocore.loaders
import botocore.model
import botocore.serialize

from .server import ROOT

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host;x-amz-date, Signature="
    + "0" * 64
)
DEEP = json.loads("[" * 200 + "]" * 200)
# What takes a member's place; each is wrong for nearly every member.
WRONG = [None, 7, -1, 1e308, True, "", "x" * 5000, "\x00☃", [], {}, [None], [{"a": 1}], {"a": {"b": [1]}}, DEEP]
# What takes the place of an identifier in a path.
STRANGE = [
    "nosuch0000",
    "..",
    "%2e%2e%2f",
    "%00",
    "a%2Fb",
    "x" * 2000,
    "%F0%9F%92%A9",
    "%FF",
    "$LATEST",
    "*",
    "-1",
    "%20",
    "a:b:c",
    "{id}",
    "%25",
]
NUMBERS = ["abc", "-1", "0", "501", "99999999999999999999", "1.5", "%00", ""]


def implemented():
    """[(service, operation)] of everything that the generator makes, which is everything that the server has."""
    found, service = [], None
    for line in (ROOT / "codegen" / "operations.toml").read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line.strip()):
            service = heading[1]
        elif not line.lstrip().startswith("#") and "version" not in line:
            found += [(service, name) for name in re.findall(r'"(\w+)"', line)]
    return found


class Operation:
    """One operation of a service's model, as requests in bytes."""

    def __init__(self, service, name):
        loader = botocore.loaders.Loader()
        self.service, self.name = service, name
        self.model = botocore.model.ServiceModel(loader.load_service_model(service, "service-2")).operation_model(name)
        metadata = self.model.service_model.metadata
        self.protocol = metadata["protocol"]
        self.signing_name = metadata.get("signingName", metadata["endpointPrefix"])
        self.serializer = botocore.serialize.create_serializer(self.protocol, include_validation=False)

    def valid(self, known):
        """Parameters with every required member; `known` gives the values of members by name."""
        shape = self.model.input_shape
        return {} if shape is None else structure(shape, known, set(shape.required_members) | set(known))

    def request(self, parameters):
        """(method, path with query, headers, body) of a call with these parameters."""
        made = self.serializer.serialize_to_request(parameters, self.model)
        query = made.get("query_string") or {}
        text = query if isinstance(query, str) else urllib.parse.urlencode(query, doseq=True)
        body = made.get("body") or b""
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
        body = body.encode() if isinstance(body, str) else bytes(body)
        return made["method"], made["url_path"] + (f"?{text}" if text else ""), self.headers(made["headers"]), body

    def headers(self, given=()):
        """A well-formed signature and the content type of the protocol."""
        kind = "application/json" if self.protocol != "query" else "application/x-www-form-urlencoded; charset=utf-8"
        return {
            "Content-Type": kind,
            **dict(given),
            "Authorization": AUTHORIZATION.format(self.signing_name),
            "X-Amz-Date": "20260101T000000Z",
        }

    def spoilt(self, known):
        """[(what is wrong, request)] for this operation."""
        method, path, headers, body = self.request(self.valid(known))
        spoil = spoilt_forms if self.protocol == "query" else spoilt_documents
        for what, spoilt_body in spoil(self, known, body):
            yield what, (method, path, headers, spoilt_body)
        for what, spoilt_path in spoilt_paths(path):
            yield what, (method, spoilt_path, headers, body)


def structure(shape, known, wanted):
    """The members of a structure that are wanted; nested ones get their required members."""
    members = {}
    for name, member in shape.members.items():
        if name in wanted or name in shape.required_members:
            members[name] = known[name] if name in known else example(member, known)
    return members


def example(shape, known):
    """Some value of a shape."""
    kind = shape.type_name
    if kind == "structure":
        return structure(shape, {}, set())
    if kind == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "x" * max(shape.metadata.get("min", 1), 1)
    if kind in ("integer", "long", "float", "double"):
        return shape.metadata.get("min", 1)
    return {"list": [], "map": {}, "boolean": True, "blob": b"x", "timestamp": 0}[kind]


def spoilt_documents(operation, known, body):
    """Bodies of the JSON protocols: no JSON, the wrong JSON, and every member with every wrong value."""
    if operation.model.get_streaming_input() is None:
        for what, text in DOCUMENTS.items():
            yield what, text
    shape = operation.model.input_shape
    if shape is None or not body.startswith(b"{"):
        return
    document = json.loads(body)
    in_body = {
        member.serialization.get("name", name): member
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    for name, member in in_body.items():
        without = {key: value for key, value in document.items() if key != name}
        yield f"without {name}", encode(without)
        for wrong in WRONG:
            yield f"{name} = {str(wrong)[:40]}", encode({**document, name: wrong})
        if member.type_name == "structure":
            for inner in member.members:
                for wrong in WRONG:
                    yield f"{name}.{inner} = {str(wrong)[:40]}", encode({**document, name: {inner: wrong}})
        if member.type_name == "list":
            for wrong in WRONG:
                yield f"{name}[0] = {str(wrong)[:40]}", encode({**document, name: [wrong]})
        if member.type_name == "map":
            for wrong in WRONG:
                yield (
                    f"{name}.k = {str(wrong)[:40]}",
                    encode({**document, name: {"k": wrong, "": wrong, "a/b\n": wrong}}),
                )
    if "patchOperations" in in_body:
        for patch in PATCHES:
            yield f"patch {patch}", encode({"patchOperations": patch})


PATCHES = [
    [{}],
    [{"op": "replace"}],
    [{"op": "replace", "path": ""}],
    [{"op": "replace", "path": "/"}],
    [{"op": "nonsense", "path": "/name"}],
    [{"op": "replace", "path": "name", "value": "x"}],
    [{"op": "replace", "path": "/nosuch", "value": "x"}],
    [{"op": "replace", "path": "/name/deeper/still", "value": "x"}],
    [{"op": "remove", "path": "/name"}],
    [{"op": "add", "path": "/~2", "value": "x"}],
    [{"op": "add", "path": "/~", "value": "x"}],
    [{"op": "move", "path": "/a", "from": "/b"}],
    [{"op": "copy", "path": "/name", "from": "/name"}],
    [{"op": "test", "path": "/name", "value": "x"}],
    [{"op": "replace", "path": "/" + "a/" * 3000, "value": "x"}],
    [{"op": "replace", "path": "/name", "value": 7}],
    [{"op": "replace", "path": "/timeoutInMillis", "value": "abc"}],
    [{"op": "replace", "path": "/timeoutInMillis", "value": "-1"}],
    [{"op": "replace", "path": "/variables/", "value": "x"}],
    [{"op": "replace", "path": "/variables/a b", "value": "x"}],
    [{"op": "replace", "path": "/variables/a", "value": "bad value with blanks!"}],
    [{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "x"}],
    [{"op": "replace", "path": "/deploymentId", "value": "nosuch"}],
    [{"op": "replace", "path": "/parentId", "value": "nosuch"}],
    [{"op": "replace", "path": "/pathPart", "value": "{bad"}],
    [{"op": "replace", "path": "/minimumCompressionSize", "value": "1e9"}],
    [{"op": "replace", "path": "/name", "value": "x"}] * 500,
    "text",
    7,
    {"op": "replace"},
    [7],
    [None],
    ["x"],
]
DOCUMENTS = {
    "no JSON": b"{not json",
    "cut": b'{"name": "x',
    "an array": b"[]",
    "text": b'"text"',
    "a number": b"7",
    "null": b"null",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "a NUL": b'{"name": "a\x00b"}',
    "rubbish after it": b'{"name": "x"} rubbish',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "twice the same key": b'{"name": "a", "name": "b"}',
    "a BOM": b'\xef\xbb\xbf{"name": "x"}',
    "very deep arrays": b'{"name": ' + b"[" * 100_000,
    "very deep objects": b'{"a":' * 100_000,
    "closed deep arrays": b"[" * 20_000 + b"]" * 20_000,
    "a number out of range": b'{"name": 1e999999, "x": -1e-999999}',
    "many digits": b'{"name": ' + b"9" * 100_000 + b"}",
    "many members": json.dumps({f"member{number}": number for number in range(50_000)}).encode(),
    "nothing": b"",
}


def spoilt_forms(operation, known, body):
    """Bodies of the query protocol."""
    form = dict(urllib.parse.parse_qsl(body.decode()))
    for name in form:
        if name in ("Action", "Version"):
            continue
        yield (
            f"without {name}",
            urllib.parse.urlencode({key: value for key, value in form.items() if key != name}).encode(),
        )
        for wrong in (
            "",
            "x" * 200_000,
            "\x00",
            "☃",
            "a b",
            "../..",
            "[",
            "{" * 10_000,
            "[" * 100_000,
            "%",
            "arn:aws:iam::1:policy/x",
        ):
            yield f"{name} = {wrong[:20]}", urllib.parse.urlencode({**form, name: wrong}).encode()
        yield f"{name} twice", body + f"&{name}=second".encode()
    for extra in (
        "Tags.member.1.Key=k",
        "Tags.member.999999999.Key=k",
        "Tags.member.-1.Key=k",
        "Tags.member.x=1",
        "Tags=1",
        "Tags.member=",
        "MaxItems=abc",
        "MaxItems=-1",
        "MaxItems=99999999999999999999",
        "Marker=%FF%FE",
        "Marker=nosuch",
        "MaxSessionDuration=1",
        "%",
        "%zz=%zz",
        "=",
        "&&&&",
        "a" * 100_000,
        "Unknown=1",
        "Version=1999-01-01",
        "Action=DeleteEverything",
    ):
        yield f"with {extra[:30]}", body + b"&" + extra.encode()
    yield (
        "many members",
        body + b"&" + b"&".join(b"Tags.member.%d.Key=k&Tags.member.%d.Value=v" % (n, n) for n in range(1, 20_000)),
    )
    yield "invalid UTF-8", body + b"&Description=\xff\xfe"
    yield "nothing", b""


def spoilt_paths(path):
    """The same path with each identifier replaced by strange ones, and with odd queries."""
    bare, _, query = path.partition("?")
    parts = bare.split("/")
    for index, part in enumerate(parts):
        if part and not re.fullmatch(r"\d{4}-\d\d-\d\d", part):
            for strange in STRANGE:
                yield (
                    f"path part {index} = {strange[:20]}",
                    "/".join([*parts[:index], strange, *parts[index + 1 :]]) + (f"?{query}" if query else ""),
                )
    for name in (
        "limit",
        "position",
        "MaxItems",
        "Marker",
        "Qualifier",
        "embed",
        "tagKeys",
        "RevisionId",
        "FunctionVersion",
    ):
        for number in NUMBERS:
            yield f"?{name}={number}", f"{bare}?{name}={number}"


def encode(document):
    """JSON in bytes; lone surrogates stay escaped."""
    return json.dumps(document).encode()
