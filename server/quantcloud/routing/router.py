"""QuantRouter: chooses the backend that runs a circuit, and says why.

Each backend is either rejected for a reason or offers methods. Each method is scored (`scores`),
and a backend is represented by its best method for the requested target. Ties are broken by the
balanced score, then by name, so the same input gives the same choice.
"""

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from operator import itemgetter
from typing import NamedTuple

from quantcloud.domain.account import MonthlyLimits
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.job import Job, OptimizationTarget
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size, duration
from quantcloud.routing.scores import Scores, Weights, completion, scores, waiting


class Offer(NamedTuple):
    """One backend's answer: methods that could run the circuit, or a refusal.

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
    """The chosen candidate, one sentence why, and all candidates, best first, rejected last."""

    chosen: Candidate | None
    reason: str
    candidates: Sequence[Candidate]

    @property
    def placement(self) -> Placement:
        """Where the circuit runs."""
        method = self.chosen and self.chosen.method
        return Placement.INLINE if method and method.inline else Placement.WORKER


MAX_OVERRUN = 10
"""A run predicted to take this many times its limit is refused, unless the request sets a limit."""

_Admitted = tuple[Offer, float, Sequence[Method]]
_first = itemgetter(0)


def choose(
    job: Job,
    offers: Sequence[Offer],
    memory_limit: int,
    weights: Weights,
    *,
    time_limit: float | None = None,
    left: MonthlyLimits | None = None,
) -> Decision:
    """Choose a backend for a job that asks for one or for any.

    One run may take `memory_limit` bytes, and is stopped after `time_limit` seconds. `left` is what
    the account has left this month; a job that asks for a backend is not held against it.
    """
    if job.requested_backend is not None:
        left = None
    admitted: list[_Admitted] = []
    rejected: list[Candidate] = []
    for offer in offers:
        if job.requested_backend not in {None, offer.info.name}:
            reason = f"the request names {job.requested_backend}"
            rejected.append(Candidate(offer.info.name, rejection=reason, asked=False))
            continue
        cost = offer.info.cost_per_shot * job.shots * (job.points or 1)
        found = _admit(job, offer, cost, offer.memory_limit or memory_limit, left)
        if isinstance(found, Refusal):
            rejected.append(Candidate(offer.info.name, rejection=found.reason))
        else:
            admitted.append((offer, cost, found))
    admitted = _in_time(time_limit, admitted, rejected)
    ranked = _ranked(job.optimize_for, admitted, weights)
    chosen = ranked[0] if ranked else None
    rejected.sort(key=_first)
    reason = _reason(job, chosen, len(ranked), time_limit)
    return Decision(chosen, reason, (*ranked, *rejected))


def _admit(
    job: Job, offer: Offer, cost: float, memory_limit: int, left: MonthlyLimits | None
) -> Sequence[Method] | Refusal:
    """Return the methods of an offer that may run the job, or why there are none."""
    methods = offer.methods
    if isinstance(methods, Refusal):
        return methods
    if (refusal := _unaffordable(job, offer, cost, left)) is not None:
        return refusal
    least = job.min_fidelity
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


def _unaffordable(
    job: Job, offer: Offer, cost: float, left: MonthlyLimits | None
) -> Refusal | None:
    most = math.inf if job.max_cost_usd is None else job.max_cost_usd
    if left is not None:
        most = min(most, left.credits_usd)
        if not offer.info.is_simulator and left.qpu_tasks == 0:
            return Refusal("is quantum hardware, and the account has no task left on it")
    if cost > most:
        return Refusal(f"would cost ${cost:.2f}, more than max_cost_usd ${most:.2f}")
    return None


def _in_time(
    limit: float | None, admitted: list[_Admitted], rejected: list[Candidate]
) -> list[_Admitted]:
    """Reject backends that are predicted to exceed the time limit, if others are not.

    Predictions may be wrong. If no backend is predicted to end in time, reject those that take
    more than `MAX_OVERRUN` times the limit. If that leaves none, reject none.
    """
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
            soon = [method for method in methods if method.stated <= longest]
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
        metered = info.is_simulator
        found = scores(method, weights, end, fastest, cost_usd=cost, metered=metered)
        score = found.of(target)
        wait = waiting(method, offer.wait_seconds)
        candidate = Candidate(info.name, None, method, score, found, cost, wait)
        ranked.append(((-score, -found.balanced, info.name), candidate))
    ranked.sort(key=_first)
    return [candidate for _, candidate in ranked]


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
        method, metered = stated[place], offer.info.is_simulator
        found = scores(method, weights, ends[place], fastest, cost_usd=cost, metered=metered)
        return found.of(target), found.balanced

    return methods[max(range(len(methods)), key=merit)]


_ADVANTAGES: Mapping[OptimizationTarget, str] = {
    OptimizationTarget.SPEED: "is predicted to finish first",
    OptimizationTarget.ACCURACY: "is the most accurate",
    OptimizationTarget.COST: "is the cheapest",
    OptimizationTarget.BALANCED: "has the best balance of speed, accuracy and cost",
}


def _reason(job: Job, chosen: Candidate | None, eligible: int, limit: float | None) -> str:
    if chosen is None or chosen.method is None:
        return "no backend can run this circuit"
    method = chosen.method
    took = f"predicted to take {duration(method.seconds)}"
    if limit is not None and method.seconds > limit:
        took += f", more than the {duration(limit)} after which it is stopped"
    if job.requested_backend is not None:
        return f"the request names {chosen.backend}; it runs the circuit by {method.name}, {took}"
    if eligible == 1:
        return f"only {chosen.backend} can run this circuit, by {method.name}, {took}"
    return (
        f"{chosen.backend} ({method.name}, {took}) {_ADVANTAGES[job.optimize_for]} "
        f"of the {eligible} backends that can run this circuit"
    )
