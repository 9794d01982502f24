"""Replaces standard gates by simpler ones, for simulators that lack some of them."""

from collections.abc import Container
from dataclasses import replace
from functools import cache

from quantcloud.circuits.expand import expanded, replaced
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit, GateDefinition
from quantcloud.openqasm.parser import Parser


@cache
def standard_definition(name: str) -> GateDefinition | None:
    """Return the definition of a standard gate, or None for `u` and `cx`, which have none.

    It is exact up to a global phase.
    """
    gate = STANDARD_GATES[name]
    if gate.definition is None:
        return None
    params = ",".join(f"t{index}" for index in range(gate.num_params))
    qubits = ",".join("abcde"[: gate.num_qubits])
    source = f"qreg q[1]; gate defined({params}) {qubits} {{ {gate.definition} }}"
    return Parser(source).parse().definitions["defined"]


def lowered(circuit: Circuit, native: Container[str]) -> Circuit:
    """Return the circuit with gates of `native` only, which must include `u` and `cx`.

    First user-defined gates are expanded, then standard gates that are not native, each up to a
    global phase. Measurements, resets, barriers and conditions stay.
    """
    circuit = expanded(circuit)
    definitions = {
        name: definition
        for name in STANDARD_GATES
        if name not in native and (definition := standard_definition(name)) is not None
    }
    if not any(operation.name in definitions for operation in circuit.operations):
        return circuit
    return replace(circuit, operations=tuple(replaced(circuit.operations, definitions)))
