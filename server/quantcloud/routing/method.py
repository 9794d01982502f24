"""What a backend tells the router of a circuit: how it could run it, or why it cannot."""

from typing import NamedTuple

from quantcloud.domain.value_object import value_object
from quantcloud.routing.work import Coefficients, Work


class Method(NamedTuple):
    """A way in which a backend can run a given circuit.

    `memory_bytes` is the peak that the run is predicted to need beyond an idle worker, `seconds`
    the predicted time of simulating and sampling. Where `work` is given, and the `coefficients` by
    which `seconds` follows from it, the server predicts the time from what it measured on its
    machine. `exact` is False where the method
    truncates. `fidelity` is the predicted one of the whole run, 0 to 1, and `wait_seconds` how
    long the backend itself lets a run wait, as hardware does that others use too. `at_once` says
    that the serving process may run it: within `INLINE_SECONDS`, and without a chance to crash or
    to wait. Where the server predicts another time, `stated_seconds` is the backend's.
    """

    name: str
    memory_bytes: int
    seconds: float
    exact: bool = True
    double_precision: bool = True
    work: Work | None = None
    coefficients: Coefficients | None = None
    fidelity: float = 1.0
    wait_seconds: float = 0.0
    at_once: bool = False
    stated_seconds: float | None = None

    def lasting(self, seconds: float) -> "Method":
        """The same, predicted to take `seconds`."""
        # What `_replace` does, without its detour.
        return Method(self.name, self.memory_bytes, seconds, *self[3:-1], self._stated)

    def as_stated(self) -> "Method":
        """The same, predicted to take what its backend says."""
        return self.lasting(self._stated)

    @property
    def _stated(self) -> float:
        return self.seconds if self.stated_seconds is None else self.stated_seconds


@value_object
class Refusal:
    """Why a backend cannot run a given circuit, as a sentence for its sender."""

    reason: str
