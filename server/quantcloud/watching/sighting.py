"""What watchers are sent."""

from collections.abc import Sequence
from typing import NamedTuple

from quantcloud.domain.job import JobEvent


class Sighting(NamedTuple):
    """A change, or a checkpoint, which is none: a sign of life, or a queue that moved.

    In a checkpoint `event` is None, but for the first of a watch of one job that was sent no change
    yet: then it is the job's latest. `sequence` is 0 in one of an account. A watch resumes after
    `sequence` or `cursor`. `following` are those that were there at the same time, in order, where
    the watch is a grouped one.
    """

    sequence: int
    cursor: int
    event: JobEvent | None = None
    checkpoint: bool = False
    queue_position: int | None = None
    following: Sequence["Sighting"] = ()
