"""The engine of one machine: circuits run in worker processes on it."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from quantcloud.circuits import analyse
from quantcloud.domain.errors import InvalidArgument, Unavailable
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.engine.base import (
    EngineError,
    Examined,
    ExecutionFailed,
    ExecutionTimedOut,
    MachineLost,
    OutOfMemory,
    WorkerLost,
)
from quantcloud.engine.fair_queue import FairQueue
from quantcloud.engine.inline_examination import is_small
from quantcloud.engine.pool import messages, preload
from quantcloud.engine.pool.call import (
    START_LIMIT,
    Call,
    NotPrepared,
    TimeLimitReached,
    WorkerEnded,
)
from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.decoding import decoded
from quantcloud.engine.pool.failure import describe_end
from quantcloud.engine.pool.forkserver import Configuration
from quantcloud.engine.pool.messages import Frame, MalformedAnswer
from quantcloud.engine.pool.slots import Slots
from quantcloud.engine.pool.supervisor import ForkFailed, Supervisor
from quantcloud.engine.sandbox.confinement import missing_protections
from quantcloud.engine.sandbox.memory import default_memory_limit
from quantcloud.openqasm import parse
from quantcloud.quantsdk import Program

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

# How many circuits are analysed at the same time.
_EXAMINERS = 3

# How long a circuit waits for its analysis, in seconds. Together with the time limit of the
# analysis this is less than the 60 seconds after which Envoy ends a call.
_EXAMINATION_WAIT = 30.0

# How long a run waits while the system cannot start a process, in seconds. Then the job returns
# to its queue, and another server may take it.
_SHORTAGE_WAIT = 60.0

# Memory to analyse a circuit, in bytes: 8 MB of text become a few hundred MB of operations.
_EXAMINATION_MEMORY = 2 << 30

_INVALID_ANSWER = "the worker sent an invalid answer"
_STOPPED = "the server stopped"
_KILLED_FROM_OUTSIDE = "the worker was ended from outside during the run"

# How many short runs are accepted for each worker: in its socket and on their way there.
_BACKLOG = 512

# How long to wait for the exit status of a dead worker, in seconds. The fork server may be busy
# with imports.
_EXIT_STATUS_WAIT = 5.0


class LocalEngine:
    """Runs circuits in `workers` processes of this machine; three more analyse large circuits.

    `memory_limit` is the most memory that a run may use, in bytes; the default is an equal part of
    80 % of the machine's memory. `examination_limit` is the time limit of an analysis, in seconds.
    `hidden` are files and folders that workers must not read, even inside a folder that Python
    imports from. `preload_modules` maps backends to modules that are imported before workers are
    forked; the default is the known modules of the installed backends. `environment` is added to
    the workers' environment. Raises `ValueError` if `workers` is less than 1.

    Make, start and stop it on one event loop, in a thread that lives as long as the engine.
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
        modules = preload.known_modules() if preload_modules is None else preload_modules
        limit = memory_limit or default_memory_limit(workers)
        configuration = Configuration(
            parent=os.getpid(),
            preload=tuple((name, tuple(names)) for name, names in modules.items()),
            memory_limits=(limit, min(limit, _EXAMINATION_MEMORY)),
            hidden=tuple(os.path.abspath(path) for path in hidden),  # noqa: PTH100 (no Path needed)
        )
        self._workers = workers
        self._memory_limit = limit
        self._examination_limit = examination_limit
        self._supervisor = Supervisor(configuration, self._renew_idle_executions, environment or {})
        self._executions = Slots(self._supervisor, Role.EXECUTION, workers, _SHORTAGE_WAIT)
        self._examinations = Slots(
            self._supervisor, Role.EXAMINATION, _EXAMINERS, _EXAMINATION_WAIT
        )
        self._examination_queue = FairQueue(_EXAMINERS, _EXAMINATION_WAIT)
        self._running: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False

    @property
    def slots(self) -> int:
        return self._workers

    @property
    def backlog(self) -> int:
        return self._workers * _BACKLOG

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
        return self._memory_limit

    async def start(self) -> None:
        """Start the processes. Return before their imports are done; calls wait for them."""
        if missing := missing_protections():
            _log.warning("workers run without %s: this machine lacks them", " and ".join(missing))
        # Fork these before any import, so that submissions do not wait for simulators.
        self._examinations.renew_idle()
        self._executions.renew_idle()
        self._supervisor.start()

    async def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            for slots in (self._executions, self._examinations):
                slots.close(WorkerLost(_STOPPED))
            for task in self._running:
                task.cancel()
        await self._idle.wait()
        await self._supervisor.stop()

    async def examine(self, source: str, owner: str = "") -> Examined:
        if is_small(source):
            circuit = parse(source)
            return Examined(analyse(circuit), circuit)
        decode = partial(messages.decode_analysis, characters=len(source))
        return Examined(await self._look_at("qasm", source, owner, messages.EXAMINE, decode))

    async def read_program(self, code: str, owner: str = "") -> Program:
        decode = messages.decode_program
        return await self._look_at("code", code, owner, messages.READ_PROGRAM, decode)

    async def execute(
        self, execution: Execution, *, time_limit: float, on_start: Callable[[], None]
    ) -> Outcome:
        preloaded = self._supervisor.position(execution.backend)
        if not self._supervisor.is_preloaded(execution.backend):
            await self._until_stopped(self._supervisor.until_preloaded(execution.backend))
        # If no process imported the backend, the first worker that runs a circuit on it does.
        kind = messages.EXECUTE if preloaded else messages.PREPARE_AND_EXECUTE
        request = Frame(kind, messages.encode_execution(execution))
        call = Call(
            request,
            time_limit=time_limit,
            on_start=on_start,
            preloaded=preloaded,
            expected=execution.predicted_seconds if preloaded else None,
        )
        answer = await self._run(call)
        if answer.kind == messages.OUT_OF_MEMORY and call.holder and call.holder.answered > 1:
            # Leftovers of other runs may fill that worker, so try a fresh one. The time limit
            # still counts from the first start.
            began = call.began
            call = Call(
                request,
                time_limit=time_limit,
                on_start=on_start if began is None else None,
                preloaded=preloaded,
                fresh=True,
            )
            try:
                async with asyncio.timeout_at(None if began is None else began + time_limit):
                    answer = await self._run(call)
            except TimeoutError:
                raise _timed_out(time_limit) from None
        if answer.kind == messages.OUTCOME:
            return await _decoded(call, answer, messages.decode_outcome)
        message, details = await _decoded(call, answer, messages.decode_failure)
        _log.info("job %s failed: %s", execution.job_id, details)
        if answer.kind == messages.OUT_OF_MEMORY:
            raise OutOfMemory(message)
        raise ExecutionFailed(message)

    async def _run(self, call: Call) -> Frame:
        """Have a worker run a circuit and return its answer. Raises an `EngineError`."""
        try:
            return await self._ask(self._executions, call)
        except TimeLimitReached:
            raise _timed_out(call.time_limit) from None
        except NotPrepared:
            raise ExecutionFailed(
                f"its backend could not be prepared within {START_LIMIT:g} s"
            ) from None

    async def _until_stopped(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do `work`. `stop` can interrupt it at any time, which raises `WorkerLost`."""
        task = asyncio.current_task()
        if task is None or self._stopped:
            work.close()
            raise WorkerLost(_STOPPED)
        before = task.cancelling()
        self._running.add(task)
        self._idle.clear()
        try:
            return await work
        except asyncio.CancelledError:
            # Another caller may have cancelled the task as well.
            if self._stopped and task.uncancel() <= before:
                raise WorkerLost(_STOPPED) from None
            raise
        finally:
            self._running.discard(task)
            if not self._running:
                self._idle.set()

    async def _look_at(
        self, field: str, text: str, owner: str, kind: bytes, decode: Callable[[bytes], Result]
    ) -> Result:
        """Let a worker analyse the text of a request's `field`, in the turn of its owner."""
        try:
            return await self._until_stopped(self._in_turn(field, text, owner, kind, decode))
        except EngineError as error:
            raise Unavailable(f"the circuit cannot be examined now: {error}") from error

    async def _in_turn(
        self, field: str, text: str, owner: str, kind: bytes, decode: Callable[[bytes], Result]
    ) -> Result:
        limit = self._examination_limit
        async with self._examination_queue.turn(owner, len(text)):
            call = Call(Frame(kind, text.encode("utf-8", "surrogatepass")), time_limit=limit)
            try:
                answer = await self._ask(self._examinations, call)
            except TimeLimitReached:
                raise InvalidArgument(
                    field, f"takes longer than {limit:g} seconds to analyse; send a smaller circuit"
                ) from None
            if answer.kind in (messages.ANALYSIS, messages.PROGRAM):
                return await _decoded(call, answer, decode)
            if answer.kind == messages.INVALID:
                raise await _decoded(call, answer, messages.decode_invalid)
            _, details = await _decoded(call, answer, messages.decode_failure)
            if answer.kind == messages.OUT_OF_MEMORY:
                raise InvalidArgument(field, "needs too much memory; send a smaller circuit")
            raise RuntimeError(f"a circuit could not be analysed: {details}")

    async def _ask(self, slots: Slots, call: Call) -> Frame:
        """Have a worker answer a call. Raises `WorkerLost` or `TimeLimitReached`."""
        slots.submit(call)
        try:
            return await call.answer
        except asyncio.CancelledError:
            call.give_up()
            raise
        except ForkFailed as error:
            raise MachineLost(f"no worker could be started: {error}") from error
        except MalformedAnswer as error:
            raise WorkerLost(_INVALID_ANSWER) from error
        except WorkerEnded as error:
            cause = None
            if not error.innocent:
                cause = await _cause(error.exit_status, self._memory_limit)
            if cause is None:
                raise MachineLost(_KILLED_FROM_OUTSIDE) from error
            raise WorkerLost(f"the worker ended during the run{cause}") from error

    def _renew_idle_executions(self) -> None:
        self._executions.renew_idle()


def _timed_out(limit: float) -> ExecutionTimedOut:
    return ExecutionTimedOut(f"reached its time limit of {limit:g} s")


async def _decoded(call: Call, answer: Frame, decode: Callable[[bytes], Result]) -> Result:
    """Decode an answer. If it is invalid, kill the worker and raise `WorkerLost`."""
    try:
        return await decoded(answer.payload, decode)
    except MalformedAnswer as error:
        if call.holder is not None:
            call.holder.kill()
        raise WorkerLost(_INVALID_ANSWER) from error


async def _cause(exit_status: "asyncio.Future[int | None]", memory_limit: int) -> str | None:
    """Describe how a worker ended, if known. Return None if its fork server ended too."""
    try:
        async with asyncio.timeout(_EXIT_STATUS_WAIT):
            status = await asyncio.shield(exit_status)
    except TimeoutError:
        return ""
    return None if status is None else describe_end(status, memory_limit)
