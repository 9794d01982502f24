"""The machine of the benchmarks, and how busy other programs kept it."""

import os
import platform
import resource
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_IDLE_FIELDS = (3, 4)  # idle and iowait, see proc_stat(5)
_STAT = Path("/proc/stat")


def about() -> dict[str, object]:
    """Return the properties of the machine that figures depend on."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


@dataclass(slots=True)
class Neighbours:
    """The share of all cores' time that other programs took; None if it is not known."""

    share: float | None = None

    def __str__(self) -> str:
        return "" if self.share is None else f"others took {self.share:.0%} of the cores"


@contextmanager
def neighbours() -> Generator[Neighbours]:
    """Measure the other programs. Our own processes must end within the block."""
    seen = Neighbours()
    before = _times()
    yield seen
    after = _times()
    if before is None or after is None:
        return
    total, busy, own = (late - early for early, late in zip(before, after, strict=True))
    if total > 0:
        seen.share = min(max((busy - own) / total, 0.0), 1.0)


def _times() -> tuple[float, float, float] | None:
    """Return the seconds of all cores, the busy ones among them, and those of our processes."""
    if not _STAT.exists():
        return None
    fields = _STAT.read_text().splitlines()[0].split()[1:9]
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = [int(field) / ticks for field in fields]
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return sum(seconds), sum(seconds) - sum(seconds[field] for field in _IDLE_FIELDS), own
