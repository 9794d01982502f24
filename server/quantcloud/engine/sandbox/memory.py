"""The memory limits of workers."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# The rest is for the server, its database's cache and Envoy.
_SHARE = 0.8

_CGROUPS = "/proc/self/cgroup"
# The root of each version of control groups, and the name of a group's limit: `cgroups(7)`.
_UNIFIED = ("/sys/fs/cgroup", "memory.max")
_SEPARATE = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")


def default_memory_limit(workers: int) -> int:
    """Return the bytes for each of `workers`: an equal part of 80 % of the machine's memory."""
    return int(usable_memory() * _SHARE / workers)


def usable_memory() -> int:
    """Return the machine's memory in bytes, or the container's limit if that is less."""
    usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _limits():
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            usable = min(usable, int(text))
    return usable


def _limits() -> Iterator[Path]:
    """Yield the limit files of this process's control group and of all groups around it."""
    try:
        lines = Path(_CGROUPS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, name = _SEPARATE if controllers else _UNIFIED
        # A container often sees its own group as the root, whatever path is given here.
        inner = Path(root, group.lstrip("/"))
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(root):
                break
            yield folder / name


def grant(pid: int, extra: int) -> None:
    """Let a confined worker use `extra` bytes more, up to its hard limits; fewer if negative.

    Does nothing if the process is gone, or where only Linux could do it.
    """
    if sys.platform != "linux":
        return
    with suppress(ProcessLookupError, PermissionError):
        for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
            soft, hard = resource.prlimit(pid, kind)
            if soft != resource.RLIM_INFINITY:
                resource.prlimit(pid, kind, (min(soft + extra, hard), hard))


def readable_size(size: int) -> str:
    """Format a number of bytes for people: '1.5 GiB', '512 MiB'."""
    gib = 1 << 30
    if size >= gib:
        return f"{size / gib:.3g} GiB"
    return f"{size / (1 << 20):.3g} MiB"
