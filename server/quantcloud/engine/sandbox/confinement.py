"""Confines a worker process: limited memory, Python's own files, and its socket.

A circuit is data, not code, so a worker only simulates. If a circuit can exploit a flaw of a
simulator, the intruder gains little: no secrets in the environment, no files but Python's, no
network, no other processes, and only plain data to the server (see `messages`). The worker still
has a core until its time limit, memory up to its limit, the circuits and options sent to it until
it is replaced, and its answers to them.
"""

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from quantcloud.domain.value_object import value_object
from quantcloud.engine.sandbox import landlock, seccomp

# The only variables of the server that reach the processes that it starts. The loader, the
# interpreter and CUDA need them.
_ALLOWED_VARIABLES = frozenset(
    {
        "CUDA_HOME",
        "CUDA_PATH",
        "CUDA_VISIBLE_DEVICES",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "MPLCONFIGDIR",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_VISIBLE_DEVICES",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHASHSEED",
        "PYTHONHOME",
        "PYTHONNOUSERSITE",
        "PYTHONPYCACHEPREFIX",
        "TMPDIR",
        "TZ",
    }
)

# One thread for each worker. Workers share the cores, so more threads of one simulation would only
# slow down another.
_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "QISKIT_PARALLEL": "FALSE",
}

_SYSTEM_FILES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    # Not the whole folder: its net/ holds clients' addresses and the names of sockets.
    "/proc/self/auxv",
    "/proc/self/cgroup",
    "/proc/self/exe",
    "/proc/self/fd",
    "/proc/self/limits",
    "/proc/self/maps",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/status",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
)
# Not /dev/zero: no limit counts memory that is mapped from it as writable and shared.
_DEVICES = ("/dev/null",)
_GPU_DEVICES = "nvidia*"

_OPEN_FILES = 64
# In bytes. The memory limit does not count the stack.
_STACK = 8 << 20
# Each pending timer takes kernel memory.
_PENDING_SIGNALS = 64
# How much a worker without a GPU may map beyond its memory limit, in bytes: libraries that a
# backend loads late (PyTorch for GPUs has 3 GiB), and what malloc reserves for threads.
_EXTRA_MAPPED = 4 << 30
# What malloc and the stack of one thread may map, in bytes.
_THREAD_MAPPED = 136 << 20
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@value_object
class Confinement:
    """The limits of one worker.

    `memory_limit` is how many bytes the worker may use beyond those that it has at its start. The
    server may raise that to `most_memory` for a run; the worker cannot. `readable` are files and
    folders, with everything below them, that it may read. `gpu` is whether it may use the machine's
    GPUs, and shared memory with them.
    """

    memory_limit: int
    readable: tuple[str, ...]
    gpu: bool = False
    most_memory: int = 0


def environment(python_path: Iterable[str], server: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker: the allowed part of `server`'s, and one thread."""
    passed = {
        name: value
        for name, value in server.items()
        if name in _ALLOWED_VARIABLES or name.startswith(("LC_", "NIX_LD"))
    }
    return {**passed, **_THREADS, "PYTHONPATH": os.pathsep.join(python_path)}


def import_path() -> list[str]:
    """Return the folders that Python imports from, except the current folder."""
    return [os.path.abspath(entry) for entry in sys.path if entry]  # noqa: PTH100 (no Path needed)


def readable_paths(hidden: Iterable[str]) -> tuple[str, ...]:
    """Return the files and folders that Python and its loaded libraries consist of.

    If a folder contains one of `hidden`, only its other entries are returned, because Landlock
    cannot close a part of an open folder.
    """
    paths = set(_SYSTEM_FILES) | {os.path.realpath(entry) for entry in sys.path if entry}
    paths |= {sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")}
    # Take shared libraries from where the loader found them: another prefix, a store, a driver.
    with suppress(OSError):
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            _, _, path = line.partition("/")
            if ".so" in path:
                paths.add(os.path.dirname("/" + path))  # noqa: PTH120 (text, not looked up)
    closed = [Path(os.path.realpath(path)) for path in hidden]
    opened = (part for path in paths for part in _without(Path(path), closed))
    return tuple(sorted({str(path) for path in opened}))


def _without(path: Path, closed: list[Path]) -> Iterable[Path]:
    real = Path(os.path.realpath(path))
    if any(real.is_relative_to(each) for each in closed):
        return
    inside = [each for each in closed if each.is_relative_to(real)]
    if not inside:
        yield path
        return
    with suppress(OSError):
        for child in real.iterdir():
            yield from _without(child, inside)


def ignore_signals() -> None:
    """Ignore Ctrl-C and termination signals. The server ends its processes by SIGKILL.

    These signals reach a whole terminal or service, but the server lets runs finish first.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def die_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent, process `parent`, ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before the call


def confine(confinement: Confinement) -> None:
    """Give up, forever, every right that a worker does not need.

    Raises `OSError` if the kernel has a protection but refuses to apply it.
    """
    os.chdir("/")
    os.umask(0o077)
    # If memory runs out, the kernel should kill a worker, which costs one run, not the server.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
    _limit_resources(confinement)
    _refuse_new_privileges()
    _drop_capabilities()
    gpus = map(str, Path("/dev").glob(_GPU_DEVICES)) if confinement.gpu else ()
    landlock.restrict(confinement.readable, (*_DEVICES, *gpus))
    # CUDA shares memory with its driver.
    seccomp.refuse_unneeded(shared_memory=confinement.gpu)


def _refuse_new_privileges() -> None:
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")


def missing_protections() -> tuple[str, ...]:
    """Try the protections of workers, and return those that this machine lacks."""
    missing: list[str] = []
    if landlock.abi_version() == 0:
        missing.append("Landlock (files)")
    # A thread gives up only its own rights, and they end with it.
    with ThreadPoolExecutor(1) as thread:
        is_filtered = thread.submit(_try_filter).result()
    if not is_filtered:
        missing.append("seccomp (network, processes)")
    return tuple(missing)


def _try_filter() -> bool:
    try:
        _refuse_new_privileges()
    except OSError:
        return False
    return seccomp.refuse_unneeded()


def _limit_resources(confinement: Confinement) -> None:
    # RLIMIT_DATA counts private writable memory, which is what a simulation uses.
    kinds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_STACK: _STACK,
        resource.RLIMIT_SIGPENDING: _PENDING_SIGNALS,
    }
    memory = {resource.RLIMIT_DATA: _memory("VmData")}
    # Only this limit counts memory that was written and then made read-only, and it bounds page
    # tables. It would also count a GPU's address window, which is far larger.
    if not confinement.gpu:
        mapped = _EXTRA_MAPPED + (os.cpu_count() or 1) * _THREAD_MAPPED
        memory[resource.RLIMIT_AS] = _memory("VmSize") + mapped
    for kind, limit in kinds.items():
        _limit(kind, limit, limit)
    for kind, used in memory.items():
        most = max(confinement.memory_limit, confinement.most_memory)
        _limit(kind, used + confinement.memory_limit, used + most)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, but never above the present hard limit."""
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))


def _memory(kind: str) -> int:
    """Return how many bytes this process has now, for a name of `proc_pid_status(5)`."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _drop_capabilities() -> None:
    # A header with the version and the process (0 is this one), then two zero words each for
    # effective, permitted and inheritable. A server that runs as root must not have root workers.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")
