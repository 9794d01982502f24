"""What goes into a run of a circuit and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quantcloud.domain.value_object import value_object

SHORT_SECONDS = 0.005
"""A run that is predicted to take no longer may wait in a worker behind others of its kind."""
INLINE_SECONDS = 0.000_25
"""A run that is stated to take no longer may be made in the serving process.

It takes that process more to claim a job, send it to a worker, read the answer and write a second
transaction: so others are delayed less, and the counts are there after one commit in place of two.
"""


def is_short(predicted_seconds: float | None) -> bool:
    """Whether a run is known to be short."""
    return predicted_seconds is not None and predicted_seconds <= SHORT_SECONDS


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise to simulate; a rate of 0 or an absent time switches that kind off.

    `depolarizing_1q` and `depolarizing_2q` are the probabilities that a gate's qubits are replaced
    by the maximally mixed state (Qiskit's convention); a gate on three or more qubits has the noise
    of the gates that define it. `readout` is the probability that a measured bit is read flipped,
    also midway, `t1_us` and `t2_us` are relaxation times in microseconds, and `gate_time_1q_us`
    and `gate_time_2q_us` how long a gate takes.
    """

    depolarizing_1q: float = 0.0
    depolarizing_2q: float = 0.0
    readout: float = 0.0
    t1_us: float | None = None
    t2_us: float | None = None
    gate_time_1q_us: float = 0.05
    gate_time_2q_us: float = 0.3


@dataclass(frozen=True, slots=True)
class RunOptions:
    """A request's `options`, checked.

    `timeout_seconds` shortens the tier's limit and never lengthens it.
    """

    seed: int | None = None
    statevector: bool = False
    memory: bool = False
    noise: Noise | None = None
    timeout_seconds: float | None = None

    @property
    def only_counts(self) -> bool:
        """Whether nothing else is wanted of a run, nor a limit of its own."""
        return not (self.statevector or self.memory or self.noise or self.timeout_seconds)


NO_OPTIONS = RunOptions()
"""What a request without options asks for."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of one circuit on one backend, as it is handed to a worker.

    `seed` is always set. `method` is the backend's own name for the way to run it, which is
    predicted to take `predicted_seconds`; None where nobody knows.
    """

    job_id: str
    backend: str
    method: str
    qasm: str
    shots: int
    seed: int
    options: RunOptions = field(default_factory=RunOptions)
    predicted_seconds: float | None = None


@value_object
class Statevector:
    """Amplitudes of all 2**n basis states, bit 0 of the index is qubit 0."""

    real: tuple[float, ...]
    imag: tuple[float, ...]


@value_object
class Outcome:
    """What a run gave.

    `counts` maps bitstrings (classical bit 0 rightmost, no spaces) to how many shots gave them;
    the values add up to the shots. `execution_time_ms` is the time spent simulating and sampling.
    `memory` holds one bitstring per shot, in order. `metadata` is JSON-like.
    """

    counts: Mapping[str, int]
    execution_time_ms: float
    statevector: Statevector | None = None
    memory: tuple[str, ...] | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
