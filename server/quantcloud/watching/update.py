"""The updates that watchers get."""

from collections.abc import Sequence
from typing import NamedTuple

from quantcloud.domain.job import JobEvent


class JobUpdate(NamedTuple):
    """A change of a job, or a checkpoint: a keepalive, or a new queue position.

    In a checkpoint, `event` is None. But if a watch begins with a checkpoint before any change,
    `event` is the job's latest. A watch resumes after `sequence`.
    """

    sequence: int
    event: JobEvent | None = None
    checkpoint: bool = False
    queue_position: int | None = None

    @property
    def is_last(self) -> bool:
        """Whether no update follows."""
        return self.event is not None and self.event.job.status.is_terminal and not self.checkpoint


class PlacedEvent(NamedTuple):
    """A change of one of an account's jobs, with the job's queue position."""

    event: JobEvent
    queue_position: int | None = None


class AccountUpdate(NamedTuple):
    """Events that were available together, in order; without events, it is a checkpoint.

    A watch resumes after `cursor`.
    """

    cursor: int
    events: Sequence[PlacedEvent] = ()
