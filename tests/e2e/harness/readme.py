"""Runs the shell commands that a document shows, in order and unchanged, and compares what it says they print.

A ```sh block is run. A ```text block right after it is what the run must print: line by line, blank lines aside, `...`
standing for any text within a line, and a line that is only `...` for any number of lines. A block below the comment
`<!-- test: skip REASON -->` is not run. The one thing that is changed is the address: where a document says
127.0.0.1:4566, the test's own server is called.
"""

import dataclasses
import re
import subprocess

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)\s*$")
SKIP = re.compile(r"<!--\s*test:\s*skip\s+(?P<reason>\S.*?)\s*-->")
END = "----- end of block {} -----"


@dataclasses.dataclass
class Block:
    """One ```sh block: where it begins, its text, what it must print (None: anything), why it is not run (None: it is)."""

    line: int
    text: str
    expected: str | None = None
    skip: str | None = None


def blocks(document):
    """The shell blocks of a Markdown text."""
    found, lines = [], document.splitlines()
    previous, skip, index = None, None, 0
    while index < len(lines):
        fence = FENCE.match(lines[index])
        if not fence:
            if comment := SKIP.search(lines[index]):
                skip = comment["reason"]
            elif lines[index].strip():
                previous, skip = None, None
            index += 1
            continue
        start, indent = index + 1, len(fence["indent"])
        end = next((n for n in range(start, len(lines)) if lines[n].strip() == "```"), len(lines))
        text = "\n".join(line[indent:] for line in lines[start:end])
        if fence["language"] in ("sh", "bash", "shell", "console"):
            assert fence["language"] == "sh", f"line {start}: mark shell commands as sh, so that they are tested"
            previous = Block(start + 1, text, skip=skip)
            found.append(previous)
        elif fence["language"] == "text" and previous is not None:
            previous.expected = text
            previous = None
        else:
            previous = None
        skip, index = None, end + 1
    return found


def run(document, port, directory, environment, timeout=280):
    """Runs a document's blocks in one bash that stops at the first failure; returns [(block, what it printed)]."""
    wanted = [block for block in blocks(document) if block.skip is None]
    script = ["set -eu"]
    for number, block in enumerate(wanted):
        script += [block.text.replace("4566", str(port)), f"printf '\\n%s\\n' '{END.format(number)}'"]
    completed = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    outputs, rest = [], completed.stdout
    for number, block in enumerate(wanted):
        output, mark, rest = rest.partition(END.format(number))
        outputs.append((block, output))
        assert mark, (
            f"the block at line {block.line} failed with status {completed.returncode}\n{block.text}\n"
            f"it printed: {output}\nerrors: {completed.stderr[-2000:]}"
        )
    return outputs


def check(document, port, directory, environment):
    """Runs a document's blocks and compares what they print; returns how many were run."""
    outputs = run(document, port, directory, environment)
    for block, output in outputs:
        if block.expected is not None:
            assert matches(block.expected, output), (
                f"the block at line {block.line} printed\n{output}\nbut the document says\n{block.expected}"
            )
    return len(outputs)


def matches(expected, output):
    """Whether an output is what a document says."""
    pattern = ""
    for line in significant(expected):
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in significant(output))) is not None


def significant(text):
    """The lines that are not blank, without blanks at their ends."""
    return [line.strip() for line in text.splitlines() if line.strip()]
