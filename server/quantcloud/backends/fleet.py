"""All backends of this server together, and the way from a demand to a decision."""

import logging
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from quantcloud.backends.base import Backend
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.backend import BackendInfo, BackendStatus
from quantcloud.domain.execution import RunOptions, is_short
from quantcloud.domain.value_object import value_object
from quantcloud.routing.cost_model import CostModel
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.router import Decision, Demand, Offer, choose
from quantcloud.routing.scores import Weights

# Once so many runs of a kind were learnt from, of short ones only one in so many seconds is.
_MANY_LEARNT = 32
_LEARN_SECONDS = 0.02

_log = logging.getLogger(__name__)


class QueueStatistics(Protocol):
    """Where the figures of the queues are kept."""

    async def queue_depths(self) -> Mapping[str, int]: ...

    async def mean_queue_seconds(self) -> Mapping[str, float]: ...


@value_object
class QueueFigures:
    """Live figures of the queues: jobs that wait for each backend, and how long others did."""

    depth: Mapping[str, int] = field(default_factory=dict[str, int])
    mean_wait_seconds: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    async def read(cls, queues: QueueStatistics) -> "QueueFigures":
        """The figures as they are now."""
        return cls(await queues.queue_depths(), await queues.mean_queue_seconds())

    def wait_seconds(self, backend: str) -> float:
        """What a job that comes now would wait: nothing where the queue is empty."""
        return self.mean_wait_seconds.get(backend, 0.0) if self.depth.get(backend, 0) else 0.0


@value_object
class FinishedRun:
    """A run that is over: by which method of which backend, of what."""

    backend: str
    method: str
    analysis: Analysis
    shots: int
    options: RunOptions


class Fleet:
    """The backends by name.

    `memory_limit` is what a run may take, in bytes, unless `memory_limits` says otherwise of its
    backend. `offline_reason` says why one cannot run anything at present, if so; unless given,
    each backend is asked once, for this machine, when the fleet is made. `model` predicts how long
    a run takes. `at_once` are those whose small circuits run in this process; what others state of
    that is passed over. `has_metered` says whether a run on any backend costs money, or a task on
    quantum hardware.

    What a backend raises is logged and taken as a refusal: a broken one must not cost the others
    their jobs.
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
        at_once: Container[str] = (),
    ) -> None:
        self._backends = backends
        self.infos = tuple([backend.info for backend in backends.values()])
        self.has_metered = any(info.cost_per_shot or not info.is_simulator for info in self.infos)
        # What backends answer to a demand for another one.
        self._silent = {name: Offer(each.info, ()) for name, each in backends.items()}
        self._memory_limit = memory_limit
        self._memory_limits = memory_limits or {}
        self._weights = weights or Weights()
        self._model = model or CostModel()
        self._at_once = at_once
        self._offline_reason = offline_reason or offline_reasons(backends).get
        # From how many runs was learnt, and when last, by backend and method.
        self._learnt: dict[tuple[str, str], tuple[int, float]] = {}

    def info(self, name: str) -> BackendInfo | None:
        backend = self._backends.get(name)
        return backend.info if backend else None

    def status(self, name: str) -> BackendStatus:
        return BackendStatus.OFFLINE if self._offline_reason(name) else BackendStatus.ONLINE

    def offline_reason(self, name: str) -> str | None:
        return self._offline_reason(name)

    def decide(self, demand: Demand, figures: QueueFigures) -> Decision:
        """Ask every backend that the demand allows, and choose."""
        offers = [
            self._offer(demand, backend, figures)
            if demand.backend is None or demand.backend == name
            else self._silent[name]
            for name, backend in self._backends.items()
        ]
        return choose(demand, offers, self._memory_limit, self._weights)

    def learn(
        self,
        ran: FinishedRun,
        seconds: float,
        *,
        at_least: bool = False,
    ) -> None:
        """Take in that a run took `seconds`, or `at_least` so many: it was stopped then.

        Where many short ones were learnt from already, some are passed over.
        """
        backend = self._backends.get(ran.backend)
        if backend is None:
            return
        kind, now = (ran.backend, ran.method), time.monotonic()
        number, last = self._learnt.get(kind, (0, 0.0))
        if is_short(seconds) and number >= _MANY_LEARNT and now < last + _LEARN_SECONDS:
            return
        self._learnt[kind] = number + 1, now
        methods = _methods(backend, ran.analysis, ran.shots, ran.options)
        for method in () if isinstance(methods, Refusal) else methods:
            if method.name == ran.method:
                self._model.learn(ran.backend, method, seconds, at_least=at_least)

    def _offer(self, demand: Demand, backend: Backend, figures: QueueFigures) -> Offer:
        info = backend.info
        name = info.name
        if offline := self._offline_reason(name):
            return Offer(info, Refusal(f"offline: {offline}"))
        methods = _methods(backend, demand.analysis, demand.shots, demand.options)
        if not isinstance(methods, Refusal):
            at_once = demand.at_once and name in self._at_once
            methods = [self._predicted(name, method, at_once=at_once) for method in methods]
        limit = self._memory_limits.get(name)
        return Offer(info, methods, figures.wait_seconds(name), memory_limit=limit)

    def _predicted(self, backend: str, method: Method, *, at_once: bool) -> Method:
        if method.at_once and not at_once:
            method = method._replace(at_once=False)
        seconds = self._model.seconds(backend, method)
        return method if seconds == method.seconds else method.lasting(seconds)


def offline_reasons(backends: Mapping[str, Backend]) -> dict[str, str | None]:
    """Ask each backend why it cannot run anything on this machine; None where it can."""
    return {name: _offline_reason(name, each) for name, each in backends.items()}


def _offline_reason(name: str, backend: Backend) -> str | None:
    try:
        return backend.offline_reason()
    except Exception:  # noqa: BLE001  # whatever a package does when it is asked
        _log.exception("backend %s cannot say whether it is online", name)
        return "it failed when it was asked"


def _methods(
    backend: Backend, analysis: Analysis, shots: int, options: RunOptions
) -> Sequence[Method] | Refusal:
    name = backend.info.name
    try:
        methods = backend.methods(analysis, shots, options)
    except Exception:  # noqa: BLE001  # whatever a package does when it is asked
        _log.exception("backend %s cannot say how it would run a circuit", name)
        return Refusal(f"{name} failed when it was asked for its methods")
    if isinstance(methods, Refusal):
        return methods
    return methods or Refusal(f"{name} has no method for this circuit")
