"""The widest circuit that a backend runs by any of its methods."""

from bisect import bisect_left
from dataclasses import replace

from quantcloud.backends.base import Backend
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.limits import MAX_QUBITS
from quantcloud.domain.execution import NO_OPTIONS
from quantcloud.routing.method import Refusal

# One Clifford gate and a measurement on each qubit, without entanglement: every method's easiest
# circuit.
_EASIEST = Analysis(
    num_qubits=1,
    num_clbits=1,
    circuit_depth=2,
    gate_count=2,
    operation_count=2,
    two_qubit_gate_count=0,
    gate_counts={"h": 1, "measure": 1},
    is_clifford=True,
    has_mid_circuit=False,
    measures_all=False,
    gates_by_kind={"dense": 1},
    interaction_pairs=0,
    interaction_degree=0,
    interaction_reach=0,
    entanglement_bits=0,
    chain_rank_bits=0,
    chain_gates=0,
    chain_cubes=0.0,
)


def widest_circuit(backend: Backend, memory_limit: int) -> int:
    """Return the most qubits of a circuit that `backend` runs within `memory_limit` bytes."""
    widths = range(1, MAX_QUBITS + 1)
    return bisect_left(widths, 1, key=lambda width: not _runs(backend, width, memory_limit))


def _runs(backend: Backend, width: int, memory_limit: int) -> bool:
    analysis = replace(
        _EASIEST,
        num_qubits=width,
        num_clbits=width,
        gate_count=2 * width,
        operation_count=2 * width,
        gate_counts={"h": width, "measure": width},
        gates_by_kind={"dense": width},
    )
    methods = backend.methods(analysis, 1, NO_OPTIONS)
    return not isinstance(methods, Refusal) and any(
        method.memory_bytes <= memory_limit for method in methods
    )
