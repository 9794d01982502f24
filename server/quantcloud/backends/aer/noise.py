"""Makes Aer's noise model."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types; Qiskit has only some.

from functools import lru_cache
from typing import cast

from qiskit.circuit import ControlFlowOp, Gate, QuantumCircuit
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    depolarizing_error,
    thermal_relaxation_error,
)

from quantcloud.backends.simulation.noise import relaxation_times
from quantcloud.domain.execution import Noise

# Up to this many qubits Aer's density matrix is faster with the few Kraus operators of an error
# than with the many terms of the error as a mixture.
_KRAUS_QUBITS = 8


def noise_model(noise: Noise, circuit: QuantumCircuit, method: str) -> NoiseModel:
    """Make the model of `noise` for a run of `circuit` by `method`.

    It has only the gates of `circuit`, because Aer expands every error in the model.
    """
    as_kraus = method == "density_matrix" and circuit.num_qubits <= _KRAUS_QUBITS
    model = NoiseModel()
    for num_qubits, names in _names(circuit).items():
        error = _gate_error(noise, num_qubits, as_kraus=as_kraus)
        if error is not None:
            model.add_all_qubit_quantum_error(error, sorted(names))
    if noise.readout:
        right, wrong = 1 - noise.readout, noise.readout
        model.add_all_qubit_readout_error(ReadoutError([[right, wrong], [wrong, right]]))
    return model


def _names(circuit: QuantumCircuit) -> dict[int, set[str]]:
    """Return the names of the gates by their number of qubits, with those in blocks."""
    names: dict[int, set[str]] = {}
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            for block in cast("list[QuantumCircuit]", operation.blocks):
                for width, found in _names(block).items():
                    names.setdefault(width, set()).update(found)
        elif isinstance(operation, Gate):
            # Aer knows a matrix by its label.
            names.setdefault(operation.num_qubits, set()).add(operation.label or operation.name)
    return names


@lru_cache(maxsize=64)
def _gate_error(noise: Noise, num_qubits: int, *, as_kraus: bool) -> QuantumError | None:
    rate, time_us = (
        (noise.depolarizing_1q, noise.gate_time_1q_us)
        if num_qubits == 1
        else (noise.depolarizing_2q, noise.gate_time_2q_us)
    )
    error: QuantumError | None = depolarizing_error(rate, num_qubits) if rate else None
    times = relaxation_times(noise)
    if times is not None and time_us:
        each = thermal_relaxation_error(*times, time_us)
        thermal = each if num_qubits == 1 else each.tensor(each)
        error = thermal if error is None else error.compose(thermal)
    if error is not None and as_kraus:
        return QuantumError(Kraus(SuperOp(error)))
    return error
