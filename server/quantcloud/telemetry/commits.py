"""Times the parts of a transaction."""

from itertools import pairwise

from quantcloud.telemetry import later, metrics

# A transaction waits for the lock, runs its units, and commits.
_PARTS = [metrics.COMMIT_SECONDS.labels(part) for part in ("lock", "units", "commit")]


def observe(began: float, locked: float, worked: float, committed: float) -> None:
    """Observe a transaction by the times of `time.perf_counter` at which its parts ended."""
    later.do(_count, began, locked, worked, committed)


def _count(*times: float) -> None:
    for part, (start, end) in zip(_PARTS, pairwise(times), strict=True):
        part.observe(end - start)
