"""All backends of this server. The fleet chooses one for a job."""

import logging
import math
import time
from bisect import bisect_left
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import field, replace
from typing import Protocol

from quantcloud.backends.base import Backend
from quantcloud.backends.sweeps import methods_of
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.limits import MAX_QUBITS
from quantcloud.domain.account import MonthlyLimits
from quantcloud.domain.backend import BackendInfo, BackendStatus
from quantcloud.domain.execution import NO_OPTIONS, RunOptions
from quantcloud.domain.job import Job
from quantcloud.domain.sweep import Sweep
from quantcloud.domain.value_object import value_object
from quantcloud.routing.cost_model import CostModel
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.router import Decision, Offer, choose
from quantcloud.routing.scores import Weights
from quantcloud.telemetry import metrics

_log = logging.getLogger(__name__)

# A measurement of each qubit: every method's easiest circuit, also if it knows few gates.
_EASIEST = Analysis(
    num_qubits=1,
    num_clbits=1,
    circuit_depth=1,
    gate_count=1,
    operation_count=1,
    two_qubit_gate_count=0,
    gate_counts={"measure": 1},
    is_clifford=True,
    has_mid_circuit=False,
    measures_all=False,
    interaction_pairs=0,
    interaction_degree=0,
    interaction_reach=0,
    entanglement_bits=0,
    chain_rank_bits=0,
    chain_gates=0,
    chain_cubes=0.0,
)


class QueueStatistics(Protocol):
    """A source of queue statistics."""

    async def queue_depths(self) -> Mapping[str, int]: ...

    async def mean_queue_seconds(self) -> Mapping[str, float]: ...


@value_object
class QueueFigures:
    """The number of jobs that wait for each backend, and the mean wait of recent ones."""

    depth: Mapping[str, int] = field(default_factory=dict[str, int])
    mean_wait_seconds: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    async def read(cls, queues: QueueStatistics) -> "QueueFigures":
        """Read the current figures."""
        return cls(await queues.queue_depths(), await queues.mean_queue_seconds())

    def wait_seconds(self, backend: str) -> float:
        """Return how long a job that comes now would wait; 0 if the queue is empty."""
        return self.mean_wait_seconds.get(backend, 0.0) if self.depth.get(backend, 0) else 0.0


