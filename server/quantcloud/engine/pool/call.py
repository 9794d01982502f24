"""A request to a worker, from its creation to its answer."""

import asyncio
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol

from quantcloud.engine.pool import messages
from quantcloud.engine.pool.messages import Frame

# An idle worker may have ended before it starts a request. Then another worker takes it.
_TRIES = 3

# How long a worker may take to become ready, in seconds, and how long to prepare a backend. The
# first takes a fraction of a second; the second imports a simulator, which takes seconds.
START_LIMIT = 60.0


class WorkerEnded(Exception):
    """The worker ended before it answered.

    `exit_status` gives its exit status when known: negative for a signal, None if the fork server
    ended too. `innocent` is true if the server ended the worker because of another call.
    """

    def __init__(self, exit_status: "asyncio.Future[int | None]", *, innocent: bool) -> None:
        super().__init__()
        self.exit_status = exit_status
        self.innocent = innocent


class TimeLimitReached(Exception):
    """The worker did not answer within its time limit."""


class NotPrepared(Exception):
    """The worker did not prepare the backend within `START_LIMIT` seconds."""


class Holder(Protocol):
    """The worker that a call was sent to."""

    answered: int

    def kill(self) -> None:
        """Kill the worker at once."""
        ...

    def give_up(self, call: "Call") -> None:
        """End the run of `call`. If it still waits, ignore its answer."""
        ...


@dataclass(eq=False)
class Call:
    """One request, and the future of its answer. Make it on the event loop.

    Call `give_up` to stop waiting for the answer.

    `on_start` is called when a worker starts, and `time_limit` seconds count from then. A request
    that prepares a backend (`messages.PREPARE_AND_EXECUTE`) starts after that. `preloaded` is how
    many backends must have been imported when the worker was forked. A `fresh` call needs an unused
    worker. `expected` is how many seconds the run will take, None if unknown. It may use
    `extra_memory` bytes beyond the worker's usual limit. `began` is when the last worker started,
    by the event loop's clock, and `holder` the worker that it was sent to.
    """

    request: Frame
    _: KW_ONLY
    time_limit: float
    on_start: Callable[[], None] | None = None
    preloaded: int = 0
    fresh: bool = False
    expected: float | None = None
    extra_memory: int = 0
    began: float | None = field(default=None, init=False)
    holder: Holder | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Frame] = loop.create_future()
        # The time of creation, by the event loop's clock.
        self.made = loop.time()
        self.preparing = self.request.kind == messages.PREPARE_AND_EXECUTE
        self._tries = 0

    @property
    def seconds(self) -> float:
        """How long the run will take. An unknown duration counts as longer than all."""
        return 1e9 if self.expected is None else self.expected

    def give_up(self) -> None:
        """Stop waiting for the answer: end the run, and its worker with it."""
        if self.holder is not None:
            self.holder.give_up(self)

    def start(self, now: float) -> None:
        """Report the start of the run, only once even if another worker takes over."""
        self.began = now
        on_start, self.on_start = self.on_start, None
        if on_start is not None:
            on_start()

    def fail(self, error: BaseException) -> None:
        """Answer with `error`, unless there is an answer already or the caller gave up."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def count_try(self, error: WorkerEnded) -> None:
        """Count a worker that ended before it started; fail the call after the last try."""
        self._tries += 1
        if self._tries >= _TRIES:
            self.fail(error)
