"""Qiskit circuits for Aer, made without its transpiler."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false
# Qiskit is annotated only in part.

import math
from collections.abc import Callable, Iterable
from typing import cast

from qiskit.circuit import ClassicalRegister, QuantumCircuit

from quantcloud.backends.programs import Program
from quantcloud.backends.stabilizer import clifford_steps
from quantcloud.backends.unitaries import matrix
from quantcloud.circuits.ir import Condition, Operation

# Appends a gate with some angles to some qubits.
_Append = Callable[[QuantumCircuit, tuple[float, ...], tuple[int, ...]], object]

ONE_QUBIT_NAMES = (
    *("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg"),
    *("rx", "ry", "rz", "r", "p", "u"),
)
"""Aer's names of the gates on one qubit that appear in translated circuits."""
_TWO_QUBIT_METHODS = (
    *("cx", "cy", "cz", "csx", "crx", "cry", "crz", "cp", "cu"),
    *("swap", "ecr", "rxx", "ryy", "rzz", "rzx"),
)
# What only the statevector method knows.
_STATEVECTOR_ONLY = ("ch", "csx", "crx", "cry", "crz", "cu", "cu3")
TWO_QUBIT_NAMES = tuple({*_TWO_QUBIT_METHODS, *_STATEVECTOR_ONLY, "iswap", "dcx"})
"""Those of gates on two, and labels of unitaries on two."""

_QUARTER = math.pi / 2
_HADAMARD = (_QUARTER, 0.0, math.pi, 0.0)

# Aer's tables for an expression hold a machine word.
_CONDITION_BITS = 32


def _method(name: str) -> _Append:
    method = cast(Callable[..., object], getattr(QuantumCircuit, name))

    def append(circuit: QuantumCircuit, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        method(circuit, *params, *qubits)

    return append


def _unitary(name: str) -> _Append:
    def append(circuit: QuantumCircuit, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        # A copy, since Aer 0.18 reads an array that is not writeable as its transpose.
        circuit.unitary(matrix(name, params).copy(), list(qubits), label=name)

    return append


def _mcx(circuit: QuantumCircuit, _: tuple[float, ...], qubits: tuple[int, ...]) -> None:
    circuit.mcx(list(qubits[:-1]), qubits[-1])


_METHODS: dict[str, _Append] = {
    name: _method(name) for name in (*ONE_QUBIT_NAMES, *_TWO_QUBIT_METHODS, "ccx", "ccz", "cswap")
}
_GATES: dict[str, _Append] = {
    **_METHODS,
    **{name: _unitary(name) for name in ("iswap", "dcx", "rccx", "rc3x", "c3sqrtx")},
    "c3x": _mcx,
    "c4x": _mcx,
    "u0": lambda circuit, _, qubits: _METHODS["id"](circuit, (), qubits),
    "u1": _METHODS["p"],
    "u2": lambda circuit, params, qubits: _METHODS["u"](circuit, (_QUARTER, *params), qubits),
    "u3": _METHODS["u"],
    "U": _METHODS["u"],
    "CX": _METHODS["cx"],
    "cu1": _METHODS["cp"],
    "cu3": lambda circuit, params, qubits: _METHODS["cu"](circuit, (*params, 0.0), qubits),
    "ch": lambda circuit, _, qubits: _METHODS["cu"](circuit, _HADAMARD, qubits),
    "cs": lambda circuit, _, qubits: _METHODS["cp"](circuit, (_QUARTER,), qubits),
    "csdg": lambda circuit, _, qubits: _METHODS["cp"](circuit, (-_QUARTER,), qubits),
}
_COMMON_GATES = {**_GATES, **{name: _unitary(name) for name in _STATEVECTOR_ONLY}}


def _append_gate(circuit: QuantumCircuit, gate: Operation) -> None:
    _GATES[gate.name](circuit, gate.params, gate.qubits)


def _append_common(circuit: QuantumCircuit, gate: Operation) -> None:
    _COMMON_GATES[gate.name](circuit, gate.params, gate.qubits)


def _append_clifford(circuit: QuantumCircuit, gate: Operation) -> None:
    for name, positions in clifford_steps(gate.name, gate.params):
        _METHODS[name.lower()](circuit, (), tuple([gate.qubits[place] for place in positions]))


_APPENDERS = {"statevector": _append_gate, "stabilizer": _append_clifford}


def translated(program: Program, method: str, *, statevector: bool = False) -> QuantumCircuit:
    """Make the circuit that Aer runs for `program` by `method`.

    Each method has gates of its own. The stabilizer method takes no angles, so for it everything
    is written in H, S and CX; raises `ValueError` for a gate that is not Clifford. Methods other
    than these and `statevector` want gates on one or two qubits only. `statevector` saves the
    state before the final measurements.
    """
    circuit = QuantumCircuit(program.num_qubits, program.num_clbits)
    append = _APPENDERS.get(method, _append_common)
    registers: dict[tuple[int, int], ClassicalRegister] = {}
    for condition, operations in _runs(program.body):
        if condition is None:
            _append_all(circuit, operations, append)
        else:
            _append_conditional(circuit, condition, operations, append, registers)
    if statevector:
        circuit.save_statevector()  # pyright: ignore[reportAttributeAccessIssue] - Aer adds it
    if program.final:
        circuit.measure(list(program.final.values()), list(program.final))
    return circuit


def _runs(body: Iterable[Operation]) -> Iterable[tuple[Condition | None, list[Operation]]]:
    """Group neighbours under the same condition; none but the last of a group changes bits."""
    group: list[Operation] = []
    for operation in body:
        if group and (
            operation.condition != group[-1].condition
            or (operation.condition is not None and group[-1].name == "measure")
        ):
            yield group[0].condition, group
            group = []
        group.append(operation)
    if group:
        yield group[0].condition, group


def _append_all(
    circuit: QuantumCircuit,
    operations: Iterable[Operation],
    append: Callable[[QuantumCircuit, Operation], None],
) -> None:
    for operation in operations:
        if operation.name == "measure":
            circuit.measure(operation.qubits[0], operation.clbits[0])
        elif operation.name == "reset":
            circuit.reset(operation.qubits[0])
        else:
            append(circuit, operation)


def _append_conditional(
    circuit: QuantumCircuit,
    condition: Condition,
    operations: Iterable[Operation],
    append: Callable[[QuantumCircuit, Operation], None],
    registers: dict[tuple[int, int], ClassicalRegister],
) -> None:
    """Append a block that runs if every word of the condition's bits has its value."""
    inner = QuantumCircuit(circuit.qubits, circuit.clbits)
    _append_all(inner, operations, append)
    for start in range(0, condition.size, _CONDITION_BITS):
        size = min(_CONDITION_BITS, condition.size - start)
        offset = condition.offset + start
        register = registers.get((offset, size))
        if register is None:
            bits = circuit.clbits[offset : offset + size]
            register = ClassicalRegister(bits=bits, name=f"bits_{offset}_{size}")
            registers[offset, size] = register
        value = (condition.value >> start) & ((1 << size) - 1)
        outer = QuantumCircuit(circuit.qubits, circuit.clbits, *registers.values())
        outer.if_test((register, value), inner, circuit.qubits, circuit.clbits)
        inner = outer
    for register in registers.values():
        if register not in circuit.cregs:
            circuit.add_register(register)
    for instruction in inner.data:
        circuit.append(instruction)
