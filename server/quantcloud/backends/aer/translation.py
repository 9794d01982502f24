"""Makes Qiskit circuits of the gates that Aer's methods know."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types; Qiskit has only some.

from collections.abc import Callable
from functools import lru_cache, partial, reduce
from typing import Any, NamedTuple

from qiskit.circuit import (
    CircuitInstruction,
    Clbit,
    Gate,
    IfElseOp,
    Instruction,
    Measure,
    QuantumCircuit,
    Qubit,
    Reset,
    library,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit_aer import AerSimulator

from quantcloud.backends.aer.classical import control_circuit
from quantcloud.backends.aer.noise import NOISELESS, delay_label
from quantcloud.backends.simulation.clifford import clifford_steps
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.ir import Condition, Operation
from quantcloud.domain.execution import Noise

_STANDARD = get_standard_gate_name_mapping()
# Qiskit's classes of gates whose names are not those of OpenQASM's libraries.
_CLASSES: dict[str, Callable[..., Gate]] = {
    **{name: type(gate) for name, gate in _STANDARD.items() if isinstance(gate, Gate)},
    "CX": library.CXGate,
    "U": library.UGate,
    "c3x": library.C3XGate,
    "c4x": library.C4XGate,
    "cu1": library.CU1Gate,
    "cu3": library.CU3Gate,
}
# c3x and c4x are both called mcx.
_QISKIT_NAMES = {
    **{name: name for name in _CLASSES},
    "CX": "cx",
    "U": "u",
    "c3x": "mcx",
    "c4x": "mcx",
}


class Translation(NamedTuple):
    """A Qiskit circuit. `submitted` says that its gates are those of the submitted circuit.

    Otherwise Aer may also draw other outcomes: it leaves out gates that no measured qubit depends
    on, so even the way in which a gate is decomposed matters. If it has loops, bit `unbounded` of
    its outcome says that they had too many rounds.
    """

    circuit: QuantumCircuit
    submitted: bool
    unbounded: int | None = None


def translated(
    program: Program, method: str, noise: Noise | None = None, *, measured: bool = True
) -> Translation:
    """Make the circuit that Aer runs for `program` by `method`, with `noise`.

    The stabilizer method takes no angles, so gates that it does not know are written in H, S and
    CX. If `measured` is False, the final measurements are left out.

    Raises `ValueError` if the method is `stabilizer` and a gate is not Clifford.
    """
    if program.has_control:
        known = partial(_instruction, method)
        circuit, unbounded = control_circuit(program, known, noisy=noise is not None)
        return Translation(circuit, submitted=False, unbounded=unbounded)
    bits = _Bits(program)
    instructions: list[Any] = []
    names = {operation.name for operation in program.body} - {"measure", "reset"}
    submitted = program.submitted and all(_is_native(name, method) for name in names)
    for operation in program.body:
        parts = _parts(operation, method)
        submitted = submitted and len(parts) == 1 and parts[0] == operation
        instructions += [bits.instruction(part, method) for part in parts]
    if measured:
        instructions += [bits.noiseless(gate, method) for gate in program.basis]
        instructions += [bits.instruction(each, method) for each in program.measurements]
    circuit = QuantumCircuit.from_instructions(instructions, qubits=bits.qubits, clbits=bits.clbits)
    return Translation(circuit, submitted)


class _Bits:
    """The bits of a circuit."""

    def __init__(self, program: Program) -> None:
        self.qubits = [Qubit() for _ in range(program.num_qubits)]
        self.clbits = [Clbit() for _ in range(program.num_clbits)]

    def noiseless(self, gate: Operation, method: str) -> Any:
        """Return a gate that has no noise."""
        if method == "stabilizer":
            return self.instruction(gate, method)
        kind = library.UnitaryGate(matrix(gate.name).copy(), label=NOISELESS, check_input=False)
        return CircuitInstruction(kind, [self.qubits[qubit] for qubit in gate.qubits], [])

    def instruction(self, operation: Operation, method: str) -> Any:
        name, qubits, params, clbits, condition = operation
        kind = _instruction(method, name, params)
        on = [self.qubits[qubit] for qubit in qubits]
        into = [self.clbits[clbit] for clbit in clbits]
        plain = CircuitInstruction(kind, on, into)
        if condition is None:
            return plain
        block = QuantumCircuit.from_instructions([plain], qubits=on, clbits=into)
        return CircuitInstruction(IfElseOp(self._holds(condition), block), on, into)

    def _holds(self, condition: Condition) -> Any:
        """Return a condition on single bits: it may read any range of them, of any registers."""
        offset, size, value = condition
        if value >> size:
            return expr.lift(False)  # noqa: FBT003 - the value
        agree = [
            expr.lift(bit) if value >> place & 1 else expr.logic_not(bit)
            for place, bit in enumerate(self.clbits[offset : offset + size])
        ]
        return reduce(expr.logic_and, agree)


def _parts(operation: Operation, method: str) -> list[Operation]:
    """Return the operations that stand for one in a circuit for `method`."""
    name, qubits, params, _, _ = operation
    if name in ("measure", "reset"):
        return [operation]
    if method == "stabilizer" and (params or not _is_native(name, method)):
        return [
            operation._replace(
                name=step.lower(), params=(), qubits=tuple([qubits[place] for place in positions])
            )
            for step, positions in clifford_steps(name, params)
        ]
    if method == "matrix_product_state" and len(qubits) > 1:
        return _along_line(operation)
    return [operation]


def _along_line(gate: Operation) -> list[Operation]:
    """Return a gate on two qubits as gates on neighbours, which keep the order on Aer's line.

    Aer itself would swap distant qubits together and leave them there. Then the ranks at its cuts
    would no longer be those of the circuit's line. Here swaps move the upper qubit next to the
    lower one and back again (see `interaction.Chain`).
    """
    low, high = sorted(gate.qubits)
    swaps = [
        Operation("swap", (place, place + 1), (), (), gate.condition)
        for place in range(low + 1, high)
    ]
    places = tuple([qubit if qubit == low else low + 1 for qubit in gate.qubits])
    return [*reversed(swaps), gate._replace(qubits=places), *swaps]


@lru_cache(maxsize=4)
def _native(method: str) -> frozenset[str]:
    """Return the names of the gates that Aer runs by `method`."""
    return frozenset(AerSimulator(method=method).configuration().basis_gates)


def _is_native(name: str, method: str) -> bool:
    """Return whether Aer runs the standard gate `name` by `method`, under Qiskit's name of it."""
    return name == "u0" or _QISKIT_NAMES.get(name) in _native(method)


@lru_cache(maxsize=4096)
def _instruction(method: str, name: str, params: tuple[float, ...]) -> Instruction:
    """Return an instruction of `method`: Qiskit's own, or else a matrix labelled `name`."""
    if name == "measure":
        return Measure()
    if name == "reset":
        return Reset()
    if name == "u0":
        return library.IGate()
    if name == "delay":
        return library.IGate(label=delay_label(params[0]))
    if _is_native(name, method):
        return _CLASSES[name](*params)
    # A copy, because Aer 0.18 reads the transpose of a read-only array.
    return library.UnitaryGate(matrix(name, params).copy(), label=name, check_input=False)
