"""Tapes of PennyLane as OpenQASM 3 with inputs, and observables as terms."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pennylane as qml
from pennylane.exceptions import DeviceError

GATES: Final = {
    "Identity": "id", "PauliX": "x", "PauliY": "y", "PauliZ": "z", "Hadamard": "h", "S": "s",
    "T": "t", "SX": "sx", "Adjoint(S)": "sdg", "Adjoint(T)": "tdg", "Adjoint(SX)": "sxdg",
    "CNOT": "cx", "CY": "cy", "CZ": "cz", "CH": "ch", "SWAP": "swap", "ISWAP": "iswap",
    "ECR": "ecr", "CSWAP": "cswap", "Toffoli": "ccx", "CCZ": "ccz", "RX": "rx", "RY": "ry",
    "RZ": "rz", "PhaseShift": "p", "U1": "p", "U2": "u2", "U3": "u3", "CRX": "crx", "CRY": "cry",
    "CRZ": "crz", "ControlledPhaseShift": "cp", "IsingXX": "rxx", "IsingYY": "ryy",
    "IsingZZ": "rzz",
}  # fmt: skip
"""The server's names of PennyLane's operations."""
_WITHOUT_GATES: Final = frozenset({"Barrier", "GlobalPhase"})
_MATRIX_WIRES: Final = 8


def is_known(operation: Any) -> bool:
    """Return whether the server has an operation."""
    return operation.name in GATES or operation.name in _WITHOUT_GATES


def names() -> frozenset[str]:
    """Return PennyLane's names of the operations that the server has."""
    return frozenset({*GATES, *_WITHOUT_GATES})


def decomposition(operation: Any) -> list[Any]:
    """Return the gates of an operation, from its matrix if it has no decomposition."""
    if not operation.has_decomposition and operation.has_matrix:
        operation = qml.QubitUnitary(operation.matrix(), wires=operation.wires)
    return operation.decomposition()


class Template:
    """The text of a circuit with places for its angles.

    `angles` are the angles of all operations, in their order; that of a global phase has no place.
    """

    def __init__(self, operations: Iterable[Any], wires: Any, measured: Sequence[Any] = ()) -> None:
        index = {wire: place for place, wire in enumerate(wires)}
        self.angles: list[float] = []
        self.phase = 0.0
        pieces: list[str] = []
        for operation in operations:
            angles = [float(value) for value in operation.data]
            if operation.name == "GlobalPhase":
                self.phase += sum(angles)
                places = []
            else:
                places = range(len(self.angles), len(self.angles) + len(angles))
            self.angles += angles
            if operation.name == "GlobalPhase":
                continue
            name = GATES.get(operation.name, "barrier")
            called = name + (f"({', '.join(f'{{{place}}}' for place in places)})" if places else "")
            pieces.append(f"{called} {', '.join(f'q[{index[each]}]' for each in operation.wires)};")
        if measured:
            pieces.append(f"bit[{len(measured)}] c;")
        # The first wire is the most significant bit.
        pieces += [
            f"c[{place}] = measure q[{index[wire]}];"
            for place, wire in enumerate(reversed(measured))
        ]
        self.key = "\n".join([f"qubit[{max(1, len(index))}] q;", *pieces, ""])

    def text(self, inputs: Iterable[int]) -> str:
        """Return the text with an input `p0`, `p1` ... for some of the angles."""
        inputs = set(inputs)
        written = [
            f"p{place}" if place in inputs else repr(angle)
            for place, angle in enumerate(self.angles)
        ]
        declared = "".join(f"input float[64] p{place};\n" for place in sorted(inputs))
        head = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
        return head + declared + self.key.format(*written)


def terms(observable: Any, wires: Any) -> dict[str, float]:
    """Return the terms of an observable. Raises `DeviceError` if it has too many."""
    index = {wire: place for place, wire in enumerate(wires)}
    sentence: Any = observable.pauli_rep
    if sentence is None:
        own = observable.wires
        if len(own) > _MATRIX_WIRES:
            raise DeviceError(
                f"{observable} has no form as Pauli words and acts on {len(own)} wires; at most "
                f"{_MATRIX_WIRES} are possible for a matrix"
            )
        matrix: Any = (
            observable.matrix() if observable.has_matrix else observable.sparse_matrix().toarray()
        )
        sentence = qml.pauli_decompose(matrix, wire_order=own, pauli=True, check_hermitian=False)
    return {
        " ".join(f"{letter}{index[wire]}" for wire, letter in word.items()): float(
            np.real(coefficient)
        )
        for word, coefficient in sentence.items()
    } or {"": 0.0}
