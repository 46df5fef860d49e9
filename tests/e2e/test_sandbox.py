"""The functions' sandbox: functions that try to break out, as root and as an ordinary user, and `frontgate doctor`.

What this host does not offer is told as missing, and not tried: the tests then look for that.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest
from conftest import Clients
from harness import functions, processes
from harness.server import Server, binary

SOURCE = """
import ctypes, errno, json, os, signal, socket, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)

def handler(event, context):
    return globals()[event['do']](event)

def attempt(action):
    try:
        return repr(action())
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))

def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    return 'done' if result >= 0 else errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())

def look(event):
    status = {line.partition(':')[0]: line.partition(':')[2].strip() for line in open('/proc/self/status')}
    return {
        'user': [os.getuid(), os.getgid(), __import__('pwd').getpwuid(os.getuid()).pw_name],
        'processes': sorted(int(name) for name in os.listdir('/proc') if name.isdigit()),
        'mounts': [line.split()[1] for line in open('/proc/self/mounts')],
        'root': sorted(os.listdir('/')), 'tmp': os.listdir('/tmp'), 'task': os.environ['LAMBDA_TASK_ROOT'],
        'runtime': os.environ['LAMBDA_RUNTIME_DIR'], 'capabilities': status['CapEff'] + status['CapBnd'].strip('0'),
        'new_privileges': status['NoNewPrivs'], 'seccomp': status['Seccomp'],
    }

def read(event):
    found = {}
    for path in event['paths']:
        try:
            found[path] = os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(100).decode('latin-1')
        except OSError as error:
            found[path] = errno.errorcode[error.errno]
    return found

def write(event):
    return {path: attempt(lambda: open(path, 'ab').close()) for path in event['paths']}

def refused(event):
    ours = socket.socketpair()
    return {
        'ptrace': call(101, 16, os.getppid(), 0, 0), 'mount': call(165, b'none', b'/tmp', b'tmpfs', 0, 0),
        'unshare': call(272, 0x10000000), 'setns': call(308, 0, 0), 'keyctl': call(250, 0, 0), 'bpf': call(321, 0, 0, 0),
        'perf': call(298, 0, 0, 0, 0, 0), 'io_uring': call(425, 1, 0), 'module': call(313, 0, b'', 0),
        'kexec': call(246, 0, 0, 0, 0), 'chroot': call(161, b'/tmp'), 'userfaultfd': call(323, 0),
        'clone': call(56, 0x10000000 | 17, 0, 0, 0, 0), 'clone3': call(435, 0, 0),
        'packet': attempt(lambda: socket.socket(17, socket.SOCK_RAW, 0)),
        'raw': attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        'audit': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)),
        'names': attempt(lambda: len(socket.if_nameindex()) > 0),
    }

def first(event):
    # The first process of the environment runs as the same user.
    return {
        'kill': attempt(lambda: os.kill(1, signal.SIGKILL)), 'memory': attempt(lambda: open('/proc/1/mem', 'rb')),
        'environ': attempt(lambda: open('/proc/1/environ', 'rb')), 'program': attempt(lambda: os.readlink('/proc/1/exe')),
        'parent': os.getppid(), 'fine': 'yes',
    }

def bomb(event):
    children = []
    try:
        for _ in range(5000):
            child = os.fork()
            if child == 0:
                time.sleep(1000)
            children.append(child)
    except OSError as error:
        return [len(children), errno.errorcode[error.errno]]
    return [len(children), None]

def fill(event):
    written = 0
    try:
        with open('/tmp/full', 'wb', buffering=0) as file:
            for _ in range(1024):
                written += file.write(bytes(1 << 20))
    except OSError as error:
        return [written >> 20, errno.errorcode[error.errno]]
    return [written >> 20, None]

def share(event):
    # No process alone has more than it may.
    for _ in range(6):
        if os.fork() == 0:
            held = bytearray(os.urandom(1)) * (100 << 20)
            time.sleep(100)
    time.sleep(100)

def crash(event):
    os._exit(1)

def daemon(event):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open('/proc/self/comm', 'w').write(event['name'])
            for number in range(3, 100):
                try: os.close(number)
                except OSError: pass
            while True: time.sleep(1)
        os._exit(0)
    time.sleep(event['stay'])
    return 'left'
