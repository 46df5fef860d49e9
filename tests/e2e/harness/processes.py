"""Looks at the processes of this machine, to prove that a stopped server left none behind."""

import ctypes
import os
import pathlib
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Makes this process the parent of every orphan below it, so that a double fork cannot hide from `descendants`."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def table():
    """Every process as {pid: (parent, start time, command line)}."""
    processes = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name of a program may hold blanks and brackets; the fields after the last bracket do not.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if fields[0] not in "ZX":
            processes[int(entry.name)] = (int(fields[1]), int(fields[19]), command)
    return processes


def descendants(root):
    """The children of a process, their children and so on, as {pid: (start time, command line)}."""
    processes = table()
    found, level = {}, [root]
    while level:
        level = [pid for pid, (parent, _, _) in processes.items() if parent in level and pid not in found]
        found.update({pid: processes[pid][1:] for pid in level})
    return found


def survivors(seen, seconds=5.0):
    """Which of the processes once seen are still alive after at most `seconds`."""

    def alive():
        processes = table()
        return {
            pid: command for pid, (start, command) in seen.items() if pid in processes and processes[pid][1] == start
        }

    return poll(lambda: not alive() and {}, seconds, default=alive)


def poll(question, seconds, default=None, pause=0.02):
    """Asks until the answer is not False; after `seconds` returns what `default` says, or raises if it is None."""
    deadline = time.monotonic() + seconds
    while (answer := question()) is False:
        if time.monotonic() > deadline:
            if default is None:
                raise AssertionError(f"did not happen within {seconds} seconds: {question}")
            return default()
        time.sleep(pause)
    return answer


def children():
    """The direct children of this process as {pid: (start time, command line)}; adopted orphans are among them."""
    return {pid: about[1:] for pid, about in table().items() if about[0] == os.getpid()}
