"""A backend's answers to the router: methods that could run a circuit, or a refusal."""

from typing import NamedTuple

from quantcloud.domain.value_object import value_object
from quantcloud.routing.work import Coefficients, Work


class Method(NamedTuple):
    """One way in which a backend can run a given circuit.

    `memory_bytes` is the predicted peak memory beyond that of an idle worker. `seconds` is the
    predicted time to simulate and sample. If `work` and the `coefficients` behind `seconds` are
    given, the server predicts the time from measurements on its machine. `exact` is False if the
    method truncates. `fidelity` is the predicted fidelity of the whole run, from 0 to 1.
    `wait_seconds` is how long the backend itself queues a run, as shared hardware does. A run takes
    `cores` cores. `inline` says that the serving process may run it: it takes at most
    `INLINE_SECONDS` and can neither crash nor block. If the server predicts another time,
    `stated_seconds` is the backend's time.
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
    cores: int = 1
    inline: bool = False
    stated_seconds: float | None = None

    def lasting(self, seconds: float) -> "Method":
        """Return the same method with the predicted time `seconds`."""
        # This is faster than `_replace`.
        return Method(self.name, self.memory_bytes, seconds, *self[3:-1], self.stated)

    def as_stated(self) -> "Method":
        """Return the same method with the time that its backend states."""
        return self.lasting(self.stated)

    @property
    def stated(self) -> float:
        """The time that its backend states."""
        return self.seconds if self.stated_seconds is None else self.stated_seconds


@value_object
class Refusal:
    """Why a backend cannot run a given circuit, as a sentence for the user."""

    reason: str
