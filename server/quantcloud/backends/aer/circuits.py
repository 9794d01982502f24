"""Makes circuits in the form of Aer's engine, without Qiskit's circuits and transpiler.

To make and convert a Qiskit circuit takes longer than Aer needs to run a small one.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false
# Aer has no types.

import math
from collections.abc import Callable, Iterable
from typing import Any

from qiskit_aer.backends.controller_wrappers import AerCircuit

from quantcloud.backends.simulation.clifford import clifford_steps
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.ir import Condition, Operation

ONE_QUBIT_NAMES = (
    *("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg"),
    *("rx", "ry", "rz", "r", "p", "u"),
)
"""Aer's names of the gates on one qubit that appear in translated circuits."""
_TWO_QUBIT_GATES = (
    *("cx", "cy", "cz", "csx", "crx", "cry", "crz", "cp", "cu"),
    *("swap", "ecr", "rxx", "ryy", "rzz", "rzx"),
)
# Gates that only the statevector method knows.
_STATEVECTOR_ONLY = ("ch", "csx", "crx", "cry", "crz", "cu", "cu3")
TWO_QUBIT_NAMES = tuple({*_TWO_QUBIT_GATES, *_STATEVECTOR_ONLY, "iswap", "dcx"})
"""Aer's names of the gates on two qubits, and the labels of unitaries on two qubits."""

_QUARTER = math.pi / 2
_HADAMARD = (_QUARTER, 0.0, math.pi, 0.0)

# Aer's value for an operation without a condition.
_ALWAYS = -1


class Translation:
    """An Aer circuit under construction, and the names of its gates for a noise model."""

    __slots__ = ("circuit", "names")

    def __init__(self, num_qubits: int, num_clbits: int) -> None:
        self.circuit: Any = AerCircuit()
        self.circuit.num_qubits = num_qubits
        self.circuit.num_memory = num_clbits
        self.names: set[str] = set()

    def gate(self, name: str, params: Iterable[float], qubits: Iterable[int]) -> None:
        """Append a gate; `name` is Aer's name of it."""
        self.circuit.gate(name, [*qubits], [*params], [], _ALWAYS, None, name)
        self.names.add(name)

    def unitary(self, name: str, params: tuple[float, ...], qubits: Iterable[int]) -> None:
        """Append the gate `name` as its matrix."""
        # A copy, because Aer 0.18 reads the transpose of a read-only array.
        values = matrix(name, params).copy()
        self.circuit.unitary([*qubits], values, _ALWAYS, None, name)
        self.names.add(name)


# Appends a gate with some angles to some qubits.
_Append = Callable[[Translation, tuple[float, ...], tuple[int, ...]], None]