"""

NOBODY = 65534

# A command in front of another that leaves it no right to namespaces.
FORBID = "echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_mnt_namespaces; exec \"$@\""
WITHOUT_NAMESPACES = ["unshare", "--user", "--map-root-user", "sh", "-c", FORBID, "sh"]

# The group of an environment.
GROUP = re.compile(r".*/frontgate-functions-[0-9a-f-]{36}/environment-[0-9]+")

# Of this user, also while a server of another runs.
PROGRAM = binary()


def doctor(*command, program=None):
    """The state of each layer on this host, and the whole text."""
    told = subprocess.run([*command, program or binary(), "doctor"], capture_output=True, text=True, timeout=60)
    lines = [line.split() for line in told.stdout.splitlines() if line.startswith("  ") and line[2] != " "]
    assert told.returncode in (0, 1), told.stderr
    return {line[0]: line[1] for line in lines}, told


@pytest.fixture(scope="module", params=["own", "nobody"])
def place(request):
    """A server of ours, or of a user without rights: the state of its layers, a client, its data directory."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="frontgate-sandbox-"))
    folder.chmod(0o755)
    if request.param == "nobody" and os.getuid() != 0:
        pytest.skip("only root can become another user; `own` is an ordinary user here")
    with pytest.MonkeyPatch.context() as patch:
        command = []
        if request.param == "nobody":
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            program, wrapper = folder / "program", folder / "frontgate"
            shutil.copy(binary(), program)
            wrapper.write_text(f'#!/bin/sh\nexec {" ".join(command)} {program} "$@"\n')
            wrapper.chmod(0o755)
            os.chown(folder, NOBODY, NOBODY)
            # Interpreters in homes are not this user's to run.
            patch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
            patch.setenv("FRONTGATE_BIN", str(wrapper))
        layers, _ = doctor()
        server = Server(folder, "--runtime-substitution").start()
        client = Clients(server)("lambda")
        functions.create(client, "Sandboxed", SOURCE, Timeout=20, MemorySize=256)
        yield layers, client, server
        server.stop()
    shutil.rmtree(folder)


def do(client, what, **more):
    """Has the function do something; returns what it answers."""
    answer = client.invoke(FunctionName="Sandboxed", Payload=json.dumps({"do": what, **more}))
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return told


def failure(client, what, **more):
    """Has the function do something that it does not survive; returns how that is told."""
    answer = client.invoke(FunctionName="Sandboxed", Payload=json.dumps({"do": what, **more}))
    assert "FunctionError" in answer
    return json.loads(answer["Payload"].read())["errorMessage"]


def needs(layers, *names):
    """Ends a test whose layers this host lacks, which `doctor` has then said."""
    missing = [name for name in names if layers.get(name) != "active"]
    if missing:
        assert all(layers[name] == "missing" for name in missing), layers
        pytest.skip(f"this host lacks {missing}")


def test_it_is_alone_and_unprivileged(place):
    layers, client, _ = place
    needs(layers, "namespaces", "files", "capabilities", "seccomp")
    seen = do(client, "look")
    # An interpreter is found at its own path, wherever the host keeps it.
    interpreter = {pathlib.Path(path).parts[1] for path in (sys.prefix, sys.base_prefix)}
    assert seen["user"] == [993, 990, "sbx_user1051"]
    assert seen["processes"] == [1, 2]
    assert (seen["task"], seen["runtime"]) == ("/var/task", "/var/runtime")
    assert set(seen["root"]) <= {
        "bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "nix", "opt", "proc", "root", "sbin", "tmp", "usr", "var", "home",
        "lambda-entrypoint.sh",
    } | interpreter
    assert seen["capabilities"].strip("0") == ""
    assert (seen["new_privileges"], seen["seccomp"]) == ("1", "2")


def test_it_reads_nothing_of_the_host(place):
    layers, client, server = place
    needs(layers, "files")
    told = do(client, "read", paths=[str(server.data_dir), str(server.data_dir / "functions"), "/etc/shadow", "/home/x", "/sys", "/run"])
    assert set(told.values()) == {"ENOENT"}, told


