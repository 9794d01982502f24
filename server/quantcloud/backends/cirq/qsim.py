"""Pure states evolved by qsim, Google's Schroedinger simulator, in single precision.

Circuits are translated to qsim's classes directly: to translate them from Cirq's takes longer than
the simulation of most circuits.
"""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportAttributeAccessIssue=false
# qsim is a compiled module without stubs.

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qsimcirq import qsim
from qsimcirq.qsim_simulator import QSimOptions

from quantcloud.backends.simulation.amplitudes import Amplitudes, PureState
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.ir import Operation

# The number of controls of gates on three or more qubits; the controls come first.
_CONTROLS = {"ccx": 2, "ccz": 2, "cswap": 1, "c3x": 3, "c3sqrtx": 3, "c4x": 4}

# Measured on one thread with 24 qubits: fusion to three qubits takes 0.6 of the time of fusion to
# two (qsim's default), and fusion to four 0.7. Up to 16 qubits there is no difference.
_OPTIONS = QSimOptions(cpu_threads=1, max_fused_gate_size=3).as_dict()


def flattened(values: NDArray[np.complex128]) -> list[float]:
    """Return the real and imaginary part of each element, row by row."""
    return values.view(np.float64).ravel().tolist()


@lru_cache(maxsize=4096)
def _target(name: str, params: tuple[float, ...]) -> tuple[int, list[float]]:
    """Return how many controls a gate has, and the unitary on its targets."""
    unitary = matrix(name, params)
    controls = _CONTROLS.get(name, 0)
    size = 1 << controls
    return controls, flattened(np.ascontiguousarray(unitary[size - 1 :: size, size - 1 :: size]))


def _translated(num_qubits: int, gates: Sequence[Operation]) -> Any:
    circuit = qsim.Circuit()
    circuit.num_qubits = num_qubits
    for time, (name, qubits, params, _, _) in enumerate(gates):
        controls, unitary = _target(name, params)
        qsim.add_matrix_gate(time, qsim_order(qubits[controls:]), unitary, circuit)
        if controls:
            qsim.control_last_gate(list(qubits[:controls]), [1] * controls, circuit)
    return circuit


def qsim_order(qubits: tuple[int, ...]) -> list[int]:
    """Return the qubits of a matrix in qsim's order: the qubit of the highest bit first."""
    return list(qubits[::-1])


class QsimState(PureState):
    """A pure state in single precision."""

    __slots__ = ("_untouched",)

    precision = np.complex64

    def __init__(self, num_qubits: int, amplitudes: Amplitudes | None = None) -> None:
        # qsim makes the ground state faster than it copies one.
        self._untouched = amplitudes is None
        super().__init__(num_qubits, amplitudes)

    def flip(self, qubit: int) -> None:
        self._untouched = False
        super().flip(qubit)

    def project(self, qubit: int, *, outcome: bool, probability: float) -> None:
        self._untouched = False
        super().project(qubit, outcome=outcome, probability=probability)

    def evolve(self, gates: Sequence[Operation]) -> None:
        options = {**_OPTIONS, "c": _translated(self.num_qubits, gates), "s": 1}
        begin = 0 if self._untouched else self.amplitudes.view(np.float32)
        self._untouched = False
        result = qsim.qsim_simulate_fullstate(options, begin)
        self.amplitudes = result.view(np.complex64)
