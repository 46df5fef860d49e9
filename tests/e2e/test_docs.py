"""Every shell command that the documents show is run as it stands."""

import pathlib
import shutil

import pytest
from harness import readme
from harness.server import ROOT, Server, binary

DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
]
# What a document may leave to other tests: building, starting, testing, and what needs more than this machine.
COVERED = (
    "make",
    "cargo",
    "./frontgate",
    "frontgate",
    "target/",
    "git",
    "tests/",
    "python3 -m venv",
    "pip",
    "npm",
    "apt",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_a_document_shows_commands_that_work(document, client_environment, tmp_path):
    text = document.read_text()
    if not any(block.skip is None for block in readme.blocks(text)):
        return
    folder = tmp_path / "copy"
    if document.parent == ROOT:
        folder.mkdir()
        shutil.copytree(ROOT / "examples", folder / "examples")
    else:
        shutil.copytree(document.parent, folder)
    server = Server(tmp_path, "--runtime-substitution")
    server.start()
    try:
        # Readers have the program in their PATH.
        path = f"{binary().parent}:{client_environment['PATH']}"
        assert readme.check(text, server.port, folder, {**client_environment, "PATH": path}) > 0
        server.note_children()
    finally:
        server.stop()


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_only_commands_that_other_tests_cover_are_left_out(document):
    for block in readme.blocks(document.read_text()):
        if block.skip is not None:
            first = block.text.strip().split("\n")[0]
            assert first.startswith(COVERED), f"line {block.line}: `{first}` has to be run, not left out"


def test_there_are_examples_with_commands():
    counts = {
        path.parent.name: len(readme.blocks(path.read_text()))
        for path in DOCUMENTS
        if path.parent.parent.name == "examples"
    }
    assert set(counts) >= {"items", "faq", "users"} and all(counts.values()), counts
    assert pathlib.Path(ROOT, "README.md") in DOCUMENTS
