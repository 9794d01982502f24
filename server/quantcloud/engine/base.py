"""The protocol between the scheduler and whatever runs circuits."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Outcome


class EngineError(Exception):
    """A run that gave no outcome. The text is fit for the job's `error_message`."""


class ExecutionFailed(EngineError):
    """The backend refused or broke on the circuit; another try would end the same."""


class ExecutionTimedOut(EngineError):
    """The run reached its time limit and was stopped."""


class OutOfMemory(EngineError):
    """The run wanted more memory than a worker may have."""


class WorkerLost(EngineError):
    """The worker died under the run, which may well succeed on another."""


class MachineLost(WorkerLost):
    """The machine died under the run, or is out of reach: hardly for what the circuit did."""


class Examined(NamedTuple):
    """A circuit that was looked at: in this process, where `circuit` is given."""

    analysis: Analysis
    circuit: Circuit | None = None


class Engine(Protocol):
    """Runs circuits somewhere else than in the serving process."""

    @property
    def slots(self) -> int:
        """How many runs can be under way at once."""
        ...

    @property
    def backlog(self) -> int:
        """How many short runs may be handed over beyond the slots.

        They wait where the runs before them end, so that no worker is ever without work. Short is
        what `predicted_seconds` says so of, some milliseconds; others wait for a free slot, and
        all that is handed over after them waits behind.
        """
        ...

    @property
    def trouble(self) -> str | None:
        """Why no run can begin, whatever its backend; None where one can. Fit for anyone."""
        ...

    def is_ready(self, backend: str) -> bool:
        """Whether a run on `backend` can begin; if not, it waits without taking a slot."""
        ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the event loop, whenever there are more slots than before."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Kill what runs and release everything; safe to call twice."""
        ...

    async def examine(self, source: str, owner: str = "") -> Examined:
        """Parse and analyse a circuit, off the event loop unless it is small.

        Never waits behind a running circuit, and behind one of each other `owner` at most: an
        owner's own are looked at one after the other. Raises `CircuitError` for a bad circuit,
        `InvalidArgument` for one that takes longer or more memory to look at than the limit, and
        `Unavailable` when nothing is there to look at it, or too much is waiting already.
        """
        ...

    async def execute(
        self, execution: Execution, *, time_limit: float, on_start: Callable[[], None]
    ) -> Outcome:
        """Run a circuit within `time_limit` seconds of its start.

        `on_start` is called on the event loop when a worker has begun. Cancelling the calling
        task kills the run. Raises an `EngineError`: `WorkerLost` also when the engine is stopped.
        """
        ...
