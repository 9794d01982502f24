"""Times the parts of a transaction."""

import time

from quantcloud.telemetry import metrics

_LOCK, _UNITS, _COMMIT = (
    metrics.COMMIT_SECONDS.labels(part) for part in ("lock", "units", "commit")
)


class CommitTimes:
    """A transaction: it waits for the lock, runs its units, and commits."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def locked(self) -> None:
        """Note that the transaction has the lock."""
        _LOCK.observe(self._part())

    def worked(self) -> None:
        """Note that its units have run."""
        _UNITS.observe(self._part())

    def committed(self) -> None:
        """Note that it is durable."""
        _COMMIT.observe(self._part())

    def _part(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
