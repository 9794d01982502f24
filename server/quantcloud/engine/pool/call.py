"""A request to a worker, from when it is made to its answer."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from quantcloud.engine.pool import messages
from quantcloud.engine.pool.messages import Frame

# A worker may have ended before it began, while it was idle: then another takes the request.
_TRIES = 3

# A new worker is ready after it has made its executors, which takes a fraction of a second, and an
# executor is made after its simulator was imported, which takes seconds. What is not there after so
# many seconds never will be.
START_LIMIT = 60.0


class WorkerEnded(Exception):
    """The worker ended before it answered; how, `exit_status` tells when that is known.

    It is negative for a signal, None where the fork server ended too, which alone could tell.
    `innocent` says that the call was not the cause: the server ended its worker for another.
    """

    def __init__(self, exit_status: "asyncio.Future[int | None]", *, innocent: bool) -> None:
        super().__init__()
        self.exit_status = exit_status
        self.innocent = innocent


class TimeLimitReached(Exception):
    """The worker had not answered when its time was over."""


class NotPrepared(Exception):
    """What the worker had to prepare was not there after as long as it may take, `START_LIMIT`."""


class Holder(Protocol):
    """The worker that a call was sent to."""

    @property
    def answered(self) -> int:
        """How many calls it has answered."""
        ...

    def give_up(self, call: "Call") -> None:
        """Nobody waits for the answer any more."""
        ...

    def kill(self) -> None: ...


class Call:
    """One request, and the future of its answer. Make it on the event loop.

    Whoever stops waiting for the answer says so by `give_up`.

    `on_start` is called when a worker begins, and `time_limit` seconds count from there. One with
    something to prepare (`messages.PREPARE_AND_EXECUTE`) begins when that is done. `preloaded` is
    for how many backends the modules must have been imported when its worker was forked; a `fresh`
    one wants a worker that has run nothing yet. `expected` is how many seconds the run will take;
    None where nobody knows. `began` is when the last worker began, by the event loop's clock.
    """

    __slots__ = (
        *("_on_start", "_tries", "answer", "began", "data", "expected", "fresh", "holder", "made"),
        *("preloaded", "preparing", "time_limit"),
    )

    def __init__(
        self,
        request: Frame,
        *,
        time_limit: float,
        on_start: Callable[[], None] | None = None,
        preloaded: int = 0,
        fresh: bool = False,
        expected: float | None = None,
    ) -> None:
        self.data = messages.frame(request.kind, request.payload)
        self.time_limit = time_limit
        self.preloaded = preloaded
        self.preparing = request.kind == messages.PREPARE_AND_EXECUTE
        self.fresh = fresh
        self.expected = expected
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Frame] = loop.create_future()
        # When, by the event loop's clock.
        self.made = loop.time()
        self.began: float | None = None
        self.holder: Holder | None = None
        self._on_start = on_start
        self._tries = 0

    def give_up(self) -> None:
        """Nobody waits for the answer any more: end the run, and with it its worker."""
        if self.holder is not None:
            self.holder.give_up(self)

    def start(self, now: float) -> None:
        """Tell that a worker has begun: once, though another may take over what it left unread."""
        self.began = now
        told, self._on_start = self._on_start, None
        if told is not None:
            told()

    def fail(self, error: BaseException) -> None:
        """Answer with `error`, unless there is an answer or nobody waits for one any more."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def count_try(self, error: WorkerEnded) -> None:
        """Note that a worker ended before it began on anything; the last time is the end."""
        self._tries += 1
        if self._tries >= _TRIES:
            self.fail(error)
