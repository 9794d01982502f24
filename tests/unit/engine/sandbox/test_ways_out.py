"""Native code in a worker gets no memory beyond its limit, and cannot reach other processes."""

import json
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quantcloud.engine.sandbox import landlock, seccomp

pytestmark = pytest.mark.skipif(
    not seccomp.is_supported() or landlock.abi_version() == 0,
    reason="this machine cannot confine a worker",
)

# Run in a separate process, because the confinement cannot be undone. For each attempt it prints
# its error, or "done".
CONFINED = """
import asyncio, ctypes, fcntl, json, mmap, os, resource, socket, struct, sys
from quantcloud.engine.sandbox import confinement, seccomp

libc = ctypes.CDLL(None, use_errno=True)
for name in ("mmap", "mremap"):
    getattr(libc, name).restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.syscall.argtypes = [ctypes.c_long] * 6
libc.syscall.restype = ctypes.c_long
libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
PRIVATE, GROWSDOWN, NORESERVE, MAY_MOVE = 0x22, 0x100, 0x4000, 1
MIB, LIMIT = 1 << 20, 64 << 20
name = sys.argv[1].encode()
file = os.open(os.__file__, os.O_RDONLY)
reading, writing = os.pipe()
confinement.confine(
    confinement.Confinement(LIMIT, confinement.readable_paths([]), gpu=sys.argv[2] == "gpu")
)

def checked(result):
    if result in (None, -1, 2**64 - 1):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def mapped(size, protection, flags=PRIVATE):
    return checked(libc.mmap(None, size, protection, flags, -1, 0))

def call(name, *arguments):
    column = os.uname().machine != "x86_64"
    number = seccomp._REFUSED[name][column]
    return checked(libc.syscall(number, *[*arguments, 0, 0, 0, 0, 0][:5]))

def stack():
    with open("/proc/self/maps") as maps:
        (line,) = (line for line in maps if "[stack]" in line)
    return int(line.partition("-")[0], 16)

def sealed():
    # Memory that was written and then made read-only no longer counts as writable.
    for _ in range(200):
        libc.mprotect(mapped(LIMIT // 2, mmap.PROT_READ | mmap.PROT_WRITE), LIMIT // 2, 1)

def sent_to_a_name(kind):
    own, _ = socket.socketpair(socket.AF_UNIX, kind)
    own.sendto(b"x", name)

def sent_on_a_stream():
    own, _ = socket.socketpair()
    own.sendto(b"x", name)

def reallocated():
    address = None
    for size in (1, 4, 16, 32):
        address = checked(libc.realloc(address, size * MIB // 2))
        ctypes.memset(address, size, size * MIB // 2)

def locked(command):
    fcntl.fcntl(file, command, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 1, 0))

attempts = {
    "the stack, moved and grown": lambda: libc.memset(
        checked(libc.mremap(stack(), 4096, 2048 * MIB, MAY_MOVE)), 1, 4096),
    "the stack, unlimited": lambda: resource.setrlimit(
        resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    "memory that grows down": lambda: mapped(MIB, 3, PRIVATE | GROWSDOWN),
    "page tables": lambda: mapped(1 << 40, mmap.PROT_READ, PRIVATE | NORESERVE),
    "the heap": lambda: mapped(2 * LIMIT, 3),
    "shared memory": lambda: mmap.mmap(-1, 4096),
    "a file in memory": lambda: os.memfd_create("x"),
    "pages in a pipe": lambda: call("vmsplice", writing, 0, 0, 0),
    "a file in a pipe": lambda: os.splice(file, writing, 4096),
    "a shadow stack": lambda: call("map_shadow_stack", 0, MIB, 0),
    "a System V queue by its number": lambda: call("msgrcv", 0, 0, 0, 0, 0),
    "a System V semaphore by its number": lambda: call("semop", 0, 0, 0),
    "asynchronous reads": lambda: call("io_setup", 1, 0),
    "a watch on files": lambda: call("inotify_init1", 0),
    "a datagram to a name": lambda: sent_to_a_name(socket.SOCK_DGRAM),
    "a raw message to a name": lambda: sent_to_a_name(socket.SOCK_RAW),
    "a packet to a name": lambda: sent_to_a_name(socket.SOCK_SEQPACKET),
    "a stream to a name": sent_on_a_stream,
    "a pair of another family": lambda: socket.socketpair(socket.AF_TIPC),
    "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a socket of virtual machines": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    "the machine's connections": lambda: open("/proc/self/net/tcp").close(),
    "the connections of a thread": lambda: open("/proc/thread-self/net/unix").close(),
    "a lock on a file": lambda: fcntl.flock(file, fcntl.LOCK_SH),
    "a lock on a part": lambda: locked(fcntl.F_SETLK),
    "a lock on a part, of an open file": lambda: locked(fcntl.F_OFD_SETLK),
    "writing all disks": lambda: call("sync"),
    # Simulators and the interpreter need these.
    "growing what is allocated": reallocated,
    "an event loop": lambda: asyncio.run(asyncio.sleep(0)),
    "its own memory figures": lambda: open("/proc/self/status").close(),
    # This comes last, because it takes all memory.
    "memory that is written and sealed": sealed,
}
found = {}
for attempt, body in attempts.items():
    try:
        body()
    except (OSError, ValueError) as error:
        found[attempt] = " ".join(map(str, (type(error).__name__, *error.args[:1])))
    else:
        found[attempt] = "done"
print(json.dumps([found, resource.getrlimit(resource.RLIMIT_AS)[1]]))
"""

NOT_PERMITTED, NO_MEMORY = "PermissionError 1", "OSError 12"
OTHERWISE = {
    "the stack, unlimited": "ValueError not allowed to raise maximum limit",
    "memory that is written and sealed": NO_MEMORY,
    "page tables": NO_MEMORY,
    "the heap": NO_MEMORY,
    "a stream to a name": "OSError 106",  # EISCONN
    "the machine's connections": "PermissionError 13",
    "the connections of a thread": "PermissionError 13",
    "growing what is allocated": "done",
    "an event loop": "done",
    "its own memory figures": "done",
}


def confined(tmp_path: Path, kind: str) -> tuple[dict[str, str], int]:
    """Return the result of each attempt, and `RLIMIT_AS`. A datagram socket waits at a name."""
    name = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind(name)
        outside.settimeout(0)
        ended = subprocess.run(
            [sys.executable, "-c", CONFINED, name, kind], capture_output=True, check=True, text=True
        )
        with pytest.raises(BlockingIOError):
            outside.recv(1)
    return json.loads(ended.stdout)


def test_native_code_gets_no_extra_memory_and_reaches_no_process(tmp_path: Path):
    found, _ = confined(tmp_path, "cpu")
    assert found == {attempt: OTHERWISE.get(attempt, NOT_PERMITTED) for attempt in found}


def test_a_worker_with_a_gpu_may_map_its_address_window(tmp_path: Path):
    found, most = confined(tmp_path, "gpu")
    assert most == resource.getrlimit(resource.RLIMIT_AS)[1]
    assert found["the stack, moved and grown"] == NOT_PERMITTED
    assert found["a datagram to a name"] == NOT_PERMITTED
