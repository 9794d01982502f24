"""Makes Cirq circuits. Qubit i of a program is `cirq.LineQubit(i)`."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# Cirq is annotated only in part.

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cirq

from quantcloud.backends.cirq.noise import confusion, misreading, noise_after
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sweep.groups import paulis
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.gates import CONTROLLED_GATES
from quantcloud.circuits.ir import Condition, Operation
from quantcloud.domain.execution import Noise
from quantcloud.domain.sweep import Observable

# How many of its first qubits control a gate on three or more qubits.
_CONTROLS = {
    name: controls
    for name, (controls, inner) in CONTROLLED_GATES.items()
    if controls > 1 or inner == "swap"
}


def translated(program: Program, noise: Noise | None, *, measured: bool = True) -> cirq.Circuit:
    """Make the circuit that Cirq or qsim runs, with `noise` as channels.

    If `measured` is False, the final measurements are left out.
    """
    circuit = cirq.Circuit(_body(program, noise))
    if measured:
        circuit.append([part for gate in program.basis for part in _parts(gate, None)])
        keys = keys_of(program, noise)
        # qsim knows only channels.
        as_channel = noise is not None and program.measures_once
        for key, qubit in {keys[bit]: qubit for bit, qubit in program.final.items()}.items():
            if noise is not None and as_channel:
                circuit.append(misreading(noise, qubit) or ())
            misread = None if as_channel else confusion(noise, qubit)
            circuit.append(cirq.measure(cirq.LineQubit(qubit), key=key, confusion_map=misread))
    return circuit


def pauli_sum(observable: Observable) -> Any:
    """Return an observable in Cirq's form."""
    letters = {"X": cirq.X, "Y": cirq.Y, "Z": cirq.Z}
    return cirq.PauliSum.from_pauli_strings(
        [
            cirq.PauliString(
                {cirq.LineQubit(qubit): letters[letter] for qubit, letter in factors},
                coefficient=coefficient,
            )
            for factors, coefficient in paulis(observable).items()
        ]
    )


def keys_of(program: Program, noise: Noise | None) -> dict[int, str]:
    """Return the key of the last measurement into each classical bit that is not certain.

    Without noise, a final measurement of one qubit serves all its bits: Cirq would run a circuit
    that measures a qubit twice shot by shot.
    """
    keys = {
        bit: f"c[{bit}]"
        for operation in program.body
        for bit in operation.clbits
        if bit not in program.fixed
    }
    for bit, qubit in program.final.items():
        keys[bit] = f"q[{qubit}]" if noise is None else f"end[{bit}]"
    return keys


def _body(program: Program, noise: Noise | None) -> Iterator[cirq.Operation]:
    written: set[int] = set()
    for operation in program.body:
        controls = _controls(operation.condition, written)
        if controls is None:
            continue
        for part in _parts(operation, noise):
            yield part.with_classical_controls(*controls) if controls else part
        written.update(operation.clbits)


def _controls(
    condition: Condition | None, written: set[int]
) -> list[cirq.BitMaskKeyCondition] | None:
    """Return Cirq's conditions, or None if the condition cannot hold: other bits are still 0."""
    if condition is None:
        return []
    offset, size, value = condition
    if value >> size or any(
        value >> place & 1 and offset + place not in written for place in range(size)
    ):
        return None
    return [
        cirq.BitMaskKeyCondition(
            cirq.MeasurementKey(f"c[{offset + place}]"),
            target_value=value >> place & 1,
            equal_target=True,
        )
        for place in range(size)
        if offset + place in written
    ]


def _parts(operation: Operation, noise: Noise | None) -> Iterator[cirq.Operation]:
    name, indices, params, clbits, _ = operation
    qubits = [cirq.LineQubit(index) for index in indices]
    if name == "measure":
        yield cirq.measure(
            *qubits, key=f"c[{clbits[0]}]", confusion_map=confusion(noise, indices[0])
        )
    elif name == "reset":
        yield cirq.reset(*qubits)
    elif name == "delay":
        yield from () if noise is None else noise_after(noise, operation)
    else:
        controls = _CONTROLS.get(name, 0)
        # In Cirq the first qubit is the highest bit.
        yield _gate(name, params).on(*qubits[:controls], *reversed(qubits[controls:]))
        yield from () if noise is None else noise_after(noise, operation)


@lru_cache(maxsize=4096)
def _gate(name: str, params: tuple[float, ...]) -> cirq.Gate:
    controls = _CONTROLS.get(name, 0)
    size = 1 << controls
    target = matrix(name, params)[size - 1 :: size, size - 1 :: size]
    gate = cirq.MatrixGate(target, unitary_check=False)
    return gate.controlled(controls) if controls else gate
