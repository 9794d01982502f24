"""A fixed number of places for workers. Each is filled again when its worker ends."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from quantcloud.engine.pool.call import Call
from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.supervisor import Supervisor
from quantcloud.engine.pool.worker_process import WorkerProcess
from quantcloud.telemetry import metrics

_log = logging.getLogger(__name__)

# A worker that ends by itself within this many seconds is not replaced until it is needed, because
# the next one might end as fast.
_SHORT_LIFE = 1.0

# The wait for a worker that is not ready counts as this, in seconds: longer than any queue of
# short runs.
_NEW_WORKER_WAIT = 1.0

# How long a call waits for an unused worker, in seconds, before it takes any worker.
_FRESH_WAIT = 2.0

# When the system cannot start a process, the next try follows after the first pause, in seconds.
# Each further pause is twice as long, up to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Slot:
    """A place for one worker. See `worker_process.Owner`."""

    def __init__(self, slots: "Slots", supervisor: Supervisor, role: Role) -> None:
        self._slots = slots
        self._supervisor = supervisor
        self._role = role
        self._coming: asyncio.Future[WorkerProcess] | None = None
        self.worker: WorkerProcess | None = None

    @property
    def is_coming(self) -> bool:
        return self._coming is not None

    def order(self) -> None:
        """Order a worker, unless one is coming or the system just failed to start one."""
        if self._coming is None and not self._slots.pausing:
            self._coming = self._supervisor.fork(self._role)
            self._coming.add_done_callback(self._arrived)

    def renew(self) -> None:
        """Replace the worker, or order one. Do nothing if the system just failed to start one."""
        if self._slots.pausing:
            return
        worker, self.worker = self.worker, None
        self.order()
        if worker is not None:
            worker.kill()

    def changed(self, worker: WorkerProcess) -> None:
        if worker is self.worker:
            is_stale = self._supervisor.is_warm and worker.preloaded < self._supervisor.preloaded
            if not worker.alive:
                self.worker = None
                lived = asyncio.get_running_loop().time() - worker.born
                if worker.used or lived > _SHORT_LIFE:
                    self._slots.refill(self)
            elif worker.idle and (is_stale or worker.is_worn):
                self.renew()
        self._slots.dispatch()

    def returned(self, calls: list[Call]) -> None:
        self._slots.put_back(calls)

    def _arrived(self, coming: asyncio.Future[WorkerProcess]) -> None:
        self._coming = None
        if coming.cancelled():
            return
        if (error := coming.exception()) is not None:
            self._slots.note_shortage(error)
            return
        worker = coming.result()
        worker.owner = self
        self.worker = worker
        self._slots.shortage_over()
        self.changed(worker)


class Slots:
    """All slots of one role, and the calls that wait for them, in order of arrival."""

    def __init__(self, supervisor: Supervisor, role: Role, size: int, max_wait: float) -> None:
        """`max_wait` is how many seconds a call waits while no worker for it can be started."""
        self._max_wait = max_wait
        # When the system began to refuse processes, and the timer of the next try.
        self._short_since: float | None = None
        self._pause = _FIRST_PAUSE
        self._resume: asyncio.TimerHandle | None = None
        self._slots = [Slot(self, supervisor, role) for _ in range(size)]
        self._waiting: deque[Call] = deque()
        # Whether even the oldest call can only wait for a worker, and so all newer ones too.
        self._is_blocked = False
        self._closed: Exception | None = None
        for state in ("idle", "busy", "missing"):
            gauge = metrics.WORKERS.labels(role.name.lower(), state)
            gauge.set_function(lambda state=state: self._number(state))

    def _number(self, state: str) -> int:
        """Return how many slots are in a state."""
        found = [
            "missing" if slot.worker is None else "idle" if slot.worker.idle else "busy"
            for slot in self._slots
        ]
        return found.count(state)

    def renew_idle(self) -> None:
        """Replace all workers that are idle."""
        for slot in self._slots:
            if slot.worker is None or slot.worker.idle:
                slot.renew()

    def submit(self, call: Call) -> None:
        """Have a worker answer a call.

        The answer may fail with `ForkFailed`, `WorkerEnded`, `TimeLimitReached`, `NotPrepared` or
        `MalformedAnswer`.
        """
        if self._closed is not None:
            call.fail(self._closed)
            return
        if call.fresh:
            # Put it before calls that would take the next new worker.
            self._waiting.appendleft(call)
            self.dispatch()
            return
        self._waiting.append(call)
        if not self._is_blocked:
            self.dispatch()

    def dispatch(self) -> None:
        """Send waiting calls, oldest first, while a worker can start on them soon."""
        loop = asyncio.get_running_loop()
        position = 0
        self._is_blocked = False
        while position < len(self._waiting):
            call = self._waiting[position]
            if call.fresh and loop.time() > call.made + _FRESH_WAIT:
                call.fresh = False  # other calls took the new workers
            if call.answer.done():
                del self._waiting[position]
            elif (worker := self._worker_for(call)) is not None:
                del self._waiting[position]
                worker.take(call)
            elif self._any_unsuited(call):
                position += 1  # a later call may suit a worker that this one does not
            else:
                self._is_blocked = not position
                break
        if self._waiting:
            self._order_for(len(self._waiting))

    def put_back(self, calls: list[Call]) -> None:
        """Return calls that a worker will not start, so that other workers take them."""
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
        """Whether no worker may be ordered, because the system just failed to start one."""
        return self._resume is not None

    @property
    def is_out_of_workers(self) -> bool:
        """Whether there is no worker at all, because the system cannot start one."""
        return self._short_since is not None and not any(slot.worker for slot in self._slots)

    def note_shortage(self, error: BaseException) -> None:
        """Pause orders for a moment. Fail the calls that have waited too long."""
        if self.pausing or self._closed is not None:
            return
        loop = asyncio.get_running_loop()
        if self._short_since is None:
            self._short_since = loop.time()
            _log.warning("workers are missing: %s", error)
        self._resume = loop.call_later(self._pause, self._ask_again)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        # Newer calls keep waiting: by their deadline the cause may have changed.
        latest = loop.time() - self._max_wait
        if self._short_since <= latest:
            late = [call for call in self._waiting if call.made <= latest]
            self._fail_waiting([call for call in late if not self._any_suited(call)], error)

    def shortage_over(self) -> None:
        """Order workers again, first for all empty slots."""
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
        """Answer all calls, and any submitted later, with `error`."""
        self._closed = error
        self._end_pause()
        self._fail_waiting(self._waiting, error)
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.fail(error)

    def _worker_for(self, call: Call) -> WorkerProcess | None:
        """Return the worker that starts on `call` soonest; a ready one before a new one."""
        best, best_wait = None, _NEW_WORKER_WAIT
        for slot in self._slots:
            worker = slot.worker
            if worker is None or not worker.alive or not worker.suits(call):
                continue
            wait = worker.wait_for(call)
            if wait is None:
                continue
            if not worker.ready:
                wait = _NEW_WORKER_WAIT
            elif not wait:
                return worker
            if best is None or wait < best_wait:
                best, best_wait = worker, wait
        return best

    def _any_unsuited(self, call: Call) -> bool:
        workers = (slot.worker for slot in self._slots)
        return any(worker and not worker.suits(call) for worker in workers)

    def _any_suited(self, call: Call) -> bool:
        return any(slot.worker and slot.worker.suits(call) for slot in self._slots)

    def _order_for(self, count: int) -> None:
        """Order workers for slots that cannot serve any of `count` waiting calls."""
        if self.pausing:
            return
        count -= sum(slot.is_coming for slot in self._slots)
        for slot in self._slots:
            if count > 0 and not slot.is_coming and (slot.worker is None or slot.worker.idle):
                slot.renew()
                count -= 1
