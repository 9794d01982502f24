"""How good a way to run a circuit is, from 0 to 1 for each optimization target.

- `speed`: the shortest predicted completion (queue and run) divided by this one's. Both carry
  `OVERHEAD_SECONDS`, since a difference of microseconds helps nobody, and those that a worker runs
  what it takes to hand them over.
- `accuracy`: 1 for an exact method in double precision, 0.9 in single, 0.5 for one that truncates;
  times the predicted fidelity.
- `cost`: 1 / (1 + dollars). On a simulator the dollars are those that `Weights` says its metered
  time is worth, beside the backend's price for each shot.
- `balanced`: the mean of the three, weighted by `Weights`.
"""

from typing import Final, NamedTuple

from quantcloud.domain.job import OptimizationTarget
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method

OVERHEAD_SECONDS = 0.005
# From a job's queue to its worker, and back to its result, measured.
_HAND_OVER_SECONDS = 0.001
_SINGLE_PRECISION = 0.9
_TRUNCATED = 0.5
_SECONDS_PER_MINUTE = 60


@value_object
class Weights:
    """The shares of the three scores in `balanced`, and what a metered minute is worth in dollars.

    The shares count by their proportion; they need not add up to 1, but to more than 0.
    """

    speed: float = 0.6
    accuracy: float = 0.3
    cost: float = 0.1
    minute_usd: float = 0.1


class Scores(NamedTuple):
    """One method's scores, each from 0 to 1; more is better."""

    speed: float
    accuracy: float
    cost: float
    balanced: float

    def of(self, target: OptimizationTarget) -> float:
        """The score that counts for a target."""
        return self[_PLACES[target]]


_PLACES: Final = {target: Scores._fields.index(target.value) for target in OptimizationTarget}


def waiting(method: Method, wait_seconds: float) -> float:
    """Seconds until a run begins where those that wait for its backend do so for `wait_seconds`."""
    return 0.0 if method.at_once else wait_seconds + method.wait_seconds


def completion(method: Method, wait_seconds: float) -> float:
    """Seconds from now to the end of a run, of which `wait_seconds` are as for `waiting`."""
    hand_over = 0.0 if method.at_once else _HAND_OVER_SECONDS
    return OVERHEAD_SECONDS + hand_over + waiting(method, wait_seconds) + method.seconds


def scores(
    method: Method,
    weights: Weights,
    *,
    completion: float,
    fastest: float,
    cost_usd: float,
    metered: bool,
) -> Scores:
    """Score a method whose completion is predicted, the shortest of all being `fastest`.

    `metered` says whether its time counts for the account's simulator minutes.
    """
    speed = fastest / completion
    accuracy = method.fidelity
    if not method.exact:
        accuracy *= _TRUNCATED
    elif not method.double_precision:
        accuracy *= _SINGLE_PRECISION
    dollars = cost_usd
    if metered:
        dollars += weights.minute_usd * method.seconds / _SECONDS_PER_MINUTE
    cost = 1.0 / (1.0 + dollars)
    total = weights.speed + weights.accuracy + weights.cost
    balanced = (weights.speed * speed + weights.accuracy * accuracy + weights.cost * cost) / total
    return Scores(speed, accuracy, cost, balanced)
