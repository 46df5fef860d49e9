"""Function packages that are broken or hostile: refused, or harmless; never outside their own folder."""

import io
import json
import os
import stat
import struct
import uuid
import zipfile
import zlib

import botocore.exceptions
import pytest
from harness import functions

GOOD = "def handler(event, context):\n    return 'good'\n"
MARK = "frontgate-escape-" + uuid.uuid4().hex


def archive(*entries, compression=zipfile.ZIP_STORED):
    """A zip file of (name, content, Unix mode) after a good module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as writer:
        writer.writestr("app.py", GOOD)
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = compression
            writer.writestr(info, content)
    return buffer.getvalue()


def bomb(size):
    """A small file that inflates to `size` bytes of zeros."""
    return archive(("zeros", b"\0" * size, 0o100644), compression=zipfile.ZIP_DEFLATED)


def lying(size):
    """A file whose directory says that an entry is `size` bytes long, whatever it inflates to."""
    good = bytearray(archive(("data", b"0123456789", 0o100644)))
    position = good.rfind(b"PK\x01\x02")
    good[position + 24 : position + 28] = struct.pack("<I", size)
    return bytes(good)


def flipped(offset_from_data):
    """A file with one byte of content changed, so that its checksum is wrong."""
    good = bytearray(archive())
    good[good.find(GOOD.encode()) + offset_from_data] ^= 1
    return bytes(good)


def encrypted():
    """A file that says of its entry that it is encrypted."""
    good = bytearray(archive())
    good[6] |= 1
    good[good.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(good)


def overlapping(count):
    """Many directory entries that share one big compressed entry: small to send, large to unpack."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = b"\0" * (8 * 1024 * 1024)
    data = compressor.compress(content) + compressor.flush()
    checksum = zlib.crc32(content)
    local = (
        struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, checksum, len(data), len(content), 1, 0) + b"a" + data
    )
    directory = b""
    for number in range(count):
        name = b"f%05d" % number
        directory += (
            struct.pack(
                "<4s6H3I5H2I",
                b"PK\x01\x02",
                20,
                20,
                0,
                8,
                0,
                0,
                checksum,
                len(data),
                len(content),
                len(name),
                0,
                0,
                0,
                0,
                0,
                0,
            )
            + name
        )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(local), 0)
    return local + directory + end


LINK, PLAIN = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644
REFUSED = {
    "nothing": b"",
    "no zip": b"this is no zip file",
    "cut": archive()[:60],
    "without a directory": archive()[: archive().rfind(b"PK\x01\x02")],
    "directory cut": archive()[:-10],
    "wrong checksum": flipped(3),
    "encrypted": encrypted(),
    "parent": archive((f"../{MARK}", b"x", PLAIN)),
    "parent within": archive((f"a/../../{MARK}", b"x", PLAIN)),
    "far parent": archive(("../" * 20 + f"tmp/{MARK}", b"x", PLAIN)),
    "absolute": archive((f"/tmp/{MARK}", b"x", PLAIN)),
    "link to the root": archive(("out", b"/", LINK)),
    "link to a parent": archive(("out", b"../../..", LINK)),
    "file through a link": archive(("out", b"/tmp", LINK), (f"out/{MARK}", b"x", PLAIN)),
    "bomb": bomb(300 * 1024 * 1024),
    "overlapping bomb": overlapping(100),
    "a NUL in a name": archive(("a@b", b"x", PLAIN)).replace(b"a@b", b"a\0b"),
}
HARMLESS = {
    "device": archive(("device", b"", stat.S_IFCHR | 0o666)),
    "pipe": archive(("pipe", b"", stat.S_IFIFO | 0o666)),
    "backslashes": archive((f"..\\..\\{MARK}", b"x", PLAIN)),
    "drive": archive((f"C:\\{MARK}", b"x", PLAIN)),
    "twice the same name": archive(("a", b"1", PLAIN), ("a", b"2", PLAIN)),
    "file and folder": archive(("a", b"1", PLAIN), ("a/b", b"2", PLAIN)),
    "dots": archive(("./a", b"1", PLAIN), ("b/./c", b"1", PLAIN)),
    "a long name": archive(("n" * 4000, b"x", PLAIN)),
    "a deep name": archive(("d/" * 2000 + "x", b"x", PLAIN)),
    "set-uid": archive(("suid", b"x", stat.S_IFREG | 0o6777)),
    "many entries": archive(*[(f"e{number}", b"", PLAIN) for number in range(20_000)]),
    "a lying size": lying(2**31),
    "a link inside": archive(("inside", b"app.py", LINK)),
    "rubbish before": b"#!/bin/sh\n" + archive(),
    "empty name": archive(("", b"x", PLAIN)),
}


@pytest.fixture
def client(clients):
    return clients("lambda")


@pytest.fixture(autouse=True)
def nothing_escapes(server):
    """Fails the test if a file was made where none may be."""
    yield
    places = ["/tmp", "/", os.fspath(server.data_dir.parent), os.fspath(server.data_dir.parent.parent), os.getcwd()]
    for place in places:
        assert MARK not in os.listdir(place), f"a file escaped to {place}"
    for folder, _, files in os.walk(server.data_dir):
        assert MARK not in files, f"a file escaped to {folder}"


@pytest.mark.parametrize("what", REFUSED)
def test_a_hostile_package_makes_no_function(client, what):
    name = "z" + uuid.uuid4().hex[:10]
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        create(client, name, REFUSED[what])
    error = refused.value.response
    assert 400 <= error["ResponseMetadata"]["HTTPStatusCode"] < 500, error
    assert error["Error"]["Code"] in (
        "InvalidParameterValueException",
        "RequestTooLargeException",
        "ValidationException",
    ), error
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)


@pytest.mark.parametrize("what", HARMLESS)
def test_a_strange_package_is_refused_or_harmless(client, what):
    name = "z" + uuid.uuid4().hex[:10]
    try:
        create(client, name, HARMLESS[what])
    except botocore.exceptions.ClientError as refused:
        assert 400 <= refused.response["ResponseMetadata"]["HTTPStatusCode"] < 500
        return
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    answer = client.invoke(FunctionName=name)
    assert json.load(answer["Payload"]) == "good" or "FunctionError" in answer


@pytest.mark.parametrize("what", ["no zip", "parent", "bomb", "link to a parent", "wrong checksum"])
def test_a_bad_update_changes_nothing(client, what):
    name = "u" + uuid.uuid4().hex[:10]
    functions.create(client, name, GOOD)
    before = client.get_function_configuration(FunctionName=name)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.update_function_code(FunctionName=name, ZipFile=REFUSED[what])
    assert refused.value.response["Error"]["Code"] in ("InvalidParameterValueException", "ValidationException")
    after = client.get_function_configuration(FunctionName=name)
    before.pop("ResponseMetadata"), after.pop("ResponseMetadata")
    assert after == before
    assert json.load(client.invoke(FunctionName=name)["Payload"]) == "good"


def test_the_text_of_the_refusal_is_that_of_aws(client):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        create(client, "broken", b"no zip")
    text = "Could not unzip uploaded file. Please check your file, then try to upload again."
    assert refused.value.response["Error"]["Message"] == text


def create(client, name, content):
    """Creates a function of a package as it is."""
    client.create_function(
        FunctionName=name,
        Runtime=functions.PYTHON,
        Handler="app.handler",
        Role=functions.ROLE,
        Code={"ZipFile": content},
    )
