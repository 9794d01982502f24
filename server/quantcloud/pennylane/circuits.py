"""Tapes as circuits of the server, and their results."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.exceptions import DeviceError
from pennylane.ops import Conditional, MidMeasure
from pennylane.tape import QuantumScript
from pennylane.wires import Wires

from quantcloud.pennylane.preprocess import GATES, MOMENTS, computed, nested

_MATRIX_WIRES = 8
_ROUNDING = 1e-9


class Circuit:
    """A tape as a text with places for its angles.

    `fields` are the arguments of its run. `inputs` are the places that are inputs even if circuits
    do not differ there. `point` has what the server computed. Raises `DeviceError` for an
    observable that is not Hermitian or has too many terms.
    """

    def __init__(self, tape: QuantumScript, wires: Wires, *, gradient: bool = False) -> None:
        self._tape: Any = tape
        self._wires = wires
        self.inputs = tape.trainable_params if gradient else []
        self.angles: list[float] = []
        self.point: Mapping[str, Any] = {}
        self._measurements: list[Any] = [*tape.measurements]
        if any(isinstance(each, MidMeasure) for each in tape.operations):
            self._measurements = [_as_wire(each) for each in tape.measurements]
        kind = "packed" if tape.shots else computed(tape.measurements[0])
        self.fields: dict[str, Any] = {kind: True, "shots": tape.shots.total_shots or 1}
        if kind == "observables":
            self.fields = {
                "observables": [_terms(each.obs, wires) for each in self._measurements],
                "variances": any(MOMENTS[type(each)] == "variances" for each in self._measurements),
                "gradient": bool(self.inputs),
            }
        has_bits = kind in {"packed", "probabilities"}
        measured = [each.wires or wires for each in self._measurements if has_bits]
        self._measured = Wires.all_wires(measured)
        self._bit = {wire: f"c[{place}]" for place, wire in enumerate(reversed(self._measured))}
        self._qubit = {wire: f"q[{place}]" for place, wire in enumerate(wires)}
        lines = [f"qubit[{max(1, len(wires))}] q;"]
        lines += [f"bit[{len(self._bit)}] c;"] if has_bits else []
        lines += map(self._statement, tape.operations)
        ends = [wire for wire in self._measured if wire in self._qubit]
        lines += [f"{self._bit[wire]} = measure {self._qubit[wire]};" for wire in ends]
        self.text = "\n".join([*lines, ""])
        if any(place >= len(self.angles) for place in self.inputs):
            raise DeviceError("the server computes no derivatives by coefficients of observables")

    def _statement(self, operation: Any) -> str:
        if isinstance(operation, Conditional):
            condition = self._condition(operation.meas_val)
            return f"if ({condition}) {self._statement(operation.base)}"
        qubits = ", ".join(self._qubit[wire] for wire in operation.wires)
        if isinstance(operation, MidMeasure):
            reset = f" reset {qubits};" if operation.reset else ""
            return f"{self._bit[operation.meas_uid]} = measure {qubits};{reset}"
        first = len(self.angles)
        self.angles += map(float, operation.data)
        places = ", ".join(f"{{{place}}}" for place in range(first, len(self.angles)))
        return f"{GATES[operation.name]}{places and f'({places})'} {qubits};"

    def _condition(self, value: Any) -> str:
        """Return the outcomes of mid-circuit measurements for which a value is true."""
        bits = [self._bit[each.meas_uid] for each in value.measurements]
        true = [branch for branch, is_true in value.branches.items() if is_true]
        words = [[f"{bit} == {one}" for bit, one in zip(bits, each, strict=True)] for each in true]
        return " || ".join(map(" && ".join, words)) or "false"

    def result(self) -> Any:
        """Return the result of the tape."""
        point, shots, wires = self.point, self._tape.shots, self._wires
        if shots:
            bins = [point["samples"][one:end] for one, end in shots.bins()]
            found = [self._read("process_samples", each, self._measured) for each in bins]
            return tuple(found) if shots.has_partitioned_shots else found[0]
        if "values" in point:
            names = [MOMENTS[type(each)] for each in self._measurements]
            return nested(point[name][place] for place, name in enumerate(names))
        if "probabilities" in point:
            # The tape ends in the eigenbasis of its measurement, where phases have no effect.
            return self._read("process_state", np.sqrt(point["probabilities"]), self._measured)
        # The server's first qubit is the least significant, and it leaves global phases out.
        phase = sum(each.data[0] for each in self._tape.operations if each.name == "GlobalPhase")
        state = point["statevector"].reshape([2] * len(wires)).T.ravel() * np.exp(-1j * phase)
        # Some measurements take their wires for the numbers of the qubits.
        numbers = {wire: place for place, wire in enumerate(wires)}
        self._measurements = [each.map_wires(numbers) for each in self._measurements]
        return self._read("process_state", state, Wires(numbers.values()))

    def _read(self, process: str, data: Any, wires: Wires) -> Any:
        return nested(getattr(each, process)(data, wires) for each in self._measurements)

    def derivatives(self) -> Any:
        """Return the derivatives of the expectation values by the trainable parameters."""
        columns = [self.point[f"p{place}"] for place in self.inputs]
        rows = range(len(self._measurements))
        return nested(nested(np.array(each[row, 0]) for each in columns) for row in rows)


def _as_wire(measurement: Any) -> Any:
    """Return a sample of a mid-circuit measurement as one of a wire with its name."""
    if measurement.mv is None:
        return measurement
    return qml.sample(wires=measurement.mv.measurements[0].meas_uid)


def _terms(observable: Any, wires: Wires) -> dict[str, float]:
    sentence: Any = observable.pauli_rep
    if sentence is None:
        own = observable.wires
        if len(own) > _MATRIX_WIRES:
            raise DeviceError(
                f"{observable} on {len(own)} wires: use Pauli words, or {_MATRIX_WIRES} wires"
            )
        matrix = observable.matrix()
        sentence = qml.pauli_decompose(matrix, wire_order=own, pauli=True, check_hermitian=False)
    if any(abs(np.imag(factor)) > _ROUNDING for factor in sentence.values()):
        raise DeviceError(f"{observable} is not Hermitian, so it has no real expectation value")
    return {
        " ".join(f"{letter}{wires.index(wire)}" for wire, letter in word.items()): np.real(factor)
        for word, factor in sentence.items()
    } or {"": 0.0}
