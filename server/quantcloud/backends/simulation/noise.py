"""The noise that a request may ask for, as rates and channels. It is the same on every backend.

After a gate come, in this order:

- Depolarizing: with the given probability, the state of the gate's qubits is replaced by the
  maximally mixed state (as by Qiskit's `depolarizing_error`).
- Pauli: one of some Pauli operators with the given probabilities.
- Amplitude damping: each of its qubits decays from |1> to |0> with the given probability.
- Thermal: during the gate, each of its qubits relaxes to |0> with time T1 and loses coherence with
  time T2. An absent T1 is infinite; an absent T2 is 2 T1, its greatest value.

A `delay` has only the last. A measured bit is recorded as `readout_of` says, and conditions read
the recorded bit. Noise follows each gate of the circuit, including `id`, but no measurement, reset
or barrier. A gate on three or more qubits counts as the one- and two-qubit gates of its standard
definition.
"""

import math
from functools import lru_cache
from typing import NamedTuple

from quantcloud.circuits import Circuit
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import CONTROL
from quantcloud.domain.execution import GateNoise, Noise, QubitNoise, Readout
from quantcloud.openqasm import lowered

MICROSECONDS = 1e6
"""The microseconds in a second."""

NARROW_GATES = frozenset(
    name
    for name, gate in STANDARD_GATES.items()
    if gate.num_qubits <= 2  # noqa: PLR2004 - the rates are for one or two
)


# Other names of gates.
_SAME_GATE = {"CX": "cx", "U": "u", "u0": "id"}


def noise_name(gate: str) -> str:
    """Return the name under which a `Noise` has the noise of a standard gate."""
    return _SAME_GATE.get(gate, gate)


class GateChannels(NamedTuple):
    """The noise after a gate: see `GateNoise`. `pauli` may have fewer letters than the gate."""

    depolarizing: float
    pauli: tuple[tuple[str, float], ...]
    amplitude_damping: float
    time_us: float


class Relaxation(NamedTuple):
    """Thermal relaxation over some time: the probabilities of a decay and of a phase flip."""

    decay: float
    dephasing: float


@lru_cache(maxsize=1024)
def gate_channels(noise: Noise, name: str, num_qubits: int) -> GateChannels:
    """Return the noise after the standard gate `name`."""
    own = dict(noise.gates).get(noise_name(name), GateNoise())
    rate, time_us = (
        (noise.depolarizing_1q, noise.gate_time_1q_us)
        if num_qubits == 1
        else (noise.depolarizing_2q, noise.gate_time_2q_us)
    )
    return GateChannels(
        rate if own.depolarizing is None else own.depolarizing,
        own.pauli,
        own.amplitude_damping,
        time_us if own.gate_time_us is None else own.gate_time_us,
    )


@lru_cache(maxsize=1024)
def readout_of(noise: Noise, qubit: int) -> Readout | None:
    """Return how `qubit` is read, or None if always rightly."""
    own = dict(noise.qubits).get(qubit, QubitNoise()).readout
    if own is not None:
        return own
    right, wrong = 1 - noise.readout, noise.readout
    return ((right, wrong), (wrong, right)) if wrong else None


def misreads(noise: Noise) -> bool:
    """Return whether some qubit may be misread."""
    return bool(noise.readout) or any(own.readout for _, own in noise.qubits)


def narrowed(circuit: Circuit) -> Circuit:
    """Replace gates on three or more qubits by their definitions."""
    if all(operation.name in _UNCHANGED for operation in circuit.operations):
        return circuit
    return lowered(circuit, NARROW_GATES)


_UNCHANGED = NARROW_GATES | {"measure", "reset", "barrier", "delay"} | CONTROL


@lru_cache(maxsize=1024)
def relaxation_times(noise: Noise, qubit: int) -> tuple[float, float] | None:
    """T1 and T2 of `qubit` in microseconds, or None without thermal noise.

    Raises `ValueError` if T2 exceeds 2 T1, which is not physical.
    """
    own = dict(noise.qubits).get(qubit, QubitNoise())
    t1_us = noise.t1_us if own.t1_us is None else own.t1_us
    t2_us = noise.t2_us if own.t2_us is None else own.t2_us
    if t1_us is None and t2_us is None:
        return None
    t1 = math.inf if t1_us is None else t1_us
    t2 = 2 * t1 if t2_us is None else t2_us
    if t2 > 2 * t1:
        raise ValueError(
            f"noise: t2_us may be at most twice t1_us, which is {2 * t1:g}; got {t2:g}"
        )
    return t1, t2


def relaxation(noise: Noise, qubit: int, time_us: float) -> Relaxation | None:
    """Return the effect of thermal noise on a qubit in `time_us`; None if it has none.

    It is amplitude damping with probability `decay`, then a phase flip with probability
    `dephasing`. Together they reduce coherences to exp(-time/T2).
    """
    times = relaxation_times(noise, qubit)
    if times is None or not time_us:
        return None
    t1, t2 = times
    return Relaxation(
        decay=-math.expm1(-time_us / t1),
        dephasing=-math.expm1(-time_us * (1 / t2 - 0.5 / t1)) / 2,
    )
