"""The memory that a run takes, measured in a new process."""

import re
from pathlib import Path

from quantcloud.backends.base import installed_backends
from quantcloud.domain.execution import Noise
from unit.backends.exact import read, run


def peak() -> int:
    """The peak memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


def taken(backend: str, method: str, sources: tuple[str, str], shots: int, noise: Noise | None):
    """Return how many bytes more the second circuit takes than the first."""
    small, large = sources
    executor = installed_backends()[backend].executor()
    run(executor, method, read(small), shots, noise=noise)
    before = peak()
    run(executor, method, read(large), shots, noise=noise)
    return peak() - before
