"""What the engines share: worker processes of this machine, which analyse the circuits."""

import asyncio
import logging
import math
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.circuits import analyse
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import InvalidArgument, Unavailable
from quantcloud.drawing import Drawing
from quantcloud.engine.base import EngineError, Examined, MachineLost, WorkerLost
from quantcloud.engine.fair_queue import FairQueue
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.call import Call, TimeLimitReached, WorkerEnded
from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.failure import describe_end
from quantcloud.engine.pool.forkserver import Configuration
from quantcloud.engine.pool.messages import Frame, MalformedAnswer
from quantcloud.engine.pool.slots import Slots
from quantcloud.engine.pool.supervisor import ForkFailed, Supervisor
from quantcloud.engine.sandbox.confinement import missing_protections
from quantcloud.openqasm import parse, work_bound
from quantcloud.quantsdk import Program

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

# How many circuits are analysed at the same time.
_EXAMINERS = 3

# How long a circuit waits for its analysis, in seconds. Together with the time limit of the
# analysis this is less than the 60 seconds after which Envoy ends a call.
_EXAMINATION_WAIT = 30.0

# Memory to analyse a circuit, in bytes: 8 MB of text become a few hundred MB of operations.
_EXAMINATION_MEMORY = 2 << 30

# How many circuits with inputs are kept, and how long their text may be.
_KEPT = 64
_KEPT_CHARACTERS = 64 << 10

# How long to wait for the exit status of a dead worker, in seconds. The fork server may be busy
# with imports.
_EXIT_STATUS_WAIT = 5.0

# In longer texts it does not matter how many operations they stand for.
_MOST = Work.EXAMINE.most
_WORDS = ("gate", "opaque", "def")
_DEFINITION = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")
_REAL = re.compile(r"\d*\.\d+(?:[eE][+-]?\d+)?")

STOPPED = "the server stopped"
_INVALID_ANSWER = "the worker sent an invalid answer"
_KILLED_FROM_OUTSIDE = "the worker was ended from outside during the run"


