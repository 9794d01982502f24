"""The memory limits of workers."""

import os
import resource
from collections.abc import Mapping
from contextlib import suppress

from quantcloud.engine.sandbox import control_groups

# The rest is for the server, its database's cache and Envoy.
_SHARE = 0.8


def default_memory_limit(workers: int) -> int:
    """Return the bytes for each of `workers`: an equal part of 80 % of the machine's memory."""
    return int(usable_memory() * _SHARE / workers)


def usable_memory() -> int:
    """Return the machine's memory in bytes, or the container's limit if that is less."""
    usable = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in control_groups.limits("memory", "memory.max", "memory.limit_in_bytes"):
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            usable = min(usable, int(text))
    return usable


def grant(pid: int, extra: int) -> Mapping[int, int]:
    """Let a confined worker use `extra` bytes more, up to its hard limits.

    Return the limits before, for `restore`. Does nothing if the process is gone, or where the
    system cannot do it.
    """
    before: dict[int, int] = {}
    with suppress(ProcessLookupError, PermissionError):
        for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
            soft, hard = resource.prlimit(pid, kind)
            if soft != resource.RLIM_INFINITY:
                resource.prlimit(pid, kind, (min(soft + extra, hard), hard))
                before[kind] = soft
    return before


def restore(pid: int, before: Mapping[int, int]) -> None:
    """Give a worker the limits back that it had before a `grant`."""
    with suppress(ProcessLookupError):
        for kind, soft in before.items():
            _, hard = resource.prlimit(pid, kind)
            resource.prlimit(pid, kind, (soft, hard))
