"""Expectation values of observables by Qiskit Aer."""

# pyright: reportUnknownMemberType=false
# Aer has no types; Qiskit has only some.

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.library import SaveExpectationValue, SaveExpectationValueVariance

from quantcloud.backends.simulation.sweep.paulis import paulis
from quantcloud.backends.simulation.sweep.pointwise import Estimate
from quantcloud.domain.sweep import Observable


def save(circuit: QuantumCircuit, observables: Sequence[Observable], *, variances: bool) -> None:
    """Append to a circuit that Aer saves expectation values, and variances if wanted."""
    kind: Any = SaveExpectationValueVariance if variances else SaveExpectationValue
    for place, observable in enumerate(observables):
        circuit.append(kind(operator(observable, circuit.num_qubits), f"{place}"), circuit.qubits)


def operator(observable: Observable, num_qubits: int) -> SparsePauliOp:
    """Return an observable in Qiskit's form."""
    terms = [
        ("".join([letter for _, letter in factors]), [qubit for qubit, _ in factors], coefficient)
        for factors, coefficient in paulis(observable).items()
    ]
    return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=num_qubits)


def saved(data: Mapping[str, Any], number: int, *, variances: bool) -> Estimate:
    """Return what Aer has saved of some observables."""
    found = np.array([data[f"{place}"] for place in range(number)], dtype=np.float64)
    if not variances:
        return Estimate(found)
    return Estimate(found[:, 0], variances=np.maximum(found[:, 1], 0.0))