class Fleet:
    """The backends by name.

    `memory_limit` is the memory that a run may take, in bytes; `memory_limits` overrides it for
    single backends. `offline_reason` returns why a backend cannot run at present, or None; by
    default the fleet asks each backend once, for this machine. `model` predicts how long a run
    takes. `inline` are the backends whose small circuits run in this process; the fleet ignores
    `Method.inline` of all others. `has_metered` is true if a run on any backend costs money or
    uses quantum hardware. `decided_at` is the time of the last decision, by the monotonic clock.

    An exception from a backend is logged and counts as a refusal: one broken backend must not
    fail the jobs of the others.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        *,
        memory_limit: int,
        weights: Weights | None = None,
        model: CostModel | None = None,
        memory_limits: Mapping[str, int] | None = None,
        offline_reason: Callable[[str], str | None] | None = None,
        inline: Container[str] = (),
    ) -> None:
        self._backends = backends
        self.infos = tuple([backend.info for backend in backends.values()])
        self.has_metered = any(info.cost_per_shot or not info.is_simulator for info in self.infos)
        self._memory_limit = memory_limit
        self._memory_limits = memory_limits or {}
        self._weights = weights or Weights()
        self._model = model or CostModel()
        self._inline = inline
        self.decided_at = -math.inf
        self._offline_reason = offline_reason or offline_reasons(backends).get
        # By backend and memory limit.
        self._widest: dict[tuple[str, int], int] = {}

    def info(self, name: str) -> BackendInfo | None:
        backend = self._backends.get(name)
        return backend.info if backend else None

    def status(self, name: str) -> BackendStatus:
        return BackendStatus.OFFLINE if self._offline_reason(name) else BackendStatus.ONLINE

    def offline_reason(self, name: str) -> str | None:
        return self._offline_reason(name)

    def widest_circuit(self, name: str) -> int:
        """Return the most qubits that a backend runs by any method; 0 if it cannot run now."""
        backend = self._backends[name]
        if self._offline_reason(name):
            return 0
        limit = self._memory_limits.get(name) or self._memory_limit
        if (name, limit) not in self._widest:
            self._widest[name, limit] = _widest_circuit(backend, limit)
        return self._widest[name, limit]

    def decide(
        self,
        job: Job,
        analysis: Analysis,
        figures: QueueFigures,
        *,
        time_limit: float | None = None,
        left: MonthlyLimits | None = None,
        inline: bool = False,
        sweep: Sweep | None = None,
        threads: int = 1,
    ) -> Decision:
        """Ask every backend that the job allows, and choose one; see `router.choose`.

        `sweep` is what the job asks for beyond counts at one point. `inline` says that this process
        has the parsed circuit, and that the account may run jobs. `threads` is how many threads a
        run that starts now may have.
        """
        self.decided_at = time.monotonic()
        offers = [
            self._offer(job, analysis, backend, figures, sweep, inline=inline, threads=threads)
            if job.requested_backend in {None, name}
            else Offer(backend.info, ())
            for name, backend in self._backends.items()
        ]
        return choose(
            job, offers, self._memory_limit, self._weights, time_limit=time_limit, left=left
        )

    def uncorrected(self, backend: str, method: Method) -> Method:
        """Return a method with the time that is predicted without what was learnt from runs."""
        seconds = self._model.uncorrected(backend, method)
        name, memory, cores = method.name, method.memory_bytes, method.cores
        return Method(name, memory, seconds, cores=cores, parallel=method.parallel)

    def learn(
        self, backend: str, method: Method, seconds: float, *, at_least: bool = False
    ) -> None:
        """Learn that a run took `seconds`; `at_least` says that it was stopped at that time.

        `method` is what `uncorrected` returned for it.
        """
        if backend not in self._backends:
            return
        if seconds > 0:
            ratio = metrics.PREDICTION_RATIO.labels(backend, method.name)
            ratio.observe(method.seconds / seconds)
        self._model.learn(backend, method, seconds, at_least=at_least)

    def _offer(
        self,
        job: Job,
        analysis: Analysis,
        backend: Backend,
        figures: QueueFigures,
        sweep: Sweep | None,
        *,
        inline: bool,
        threads: int,
    ) -> Offer:
        info = backend.info
        name = info.name
        if offline := self._offline_reason(name):
            return Offer(info, Refusal(f"offline: {offline}"))
        methods = _methods(backend, analysis, job.shots, job.options, sweep)
        if not isinstance(methods, Refusal):
            if sweep is not None:
                # Its points run side by side instead.
                methods = [method._replace(parallel=0.0) for method in methods]
            inline = inline and name in self._inline
            methods = [
                self._predicted(name, method, inline=inline, threads=threads) for method in methods
            ]
        limit = self._memory_limits.get(name)
        return Offer(info, methods, figures.wait_seconds(name), memory_limit=limit)

    def _predicted(self, backend: str, method: Method, *, inline: bool, threads: int) -> Method:
        if method.inline and not inline:
            method = method._replace(inline=False)
        seconds = self._model.seconds(backend, method)
        if seconds != method.seconds:
            method = method.lasting(seconds)
        if threads == 1 or not method.parallel:
            return method
        return method.on(min(threads, method.most_threads))


def offline_reasons(backends: Mapping[str, Backend]) -> dict[str, str | None]:
    """Ask each backend why it cannot run on this machine; None means that it can."""
    return {name: _offline_reason(name, each) for name, each in backends.items()}


def _offline_reason(name: str, backend: Backend) -> str | None:
    try:
        return backend.offline_reason()
    except Exception:  # noqa: BLE001  # a package may raise anything
        _log.exception("backend %s failed its status check", name)
        return "its status check failed"


def _widest_circuit(backend: Backend, memory_limit: int) -> int:
    """Return the most qubits of a circuit that `backend` runs within `memory_limit` bytes."""
    widths = range(1, MAX_QUBITS + 1)
    return bisect_left(widths, 1, key=lambda width: not _runs(backend, width, memory_limit))


def _runs(backend: Backend, width: int, memory_limit: int) -> bool:
    analysis = replace(
        _EASIEST,
        num_qubits=width,
        num_clbits=width,
        gate_count=width,
        operation_count=width,
        gate_counts={"measure": width},
    )
    methods = _methods(backend, analysis, 1, NO_OPTIONS, None)
    return not isinstance(methods, Refusal) and any(
        method.memory_bytes <= memory_limit for method in methods
    )


def _methods(
    backend: Backend, analysis: Analysis, shots: int, options: RunOptions, sweep: Sweep | None
) -> Sequence[Method] | Refusal:
    name = backend.info.name
    try:
        methods = methods_of(backend, analysis, shots, options, sweep)
    except Exception:  # noqa: BLE001  # a package may raise anything
        _log.exception("backend %s failed to list its methods", name)
        return Refusal(f"{name} failed to list its methods")
    if isinstance(methods, Refusal):
        return methods
    return methods or Refusal(f"{name} has no method for this circuit")
