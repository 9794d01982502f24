"""Predicts the time and the memory of a sweep that computes many points at once."""

import math
from typing import Final

from quantcloud.backends.simulation.costs import predicted
from quantcloud.backends.simulation.sweep.costs import angles, shots_at
from quantcloud.backends.simulation.sweep.groups import grouped
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.kinds import DENSE, DIAGONAL, PERMUTATION, WIDE
from quantcloud.circuits.states import statevector_bytes
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.method import Method
from quantcloud.routing.work import Coefficients, Work

MAX_QUBITS: Final = 16
TOGETHER: Final = 4
"""The most qubits that are joined where there is one point."""
CHUNK_BYTES: Final = 1 << 19
"""The bytes of the states that are computed together: they should stay in a processor's cache."""

# `wide` counts the amplitudes that terms of observables process, and `samples` outcomes.
_COST = Coefficients(
    start=3e-4, operation=8e-6, light=5e-10, dense=3.5e-9, wide=3e-9, state=2e-8, sample=6e-8
)
_GATE_BYTES: Final = 2_000
# The bytes of an amplitude in the tables of a step, and in those of a term.
_TABLE_BYTES: Final = 40
# What a definition of a wide gate has, in gates on one qubit.
_WIDE_GATES: Final = 10


def batch(analysis: Analysis, shots: int, sweep: Sweep) -> Method:
    """Return the method that computes many points of a window at once."""
    points, amplitudes = sweep.last - sweep.first, 1 << analysis.num_qubits
    kinds = analysis.gates_by_kind
    light = kinds.get(DIAGONAL, 0) + kinds.get(PERMUTATION, 0)
    dense = kinds.get(DENSE, 0) + _WIDE_GATES * kinds.get(WIDE, 0)
    if not kinds:
        dense = analysis.operation_count
    if points == 1:
        # Layers of joined qubits: more than full layers, and at most one for each gate of a chain.
        qubits = analysis.num_qubits
        layers = min(analysis.circuit_depth, dense, 2 * dense // qubits + 1)
        light, dense = min(light, layers), layers * math.ceil(qubits / TOGETHER)
    columns = max(1, sweep.columns)
    terms = sum([len(each.terms) for each in sweep.observables])
    if sweep.zipped:
        terms //= max(1, len(sweep.observables))
    # How often each gate, and how often each state, is applied at a point.
    passes, groups = 1.0, 0
    if sweep.observables and not sweep.exact:
        observed = sweep.observables[:1] if sweep.zipped else sweep.observables
        groups = len(grouped(observed).groups)
        passes += 2 * angles(analysis) if sweep.gradient else 0
    elif sweep.gradient:
        passes += 2 * columns
    together = max(1, CHUNK_BYTES // statevector_bytes(analysis.num_qubits))
    chunks = math.ceil(points / (1 if sweep.zipped else together))
    total = points * amplitudes
    work = Work(
        operations=chunks * passes * (light + dense + terms + groups * analysis.num_qubits),
        light=passes * total * light,
        dense=passes * total * (dense + groups * analysis.num_qubits / 2),
        wide=total * (terms * (2 if sweep.gradient else 1)),
        state=passes * total * (1 + groups),
        samples=passes * points * (100 + min(shots_at(sweep, shots), amplitudes)) * max(1, groups),
    )
    kept = (analysis.circuit_depth + 1) * (1 + columns) if sweep.gradient and sweep.exact else 0
    chunk = min(points, together) * statevector_bytes(analysis.num_qubits)
    tables = _TABLE_BYTES * amplitudes * (analysis.two_qubit_gate_count + terms)
    results = 8 * points * (columns * (3 + sweep.width) + amplitudes * sweep.probabilities)
    shot_bytes = points * shots * (2 * (analysis.num_clbits // 8 + 1) + 8) if sweep.packed else 0
    counted = 0 if sweep.observables or sweep.packed else 100 * points * min(shots, amplitudes)
    return predicted(
        "batch",
        8 * chunk
        + min(kept * chunk, 1 << 28)
        + tables
        + results
        + shot_bytes
        + counted
        + 16 * points * (analysis.parameter_count + sweep.width),
        _COST,
        work,
        gates=analysis.operation_count,
        gate_bytes=_GATE_BYTES,
    )
