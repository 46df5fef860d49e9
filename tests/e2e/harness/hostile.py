"""Texts and JSON documents that are meant to break things: a few of our own, and those of a folder if one is named.

The variable FRONTGATE_VECTORS names a folder with `naughty-strings/blns.json` (a list of strings) and `json-parsing/`
(files whose names begin with y_, n_ or i_: JSON, not JSON, either).
"""

import json
import os
import pathlib

OWN_TEXTS = [
    "",
    " ",
    "\t",
    "\n",
    "\x00",
    "a\x00b",
    "\x01\x1b[31m\x7f",
    "a\r\nX-Injected: yes",
    "a\r\n\r\n<b>second answer</b>",
    "%0d%0aX-Injected: yes",
    "%",
    "%zz%00%c0%af",
    "..",
    "../../../etc/passwd",
    "/",
    "~1~0~2",
    "a/b?c=d&e#f",
    "'",
    '"',
    "\\",
    "'+'\"\\`$(id)`",
    "{}",
    "{{7*7}}${7*7}#{7*7}",
    "#set($x = 1)",
    "#foreach($i in [1..10])",
    "#end",
    "$input.params()",
    "$util.parseJson('{')",
    "$context.identity.class.forName('x')",
    "${stageVariables.x}",
    "integration.request.header.x",
    "method.request.querystring.*",
    "(a+)+$",
    "[",
    "(?=",
    "\\",
    "$..[?(@.a)]",
    "null",
    "-1",
    "1e400",
    "<script>alert(1)</script>",
    "'; DROP TABLE rows; --",
    "\u00e9\u00df",
    "\u65e5\u672c\u8a9e",
    "\U0001f4a9\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u202eright to left",
    "\u0130\u0131\u017f\u212a",
    "\u2028\u2029\ufeff\ufffe",
    "e" + "\u0301" * 60,
    "x" * 2000,
    "application/json",
    "arn:aws:apigateway:us-east-1::/restapis/*",
]
OWN_DOCUMENTS = {
    "y_object": b'{"a": [1, -0, 2.5e3, "\\u00e9\\ud83d\\ude00", true, false, null, {}]}',
    "y_spaces": b" \t\r\n[ ] \n",
    "y_name_twice": b'{"a": 1, "a": 2}',
    "y_escaped_nul": b'{"\\u0000": "\\u0000"}',
    "y_text": '"\u65e5\u672c"'.encode(),
    "n_cut": b'{"a": [1, 2',
    "n_comma": b'{"a": 1,}',
    "n_single_quotes": b"{'a': 1}",
    "n_bare_name": b"{a: 1}",
    "n_comment": b'{"a": 1} // b',
    "n_two": b"{} {}",
    "n_nan": b"[NaN]",
    "n_leading_zero": b"[012]",
    "n_control_character": b'["a\nb"]',
    "n_nul": b'{"a": 1}\x00',
    "n_word": b"hello",
    "i_latin_1": b'{"a": "\xe9"}',
    "n_utf_16": '{"a": 1}'.encode("utf-16"),
    "i_overlong": b'{"a": "\xc0\xaf\xe0\x80\xaf"}',
    "i_surrogate_bytes": b'{"a": "\xed\xa0\x80"}',
    "n_cut_character": b'{"a": "\xf0\x9f\x98',
    "n_deep": b"[" * 100_000,
    "i_deep": b"[" * 1000 + b"]" * 1000,
    "i_byte_order_mark": b"\xef\xbb\xbf{}",
    "i_lone_surrogate": b'["\\ud800"]',
    "i_large_number": b"[1e400, -1e400, 123456789012345678901234567890]",
}


def folder(name):
    """A folder of outside cases, or None."""
    root = os.environ.get("FRONTGATE_VECTORS")
    found = root and pathlib.Path(root) / name
    return found if found and found.is_dir() else None


def texts():
    """All texts, each once."""
    outside = folder("naughty-strings")
    more = json.loads((outside / "blns.json").read_text()) if outside else []
    assert outside is None or len(more) > 400
    return list(dict.fromkeys(OWN_TEXTS + more))


def documents():
    """All documents by name; the first letter says what they are."""
    outside = folder("json-parsing")
    more = {path.name: path.read_bytes() for path in sorted(outside.glob("[yni]_*"))} if outside else {}
    assert outside is None or len(more) > 150
    return {**OWN_DOCUMENTS, **more}
