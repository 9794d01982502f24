"""A request to a worker, from when it is made to its answer."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from quantcloud.engine import messages
from quantcloud.engine.messages import Frame

# A worker may have ended before it began, while it was idle: then another takes the request.
_TRIES = 3


class WorkerEnded(Exception):
    """The worker ended before it answered; how, `exit_status` tells when that is known.

    It is negative for a signal, None where nobody can tell.
    """

    def __init__(self, exit_status: "asyncio.Future[int | None]") -> None:
        super().__init__()
        self.exit_status = exit_status


class TimeLimitReached(Exception):
    """The worker had not answered when its time was over."""


class Holder(Protocol):
    """The worker that a call was sent to."""

    def give_up(self, call: "Call") -> None:
        """Nobody waits for the answer any more."""
        ...

    def kill(self) -> None: ...


class Call:
    """One request, and the future of its answer. Make it on the event loop.

    Whoever stops waiting for the answer says so by `give_up`.

    `on_start` is called when a worker begins, and `time_limit` seconds count from there.
    `preloaded` is for how many backends the modules must have been imported when its worker was
    forked. `expected` is how many seconds the run will take; None where nobody knows.
    """

    __slots__ = (
        *("_on_start", "_tries", "answer", "data", "expected", "holder", "preloaded", "time_limit"),
    )

    def __init__(
        self,
        request: Frame,
        *,
        time_limit: float,
        on_start: Callable[[], None] | None = None,
        preloaded: int = 0,
        expected: float | None = None,
    ) -> None:
        self.data = messages.frame(request.kind, request.payload)
        self.time_limit = time_limit
        self.preloaded = preloaded
        self.expected = expected
        self.answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self.holder: Holder | None = None
        self._on_start = on_start
        self._tries = 0

    def give_up(self) -> None:
        """Nobody waits for the answer any more: end the run, and with it its worker."""
        if self.holder is not None:
            self.holder.give_up(self)

    def start(self) -> None:
        """Tell that a worker has begun: once, though another may take over what it left unread."""
        told, self._on_start = self._on_start, None
        if told is not None:
            told()

    def fail(self, error: Exception) -> None:
        """Answer with `error`, unless there is an answer or nobody waits for one any more."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def count_try(self, error: WorkerEnded) -> None:
        """Note that a worker ended before it began on anything; the last time is the end."""
        self._tries += 1
        if self._tries >= _TRIES:
            self.fail(error)
