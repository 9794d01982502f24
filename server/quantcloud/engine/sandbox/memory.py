"""How much memory a worker may have when nobody says."""

import os
from collections.abc import Iterator
from pathlib import Path

# What is left is for the server, its database's cache and Envoy.
_SHARE = 0.8

_CGROUPS = "/proc/self/cgroup"
# Where each version of control groups is, and what a group's limit is called: `cgroups(7)`.
_UNIFIED = ("/sys/fs/cgroup", "memory.max")
_SEPARATE = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")


def default_memory_limit(workers: int) -> int:
    """Give the bytes for each of `workers`: an equal part of 80 % of what this machine has."""
    return int(_usable_memory() * _SHARE / workers)


def _usable_memory() -> int:
    """Give the machine's memory in bytes, or the container's where that is less."""
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
    """Give the files with the limits of this process's control group and those that it is in."""
    try:
        lines = Path(_CGROUPS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, name = _SEPARATE if controllers else _UNIFIED
        # A container often sees its own group as the root of all, whatever this says.
        inner = Path(root, group.lstrip("/"))
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(root):
                break
            yield folder / name


def readable_size(size: int) -> str:
    """Write a number of bytes as people do: '1.5 GiB', '512 MiB'."""
    gib = 1 << 30
    if size >= gib:
        return f"{size / gib:.3g} GiB"
    return f"{size / (1 << 20):.3g} MiB"
