"""The functions' sandbox: functions that try to break out, as root and as an ordinary user, and `frontgate doctor`.

What this host does not offer is told as missing, and not tried: the tests then look for that.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import Clients
from harness import functions
from harness.server import Server

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
    status = dict(line.rstrip().split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
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

ORDINARY = "nobody"


def users():
    """As whom the server runs: as ourselves, and where that is root also as an ordinary user."""
    return ["own", ORDINARY] if os.getuid() == 0 else ["own"]


class OrdinaryServer(Server):
    """A server of another user, with a folder of its own."""


@pytest.fixture(scope="module", params=users())
def place(request, tmp_path_factory):
    """A running server and a client of its Lambda."""
    directory = tmp_path_factory.mktemp("sandbox")
    server = Server(directory, "--runtime-substitution")
    if request.param == ORDINARY:
        as_ordinary(server, directory)
    server.start()
    client = Clients(server)("lambda")
    functions.create(client, "Sandboxed", SOURCE, Timeout=20, MemorySize=256)
    yield server, client, directory
    server.stop()


def as_ordinary(server, directory):
    """Has a server run as nobody, from folders that this user can reach."""
    folder = pathlib.Path("/tmp") / f"frontgate-sandbox-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o755)
    raise NotImplementedError(server, directory)
