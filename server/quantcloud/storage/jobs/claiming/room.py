"""What a server can take, and which jobs fit."""

import math

from quantcloud.domain.execution import is_short
from quantcloud.domain.job import Job
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method


@value_object
class Room:
    """What a server can take: runs on `cores` and in `memory_bytes`, then up to `short` short jobs.

    The short jobs wait behind other runs, and are predicted to take at most `seconds` together. A
    job that needs more than is free may be passed by those of other accounts if `may_pass` is set.
    On an `idle` server the first job fits in any case.
    """

    cores: int
    short: int = 0
    seconds: float = math.inf
    memory_bytes: float = math.inf
    may_pass: bool = True
    idle: bool = False

    @property
    def places(self) -> int:
        return max(0, self.cores) + self.short


class Fit:
    """Decides which jobs fit into a room, in turn."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._cores, self._memory = room.cores, room.memory_bytes
        self._short, self._seconds = room.short, room.seconds
        self._idle = room.idle
        self.full = room.places == 0
        self.blocked: str | None = None
        # The accounts whose next job did not fit: their jobs start in the order of submission.
        self.passed: set[str] = set()

    def take(self, job: Job, method: Method) -> bool:
        """Take the room of a job, if it fits."""
        enough = method.memory_bytes <= self._memory
        if self._idle or (enough and method.cores <= self._cores):
            self._cores -= method.cores
            self._memory -= method.memory_bytes
            self._idle = False
        elif enough and self._cores <= 0:
            seconds = job.predicted_seconds
            if seconds is None or not is_short(seconds) or seconds > self._seconds:
                self.full = True
                return False
            self._short -= 1
            self._seconds -= seconds
            self._memory -= method.memory_bytes
        else:
            self.blocked = self.blocked or job.id
            self.passed.add(job.account_id)
            self.full = not self._room.may_pass
            return False
        self.full = self._cores <= 0 and self._short <= 0
        return True
