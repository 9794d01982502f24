"""What a backend tells the router of a circuit: how it could run it, or why it cannot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do in a run, by what it takes time for; zero where that does not occur.

    `operations` are gates, measurements and resets one by one, over all evolutions of the state.
    `light`, `dense` and `wide` are the amplitudes that gates of these kinds go over: diagonal ones
    and permutations, other gates on one or two qubits, gates on three or more. `state` is what is
    gone over once for each state (its amplitudes, to make it and to sample from it), `samples`
    what is done for each shot. A method that has no amplitudes says in its place what it has.
    """

    operations: float = 0.0
    light: float = 0.0
    dense: float = 0.0
    wide: float = 0.0
    state: float = 0.0
    samples: float = 0.0


@dataclass(frozen=True, slots=True)
class Method:
    """A way in which a backend can run a given circuit.

    `memory_bytes` is the peak that the run is predicted to need beyond an idle worker, `seconds`
    the predicted time of simulating and sampling. Where `work` is given, the server predicts the
    time from it once it has measured the method on its machine. `exact` is False where the method
    truncates. `fidelity` is the predicted one of the whole run, 0 to 1, and `wait_seconds` how
    long the backend itself lets a run wait, as hardware does that others use too.
    """

    name: str
    memory_bytes: int
    seconds: float
    exact: bool = True
    double_precision: bool = True
    work: Work | None = None
    fidelity: float = 1.0
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a backend cannot run a given circuit, as a sentence for its sender."""

    reason: str