def test_it_writes_only_to_its_temporary_folder(place):
    layers, client, _ = place
    needs(layers, "files")
    own = {"/tmp/own-file": "None"}
    not_own = ["/var/task/app.py", "/var/task/new", "/var/runtime/x", "/opt/x", "/etc/passwd", "/usr/x", "/x", "/dev/x"]
    told = do(client, "write", paths=[*own, *not_own])
    assert told.pop("/tmp/own-file") == "None"
    assert set(told.values()) <= {"EROFS", "EACCES"}, told


def test_dangerous_calls_are_refused(place):
    layers, client, _ = place
    needs(layers, "seccomp")
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of the calls are those of x86-64")
    told = do(client, "refused")
    assert told.pop("clone3") == "ENOSYS"
    assert told.pop("names") == "True"
    assert set(told.values()) == {"EPERM"}, told


def test_the_first_process_is_out_of_reach(place):
    layers, client, _ = place
    needs(layers, "namespaces")
    told = do(client, "first")
    assert (told["memory"], told["environ"], told["program"]) == ("EACCES", "EACCES", "EACCES"), told
    assert told["parent"] == 1
    # A signal that is not delivered is no error.
    assert do(client, "first")["fine"] == "yes"


def test_a_fork_bomb_stays_inside(place):
    layers, client, _ = place
    needs(layers, "namespaces")
    answer = client.invoke(FunctionName="Sandboxed", Payload=json.dumps({"do": "bomb"}))
    told = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        # What so many have together was too much.
        assert told["errorMessage"].endswith("signal: killed"), told
    else:
        assert told[0] < 1024 and told[1] == "EAGAIN", told
    # What the bomb has left may be ended for its memory at any time: others get a new environment.
    client.update_function_configuration(FunctionName="Sandboxed", Description="after the bomb")
    client.get_waiter("function_updated_v2").wait(FunctionName="Sandboxed", WaiterConfig={"Delay": 1})
    assert do(client, "look")["user"][0] == 993


def test_its_temporary_folder_is_bounded(place):
    layers, client, _ = place
    needs(layers, "files")
    written, why = do(client, "fill")
    assert (why, 400 < written <= 512) == ("ENOSPC", True), (written, why)


def test_its_temporary_folder_outlives_a_timeout(place):
    layers, client, _ = place
    needs(layers, "files")
    functions.create(client, "Kept", SOURCE, Timeout=2, MemorySize=256)

    def call(**event):
        return client.invoke(FunctionName="Kept", Payload=json.dumps(event))

    assert "FunctionError" not in call(do="write", paths=["/tmp/kept"])
    assert "Task timed out" in json.loads(call(do="daemon", name="kept", stay=30)["Payload"].read())["errorMessage"]
    told = call(do="look")
    assert json.loads(told["Payload"].read())["tmp"].count("kept") == 1
    # What came in its place may change what it has found.
    assert json.loads(call(do="write", paths=["/tmp/kept", "/tmp/more"])["Payload"].read())["/tmp/kept"] == "None"
    assert json.loads(call(do="crash")["Payload"].read())["errorType"] == "Runtime.ExitError"
    assert {"kept", "more"} <= set(json.loads(call(do="look")["Payload"].read())["tmp"])


def test_memory_is_bounded_over_all_processes(place):
    layers, client, _ = place
    needs(layers, "memory")
    assert failure(client, "share").endswith("Runtime exited with error: signal: killed")


def test_nothing_outlives_its_environment(place):
    layers, client, _ = place
    client.update_function_configuration(FunctionName="Sandboxed", Timeout=2)
    client.get_waiter("function_updated_v2").wait(FunctionName="Sandboxed", WaiterConfig={"Delay": 1})
    name = f"left{os.getpid()}"
    assert "Task timed out after 2.00 seconds" in failure(client, "daemon", name=name, stay=30)

    def is_gone():
        names = [path.read_text().strip() for path in pathlib.Path("/proc").glob("[0-9]*/comm") if path.exists()]
        return name not in names

    processes.poll(is_gone, 20)


def group_of(process):
    """The control group of a process, as cgroup v2 names it."""
    lines = pathlib.Path(f"/proc/{process}/cgroup").read_text().splitlines()
    return next(line.removeprefix("0::") for line in lines if line.startswith("0::"))


