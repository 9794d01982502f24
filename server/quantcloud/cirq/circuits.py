"""Circuits of Cirq as OpenQASM 3 with inputs."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import cirq
import numpy as np
import sympy

_WHOLE: Final = {
    cirq.XPowGate: "x", cirq.YPowGate: "y", cirq.ZPowGate: "z", cirq.HPowGate: "h",
    cirq.CXPowGate: "cx", cirq.SwapPowGate: "swap", cirq.ISwapPowGate: "iswap",
    cirq.CCXPowGate: "ccx", cirq.CCZPowGate: "ccz", cirq.CSwapGate: "cswap",
}  # fmt: skip
# The angle is the exponent times pi. They differ from Cirq's gates by a global phase at most.
_TURNED: Final = {
    cirq.XPowGate: "rx", cirq.YPowGate: "ry", cirq.ZPowGate: "rz", cirq.CZPowGate: "cp",
    cirq.XXPowGate: "rxx", cirq.YYPowGate: "ryy", cirq.ZZPowGate: "rzz",
}  # fmt: skip
# They have no gate in OpenQASM.
_NOTHING: Final = (cirq.IdentityGate, cirq.WaitGate, cirq.GlobalPhaseGate, cirq.ResetChannel)
_MATRIX_QUBITS: Final = 6


@dataclass(frozen=True)
class Register:
    """The register of one measurement. The first qubit is the most significant bit."""

    name: str
    size: int
    flipped: int

    @property
    def text(self) -> str:
        """The outcome that Cirq records, as a number."""
        value = f"uint[{self.size}]({self.name})"
        return f"({value} ^ {self.flipped})" if self.flipped else value


@dataclass
class Program:
    """A circuit as a text, with the values of its inputs and its registers by measurement key."""

    qasm: str
    registers: Mapping[str, Sequence[Register]]
    angles: Sequence[Any] = field(default_factory=list[Any])

    def values(self, resolvers: Sequence[cirq.ParamResolver]) -> dict[str, Any]:
        """Return the value of each input at each point. Raises `ValueError` if one is missing."""
        symbols = sorted(set().union(*(each.free_symbols for each in self.angles)), key=str)
        columns = [np.array([_number(each, symbol) for each in resolvers]) for symbol in symbols]
        found = sympy.lambdify(symbols, list(self.angles), "numpy")(*columns)
        values = {f"p{place}": np.real(each) for place, each in enumerate(found)}
        return {**values, "point": np.zeros(len(resolvers))}


def _number(resolver: cirq.ParamResolver, symbol: Any) -> float:
    value = resolver.value_of(symbol)
    if isinstance(value, sympy.Basic) and value.free_symbols:
        raise ValueError(f"the parameter {symbol} has no value")
    return float(cast("Any", value))


def export(circuit: cirq.AbstractCircuit) -> Program:
    """Return the OpenQASM 3 text of a circuit.

    Raises `ValueError` for an operation that the server has no form of.
    """
    if any(each.dimension != 2 for each in circuit.all_qubits()):  # noqa: PLR2004  # qubits
        raise ValueError(
            "the server has qubits only; a qudit of this circuit has another dimension"
        )
    if not cirq.is_measurement(circuit):
        raise ValueError("Circuit has no measurements to sample.")
    return _Writer(sorted(circuit.all_qubits())).program(circuit)


class _Writer:
    def __init__(self, qubits: Sequence[cirq.Qid]) -> None:
        self._qubits = {qubit: f"q[{place}]" for place, qubit in enumerate(qubits)}
        self._registers: dict[str, list[Register]] = {}
        self._angles: dict[Any, str] = {}
        self._lines: list[str] = []

    def program(self, circuit: cirq.AbstractCircuit) -> Program:
        operations = cirq.decompose(
            circuit.freeze() if isinstance(circuit, cirq.Circuit) else circuit,
            keep=self._known,
            fallback_decomposer=_by_matrix,
            on_stuck_raise=_no_form,
        )
        for operation in operations:
            self._lines += self._statements(operation)
        registers = [each for known in self._registers.values() for each in known]
        head = [
            'OPENQASM 3.0;\ninclude "stdgates.inc";',
            *(f"input float[64] {name};" for name in self._angles.values()),
            # Points that differ in nothing have samples of their own, too.
            "input float[64] point;",
            f"qubit[{len(self._qubits)}] q;",
            *(f"bit[{each.size}] {each.name};" for each in registers),
        ]
        text = "\n".join([*head, *self._lines, ""])
        return Program(text, self._registers, [*self._angles])

    def _known(self, operation: cirq.Operation) -> bool:
        bare = operation.untagged
        if isinstance(bare, cirq.ClassicallyControlledOperation):
            return self._known(bare.without_classical_controls())
        gate: Any = bare.gate
        if isinstance(bare, cirq.CircuitOperation) and bare.repeat_until is not None:
            raise ValueError(
                f"the server has no form of `repeat_until` in {bare!r}; use `repetitions`"
            )
        if isinstance(gate, cirq.MeasurementGate):
            return not gate.confusion_map
        if isinstance(gate, _NOTHING):
            return True
        kind = _kind(gate)
        if kind in _TURNED or isinstance(gate, cirq.PhasedXPowGate):
            return True
        return kind in _WHOLE and _exponent(gate) == 1

    def _statements(self, operation: cirq.Operation) -> list[str]:
        bare = operation.untagged
        if isinstance(bare, cirq.ClassicallyControlledOperation):
            inner = self._statements(bare.without_classical_controls())
            for condition in bare.classical_controls:
                inner = [f"if ({self._condition(condition)}) {{", *inner, "}"]
            return inner
        gate: Any = bare.gate
        qubits = [self._qubits[each] for each in bare.qubits]
        listed = ", ".join(qubits)
        if isinstance(gate, cirq.MeasurementGate):
            return self._measurement(gate, qubits)
        if isinstance(gate, cirq.PhasedXPowGate):
            turns = ("rz", -gate.phase_exponent), ("rx", gate.exponent), ("rz", gate.phase_exponent)
            return [f"{name}({self._angle(turn)}) {listed};" for name, turn in turns]
        if isinstance(gate, _NOTHING):
            return [f"reset {listed};"] if isinstance(gate, cirq.ResetChannel) else []
        kind, exponent = _kind(gate), _exponent(gate)
        if kind in _WHOLE and exponent == 1:
            return [f"{_WHOLE[kind]} {listed};"]
        return [f"{_TURNED[kind]}({self._angle(exponent)}) {listed};"]

    def _angle(self, exponent: Any) -> str:
        """Return the text of an exponent times pi."""
        if not isinstance(exponent, sympy.Basic) or not exponent.free_symbols:
            return repr(float(cast("Any", exponent)) * math.pi)
        return self._angles.setdefault(exponent * sympy.pi, f"p{len(self._angles)}")

    def _measurement(self, gate: Any, qubits: Sequence[str]) -> list[str]:
        mask = [*gate.full_invert_mask(), *[False] * len(qubits)][: len(qubits)]
        size = len(qubits)
        register = Register(
            f"m{sum(map(len, self._registers.values()))}",
            size,
            sum(flip << (size - 1 - place) for place, flip in enumerate(mask)),
        )
        self._registers.setdefault(gate.key, []).append(register)
        return [
            f"{register.name}[{size - 1 - place}] = measure {qubit};"
            for place, qubit in enumerate(qubits)
        ]

    def _condition(self, condition: cirq.Condition) -> str:
        match condition:
            case cirq.KeyCondition():
                return f"{self._recorded(condition.key, condition.index).text} != 0"
            case cirq.BitMaskKeyCondition():
                value = self._recorded(condition.key, condition.index).text
                if condition.bitmask is not None:
                    value = f"({value} & {condition.bitmask})"
                sign = "==" if condition.equal_target else "!="
                return f"{value} {sign} {condition.target_value}"
            case cirq.SympyCondition():
                wanted: Any = condition.expr
                renamed = {
                    symbol: sympy.Symbol(self._recorded(cirq.MeasurementKey(symbol.name), -1).text)
                    for symbol in wanted.free_symbols
                }
                text = str(sympy.ccode(wanted.xreplace(renamed)))
                boolean = isinstance(wanted, sympy.logic.boolalg.Boolean)
                return text if boolean else f"({text}) != 0"
            case _:
                raise ValueError(f"the server has no form of the condition {condition!r}")

    def _recorded(self, key: cirq.MeasurementKey, index: int) -> Register:
        found = self._registers.get(str(key))
        if not found:
            raise ValueError(f"the measurement {str(key)!r} comes after an operation that needs it")
        return found[index]


def _by_matrix(operation: cirq.Operation) -> Any:
    """Return the gates of a unitary operation without a decomposition; None for another one."""
    qubits = [*operation.qubits]
    if len(qubits) > _MATRIX_QUBITS or not cirq.has_unitary(operation):
        return None
    return cirq.quantum_shannon_decomposition(qubits, cirq.unitary(operation))


def _no_form(operation: cirq.Operation) -> ValueError:
    text = f"the server has no form of {operation!r}"
    if isinstance(operation.untagged.gate, cirq.MeasurementGate):
        text += "; for errors of readout, give the sampler `noise`"
    elif cirq.has_kraus(operation) or cirq.has_mixture(operation):
        text += "; no channels run: for noise, give the sampler `noise`"
    return ValueError(text)


def _kind(gate: Any) -> Any:
    """Return the gate's class, or its base class that is known; None if there is none."""
    return next((kind for kind in type(gate).__mro__ if kind in _WHOLE or kind in _TURNED), None)


def _exponent(gate: Any) -> Any:
    return getattr(gate, "exponent", 1)
