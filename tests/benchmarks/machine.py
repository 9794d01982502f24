"""What the benchmarks run on, and how much of it others took meanwhile."""

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
    """What figures of this moment depend on."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


@dataclass(slots=True)
class Neighbours:
    """Which part of all cores' time other programs took; None where nobody can tell."""

    share: float | None = None

    def __str__(self) -> str:
        return "" if self.share is None else f"others took {self.share:.0%} of the cores"


@contextmanager
def neighbours() -> Generator[Neighbours]:
    """Watch the other programs. By its end our own processes must have ended."""
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
    """Seconds of all cores, those among them that were not idle, and our own processes'."""
    if not _STAT.exists():
        return None
    fields = _STAT.read_text().splitlines()[0].split()[1:9]
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = [int(field) / ticks for field in fields]
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return sum(seconds), sum(seconds) - sum(seconds[field] for field in _IDLE_FIELDS), own