class ExaminingEngine:
    """The base of an engine. Three processes of this machine analyse circuits that are not small.

    `memory_limit` is the most memory that a process may use, in bytes; an analysis may use 2 GiB at
    most, and a run that reserves more than the limit up to `most_memory`. `examination_limit` is
    the time limit of an analysis, in seconds. `hidden` are files and folders that no process may
    read, even inside a folder that Python imports from. `preload` maps backends to modules that are
    imported before workers are forked. `environment` is added to the processes' environment.

    Make, start and stop it on one event loop, in a thread that lives as long as the engine.
    """

    def __init__(
        self,
        *,
        memory_limit: int,
        most_memory: int | None = None,
        examination_limit: float = 20.0,
        hidden: Iterable[str | os.PathLike[str]],
        preload: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
    ) -> None:
        self._hidden = tuple(os.path.abspath(path) for path in hidden)  # noqa: PTH100 (no Path needed)
        configuration = Configuration(
            parent=os.getpid(),
            preload=tuple((name, tuple(names)) for name, names in preload.items()),
            memory_limits=(memory_limit, min(memory_limit, _EXAMINATION_MEMORY)),
            most_memory=most_memory or 0,
            hidden=self._hidden,
        )
        self._memory_limits = configuration.memory_limits
        self._examination_limit = examination_limit
        self._pools: dict[Role, Slots] = {}
        self._supervisor = Supervisor(configuration, self._note_preloaded, environment)
        self._examinations = self._add_pool(Role.EXAMINATION, _EXAMINERS, _EXAMINATION_WAIT)
        self._examination_queue = FairQueue(_EXAMINERS, _EXAMINATION_WAIT)
        # Circuits with inputs that were examined last, by their text.
        self._examined: OrderedDict[str, Examined] = OrderedDict()

    def _add_pool(self, role: Role, size: int, max_wait: float) -> Slots:
        slots = self._pools[role] = Slots(self._supervisor, role, size, max_wait)
        return slots

    def _note_preloaded(self) -> None:
        """Handle the import of one more backend."""

    async def start(self) -> None:
        """Start the processes. Return before their imports are done; calls wait for them."""
        if missing := missing_protections():
            _log.warning("workers run without %s: this machine lacks them", " and ".join(missing))
        # Fork these before any import, so that submissions do not wait for simulators.
        for slots in self._pools.values():
            slots.renew_idle()
        self._supervisor.start()

    async def stop(self) -> None:
        """Kill all runs and release all resources; safe to call twice."""
        for slots in self._pools.values():
            slots.close(WorkerLost(STOPPED))
        await self._supervisor.stop()

    async def examine(self, source: str, owner: str = "") -> Examined:
        # An optimiser sends the same circuit with other values again and again.
        if (known := self._examined.get(source)) is not None:
            self._examined.move_to_end(source)
            return known
        if examination_cost(source) <= offload.BUDGET:
            circuit = parse(source)
            examined = Examined(analyse(circuit), circuit)
        else:
            decode = partial(messages.decode_analysis, characters=len(source))
            examined = Examined(
                await self._look_at("qasm", source, owner, messages.EXAMINE, decode)
            )
        if examined.analysis.inputs and len(source) <= _KEPT_CHARACTERS:
            self._examined[source] = examined
            if len(self._examined) > _KEPT:
                self._examined.popitem(last=False)
        return examined

    async def draw(self, source: str, owner: str = "") -> tuple[Analysis, Drawing]:
        decode = partial(messages.decode_drawing, characters=len(source))
        return await self._look_at("qasm", source, owner, messages.DRAW, decode)

    async def read_program(self, code: str, owner: str = "") -> Program:
        decode = messages.decode_program
        return await self._look_at("code", code, owner, messages.READ_PROGRAM, decode)

    async def _look_at(
        self, field: str, text: str, owner: str, kind: bytes, decode: Callable[[bytes], Result]
    ) -> Result:
        """Let a worker analyse the text of a request's `field`, in the turn of its owner."""
        limit = self._examination_limit
        async with self._examination_queue.turn(owner, len(text)):
            call = Call(Frame(kind, text.encode("utf-8", "surrogatepass")), time_limit=limit)
            try:
                answer = await self._ask(Role.EXAMINATION, call)
                if answer.kind in (messages.ANALYSIS, messages.PROGRAM, messages.DRAWING):
                    return await decoded_answer(call, answer, decode)
                if answer.kind == messages.INVALID:
                    raise await decoded_answer(call, answer, messages.decode_invalid)
                _, details = await decoded_answer(call, answer, messages.decode_failure)
            except TimeLimitReached:
                raise InvalidArgument(
                    field, f"takes longer than {limit:g} seconds to analyse; send a smaller circuit"
                ) from None
            except EngineError as error:
                raise Unavailable(f"the circuit cannot be examined now: {error}") from error
            if answer.kind == messages.OUT_OF_MEMORY:
                raise InvalidArgument(field, "needs too much memory; send a smaller circuit")
            raise RuntimeError(f"a circuit could not be analysed: {details}")

    async def _ask(self, role: Role, call: Call) -> Frame:
        """Have a worker answer a call. Raises `WorkerLost` or `TimeLimitReached`."""
        self._pools[role].submit(call)
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
                limit = self._memory_limits[role] + call.extra_memory
                cause = await _cause(error.exit_status, limit)
            if cause is None:
                raise MachineLost(_KILLED_FROM_OUTSIDE) from error
            raise WorkerLost(f"the worker ended during the run{cause}") from error


def examination_cost(source: str) -> float:
    """Return how many microseconds it takes at most to parse and analyse a circuit.

    A source with a definition has no bound.
    """
    size: float = len(source)
    if size <= _MOST:
        # Few texts contain these letters, so this avoids most regular expression searches.
        if any(word in source for word in _WORDS) and _DEFINITION.search(source):
            return math.inf
        # Angles say nothing about the number of operations, but the bound would count their digits.
        size += work_bound(_REAL.sub("", source))
    return Work.EXAMINE.cost(size)


async def decoded_answer(call: Call, answer: Frame, decode: Callable[[bytes], Result]) -> Result:
    """Decode an answer. If it is invalid, kill the worker and raise `WorkerLost`."""
    try:
        return await offload.run(Work.ANSWER.cost(len(answer.payload)), decode, answer.payload)
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
