"""The protocols of engines, which run circuits."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.drawing import Drawing
from quantcloud.quantsdk import Program


class EngineError(Exception):
    """A run gave no outcome. The text is suitable for the job's `error_message`."""


class ExecutionFailed(EngineError):
    """The backend refused the circuit or failed on it. Another try would end the same way."""


class ExecutionTimedOut(EngineError):
    """The run reached its time limit and was stopped."""


class OutOfMemory(EngineError):
    """The run needed more memory than a worker may use."""


class WorkerLost(EngineError):
    """The worker died during the run. Another worker may well succeed."""


class MachineLost(WorkerLost):
    """The machine died or became unreachable during the run. The circuit is hardly the cause."""


class Examined(NamedTuple):
    """An analysed circuit. `circuit` is None if it was parsed in another process."""

    analysis: Analysis
    circuit: Circuit | None = None


class Engine(Protocol):
    """Runs circuits."""

    async def execute(
        self, execution: Execution, *, time_limit: float, on_start: Callable[[], None]
    ) -> Outcome:
        """Run a circuit for at most `time_limit` seconds after its start.

        `on_start` is called on the event loop when the run has started. Cancelling the calling task
        kills the run. Raises an `EngineError`: `WorkerLost` if the engine is stopped.
        """
        ...


class WorkerEngine(Engine, Protocol):
    """Runs and analyses circuits outside the serving process."""

    @property
    def slots(self) -> int:
        """How many runs can be in progress at the same time."""
        ...

    @property
    def cores(self) -> int:
        """How many cores the threads of all runs may use together."""
        ...

    @property
    def backlog(self) -> int:
        """How many short runs the engine accepts beyond its slots.

        They wait behind the runs before them, so that a worker never waits for work. A run is short
        if its `predicted_seconds` is a few milliseconds. A longer run waits for a free slot, and
        every run accepted after it waits behind it.
        """
        ...

    @property
    def trouble(self) -> str | None:
        """Why no run can start on any backend; None if runs can start. Safe to show to anyone."""
        ...

    def is_ready(self, backend: str) -> bool:
        """Whether a run on `backend` can start. If not, it waits without taking a slot."""
        ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the event loop whenever the number of slots grows."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Kill all runs and release all resources; safe to call twice."""
        ...

    async def examine(self, source: str, owner: str = "") -> Examined:
        """Parse and analyse a circuit, off the event loop unless it is small.

        It never waits behind a running circuit. Each owner's circuits are analysed one after
        another, and wait for at most one circuit of each other owner. Raises `CircuitError` for a
        bad circuit, `InvalidArgument` if the analysis exceeds its time or memory limit, and
        `Unavailable` if no worker can analyse it or too many circuits are waiting.
        """
        ...

    async def draw(self, source: str, owner: str = "") -> tuple[Analysis, Drawing]:
        """Analyse and draw a circuit, off the event loop. It waits and raises as for `examine`."""
        ...

    async def read_program(self, code: str, owner: str = "") -> Program:
        """Read a program of the SDK, off the event loop. It waits and raises as for `examine`."""
        ...
