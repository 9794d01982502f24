"""What watchers are sent."""

from collections.abc import Sequence
from typing import NamedTuple

from quantcloud.domain.job import JobEvent


class JobUpdate(NamedTuple):
    """A change of a job, or a checkpoint, which is none: a sign of life, or a queue that moved.

    In a checkpoint `event` is None, but for the first of a watch that was sent no change yet: then
    it is the job's latest. A watch resumes after `sequence`.
    """

    sequence: int
    event: JobEvent | None = None
    checkpoint: bool = False
    queue_position: int | None = None


class PlacedEvent(NamedTuple):
    """A change of one of an account's jobs, with the job's place in its queue."""

    event: JobEvent
    queue_position: int | None = None


class AccountUpdate(NamedTuple):
    """Events that were there at the same time, in order; without any it is a checkpoint.

    A watch resumes after `cursor`.
    """

    cursor: int
    events: Sequence[PlacedEvent] = ()
