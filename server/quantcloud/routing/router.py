"""QuantRouter: which backend runs a circuit, and why.

Every backend either is rejected, with its reason, or offers methods; its best method is scored
from 0 to 1 for each optimization target:

- `speed`: the shortest predicted completion (queue and run) divided by this one's. Both carry
  `OVERHEAD_SECONDS`, since a difference of microseconds helps nobody.
- `accuracy`: 1 for an exact method in double precision, 0.9 in single, 0.5 for one that truncates.
- `cost`: 1 / (1 + the run's price in US dollars).
- `balanced`: the mean of the three, weighted by `Weights`.

The same input gives the same choice: ties break by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.routing.method import Method, Refusal

OVERHEAD_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Weights:
    """The shares of the three scores in `balanced`; they add up to 1."""

    speed: float = 0.6
    accuracy: float = 0.3
    cost: float = 0.1


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of the router: a circuit's figures and its sender's wishes.

    With `simulators_only` no quantum hardware is chosen: the sender has no task on it left.
    """

    analysis: Analysis
    shots: int
    options: RunOptions
    target: OptimizationTarget
    backend: str | None = None
    max_cost_usd: float | None = None
    min_fidelity: float | None = None
    simulators_only: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """One backend's answer to a demand: methods that could run it, or a refusal.

    `wait_seconds` is how long a job would wait in its queue, `fidelity` the predicted one, and
    `memory_limit` what a run may take there, in bytes, where that is not what any run may.
    """

    info: BackendInfo
    methods: Sequence[Method] | Refusal
    wait_seconds: float = 0.0
    fidelity: float = 1.0
    memory_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend in the router's eyes: a method with its score, or a rejection."""

    backend: str
    rejection: str | None = None
    method: Method | None = None
    score: float = 0.0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The chosen candidate with one sentence why, and all of them, best first, rejected last."""

    chosen: Candidate | None
    reason: str
    candidates: Sequence[Candidate]


def choose(
    demand: Demand, offers: Sequence[Offer], memory_limit: int, weights: Weights
) -> Decision:
    """Decide on a backend. `memory_limit` is what one run may take, in bytes."""
    admitted: list[tuple[Offer, Method, float]] = []
    rejected: list[Candidate] = []
    for offer in offers:
        cost = offer.info.cost_per_shot * demand.shots
        found = _admit(demand, offer, cost, offer.memory_limit or memory_limit)
        if isinstance(found, Refusal):
            rejected.append(Candidate(offer.info.name, rejection=found.reason))
        else:
            admitted.extend((offer, method, cost) for method in found)
    fastest = min((_completion(o, m) for o, m, _ in admitted), default=0.0)
    best: dict[str, Candidate] = {}
    for offer, method, cost in admitted:
        score = _score(demand.target, weights, offer, method, cost=cost, fastest=fastest)
        name = offer.info.name
        if name not in best or score > best[name].score:
            best[name] = Candidate(name, method=method, score=score, cost_usd=cost)
    ranked = sorted(best.values(), key=lambda c: (-c.score, c.backend))
    chosen = ranked[0] if ranked else None
    return Decision(
        chosen,
        _reason(demand, chosen, len(ranked)),
        (*ranked, *sorted(rejected, key=lambda c: c.backend)),
    )


def _admit(
    demand: Demand, offer: Offer, cost: float, memory_limit: int
) -> Sequence[Method] | Refusal:
    """The methods of an offer that meet the demand."""
    if demand.backend is not None and offer.info.name != demand.backend:
        return Refusal(f"the request names {demand.backend}")
    if isinstance(offer.methods, Refusal):
        return offer.methods
    if (unaffordable := _unaffordable(demand, offer, cost)) is not None:
        return unaffordable
    if demand.min_fidelity is not None and offer.fidelity < demand.min_fidelity:
        return Refusal(
            f"predicted fidelity {offer.fidelity:.3f} is below min_fidelity {demand.min_fidelity}"
        )
    fitting = [method for method in offer.methods if method.memory_bytes <= memory_limit]
    if not fitting:
        least = min(method.memory_bytes for method in offer.methods)
        return Refusal(
            f"would need {binary_size(least)} of memory, a run may take {binary_size(memory_limit)}"
        )
    return fitting


def _unaffordable(demand: Demand, offer: Offer, cost: float) -> Refusal | None:
    if demand.simulators_only and not offer.info.is_simulator:
        return Refusal("is quantum hardware, on which the account has no task left")
    if demand.max_cost_usd is not None and cost > demand.max_cost_usd:
        return Refusal(f"would cost ${cost:.2f}, more than max_cost_usd ${demand.max_cost_usd:.2f}")
    return None


def _completion(offer: Offer, method: Method) -> float:
    return OVERHEAD_SECONDS + offer.wait_seconds + method.seconds


def _score(
    target: OptimizationTarget,
    weights: Weights,
    offer: Offer,
    method: Method,
    *,
    cost: float,
    fastest: float,
) -> float:
    speed = fastest / _completion(offer, method)
    accuracy = _accuracy(method) * offer.fidelity
    cheapness = 1.0 / (1.0 + cost)
    match target:
        case OptimizationTarget.SPEED:
            return speed
        case OptimizationTarget.ACCURACY:
            return accuracy
        case OptimizationTarget.COST:
            return cheapness
        case OptimizationTarget.BALANCED:
            return weights.speed * speed + weights.accuracy * accuracy + weights.cost * cheapness


def _accuracy(method: Method) -> float:
    if not method.exact:
        return 0.5
    return 1.0 if method.double_precision else 0.9


_PRAISE: Mapping[OptimizationTarget, str] = {
    OptimizationTarget.SPEED: "is predicted to finish first",
    OptimizationTarget.ACCURACY: "is the most accurate",
    OptimizationTarget.COST: "is the cheapest",
    OptimizationTarget.BALANCED: "has the best balance of speed, accuracy and cost",
}


def _reason(demand: Demand, chosen: Candidate | None, eligible: int) -> str:
    if chosen is None or chosen.method is None:
        return "no backend can run this circuit"
    if demand.backend is not None:
        return f"the request names {chosen.backend}; it runs the circuit by {chosen.method.name}"
    if eligible == 1:
        return f"only {chosen.backend} can run this circuit, by {chosen.method.name}"
    return (
        f"{chosen.backend} ({chosen.method.name}) {_PRAISE[demand.target]} "
        f"of the {eligible} backends that can run this circuit"
    )


def binary_size(count: float) -> str:
    """Bytes for people: 1536 is '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if count < 1024:  # noqa: PLR2004  # binary units
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} ZiB"
