"""What watchers are sent."""

from typing import NamedTuple

from quantcloud.domain.job import JobEvent


class Sighting(NamedTuple):
    """A change, or a checkpoint, which is none: a sign of life, or a queue that moved.

    In a checkpoint `event` is None, but for the first of a watch of one job that was sent no change
    yet: then it is the job's latest. `sequence` is 0 in one of an account. A watch resumes after
    `sequence` or `cursor`.
    """

    sequence: int
    cursor: int
    event: JobEvent | None = None
    checkpoint: bool = False
    queue_position: int | None = None
