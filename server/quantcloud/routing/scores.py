"""Scores a method for each optimization target, from 0 to 1.

- `speed`: the shortest predicted completion (queue and run) divided by this method's. Both include
  `OVERHEAD_SECONDS`, because a difference of microseconds does not matter, and the time to hand a
  run to a worker unless it runs in the serving process.
- `accuracy`: 1 for an exact method in double precision, 0.9 in single precision, 0.5 if the method
  truncates; multiplied by the predicted fidelity.
- `cost`: 1 / (1 + dollars). The dollars are the backend's price of the shots plus, on a simulator,
  the value of its metered time according to `Weights`.
- `balanced`: the mean of the three, weighted by `Weights`.
"""

from typing import Final, NamedTuple

from quantcloud.domain.job import OptimizationTarget
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method

OVERHEAD_SECONDS = 0.005
# Measured: from the queue to a worker, and from the worker to the stored result.
_HAND_OVER_SECONDS = 0.001
_SINGLE_PRECISION = 0.9
_TRUNCATED = 0.5
_SECONDS_PER_MINUTE = 60


@value_object
class Weights:
    """The weights of the three scores in `balanced`, and the dollars for a metered minute.

    Only the proportions of the weights matter. Their sum must be greater than 0.
    """

    speed: float = 0.6
    accuracy: float = 0.3
    cost: float = 0.1
    minute_usd: float = 0.1


class Scores(NamedTuple):
    """The scores of one method, each from 0 to 1; higher is better."""

    speed: float
    accuracy: float
    cost: float
    balanced: float

    def of(self, target: OptimizationTarget) -> float:
        """Return the score for a target."""
        return self[_PLACES[target]]


_PLACES: Final = {target: Scores._fields.index(target.value) for target in OptimizationTarget}


def waiting(method: Method, wait_seconds: float) -> float:
    """Return the seconds until a run begins; jobs wait `wait_seconds` for its backend."""
    return 0.0 if method.inline else wait_seconds + method.wait_seconds


def completion(method: Method, wait_seconds: float) -> float:
    """Return the seconds until a run ends; `wait_seconds` is as for `waiting`."""
    hand_over = 0.0 if method.inline else _HAND_OVER_SECONDS
    return OVERHEAD_SECONDS + hand_over + waiting(method, wait_seconds) + method.seconds


def scores(
    method: Method,
    weights: Weights,
    completion: float,
    fastest: float,
    *,
    cost_usd: float,
    metered: bool,
) -> Scores:
    """Score a method by its predicted `completion`; `fastest` is the shortest of all methods.

    `metered` says whether its time counts toward the account's simulator minutes.
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
