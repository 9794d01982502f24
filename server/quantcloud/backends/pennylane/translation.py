"""Makes PennyLane's quantum scripts. Qubit i of a program is wire i."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# PennyLane has no types.

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import pennylane as qml
from pennylane.queuing import AnnotatedQueue
from pennylane.tape import QuantumScript

from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sweep.groups import paulis
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.ir import Condition, Operation
from quantcloud.domain.sweep import Observable

# PennyLane's gates that Lightning has kernels for.
_KERNELS: dict[str, Callable[..., Any]] = {
    "x": qml.PauliX,
    "y": qml.PauliY,
    "z": qml.PauliZ,
    "h": qml.Hadamard,
    "s": qml.S,
    "t": qml.T,
    "sx": qml.SX,
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "p": qml.PhaseShift,
    "u1": qml.PhaseShift,
    "cx": qml.CNOT,
    "CX": qml.CNOT,
    "cy": qml.CY,
    "cz": qml.CZ,
    "crx": qml.CRX,
    "cry": qml.CRY,
    "crz": qml.CRZ,
    "cp": qml.ControlledPhaseShift,
    "cu1": qml.ControlledPhaseShift,
    "swap": qml.SWAP,
    "rxx": qml.IsingXX,
    "ryy": qml.IsingYY,
    "rzz": qml.IsingZZ,
    "ccx": qml.Toffoli,
    "cswap": qml.CSWAP,
}

_PAULIS: dict[str, Callable[..., Any]] = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}


# The stub of PennyLane's function takes it for a decorator.
_cond: Any = qml.cond


class Translation(NamedTuple):
    """A quantum script with samples, and the column of the samples for each classical bit.

    Measurements within the circuit come first, and then the wires that are measured at its end.
    """

    script: QuantumScript
    columns: dict[int, int]


def translated(program: Program, shots: int) -> Translation:
    """Make the script that Lightning executes for `program`."""
    with AnnotatedQueue() as queue:
        early: dict[int, Any] = {}
        for operation in (*program.body, *program.basis):
            _queue(operation, early)
        read = {
            bit: value
            for bit, value in early.items()
            if bit not in program.final and bit not in program.fixed
        }
        wires = sorted(set(program.final.values()))
        if read:
            qml.sample([*read.values()])
        if wires:
            qml.sample(wires=wires)
    columns = {bit: column for column, bit in enumerate(read)}
    for bit, wire in program.final.items():
        columns[bit] = len(read) + wires.index(wire)
    return Translation(QuantumScript.from_queue(queue, shots=shots), columns)


KERNELS = frozenset(_KERNELS)
"""The gates that Lightning has kernels for."""


def value_script(
    program: Program, observables: Sequence[Observable], trainable: Collection[int] = ()
) -> QuantumScript:
    """Make a script for the expectation values before the final measurements.

    Derivatives are by the angles of the `trainable` operations of the body, by their numbers.
    """
    with AnnotatedQueue() as queue:
        for operation in program.body:
            _queue(operation, {})
        for observable in observables:
            qml.expval(_hamiltonian(observable))
    script = QuantumScript.from_queue(queue)
    script.trainable_params = [
        number for number, each in enumerate(script.par_info) if each["op_idx"] in trainable
    ]
    return script


def _hamiltonian(observable: Observable) -> Any:
    terms = paulis(observable) or {(): 0.0}
    products: list[Any] = [
        qml.prod(*[_PAULIS[letter](qubit) for qubit, letter in factors])
        if factors
        else qml.Identity(0)
        for factors in terms
    ]
    return qml.Hamiltonian(list(terms.values()), products)


def state_script(program: Program) -> QuantumScript:
    """Make a script for the state before the final measurements of a program without branches."""
    with AnnotatedQueue() as queue:
        for operation in program.body:
            _queue(operation, {})
        qml.state()
    return QuantumScript.from_queue(queue)


def _queue(operation: Operation, early: dict[int, Any]) -> None:
    """Queue an operation; `early` has the measurements so far, by classical bit."""
    name, qubits, params, clbits, condition = operation
    if name == "measure":
        early[clbits[0]] = qml.measure(qubits[0])
    elif name == "reset":
        qml.measure(qubits[0], reset=True)
    elif condition is None:
        _apply(name, qubits, params)
    else:
        holds = _holds(condition, early)
        if holds is True:
            _apply(name, qubits, params)
        elif holds is not False:
            _cond(holds, _apply)(name, qubits, params)


def _apply(name: str, qubits: tuple[int, ...], params: tuple[float, ...]) -> None:
    kernel = _KERNELS.get(name)
    if kernel is not None:
        kernel(*params, wires=qubits)
    else:
        # In PennyLane the first wire is the highest bit. Lightning's derivatives take no read-only
        # array.
        qml.QubitUnitary(matrix(name, params).copy(), wires=qubits[::-1])


def _holds(condition: Condition, early: dict[int, Any]) -> Any:
    """Return a measurement value that tells whether the condition holds, or a bool if certain."""
    offset, size, value = condition
    if value >> size:
        return False
    holds: Any = True
    for place in range(size):
        wanted, measured = value >> place & 1, early.get(offset + place)
        if measured is None:
            # The bit is still 0.
            if wanted:
                return False
            continue
        agrees = measured == wanted
        holds = agrees if holds is True else holds & agrees
    return holds
