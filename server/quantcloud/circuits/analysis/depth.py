"""The depth of a circuit."""

from quantcloud.circuits.ir import CONTROL, Assignment, Bits, Circuit, Condition


def depth(circuit: Circuit) -> int:
    """Return the length of the longest chain of operations that share a qubit or a bit.

    A barrier has no length, but operations after it on its qubits come after all operations before
    it. A condition counts as a use of its bits. The computation of a value has no length either,
    but its bits come after those that it reads.
    """
    width = circuit.num_qubits
    # Of the qubits, and then of the classical bits.
    levels = [0] * (width + circuit.num_clbits + circuit.scratch_bits)
    for name, qubits, params, clbits, condition in circuit.operations:
        if condition is None and not clbits and name != "barrier":
            if len(qubits) == 1:
                levels[qubits[0]] += 1
                continue
            if len(qubits) == 2:  # noqa: PLR2004 - nearly all gates have one or two
                first, second = qubits
                levels[first] = levels[second] = max(levels[first], levels[second]) + 1
                continue
        bits = [*qubits, *[width + bit for bit in clbits]]
        read = written = [] if condition is None else [_places(width, condition)]
        if name == "assign":
            assignment = circuit.assignments[int(params[0])]
            read = read + [
                _places(width, item) for item in assignment.formula if isinstance(item, Bits)
            ]
            written = [_places(width, assignment)]
        elif name in CONTROL:
            continue
        level = max([levels[bit] for bit in bits], default=0)
        for places in read:
            level = max(level, *levels[places])
        level += name not in ("barrier", "assign")
        for bit in bits:
            levels[bit] = level
        for places in written:
            levels[places] = [level] * (places.stop - places.start)
    return max(levels, default=0)


def _places(width: int, bits: Condition | Bits | Assignment) -> slice:
    return slice(width + bits.offset, width + bits.offset + bits.size)
