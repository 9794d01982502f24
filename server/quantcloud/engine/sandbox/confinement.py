"""What a worker process is left with: memory up to a limit, the files of Python, its socket.

A circuit is data, not code, so a worker does nothing but simulate. Should a simulator have a flaw
that a circuit can reach, the worker is worth little to an intruder: no secret in its environment,
no file but what Python is made of, no network, no other process, nothing but plain data back to
the server (see `messages`). What is left to it is a core until its time limit, the memory of its
limit, the circuits and options that are sent to it until it is replaced, and what it answers them.
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

# Nothing else of the server's environment reaches the processes that it starts. The rest is for
# the loader, the interpreter and CUDA.
_PASSED_ON = frozenset(
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

# One thread a worker: the workers share the cores between them, and threads of one simulation
# would only take them from another.
_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
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
    # Not the folder: in its net/ are the addresses of clients and the names of sockets.
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
# Not /dev/zero: what is mapped of it to be written and shared is memory that no limit counts.
_DEVICES = ("/dev/null",)
_GPU_DEVICES = "nvidia*"

_OPEN_FILES = 64
# In bytes; the memory limit does not count the stack.
_STACK = 8 << 20
# Timers, each of which is kernel memory.
_PENDING_SIGNALS = 64
# What a worker without a GPU may map beyond its memory limit, in bytes: the libraries that a
# backend loads late (a build of PyTorch for GPUs has 3 GiB), and what malloc reserves for threads.
_MAPPED_BESIDE = 4 << 30
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@value_object
class Confinement:
    """The limits of one worker.

    `memory_limit` is how many bytes the worker may take beyond what it has when it starts.
    `readable` are the files and folders, each with all below it, that it may read. `gpu` says
    whether it may use the machine's GPUs, and with them memory that it could share.
    """

    memory_limit: int
    readable: tuple[str, ...]
    gpu: bool = False


def environment(python_path: Iterable[str], server: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for worker processes: an allow-list of `server`'s, and one thread."""
    passed = {
        name: value
        for name, value in server.items()
        if name in _PASSED_ON or name.startswith(("LC_", "NIX_LD"))
    }
    return {**passed, **_THREADS, "PYTHONPATH": os.pathsep.join(python_path)}


def import_path() -> list[str]:
    """Give the folders that Python imports from, without the one that it happens to be in."""
    return [os.path.abspath(entry) for entry in sys.path if entry]  # noqa: PTH100 (no Path needed)


def readable_paths(hidden: Iterable[str]) -> tuple[str, ...]:
    """Give the files and folders that Python and what it has loaded are made of.

    Of a folder that holds one of `hidden`, only the other entries are given, since Landlock can
    open a folder but not close a part of it again.
    """
    paths = set(_SYSTEM_FILES) | {os.path.realpath(entry) for entry in sys.path if entry}
    paths |= {sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib")}
    # Shared libraries are wherever the loader found them: another prefix, a store, a driver.
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
    """Leave Ctrl-C and an orderly end to the server, which ends its processes by SIGKILL.

    Both reach a whole terminal or service at once, and the server lets runs finish first.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, process `parent`, ends. Linux only."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)  # it ended before the call


def confine(confinement: Confinement) -> None:
    """Give up, for good, every right that a worker has no use for.

    Raises `OSError` when the kernel refuses what it offers.
    """
    os.chdir("/")
    os.umask(0o077)
    # Under memory pressure the kernel is to end a worker, which costs one run, not the server.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
    if sys.platform == "linux":
        _give_up_rights(confinement.readable, gpu=confinement.gpu)
    _limit_resources(confinement)


def _give_up_rights(readable: Iterable[str], *, gpu: bool) -> None:
    _refuse_new_privileges()
    _drop_capabilities()
    gpus = map(str, Path("/dev").glob(_GPU_DEVICES)) if gpu else ()
    landlock.restrict(readable, (*_DEVICES, *gpus))
    # CUDA has memory in common with its driver.
    seccomp.refuse_unneeded(shared_memory=gpu)


def _refuse_new_privileges() -> None:
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")


def missing_protections() -> tuple[str, ...]:
    """Name what this machine cannot do for the confinement of workers; it is tried."""
    missing: list[str] = []
    if landlock.abi_version() == 0:
        missing.append("Landlock (files)")
    # What a thread gives up is its own alone, and over with it.
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
    # RLIMIT_DATA counts private memory that may be written, which is what a simulation takes.
    kinds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_STACK: _STACK,
        resource.RLIMIT_DATA: _memory("VmData") + confinement.memory_limit,
    }
    if sys.platform == "linux":
        kinds[resource.RLIMIT_SIGPENDING] = _PENDING_SIGNALS
        # Memory that was written and then made read-only is counted here alone, and page tables
        # are bounded by it. A GPU's address window would be counted too, and is far larger.
        if not confinement.gpu:
            kinds[resource.RLIMIT_AS] = (
                _memory("VmSize") + confinement.memory_limit + _MAPPED_BESIDE
            )
    for kind, wanted in kinds.items():
        _, hard = resource.getrlimit(kind)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, limit))


def _memory(kind: str) -> int:
    """Give the bytes that this process has now, of a kind that `proc_pid_status(5)` names."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _drop_capabilities() -> None:
    # A header of version and process (0: this one), then two zero words each of effective,
    # permitted and inheritable. A server that runs as root is not to have workers that are.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")
