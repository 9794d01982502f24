"""How long a run takes: coefficients that are measured, corrected by what runs really took.

A method's time is linear in its `Work`, with one coefficient for each of its terms and one for the
start. A backend states coefficients for a machine like others; `quantcloud calibrate` fits them to
the machine at hand. What linearity misses, and what changes later, is put right by a `Correction`
for each method, which follows the runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quantcloud.domain.value_object import value_object
from quantcloud.routing.correction import Correction, Errors
from quantcloud.routing.method import Method
from quantcloud.routing.work import Coefficients

Key = tuple[str, str]
"""Names of a backend and of one of its methods."""


@value_object
class Calibration:
    """Coefficients that were measured, each on the machine that `machine` describes."""

    machine: str
    measured_at: str
    coefficients: Mapping[Key, Coefficients]


@dataclass(slots=True)
class CostModel:
    """Predicts runs, and learns from them.

    Without a calibration it goes by what each backend says. `corrections` and `errors` are what it
    has learnt, of as many runs since it was made as `learnt` says; both are kept between starts.
    """

    calibration: Calibration | None = None
    corrections: dict[Key, Correction] = field(default_factory=dict[Key, Correction])
    errors: dict[Key, Errors] = field(default_factory=dict[Key, Errors])
    learnt: int = 0

    def seconds(self, backend: str, method: Method) -> float:
        """Predict the time of a run of `method`."""
        raw = self._uncorrected(backend, method)
        correction = self.corrections.get((backend, method.name))
        return raw if correction is None else raw * correction.factor(raw)

    def learn(self, backend: str, method: Method, actual: float, *, at_least: bool = False) -> None:
        """Take in that a run took `actual` seconds, or `at_least` so many: it was stopped then.

        A run whose time says nothing is passed over.
        """
        if actual <= 0:
            return
        key = backend, method.name
        raw = self._uncorrected(backend, method)
        correction = self.corrections.get(key) or Correction()
        predicted = raw * correction.factor(raw)
        if predicted <= 0 or (at_least and predicted >= actual):
            return
        self.errors[key] = (self.errors.get(key) or Errors()).after(predicted, actual)
        self.learnt += 1
        self.corrections[key] = correction.after(raw, actual)

    def calibrate(self, calibration: Calibration | None) -> None:
        """Go by another calibration. What was learnt was learnt of the old one, and is dropped."""
        self.calibration = calibration
        self.corrections.clear()

    def _uncorrected(self, backend: str, method: Method) -> float:
        if method.work is not None and self.calibration is not None:
            measured = self.calibration.coefficients.get((backend, method.name))
            if measured is not None:
                return measured.seconds(method.work)
        return method.seconds
