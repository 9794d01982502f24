"""Completes the circuit of a program of OpenQASM 3."""

from dataclasses import replace

from quantcloud.circuits.classical import MAX_ROUNDS, UnboundedLoopError, without_measurements
from quantcloud.circuits.ir import Apply, Assignment, Bits, Circuit, Condition, Formula, Operation
from quantcloud.openqasm.lexer import Lexer
from quantcloud.openqasm.version3.guards import SCRATCH


def finished(circuit: Circuit, lexer: Lexer) -> Circuit:
    """Put the bits of variables behind those of registers.

    A circuit that measures nothing needs no variables: what it computes is known. Raises
    `CircuitError` if such a circuit has an endless loop.
    """
    if not circuit.has_control:
        return circuit
    shift = circuit.num_clbits - SCRATCH
    moved = replace(
        circuit,
        operations=tuple([_moved(operation, shift) for operation in circuit.operations]),
        assignments=tuple([_moved_assignment(each, shift) for each in circuit.assignments]),
    )
    try:
        return without_measurements(moved)
    except UnboundedLoopError:
        raise lexer.error(
            f"the loops of this circuit have more than {MAX_ROUNDS:,} rounds, and no measurement "
            "ends them",
            0,
        ) from None


def _moved(operation: Operation, shift: int) -> Operation:
    condition, clbits = operation.condition, operation.clbits
    if condition is not None and condition.offset >= SCRATCH:
        condition = Condition(condition.offset + shift, condition.size, condition.value)
        operation = operation._replace(condition=condition)
    if clbits and clbits[0] >= SCRATCH:
        operation = operation._replace(clbits=(clbits[0] + shift,))
    return operation


def _moved_assignment(assignment: Assignment, shift: int) -> Assignment:
    offset, size, formula = assignment
    moved: Formula = tuple([_moved_item(item, shift) for item in formula])
    return Assignment(offset + shift if offset >= SCRATCH else offset, size, moved)


def _moved_item(item: int | Bits | Apply, shift: int) -> int | Bits | Apply:
    if isinstance(item, Bits) and item.offset >= SCRATCH:
        return item._replace(offset=item.offset + shift)
    return item
