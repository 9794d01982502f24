"""Circuits of Qiskit as OpenQASM 3 with inputs."""

import re
from collections.abc import Iterable
from typing import Any, Final
from uuid import uuid4

from qiskit.circuit import ClassicalRegister, ForLoopOp, Parameter, QuantumCircuit
from qiskit.circuit.controlflow import BreakLoopOp, ContinueLoopOp, get_control_flow_name_mapping
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.qasm3 import Exporter
from qiskit.transpiler import Target, TransformationPass, generate_preset_pass_manager
from qiskit.transpiler.passes import RemoveResetInZeroState
from qiskit.transpiler.passes.utils import control_flow

_GATES: Final = frozenset({
    "c3sx", "ccx", "ccz", "ch", "cp", "crx", "cry", "crz", "cs", "csdg", "cswap", "csx", "cu",
    "cu1", "cu3", "cx", "cy", "cz", "dcx", "ecr", "h", "id", "iswap", "p", "r", "rcccx", "rccx",
    "rx", "rxx", "ry", "ryy", "rz", "rzx", "rzz", "s", "sdg", "swap", "sx", "sxdg", "t", "tdg",
    "u", "u1", "u2", "u3", "x", "y", "z",
})  # fmt: skip
"""The gates that the server and Qiskit know, by Qiskit's names."""
_QISKITS_NAMES: Final = {"c3sqrtx": "c3sx", "rc3x": "rcccx"}


def target(gates: Iterable[str] = _GATES, num_qubits: int | None = None) -> Target:
    """Return what a circuit may have for a server that runs these gates."""
    jumps = {"break_loop": BreakLoopOp, "continue_loop": ContinueLoopOp}
    known, flow = get_standard_gate_name_mapping(), get_control_flow_name_mapping() | jumps
    names = {_QISKITS_NAMES.get(name, name) for name in (*gates, "measure", "reset", "delay")}
    basis = [*sorted(known.keys() & names), *flow]
    return Target.from_configuration(basis, num_qubits, custom_name_mapping=flow)


def export(circuit: QuantumCircuit) -> tuple[str, dict[str, ClassicalRegister]]:
    """Return a circuit as OpenQASM 3, with its registers by their names there.

    The inputs are `p0`, `p1` and so on, in the order of its parameters. Without measurement, all
    bits are 0, as in Qiskit. Raises `ValueError` if the server has no form of the circuit.
    """
    manager: Any = generate_preset_pass_manager(0, target=target())
    # Qiskit prepares a state with resets, which do nothing at the start.
    manager.translation.append([RemoveResetInZeroState(), _ListCountdowns()])
    # Two steps, because the circuit may have parameters with the names of its inputs.
    own = {each: Parameter(uuid4().hex) for each in circuit.parameters}
    inputs = {each: Parameter(f"p{place}") for place, each in enumerate(own.values())}
    try:
        named = circuit.assign_parameters(own).assign_parameters(inputs)
        translated = manager.translation.run(named)
        others = _others(translated)
        if circuit.num_clbits and "measure" not in others:
            # The server would measure every qubit.
            translated.add_register(ClassicalRegister(1, "nothing"))
            translated.measure(0, -1)
        text = Exporter((), [*(_GATES - others)], disable_constants=True).dumps(translated)
    except QiskitError as error:
        raise ValueError(f"the server has no form of the circuit: {error.message}") from error
    # A variable for a `switch` has 32 bits on the server. A register may have more.
    text = text.replace("\nint switch_dummy", "\nint[64] switch_dummy")
    names = re.findall(r"^bit\[\d+\] (\w+);", text, re.MULTILINE)
    return text, dict(zip(names, circuit.cregs, strict=False))


def _others(circuit: QuantumCircuit) -> set[str]:
    """Return the names of operations that are not standard gates but may be named like one."""
    found = {each.name for each in circuit.data if not each.is_standard_gate()}
    flow = [each.operation for each in circuit.data if each.is_control_flow()]
    return found.union(*(_others(block) for each in flow for block in each.blocks))


class _ListCountdowns(TransformationPass):
    """Lists the values of loops that count down: Qiskit's exporter writes a wrong end for them."""

    @control_flow.trivial_recurse
    def run(self, dag: Any) -> Any:
        for node in dag.op_nodes(ForLoopOp):
            values, step, body = node.op.params
            if isinstance(values, range) and values.step < 0:
                dag.substitute_node(node, ForLoopOp([*values] or range(0), step, body))
        return dag
