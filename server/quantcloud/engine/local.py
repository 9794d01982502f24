"""The engine of one machine: circuits run in worker processes on it."""

import asyncio
import logging
import os
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from quantcloud.domain.execution import Execution, Outcome
from quantcloud.engine.base import ExecutionFailed, ExecutionTimedOut, OutOfMemory
from quantcloud.engine.examining import ExaminingEngine, decoded_answer
from quantcloud.engine.pool import messages, preload
from quantcloud.engine.pool.call import START_LIMIT, Call, NotPrepared, TimeLimitReached
from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.messages import Frame
from quantcloud.engine.sandbox.control_groups import usable_cores
from quantcloud.engine.sandbox.memory import default_memory_limit

_log = logging.getLogger(__name__)

# How long a run waits while the system cannot start a process, in seconds. Then the job returns
# to its queue, and another server may take it.
_SHORTAGE_WAIT = 60.0

# How much more than predicted a run may use, and the stack of each of its threads, in bytes.
_MARGIN = 1.1
_THREAD_BYTES = 8 << 20

# How many short runs are accepted for each worker: in its socket and on their way there.
_BACKLOG = 512


class LocalEngine(ExaminingEngine):
    """Runs circuits in `workers` processes of this machine. See `ExaminingEngine`.

    `memory_limit` is the most memory that a run may use, in bytes. By default a run may use an
    equal part of 80 % of the machine's memory, or what it reserves if that is more, up to all of
    these 80 %. `preload_modules` maps backends to modules that are imported before workers are
    forked; the default is the known modules of the installed backends. Raises `ValueError` if
    `workers` is less than 1.
    """

    def __init__(
        self,
        *,
        workers: int,
        memory_limit: int | None = None,
        examination_limit: float = 20.0,
        hidden: Iterable[str | os.PathLike[str]] = (),
        preload_modules: Mapping[str, Sequence[str]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self._most_memory = memory_limit or default_memory_limit(1)
        super().__init__(
            memory_limit=memory_limit or default_memory_limit(workers),
            most_memory=self._most_memory,
            examination_limit=examination_limit,
            hidden=hidden,
            preload=preload.known_modules() if preload_modules is None else preload_modules,
            environment=environment or {},
        )
        self.slots = workers
        self.backlog = workers * _BACKLOG
        self.cores = usable_cores()
        self._executions = self._add_pool(Role.EXECUTION, workers, _SHORTAGE_WAIT)

    @property
    def trouble(self) -> str | None:
        if self._supervisor.is_running and not self._executions.is_out_of_workers:
            return None
        return "no worker can be started"

    def is_ready(self, backend: str) -> bool:
        return self._supervisor.is_preloaded(backend)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Do nothing: the number of slots never changes."""

    @property
    def memory_limit(self) -> int:
        """The most memory that a run may use, in bytes."""
        return self._most_memory

    async def execute(
        self, execution: Execution, *, time_limit: float, on_start: Callable[[], None]
    ) -> Outcome:
        preloaded = self._supervisor.position(execution.backend)
        await self._supervisor.until_preloaded(execution.backend)
        # If no process imported the backend, the first worker that runs a circuit on it does.
        kind = messages.EXECUTE if preloaded else messages.PREPARE_AND_EXECUTE
        call = Call(
            Frame(kind, pickle.dumps(execution)),
            time_limit=time_limit,
            on_start=on_start,
            preloaded=preloaded,
            expected=execution.predicted_seconds if preloaded else None,
            extra_memory=self._extra_memory(execution),
        )
        answer = await self._run(call)
        if answer.kind == messages.OUT_OF_MEMORY and call.holder and call.holder.answered > 1:
            # Leftovers of other runs may fill that worker, so try a fresh one. The time limit
            # still counts from the first start.
            began = call.began
            call = replace(call, fresh=True, expected=None)
            try:
                async with asyncio.timeout_at(None if began is None else began + time_limit):
                    answer = await self._run(call)
            except TimeoutError:
                raise _timed_out(time_limit) from None
        if answer.kind == messages.OUTCOME:
            decode = partial(messages.decode_outcome, sweep=execution.sweep)
            return await decoded_answer(call, answer, decode)
        message, details = await decoded_answer(call, answer, messages.decode_failure)
        _log.info("job %s failed: %s", execution.job_id, details)
        if answer.kind == messages.OUT_OF_MEMORY:
            raise OutOfMemory(message)
        raise ExecutionFailed(message)

    def _extra_memory(self, execution: Execution) -> int:
        """Return how many bytes a run may use beyond the usual limit, because it reserved them."""
        wanted = int(execution.memory_bytes * _MARGIN) + execution.threads * _THREAD_BYTES
        return max(0, min(wanted, self._most_memory) - self._memory_limits[Role.EXECUTION])

    async def _run(self, call: Call) -> Frame:
        """Have a worker run a circuit and return its answer. Raises an `EngineError`."""
        try:
            return await self._ask(Role.EXECUTION, call)
        except TimeLimitReached:
            raise _timed_out(call.time_limit) from None
        except NotPrepared:
            raise ExecutionFailed(
                f"its backend could not be prepared within {START_LIMIT:g} s"
            ) from None

    def _note_preloaded(self) -> None:
        self._executions.renew_idle()


def _timed_out(limit: float) -> ExecutionTimedOut:
    return ExecutionTimedOut(f"reached its time limit of {limit:g} s")
