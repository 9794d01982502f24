"""A backend's answers to the router: methods that could run a circuit, or a refusal."""

import math
from typing import Final, NamedTuple

from quantcloud.domain.value_object import value_object
from quantcloud.routing.work import Coefficients, Work

# Shorter runs, in seconds, have one thread: to start others takes a part of a millisecond.
_WORTH_THREADS: Final = 0.02
# The least that a run with several threads does per thread, as a share of what it does with one.
_LEAST_EFFICIENCY: Final = 1 / 3


class Method(NamedTuple):
    """One way in which a backend can run a given circuit.

    `memory_bytes` is the predicted peak memory beyond that of an idle worker. `seconds` is the
    predicted time to simulate and sample. If `work` and the `coefficients` behind `seconds` are
    given, the server predicts the time from measurements on its machine. `exact` is False if the
    method truncates. `fidelity` is the predicted fidelity of the whole run, from 0 to 1.
    `wait_seconds` is how long the backend itself queues a run, as shared hardware does. A run takes
    `cores` cores. More threads divide a share of `parallel` of its time among themselves;
    `seconds` is predicted for `threads`. `inline` says that the serving process may run it: it
    takes at most `INLINE_SECONDS` and can neither crash nor block. If the server predicts another
    time, `stated_seconds` is the backend's time.
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
    parallel: float = 0.0
    threads: int = 1
    stated_seconds: float | None = None

    def lasting(self, seconds: float) -> "Method":
        """Return the same method with the predicted time `seconds`."""
        # This is faster than `_replace`.
        return Method(self.name, self.memory_bytes, seconds, *self[3:-1], self.stated)

    def as_stated(self) -> "Method":
        """Return the same method with the time that its backend states."""
        return self.lasting(self.stated)

    @property
    def most_threads(self) -> int:
        """The most threads from which the run gains enough, by Amdahl's law."""
        if self.seconds < _WORTH_THREADS or self.parallel <= 0:
            return 1
        serial = 1 - min(self.parallel, 0.999)
        return max(1, math.floor((1 / _LEAST_EFFICIENCY - self.parallel) / serial))

    def on(self, threads: int) -> "Method":
        """Return this method, which is predicted for one thread, predicted for `threads`."""
        if threads <= 1:
            return self
        share = 1 - self.parallel + self.parallel / threads
        return self.lasting(self.seconds * share)._replace(threads=threads)

    @property
    def stated(self) -> float:
        """The time that its backend states."""
        return self.seconds if self.stated_seconds is None else self.stated_seconds


@value_object
class Refusal:
    """Why a backend cannot run a given circuit, as a sentence for the user."""

    reason: str
