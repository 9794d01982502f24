"""The depth of a circuit."""

from quantcloud.circuits.ir import (
    CONTROL,
    Assignment,
    Bits,
    Circuit,
    Condition,
    Operation,
)


def depth(circuit: Circuit) -> int:
    """Return the length of the longest chain of operations that share a qubit or a bit.

    A barrier has no length, but operations after it on its qubits come after all operations before
    it. A condition counts as a use of its bits.
    """
    qubits = [0] * circuit.num_qubits
    clbits = [0] * (circuit.num_clbits + circuit.scratch_bits)
    for operation in circuit.operations:
        name, operands, params, targets, condition = operation
        if condition is None and not targets and name != "barrier":
            if len(operands) == 1:
                qubits[operands[0]] += 1
                continue
            if len(operands) == 2:  # noqa: PLR2004 - nearly all gates have one or two
                first, second = operands
                level = max(qubits[first], qubits[second]) + 1
                qubits[first] = qubits[second] = level
                continue
        if name == "assign":
            _computed(circuit.assignments[int(params[0])], condition, clbits)
        elif name not in CONTROL:
            _deepen(operation, qubits, clbits)
    return max(max(qubits, default=0), max(clbits, default=0))


def _deepen(operation: Operation, qubits: list[int], clbits: list[int]) -> None:
    """Update the levels of qubits and bits for an operation of any kind."""
    name, operands, _, targets, condition = operation
    level = max([qubits[bit] for bit in operands], default=0)
    for bit in targets:
        level = max(level, clbits[bit])
    if condition is not None:
        begin, end = condition.offset, condition.offset + condition.size
        level = max(level, max(clbits[begin:end], default=0)) + 1
        clbits[begin:end] = [level] * condition.size
    elif name != "barrier":
        level += 1
    for bit in operands:
        qubits[bit] = level
    for bit in targets:
        clbits[bit] = level


def _computed(assignment: Assignment, condition: Condition | None, levels: list[int]) -> None:
    """Give the bits of an assignment the level of those that it reads."""
    read = [item for item in assignment.formula if isinstance(item, Bits)]
    ranges = [(item.offset, item.size) for item in read]
    if condition is not None:
        ranges.append((condition.offset, condition.size))
    level = max([max(levels[offset : offset + size], default=0) for offset, size in ranges] or [0])
    levels[assignment.offset : assignment.offset + assignment.size] = [level] * assignment.size
