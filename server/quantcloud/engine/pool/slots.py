"""A fixed number of places for workers, each filled again when its worker ends."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from quantcloud.engine.pool.call import Call
from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.supervisor import Supervisor
from quantcloud.engine.pool.worker_process import WorkerProcess

_log = logging.getLogger(__name__)

# A worker that ends by itself sooner than this, in seconds, is not replaced before it is needed:
# the next one might end as fast, and the one after.
_SHORT_LIFE = 1.0

# After so many answers a worker is replaced. What a simulator leaks would sooner or later count
# against the memory limit of an innocent run.
_ANSWERS = 4000

# Seconds before a worker that is not ready begins, for comparison: more than behind short runs.
_NEW = 1.0

# How long a call waits for a worker that has run nothing, in seconds, before another will do.
_FRESH_PATIENCE = 2.0

# Where the system has no process to give, it is asked again after so many seconds, then after twice
# as many, and so on up to the last figure.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Slot:
    """A place for one worker. See `worker_process.Owner`."""

    def __init__(self, slots: "Slots", supervisor: Supervisor, role: Role) -> None:
        self._slots = slots
        self._supervisor = supervisor
        self._role = role
        self._coming: asyncio.Future[WorkerProcess] | None = None
        # Takes the present worker's place as soon as it is ready.
        self._next: WorkerProcess | None = None
        # Those whose place was taken, until they have answered what they were sent.
        self._former: set[WorkerProcess] = set()
        self.worker: WorkerProcess | None = None

    @property
    def is_coming(self) -> bool:
        return self._coming is not None

    def order(self) -> None:
        """Order a worker, unless one is coming, or the system had none to give a moment ago."""
        if self._coming is None and not self._slots.pausing:
            self._coming = self._supervisor.fork(self._role)
            self._coming.add_done_callback(self._arrived)

    def renew(self) -> None:
        """End the worker, if there is one, and have another; not where there is none to be had."""
        if self._next is None and self._slots.pausing:
            return
        worker, self.worker, self._next = self.worker, self._next, None
        if self.worker is None:
            self.order()
        if worker is not None:
            worker.kill()

    def fail(self, error: Exception) -> None:
        """Answer all that is under way here with `error`."""
        for worker in (self.worker, *self._former):
            if worker is not None:
                worker.fail(error)

    def changed(self, worker: WorkerProcess) -> None:
        if worker is self._next:
            self._succeed(worker)
        elif worker is self.worker:
            self._look_after(worker)
        elif worker.idle:
            self._former.discard(worker)
            worker.kill()
        self._slots.dispatch()

    def returned(self, calls: list[Call]) -> None:
        self._slots.put_back(calls)

    def _look_after(self, worker: WorkerProcess) -> None:
        is_stale = self._supervisor.is_warm and worker.preloaded < self._supervisor.preloaded
        if not worker.alive:
            self.worker, self._next = self._next, None
            lived = asyncio.get_running_loop().time() - worker.born
            if self.worker is None and (worker.used or lived > _SHORT_LIFE):
                self._slots.refill(self)
        elif worker.idle and is_stale:
            self.renew()
        elif worker.answered >= _ANSWERS and self._next is None:
            self.order()

    def _succeed(self, worker: WorkerProcess) -> None:
        if not worker.alive:
            self._next = None
        elif worker.ready:
            former, self.worker, self._next = self.worker, worker, None
            if former is not None:
                self._former.add(former)
                self.changed(former)

    def _arrived(self, coming: asyncio.Future[WorkerProcess]) -> None:
        self._coming = None
        if coming.cancelled():
            return
        if (error := coming.exception()) is not None:
            self._slots.note_shortage(error)
            return
        worker = coming.result()
        worker.owner = self
        if self.worker is None:
            self.worker = worker
        else:
            self._next = worker
        self._slots.shortage_over()
        self.changed(worker)


class Slots:
    """All slots of one role, and the calls that wait for them, first come first served."""

    def __init__(self, supervisor: Supervisor, role: Role, size: int, patience: float) -> None:
        """A call that no worker suits waits for `patience` seconds where no other can be had."""
        self._patience = patience
        # Since when the system has had no process to give, and what asks it again.
        self._short_since: float | None = None
        self._pause = _FIRST_PAUSE
        self._resume: asyncio.TimerHandle | None = None
        self._slots = [Slot(self, supervisor, role) for _ in range(size)]
        self._waiting: deque[Call] = deque()
        # Whether the oldest waits for no more than its turn, and so do all that come after it.
        self._in_line = False
        self._closed: Exception | None = None

    def renew_idle(self) -> None:
        """Replace the workers that have nothing to do."""
        for slot in self._slots:
            if slot.worker is None or slot.worker.idle:
                slot.renew()

    def submit(self, call: Call) -> None:
        """Have a worker answer a call.

        The answer may be `ForkFailed`, `WorkerEnded`, `TimeLimitReached` or `MalformedAnswer`.
        """
        if self._closed is not None:
            call.fail(self._closed)
            return
        if call.fresh:
            # Before others that a new worker would do for.
            self._waiting.appendleft(call)
            self.dispatch()
            return
        self._waiting.append(call)
        if not self._in_line:
            self.dispatch()

    def dispatch(self) -> None:
        """Send what waits, oldest first, for as long as there is a worker to begin on it soon."""
        loop = asyncio.get_running_loop()
        position = 0
        self._in_line = False
        while position < len(self._waiting):
            call = self._waiting[position]
            if call.fresh and loop.time() > call.made + _FRESH_PATIENCE:
                call.fresh = False  # new workers have gone to others
            if call.answer.done():
                del self._waiting[position]
            elif (worker := self._worker_for(call)) is not None:
                del self._waiting[position]
                worker.take(call)
            elif self._some_do_not_suit(call):
                position += 1  # another may do with a worker that this one cannot have
            else:
                self._in_line = not position
                break
        if self._waiting:
            self._order_for(len(self._waiting))

    def put_back(self, calls: list[Call]) -> None:
        """Have other workers take what one will not begin on."""
        for call in reversed(calls):
            call.holder = None
            if self._closed is not None:
                call.fail(self._closed)
            else:
                self._waiting.appendleft(call)

    def refill(self, slot: Slot) -> None:
        """Order a worker for a slot that has none."""
        if self._closed is None:
            slot.order()

    @property
    def pausing(self) -> bool:
        """Whether no worker is ordered, since the system had none to give a moment ago."""
        return self._resume is not None

    @property
    def wanting(self) -> bool:
        """Whether there is no worker, and the system has no process to give for one."""
        return self._short_since is not None and not any(slot.worker for slot in self._slots)

    def note_shortage(self, error: BaseException) -> None:
        """Order nothing for a moment; what has waited for too long is told why."""
        if self.pausing or self._closed is not None:
            return
        loop = asyncio.get_running_loop()
        if self._short_since is None:
            self._short_since = loop.time()
            _log.warning("workers are wanting: %s", error)
        self._resume = loop.call_later(self._pause, self._ask_again)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        # Later ones have their own time: it may be another lack by then.
        latest = loop.time() - self._patience
        if self._short_since <= latest:
            late = [call for call in self._waiting if call.made <= latest]
            self._fail_waiting([call for call in late if not self._some_suit(call)], error)

    def shortage_over(self) -> None:
        """Order again, and first what could not be had meanwhile."""
        was_short = self._short_since is not None
        self._short_since, self._pause = None, _FIRST_PAUSE
        self._end_pause()
        if was_short:
            for slot in self._empty:
                self.refill(slot)

    def _ask_again(self) -> None:
        self._resume = None
        self.dispatch()
        if (empty := self._empty) and not any(slot.is_coming for slot in self._slots):
            self.refill(empty[0])

    @property
    def _empty(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.worker is None]

    def _end_pause(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None

    def _fail_waiting(self, calls: Iterable[Call], error: BaseException) -> None:
        for call in calls:
            call.fail(error)
        self._waiting = deque(call for call in self._waiting if not call.answer.done())

    def close(self, error: Exception) -> None:
        """Answer what waits and what runs with `error`, and whatever else is submitted."""
        self._closed = error
        self._end_pause()
        self._fail_waiting(self._waiting, error)
        for slot in self._slots:
            slot.fail(error)

    def _worker_for(self, call: Call) -> WorkerProcess | None:
        """The worker that is the first to begin on `call`: one that is ready rather than new."""
        best, best_wait = None, _NEW
        for slot in self._slots:
            worker = slot.worker
            if worker is None or not worker.alive or not worker.suits(call):
                continue
            wait = worker.wait_for(call)
            if wait is None:
                continue
            if not worker.ready:
                wait = _NEW
            elif not wait:
                return worker
            if best is None or wait < best_wait:
                best, best_wait = worker, wait
        return best

    def _some_do_not_suit(self, call: Call) -> bool:
        workers = (slot.worker for slot in self._slots)
        return any(worker and not worker.suits(call) for worker in workers)

    def _some_suit(self, call: Call) -> bool:
        return any(slot.worker and slot.worker.suits(call) for slot in self._slots)

    def _order_for(self, count: int) -> None:
        """Order workers for slots that are of no use to any of `count` calls that wait."""
        if self.pausing:
            return
        count -= sum(slot.is_coming for slot in self._slots)
        for slot in self._slots:
            if count > 0 and not slot.is_coming and (slot.worker is None or slot.worker.idle):
                slot.renew()
                count -= 1