def groups_folder():
    """Our own control group's folder."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    mount = next(fields[1] for fields in mounts if fields[2] == "cgroup2")
    return pathlib.Path(mount + group_of("self"))


def groups_of_those_named(name):
    """The control groups of the processes with a name, but of those that have ended and wait to be told of."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            comm, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            if comm == name and rest.split()[0] not in "ZX":
                found[int(folder.name)] = group_of(folder.name)
        except OSError:
            pass
    return found


def test_each_environment_is_a_control_group(place):
    layers, client, server = place
    needs(layers, "cgroup")
    do(client, "look")
    programs = processes.descendants(server.process.pid)
    launcher = [pid for pid in programs if processes.table()[pid][0] == server.process.pid]
    assert len(launcher) == 1 and len(programs) >= 3, programs
    outside = {pid: group_of(pid) for pid in programs if not GROUP.fullmatch(group_of(pid))}
    assert set(outside) == set(launcher), outside
    assert outside[launcher[0]] == group_of(server.process.pid)


def test_the_control_group_of_an_environment_ends_with_it(place):
    layers, client, _ = place
    needs(layers, "cgroup")
    name = f"ends{os.getpid()}"
    assert do(client, "daemon", name=name, stay=0) == "left"
    [group] = processes.poll(lambda: list(groups_of_those_named(name).values()) or False, 10)
    folder = groups_folder() / pathlib.Path(group).relative_to(group_of("self"))
    assert folder.is_dir()
    client.update_function_configuration(FunctionName="Sandboxed", Description="no environment of before remains")
    client.get_waiter("function_updated_v2").wait(FunctionName="Sandboxed", WaiterConfig={"Delay": 1})
    processes.poll(lambda: not folder.exists(), 20)
    assert groups_of_those_named(name) == {}


def test_a_kernel_that_ends_groups_needs_no_namespaces(tmp_path, monkeypatch):
    """Frontgate is killed, and its launcher with it, where no namespace ends what a function has left; the next does."""
    states, _ = doctor(*WITHOUT_NAMESPACES, program=PROGRAM)
    if states.get("cgroup") != "active":
        pytest.skip("no control groups are delegated to this user, or this host has no user namespaces")
    assert states["namespaces"] == "missing"
    program = tmp_path / "frontgate"
    program.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in [*WITHOUT_NAMESPACES, PROGRAM]) + ' "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("FRONTGATE_BIN", str(program))
    server = Server(tmp_path, "--runtime-substitution").start()
    try:
        client = Clients(server)("lambda")
        functions.create(client, "Sandboxed", SOURCE, Timeout=20, MemorySize=256)
        name = f"kept{os.getpid()}"
        assert do(client, "daemon", name=name, stay=0) == "left"
        left = processes.poll(lambda: groups_of_those_named(name) or False, 10)
        assert len(left) == 1 and all(GROUP.fullmatch(group) for group in left.values()), left
        folder = groups_folder() / pathlib.Path(next(iter(left.values()))).parent.name
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        assert groups_of_those_named(name) == left
        server.start()
        assert groups_of_those_named(name) == {} and not folder.exists()
        # An orderly end leaves no group.
        assert do(client, "daemon", name=name, stay=0) == "left"
        [group] = processes.poll(lambda: list(groups_of_those_named(name).values()) or False, 10)
        folder = groups_folder() / pathlib.Path(group).parent.name
        assert folder.is_dir()
        server.stop()
        assert groups_of_those_named(name) == {} and not folder.exists()
    finally:
        server.stop()


