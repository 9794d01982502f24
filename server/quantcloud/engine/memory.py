"""How much memory a worker may have when nobody says."""

import os
from pathlib import Path

# What is left is for the server, its database's cache and Envoy.
_SHARE = 0.8

_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def default_memory_limit(workers: int) -> int:
    """Give the bytes for each of `workers`: an equal part of 80 % of what this machine has."""
    return int(_usable_memory() * _SHARE / workers)


def _usable_memory() -> int:
    """Give the machine's memory in bytes, or the container's where that is less."""
    usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUP_LIMITS:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            usable = min(usable, int(text))
    return usable


def readable_size(size: int) -> str:
    """Write a number of bytes as people do: '1.5 GiB', '512 MiB'."""
    gib = 1 << 30
    if size >= gib:
        return f"{size / gib:.3g} GiB"
    return f"{size / (1 << 20):.3g} MiB"
