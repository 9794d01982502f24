"""What a backend tells the router of a circuit: how it could run it, or why it cannot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """A way in which a backend can run a given circuit.

    `memory_bytes` is the peak that the run is predicted to need beyond an idle worker, `seconds`
    the predicted time of simulating and sampling. `exact` is False where the method truncates.
    """

    name: str
    memory_bytes: int
    seconds: float
    exact: bool = True
    double_precision: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a backend cannot run a given circuit, as a sentence for its sender."""

    reason: str
