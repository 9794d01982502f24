"""A backend that does to its worker what the execution's method says.

A test's engine finds it by its entry point. It imports no simulator.
"""

import ctypes
import fcntl
import mmap
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quantcloud.backends.resources import Resources
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Outcome, Statevector
from quantcloud.routing.method import Refusal

SECRET = Path(__file__).parent / "hidden" / "secret.db"
VISIBLE = Path(__file__).parent / "visible.txt"

libc = ctypes.CDLL(None, use_errno=True)


def schedule(process, policy):
    os.sched_setscheduler(process, policy, os.sched_param(0))


def in_thread(function, *arguments):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()


def system(name, *arguments):
    """Call a function of the C library. Raises its error as `OSError`."""
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


class Executor:
    def __init__(self):
        self.kept = []

    def run(self, circuit, execution):
        metadata = {"pid": os.getpid(), "qubits": circuit.num_qubits}
        extra = getattr(self, execution.method)(execution) or {}
        counts = extra.pop("counts", {"00": execution.shots})
        return Outcome(
            counts=counts,
            execution_time_ms=1.5,
            statevector=extra.pop("statevector", None),
            memory=extra.pop("memory", None),
            metadata={**metadata, **extra},
        )

    def succeed(self, _execution):
        pass

    def last_a_while(self, _execution):
        time.sleep(0.3)

    def loop_in_c(self, _execution):
        # One bytecode instruction that takes hours and cannot be interrupted by a signal handler.
        3 ** (10**11)

    def raise_error(self, _execution):
        raise ValueError("cannot\n\topen /var/lib/quantcloud/secret.db\x1b[31m " + "x" * 1000)

    def raise_exit(self, _execution):
        sys.exit("enough")

    def recurse(self, execution):
        self.recurse(execution)

    def crash(self, _execution):
        ctypes.string_at(0)

    def leave(self, _execution):
        os._exit(3)

    def eat_memory(self, _execution):
        while True:
            self.kept.append(bytearray(32 << 20))

    def keep_much(self, _execution):
        self.kept.append(bytearray(160 << 20))

    def take_much(self, _execution):
        bytearray(160 << 20)

    def take_much_late(self, _execution):
        time.sleep(0.3)
        bytearray(160 << 20)

    def say_out_of_memory(self, _execution):
        raise RuntimeError("Insufficient memory to run circuit circuit-7 using the simulator.")

    def give_unencodable(self, _execution):
        return {"where": object()}

    def give_many(self, _execution):
        return {
            "counts": {f"{number:020b}": 1 + number % 7 for number in range(100_000)},
            "statevector": Statevector((0.1,) * 65_536, (float("-inf"),) * 65_536),
            "memory": tuple(f"{number:020b}" for number in range(100_000)),
        }

    def give_nothing(self, execution):
        return {"counts": {"": execution.shots}, "memory": ("",) * execution.shots}

    def tell_modules(self, _execution):
        return {"modules": sorted(sys.modules)}

    def look_around(self, _execution):
        return {
            "environment": dict(os.environ),
            "descriptors": [path.name for path in Path("/proc/self/fd").iterdir()],
            "streams": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in range(3)],
            "folder": str(Path.cwd()),
            "limits": {
                name: resource.getrlimit(getattr(resource, name))[0]
                for name in ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_DATA")
            },
            "status": Path("/proc/self/status").read_text(),
        }

    def break_out(self, _execution):
        parent = os.getppid()
        attempts = {
            "read visible": VISIBLE.read_text,
            "read hidden": SECRET.read_text,
            "list hidden": lambda: list(SECRET.parent.iterdir()),
            "read passwd": Path("/etc/passwd").read_text,
            "read parent's environment": Path(f"/proc/{parent}/environ").read_bytes,
            "list root": lambda: list(Path("/").iterdir()),
            "write": lambda: VISIBLE.write_text("changed"),
            "make file": (VISIBLE.parent / "new.txt").touch,
            "remove": VISIBLE.unlink,
            "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
            "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
            "run": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
            "signal the parent": lambda: os.kill(parent, 0),
            "fork": os.fork,
            "limit the parent": lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (0, 0)),
            "move the parent": lambda: os.sched_setaffinity(parent, {0}),
            "slow the parent": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
            "stop the parent": lambda: schedule(parent, os.SCHED_IDLE),
            "batch": lambda: schedule(0, os.SCHED_BATCH),
            "give way": lambda: in_thread(schedule, 0, os.SCHED_IDLE),
            "outlive the parent": lambda: system("prctl", 1, 0),
            "own signals": lambda: fcntl.fcntl(socket.socketpair()[0], fcntl.F_SETOWN, parent),
            "own group": lambda: fcntl.ioctl(socket.socketpair()[0], 0x8902, b"\1\0\0\0"),
            "lease": lambda: fcntl.fcntl(VISIBLE.open(), fcntl.F_SETLEASE, fcntl.F_RDLCK),
            "close to others": lambda: VISIBLE.chmod(0),
            "set back": lambda: os.utime(VISIBLE, (0, 0)),
            "label": lambda: os.setxattr(VISIBLE, "user.label", b""),
            "give away": lambda: os.chown(VISIBLE, 1, 1),
            "share memory": lambda: mmap.mmap(-1, 4096),
            "share nothing": lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 4096),
            "grow": lambda: mmap.mmap(-1, 4096, 0x100 | mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
            "leave memory": lambda: system("shmget", 0, 4096, 0o1600),
            "leave messages": lambda: system("msgget", 0, 0o1600),
            "raise the limit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
            "more memory": lambda: resource.setrlimit(
                resource.RLIMIT_DATA, (resource.getrlimit(resource.RLIMIT_DATA)[1],) * 2
            ),
            "own limits": lambda: resource.prlimit(0, resource.RLIMIT_CORE),
            "thread": lambda: threading.Thread(target=int).start(),
            "memory": lambda: mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
            "import": lambda: __import__("wave"),
        }
        outcome = {}
        for name, attempt in attempts.items():
            try:
                attempt()
            except Exception as error:  # noqa: BLE001 (the test checks what is refused, and how)
                outcome[name] = type(error).__name__
            else:
                outcome[name] = "done"
        return {"attempts": outcome}


class Backend:
    info = BackendInfo("probe", "tests", 2, (), "Does what a test wants.")

    def offline_reason(self):
        return None

    def methods(self, _analysis, _shots, _options):
        return Refusal("chosen by tests only")

    def executor(self):
        gate = Path(__file__).parent / "prepare"
        if gate.exists():
            gate.open().close()
        return Executor()


class Gpu(Backend):
    resources = Resources(gpus=1)

    def offline_reason(self):
        return None if "PROBE_GPU" in os.environ else "no simulated GPU"


BACKEND = Backend()
GPU = Gpu()
