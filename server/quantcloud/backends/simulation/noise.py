"""The noise that a request may ask for, as rates and channels. It is the same on every backend.

- Depolarizing: with the given probability, the state of a gate's qubits is replaced by the
  maximally mixed state after the gate (as by Qiskit's `depolarizing_error`).
- Thermal: during the gate, each of its qubits relaxes to |0> with time T1 and loses coherence with
  time T2. An absent T1 is infinite; an absent T2 is 2 T1, its greatest value.
- Readout: with the given probability, a measured bit is recorded flipped. Conditions read the
  recorded bit.

Noise follows each gate of the circuit, including `id`, but no measurement, reset or barrier. A
gate on three or more qubits counts as the one- and two-qubit gates of its standard definition.
"""

import math
from typing import NamedTuple

from quantcloud.circuits import Circuit
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.execution import Noise
from quantcloud.openqasm import lowered

NARROW_GATES = frozenset(
    name
    for name, gate in STANDARD_GATES.items()
    if gate.num_qubits <= 2  # noqa: PLR2004 - the rates are for one or two
)


class Relaxation(NamedTuple):
    """Thermal relaxation over some time: the probabilities of a decay and of a phase flip."""

    decay: float
    dephasing: float


def narrowed(circuit: Circuit) -> Circuit:
    """Replace gates on three or more qubits by their definitions."""
    if all(operation.name in _UNCHANGED for operation in circuit.operations):
        return circuit
    return lowered(circuit, NARROW_GATES)


_UNCHANGED = NARROW_GATES | {"measure", "reset", "barrier"}


def relaxation_times(noise: Noise) -> tuple[float, float] | None:
    """T1 and T2 in microseconds, or None without thermal noise.

    Raises `ValueError` if T2 exceeds 2 T1, which is not physical.
    """
    if noise.t1_us is None and noise.t2_us is None:
        return None
    t1 = math.inf if noise.t1_us is None else noise.t1_us
    t2 = 2 * t1 if noise.t2_us is None else noise.t2_us
    if t2 > 2 * t1:
        raise ValueError(
            f"noise: t2_us may be at most twice t1_us, which is {2 * t1:g}; got {t2:g}"
        )
    return t1, t2


def relaxation(noise: Noise, time_us: float) -> Relaxation | None:
    """Return the effect of thermal noise on a qubit in `time_us`; None if it has none.

    It is amplitude damping with probability `decay`, then a phase flip with probability
    `dephasing`. Together they reduce coherences to exp(-time/T2).
    """
    times = relaxation_times(noise)
    if times is None or not time_us:
        return None
    t1, t2 = times
    return Relaxation(
        decay=-math.expm1(-time_us / t1),
        dephasing=-math.expm1(-time_us * (1 / t2 - 0.5 / t1)) / 2,
    )
