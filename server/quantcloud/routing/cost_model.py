"""Predicts how long a run takes, by measured coefficients and corrections from actual runs.

The time of a method is linear in its `Work`, with one coefficient for each term and one for the
start. A backend states coefficients for a typical machine; `quantcloud calibrate` fits them to this
machine. A `Correction` for each method learns from the runs what the linear model misses and what
changes later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quantcloud.domain.value_object import value_object
from quantcloud.routing.correction import Correction, Errors
from quantcloud.routing.method import Method
from quantcloud.routing.work import Coefficients

Key = tuple[str, str]
"""The names of a backend and of one of its methods."""


@value_object
class Calibration:
    """Coefficients that were measured on the machine that `machine` describes."""

    machine: str
    measured_at: str
    coefficients: Mapping[Key, Coefficients]


@dataclass(slots=True)
class CostModel:
    """Predicts the time of runs and learns from actual times.

    Without a calibration it uses the times that backends state. `corrections` and `errors` are
    what it has learnt, and are saved across restarts. `learnt` counts the runs since it was made.
    """

    calibration: Calibration | None = None
    corrections: dict[Key, Correction] = field(default_factory=dict[Key, Correction])
    errors: dict[Key, Errors] = field(default_factory=dict[Key, Errors])
    learnt: int = 0

    def seconds(self, backend: str, method: Method) -> float:
        """Predict the time of a run by `method`, in seconds."""
        raw = self.uncorrected(backend, method)
        correction = self.corrections.get((backend, method.name))
        return raw if correction is None else raw * correction.factor(raw)

    def learn(self, backend: str, method: Method, actual: float, *, at_least: bool = False) -> None:
        """Learn that a run took `actual` seconds; `at_least` says that it was stopped then.

        Runs whose time gives no information are skipped.
        """
        if actual <= 0:
            return
        key = backend, method.name
        raw = self.uncorrected(backend, method)
        correction = self.corrections.get(key) or Correction()
        predicted = raw * correction.factor(raw)
        if predicted <= 0 or (at_least and predicted >= actual):
            return
        self.errors[key] = (self.errors.get(key) or Errors()).after(predicted, actual)
        self.learnt += 1
        self.corrections[key] = correction.after(raw, actual)

    def calibrate(self, calibration: Calibration | None) -> None:
        """Use another calibration. The corrections belong to the old one and are dropped."""
        self.calibration = calibration
        self.corrections.clear()

    def uncorrected(self, backend: str, method: Method) -> float:
        """Predict the time of a run without the corrections, in seconds."""
        if method.work is not None and self.calibration is not None:
            measured = self.calibration.coefficients.get((backend, method.name))
            if measured is not None:
                return measured.seconds(method.work)
        return method.stated