def _gate(name: str) -> _Append:
    def append(to: Translation, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        to.gate(name, params, qubits)

    return append


def _unitary(name: str) -> _Append:
    def append(to: Translation, params: tuple[float, ...], qubits: tuple[int, ...]) -> None:
        to.unitary(name, params, qubits)

    return append


_GATES: dict[str, _Append] = {
    **{name: _gate(name) for name in (*ONE_QUBIT_NAMES, *_TWO_QUBIT_GATES, "ccx", "ccz", "cswap")},
    **{name: _unitary(name) for name in ("iswap", "dcx", "rccx", "rc3x", "c3sqrtx")},
    "c3x": _gate("mcx"),
    "c4x": _gate("mcx"),
    "u0": lambda to, _, qubits: to.gate("id", (), qubits),
    "u1": _gate("p"),
    "u2": lambda to, params, qubits: to.gate("u", (_QUARTER, *params), qubits),
    "u3": _gate("u"),
    "U": _gate("u"),
    "CX": _gate("cx"),
    "cu1": _gate("cp"),
    "cu3": lambda to, params, qubits: to.gate("cu", (*params, 0.0), qubits),
    "ch": lambda to, _, qubits: to.gate("cu", _HADAMARD, qubits),
    "cs": lambda to, _, qubits: to.gate("cp", (_QUARTER,), qubits),
    "csdg": lambda to, _, qubits: to.gate("cp", (-_QUARTER,), qubits),
}
_COMMON_GATES = {**_GATES, **{name: _unitary(name) for name in _STATEVECTOR_ONLY}}


def _append_gate(to: Translation, gate: Operation) -> None:
    _GATES[gate.name](to, gate.params, gate.qubits)


def _append_common(to: Translation, gate: Operation) -> None:
    _COMMON_GATES[gate.name](to, gate.params, gate.qubits)


def _append_clifford(to: Translation, gate: Operation) -> None:
    for name, positions in clifford_steps(gate.name, gate.params):
        to.gate(name.lower(), (), [gate.qubits[place] for place in positions])


def _append_along_line(to: Translation, gate: Operation) -> None:
    """Append a gate on one or two qubits; keep the order of the qubits on Aer's line.

    Aer itself would swap distant qubits together and leave them there. Then the ranks at its cuts
    would no longer be those of the circuit's line. Here swaps move the upper qubit next to the
    lower one and back again (see `interaction.Chain`).
    """
    if len(gate.qubits) == 1:
        _append_common(to, gate)
        return
    low, high = sorted(gate.qubits)
    between = range(low + 1, high)
    for place in reversed(between):
        to.gate("swap", (), (place, place + 1))
    places = tuple([qubit if qubit == low else low + 1 for qubit in gate.qubits])
    _append_common(to, gate._replace(qubits=places))
    for place in between:
        to.gate("swap", (), (place, place + 1))


_APPENDERS = {
    "statevector": _append_gate,
    "stabilizer": _append_clifford,
    "matrix_product_state": _append_along_line,
}


def translated(program: Program, method: str, *, measured: bool = True) -> Translation:
    """Make the circuit that Aer runs for `program` by `method`.

    The gates depend on the method. The stabilizer method takes no angles, so all gates are written
    in H, S and CX. Methods other than `stabilizer` and `statevector` take only gates on one or two
    qubits. If `measured` is False, the state is saved at the end instead of measured. Ignore bits
    of the circuit's memory beyond those of `program`.

    Raises `ValueError` if the method is `stabilizer` and a gate is not Clifford.
    """
    result = Translation(program.num_qubits, program.num_clbits)
    append = _APPENDERS.get(method, _append_common)
    # Conditions read Aer's register, which is separate from its memory.
    conditional = any(operation.condition is not None for operation in program.body)
    for number, (condition, operations) in enumerate(_runs(program.body)):
        if condition is None:
            _append_all(result, operations, append, conditional=conditional)
        else:
            end = f"end_{number}"
            _jump_unless(condition, end, result.circuit, program)
            _append_all(result, operations, append, conditional=True)
            result.circuit.mark([*range(program.num_qubits)], [end])
    if not measured:
        every_qubit = [*range(program.num_qubits)]
        result.circuit.save_state(every_qubit, "save_statevector", "single", "statevector")
        return result
    final = program.final
    if method == "matrix_product_state":
        final = _measure_line(result, program)
    for clbit, qubit in final.items():
        result.circuit.measure([qubit], [clbit], [])
    return result


def _measure_line(to: Translation, program: Program) -> dict[int, int]:
    """Measure all qubits at the same time; use spare bits for qubits that `program` does not read.

    Aer then sweeps along the line once, and samples fast because all qubits are measured. Returns
    the remaining measurements, which read a qubit into a further bit.
    """
    clbits = {qubit: clbit for clbit, qubit in program.final.items()}
    spare = program.num_clbits
    for qubit in range(program.num_qubits):
        if qubit not in clbits:
            clbits[qubit] = spare
            spare += 1
    to.circuit.num_memory = spare
    # Aer returns the outcomes in the order of the qubit numbers.
    qubits = sorted(clbits)
    to.circuit.measure(qubits, [clbits[qubit] for qubit in qubits], [])
    return {clbit: qubit for clbit, qubit in program.final.items() if clbits[qubit] != clbit}


def _runs(body: Iterable[Operation]) -> Iterable[tuple[Condition | None, list[Operation]]]:
    """Group adjacent operations with the same condition; only the last of a group changes bits."""
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
    to: Translation,
    operations: Iterable[Operation],
    append: Callable[[Translation, Operation], None],
    *,
    conditional: bool,
) -> None:
    for operation in operations:
        if operation.name == "measure":
            clbits = [*operation.clbits]
            to.circuit.measure([*operation.qubits], clbits, clbits if conditional else [])
        elif operation.name == "reset":
            to.circuit.reset([*operation.qubits], _ALWAYS)
        else:
            append(to, operation)


def _jump_unless(condition: Condition, end: str, circuit: Any, program: Program) -> None:
    """Jump to the mark `end` if `condition` does not hold."""
    mask = ((1 << condition.size) - 1) << condition.offset
    value = condition.value << condition.offset
    # One bit beyond those of the circuit holds the result of the comparison.
    outcome = program.num_clbits
    circuit.bfunc(f"0x{mask:X}", f"0x{value:X}", "!=", outcome)
    circuit.jump([*range(program.num_qubits)], [end], outcome, None)
