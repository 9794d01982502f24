"""The input and the output of a run of a circuit.

What is sent to a worker has no slots: with them, a frozen dataclass takes twice as long to
pickle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from quantcloud.domain.points import Points
from quantcloud.domain.sweep import PointBlock, Sweep
from quantcloud.domain.value_object import value_object

SHORT_SECONDS = 0.005
"""Runs with at most this prediction may wait inside a worker behind other short runs."""
INLINE_SECONDS = 0.000_25
"""Runs whose backend states at most this time may run in the serving process.

To send such a run to a worker would keep the serving process busy for longer, and its result would
need a second commit.
"""


def is_short(predicted_seconds: float | None) -> bool:
    """Return whether a run is predicted to be short."""
    return predicted_seconds is not None and predicted_seconds <= SHORT_SECONDS


Readout: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""For a qubit that is 0, and for one that is 1: the probabilities that it is read as 0 and as 1."""


@dataclass(frozen=True)
class GateNoise:
    """The noise after a gate. For None, what the `Noise` says of all gates applies.

    `depolarizing` is as in `Noise`. `pauli` has the probabilities of Pauli errors, whose names all
    have one letter and act on each qubit independently, or one letter for each qubit of the gate.
    `amplitude_damping` is the probability that a qubit that is 1 decays to 0.
    """

    depolarizing: float | None = None
    pauli: tuple[tuple[str, float], ...] = ()
    amplitude_damping: float = 0.0
    gate_time_us: float | None = None


@dataclass(frozen=True)
class QubitNoise:
    """The noise of a qubit. For None, what the `Noise` says of all qubits applies."""

    t1_us: float | None = None
    t2_us: float | None = None
    readout: Readout | None = None


@dataclass(frozen=True)
class Noise:
    """Noise to simulate. A rate of 0, or a time of None, switches that kind of noise off.

    `depolarizing_1q` and `depolarizing_2q` are the probabilities that a gate's qubits are replaced
    by the maximally mixed state (Qiskit's convention). A gate on three or more qubits has the noise
    of the gates that define it. `readout` is the probability that a measured bit is read flipped,
    also in mid-circuit. `t1_us` and `t2_us` are relaxation times, and `gate_time_1q_us` and
    `gate_time_2q_us` durations of gates, all in microseconds. `gates` and `qubits`, in order, are
    exceptions for single gates and qubits.
    """

    depolarizing_1q: float = 0.0
    depolarizing_2q: float = 0.0
    readout: float = 0.0
    t1_us: float | None = None
    t2_us: float | None = None
    gate_time_1q_us: float = 0.05
    gate_time_2q_us: float = 0.3
    gates: tuple[tuple[str, GateNoise], ...] = ()
    qubits: tuple[tuple[int, QubitNoise], ...] = ()


@dataclass(frozen=True)
class RunOptions:
    """A request's `options`, checked.

    `timeout_seconds` can shorten the tier's time limit but not lengthen it.
    """

    seed: int | None = None
    statevector: bool = False
    memory: bool = False
    noise: Noise | None = None
    timeout_seconds: float | None = None

    @property
    def only_counts(self) -> bool:
        """Whether a run returns only counts, has no noise, and has no time limit in the request."""
        return not (self.statevector or self.memory or self.noise or self.timeout_seconds)


NO_OPTIONS = RunOptions()
"""The options of a request that has none."""


@dataclass(frozen=True)
class Execution:
    """One run of one circuit on one backend, as it is sent to a worker.

    `method` is the backend's name of the method to use. `predicted_seconds` is the predicted run
    time, or None if there is no prediction. With a `sweep` the run computes a block of its points.
    The run has `threads` threads, and more than one only if nothing else needs their cores.
    `memory_bytes` is what it reserves.
    """

    job_id: str
    backend: str
    method: str
    qasm: str
    shots: int
    seed: int
    options: RunOptions = field(default_factory=RunOptions)
    predicted_seconds: float | None = None
    sweep: Sweep | None = None
    threads: int = 1
    memory_bytes: int = 0


@value_object
class Statevector:
    """The amplitudes of all 2**n basis states. Bit 0 of the index is qubit 0."""

    real: tuple[float, ...]
    imag: tuple[float, ...]


@value_object
class Outcome:
    """The output of a run.

    `counts` maps each bitstring (classical bit 0 rightmost, no spaces) to its number of shots; the
    values add up to the shots. `execution_time_ms` is the time spent simulating and sampling.
    `memory` holds one bitstring per shot, in order. `metadata` is JSON-like. The outcome of a sweep
    has its results in `block`, and empty `counts`. What sends it on writes them as `points`.
    """

    counts: Mapping[str, int]
    execution_time_ms: float
    statevector: Statevector | None = None
    memory: tuple[str, ...] | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    block: PointBlock | None = None
    points: Points | None = None
