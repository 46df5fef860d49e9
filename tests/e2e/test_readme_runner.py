"""The runner of documents: a test that passes because it ran nothing would be worse than none."""

import pytest
from harness import readme

DOCUMENT = """
```sh
echo one; A=two
```

```text
one
```

Words in between.

```sh
echo "$A 127.0.0.1:4566"
```

```text
t... 127.0.0.1:7
```

<!-- test: skip another test covers it -->

```sh
exit 3
```
"""


def test_blocks_are_found_with_what_they_print():
    found = readme.blocks(DOCUMENT)
    assert [block.expected for block in found] == ["one", "t... 127.0.0.1:7", None]
    assert [block.skip for block in found] == [None, None, "another test covers it"]


def test_a_document_that_tells_the_truth_passes(tmp_path, client_environment):
    assert readme.check(DOCUMENT, 7, tmp_path, client_environment) == 2


@pytest.mark.parametrize(
    "change", [("\none\n", "\nother\n"), ("t... 127", "x... 127"), ("echo one", "false; echo one")]
)
def test_a_document_that_does_not_fails(change, tmp_path, client_environment):
    with pytest.raises(AssertionError):
        readme.check(DOCUMENT.replace(*change), 7, tmp_path, client_environment)


def test_wildcards_stand_for_text_and_for_lines():
    assert readme.matches('...\n{"a": "..."}', 'x\ny\n{"a": "b"}\n')
    assert readme.matches("...\nlast", "last")
    assert not readme.matches("...\nlast", "last\nmore")
    assert not readme.matches("a...c", "a\nc")