def test_a_group_that_is_delegated_to_an_ordinary_user_is_made_use_of(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can delegate a group")
    states, _ = doctor(program=PROGRAM)
    if states["cgroup"] != "active":
        pytest.skip("no control groups are delegated to this user")
    group = groups_folder() / f"frontgate-test-{os.getpid()}"
    program = pathlib.Path(shutil.copy(PROGRAM, tempfile.mkdtemp(prefix="frontgate-sandbox-")))
    program.parent.chmod(0o755)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    group.mkdir()
    try:
        inside = ["sh", "-c", f"echo 0 > {group}/cgroup.procs; exec \"$@\"", "sh", *as_nobody]
        assert doctor(*inside, program=program)[0]["cgroup"] == "missing"
        for file in [group, group / "cgroup.procs", group / "cgroup.subtree_control"]:
            os.chown(file, NOBODY, NOBODY)
        # As systemd marks it.
        os.setxattr(group, "user.delegate", b"1")
        assert doctor(*inside, program=program)[0]["cgroup"] == "active"
        # Nothing is left of what was tried.
        assert not [inner for inner in group.iterdir() if inner.is_dir() and inner.name != "frontgate-server"]
    finally:
        # What doctor has started may take a moment to be gone.
        processes.poll(lambda: "populated 0" in (group / "cgroup.events").read_text(), 10)
        for inner in [*group.glob("*/"), group]:
            inner.rmdir()
        shutil.rmtree(program.parent)


NAMES = """
import os
STARTED = os.urandom(8).hex()
def handler(event, context):
    return [open("/etc/resolv.conf").read(), open("/etc/hosts").read(), STARTED]
"""


def test_a_function_that_runs_sees_how_names_are_found_now(tmp_path, monkeypatch):
    """With an `/etc` of the test's own: a laptop changes its network, where `/etc/resolv.conf` is a link."""
    separate = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*separate, "true"], capture_output=True).returncode != 0:
        pytest.skip("this host has no user namespaces")
    etc, run = tmp_path / "etc", tmp_path / "etc" / "run"
    run.mkdir(parents=True)
    for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache", "hosts"):
        if pathlib.Path("/etc", name).exists():
            shutil.copy(pathlib.Path("/etc", name), etc / name)
    (etc / "resolv.conf").symlink_to("run/resolv.conf")
    (run / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    wrapper = tmp_path / "frontgate"
    command = " ".join(separate)
    wrapper.write_text(f"#!/bin/sh\nexec {command} sh -c 'mount --bind {etc} /etc && exec {PROGRAM} \"$@\"' sh \"$@\"\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("FRONTGATE_BIN", str(wrapper))
    (tmp_path / "data").mkdir()
    server = Server(tmp_path / "data", "--runtime-substitution").start()
    try:
        client = Clients(server)("lambda")
        functions.create(client, "Names", NAMES)

        running = set()

        def seen():
            answer = json.loads(client.invoke(FunctionName="Names")["Payload"].read())
            running.add(answer[2])
            return answer

        def comes_to_see(place, text, change):
            """An environment that ran before the change sees it. A call may get another, where the last is not free yet."""
            before = set(running)
            change()
            processes.poll(lambda: (answer := seen())[2] in before and text in answer[place], 20)

        assert "192.0.2.1" in seen()[0]
        (run / "new").write_text("nameserver 192.0.2.2\n")
        comes_to_see(0, "192.0.2.2", lambda: (run / "new").replace(run / "resolv.conf"))
        comes_to_see(1, "192.0.2.9 printer", lambda: (etc / "hosts").write_text("192.0.2.9 printer\n"))
        (etc / "resolv.conf").unlink()
        comes_to_see(0, "192.0.2.3", lambda: (etc / "resolv.conf").write_text("nameserver 192.0.2.3\n"))
    finally:
        server.stop()


def test_doctor_tells_every_layer(place):
    layers, _, _ = place
    assert set(layers) == {"namespaces", "files", "capabilities", "landlock", "seccomp", "cgroup", "memory"}
    states, told = doctor()
    missing = {name for name, state in states.items() if state == "missing"}
    # Others do what control groups would.
    assert (told.returncode == 0) == (missing <= {"cgroup"})
    assert told.stdout.count("why:") == told.stdout.count("next:") == len(missing)


def test_strict_names_what_is_missing():
    """In a namespace that allows no further ones, so that a layer is missing on every host."""
    folder = tempfile.mkdtemp(prefix="frontgate-strict-")
    command = WITHOUT_NAMESPACES
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        pytest.skip("this host has no user namespaces, so that strict refuses by itself")
    states, told = doctor(*command, program=PROGRAM)
    assert (states["namespaces"], told.returncode) == ("missing", 1), told.stdout
    serve = [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--sandbox", "strict"]
    refused = subprocess.run([*command, *serve], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "`--sandbox strict`: this host lacks namespaces (" in refused.stderr
    shutil.rmtree(folder)
