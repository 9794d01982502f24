"""QuantRouter: chooses the backend that runs a circuit, and says why.

Each backend is either rejected for a reason or offers methods. Each method is scored (`scores`),
and a backend is represented by its best method for the requested target. Ties are broken by the
balanced score, then by name, so the same input gives the same choice.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size, duration
from quantcloud.routing.scores import Scores, Weights, completion, scores, waiting


@value_object
class Demand:
    """A request to the router: the figures of a circuit and what its sender wants.

    `simulators_only` excludes quantum hardware, because the sender has no hardware tasks left.
    A run is stopped after `time_limit` seconds. `inline` says that this process has the parsed
    circuit and that the sender may run jobs.
    """

    analysis: Analysis
    shots: int
    options: RunOptions
    target: OptimizationTarget
    backend: str | None = None
    max_cost_usd: float | None = None
    min_fidelity: float | None = None
    simulators_only: bool = False
    time_limit: float | None = None
    inline: bool = False


class Offer(NamedTuple):
    """One backend's answer to a demand: methods that could run it, or a refusal.

    `wait_seconds` is how long a job would wait in the backend's queue. `memory_limit` is the memory
    that a run on this backend may take, in bytes; None stands for the general limit.
    """

    info: BackendInfo
    methods: Sequence[Method] | Refusal
    wait_seconds: float = 0.0
    memory_limit: int | None = None


class Candidate(NamedTuple):
    """A backend as the router sees it: a method with its scores, or a rejection.

    `score` is the score of the requested target, and `wait_seconds` the time until the run begins.
    `asked` is False if the request names another backend.
    """

    backend: str
    rejection: str | None = None
    method: Method | None = None
    score: float = 0.0
    scores: Scores | None = None
    cost_usd: float = 0.0
    wait_seconds: float = 0.0
    asked: bool = True


class Placement(Enum):
    """Where a circuit runs: `INLINE` in the serving process, at its submission, or in a worker."""

    INLINE = "inline"
    WORKER = "worker"


@value_object
class Decision:
    """The chosen candidate, one sentence why, and all candidates, best first, rejected last.

    `placement` says where it runs.
    """

    chosen: Candidate | None
    reason: str
    candidates: Sequence[Candidate]
    placement: Placement = Placement.WORKER


MAX_OVERRUN = 10
"""A run predicted to take this many times its limit is refused, unless the request sets a limit."""

_Admitted = tuple[Offer, float, Sequence[Method]]
_first = itemgetter(0)


def choose(
    demand: Demand, offers: Sequence[Offer], memory_limit: int, weights: Weights
) -> Decision:
    """Choose a backend. `memory_limit` is the memory that one run may take, in bytes."""
    admitted: list[_Admitted] = []
    rejected: list[Candidate] = []
    for offer in offers:
        if demand.backend is not None and offer.info.name != demand.backend:
            rejected.append(_not_requested(offer.info.name, demand.backend))
            continue
        cost = offer.info.cost_per_shot * demand.shots
        found = _admit(demand, offer, cost, offer.memory_limit or memory_limit)
        if isinstance(found, Refusal):
            rejected.append(Candidate(offer.info.name, rejection=found.reason))
        else:
            admitted.append((offer, cost, found))
    admitted = _in_time(demand, admitted, rejected)
    ranked = _ranked(demand.target, admitted, weights)
    chosen = ranked[0] if ranked else None
    rejected.sort(key=_first)
    inline = chosen is not None and chosen.method is not None and chosen.method.inline
    placement = Placement.INLINE if inline else Placement.WORKER
    reason = _reason(demand, chosen, len(ranked))
    return Decision(chosen, reason, (*ranked, *rejected), placement)


@lru_cache
def _not_requested(backend: str, named: str) -> Candidate:
    """Return the rejection of a backend because the request names another."""
    return Candidate(backend, rejection=f"the request names {named}", asked=False)


def _admit(
    demand: Demand, offer: Offer, cost: float, memory_limit: int
) -> Sequence[Method] | Refusal:
    """Return the methods of an offer that satisfy the demand, or why there are none."""
    methods = offer.methods
    if isinstance(methods, Refusal):
        return methods
    if (refusal := _unaffordable(demand, offer, cost)) is not None:
        return refusal
    least = demand.min_fidelity
    if least is not None:
        accurate = [method for method in methods if method.fidelity >= least]
        if not accurate:
            best = max(method.fidelity for method in methods)
            return Refusal(f"predicted fidelity {best:.3f} is below min_fidelity {least}")
        methods = accurate
    fitting = [method for method in methods if method.memory_bytes <= memory_limit]
    if not fitting:
        need = binary_size(min(method.memory_bytes for method in methods))
        return Refusal(f"would need {need} of memory, a run may take {binary_size(memory_limit)}")
    return fitting


def _unaffordable(demand: Demand, offer: Offer, cost: float) -> Refusal | None:
    if demand.simulators_only and not offer.info.is_simulator:
        return Refusal("is quantum hardware, and the account has no task left on it")
    if demand.max_cost_usd is not None and cost > demand.max_cost_usd:
        return Refusal(f"would cost ${cost:.2f}, more than max_cost_usd ${demand.max_cost_usd:.2f}")
    return None


def _in_time(
    demand: Demand, admitted: list[_Admitted], rejected: list[Candidate]
) -> list[_Admitted]:
    """Reject backends that are predicted to exceed the time limit, if others are not.

    Predictions may be wrong. If no backend is predicted to end in time, reject those that take
    more than `MAX_OVERRUN` times the limit. If that leaves none, reject none.
    """
    limit = demand.time_limit
    if limit is None:
        return admitted
    for longest in (limit, MAX_OVERRUN * limit):
        in_time, late = _split(admitted, longest, limit)
        if in_time:
            rejected += late
            return in_time
    return admitted


def _split(
    admitted: list[_Admitted], longest: float, limit: float
) -> tuple[list[_Admitted], list[Candidate]]:
    """Split off the backends, and their methods, that are predicted to exceed `longest` seconds."""
    if all(method.seconds <= longest for _, _, methods in admitted for method in methods):
        return admitted, []
    in_time: list[_Admitted] = []
    late: list[Candidate] = []
    for offer, cost, methods in admitted:
        if any(method.seconds <= longest for method in methods):
            # By the times that the backend states, like the choice of a method (see `_best`).
            soon = [method for method in methods if method.as_stated().seconds <= longest]
            in_time.append((offer, cost, soon or methods))
            continue
        least = duration(min(method.seconds for method in methods))
        reason = f"is predicted to take {least}, a run may take {duration(limit)}"
        late.append(Candidate(offer.info.name, rejection=reason))
    return in_time, late


def _ranked(
    target: OptimizationTarget, admitted: Sequence[_Admitted], weights: Weights
) -> list[Candidate]:
    """Return each backend with its best method, the best backend first."""
    chosen = [_best(target, offer, cost, methods, weights) for offer, cost, methods in admitted]
    completions = [
        completion(method, offer.wait_seconds)
        for (offer, _, _), method in zip(admitted, chosen, strict=True)
    ]
    fastest = min(completions, default=0.0)
    ranked: list[tuple[tuple[float, float, str], Candidate]] = []
    for (offer, cost, _), method, end in zip(admitted, chosen, completions, strict=True):
        info = offer.info
        found = _scores(offer, cost, method, weights, end=end, fastest=fastest)
        score = found.of(target)
        wait = waiting(method, offer.wait_seconds)
        candidate = Candidate(info.name, None, method, score, found, cost, wait)
        ranked.append(((-score, -found.balanced, info.name), candidate))
    ranked.sort(key=_first)
    return [candidate for _, candidate in ranked]


def _scores(
    offer: Offer, cost: float, method: Method, weights: Weights, *, end: float, fastest: float
) -> Scores:
    return scores(
        method,
        weights,
        completion=end,
        fastest=fastest,
        cost_usd=cost,
        metered=offer.info.is_simulator,
    )


def _best(
    target: OptimizationTarget,
    offer: Offer,
    cost: float,
    methods: Sequence[Method],
    weights: Weights,
) -> Method:
    """Return the method by which a backend runs the circuit, whatever other backends offer.

    The choice uses the times that the backend states, not learnt times, which change: a seed gives
    the same counts only by the same method.
    """
    if len(methods) == 1:
        return methods[0]
    stated = [method.as_stated() for method in methods]
    ends = [completion(method, 0.0) for method in stated]
    fastest = min(ends)

    def merit(place: int) -> tuple[float, float]:
        found = _scores(offer, cost, stated[place], weights, end=ends[place], fastest=fastest)
        return found.of(target), found.balanced

    return methods[max(range(len(methods)), key=merit)]


_ADVANTAGES: Mapping[OptimizationTarget, str] = {
    OptimizationTarget.SPEED: "is predicted to finish first",
    OptimizationTarget.ACCURACY: "is the most accurate",
    OptimizationTarget.COST: "is the cheapest",
    OptimizationTarget.BALANCED: "has the best balance of speed, accuracy and cost",
}


def _reason(demand: Demand, chosen: Candidate | None, eligible: int) -> str:
    if chosen is None or chosen.method is None:
        return "no backend can run this circuit"
    method, limit = chosen.method, demand.time_limit
    took = f"predicted to take {duration(method.seconds)}"
    if limit is not None and method.seconds > limit:
        took += f", more than the {duration(limit)} after which it is stopped"
    if demand.backend is not None:
        return f"the request names {chosen.backend}; it runs the circuit by {method.name}, {took}"
    if eligible == 1:
        return f"only {chosen.backend} can run this circuit, by {method.name}, {took}"
    return (
        f"{chosen.backend} ({method.name}, {took}) {_ADVANTAGES[demand.target]} "
        f"of the {eligible} backends that can run this circuit"
    )
