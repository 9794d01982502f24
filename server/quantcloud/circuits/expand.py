"""Replaces calls of user-defined gates by standard gates.

All functions use an explicit stack, because definitions may be nested thousands deep.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from quantcloud.circuits.expressions import evaluate
from quantcloud.circuits.ir import Circuit, Condition, GateCall, GateDefinition, Operation, Register
from quantcloud.circuits.limits import MAX_REMEMBERED

_BUILTIN_NAMES = {"U": "u", "CX": "cx"}


def standard_calls(
    definitions: Mapping[str, GateDefinition],
    name: str,
    params: tuple[float, ...],
    seen: set[tuple[str, tuple[float, ...]]],
) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield the standard gates, with their angles, to which a call of a defined gate expands.

    Each pair of a definition and its angles is visited once, as long as `seen` has room; the caller
    keeps `seen` between calls. Raises `ExpressionError` if an angle has no value.
    """
    pending = [(name, params)]
    while pending:
        key = pending.pop()
        if key in seen:
            continue
        if len(seen) < MAX_REMEMBERED:
            seen.add(key)
        name, params = key
        for call in definitions[name].body:
            if call.name == "barrier":
                continue
            angles = tuple([evaluate(angle, params) for angle in call.params])
            if call.name not in definitions:
                yield call.name, angles
            elif (call.name, angles) not in seen:
                pending.append((call.name, angles))


def expanded(circuit: Circuit) -> Circuit:
    """Return the circuit without definitions: each operation is a standard one.

    The condition of a call applies to each operation that it expands to, except barriers. `U` and
    `CX` become `u` and `cx`.
    """
    operations = circuit.operations
    if circuit.definitions:
        operations = replaced(operations, circuit.definitions)
    elif not any(operation.name in _BUILTIN_NAMES for operation in operations):
        return circuit
    return replace(
        circuit,
        operations=tuple(
            [
                operation._replace(name=_BUILTIN_NAMES[operation.name])
                if operation.name in _BUILTIN_NAMES
                else operation
                for operation in operations
            ]
        ),
        definitions={},
    )


def replaced(
    operations: Iterable[Operation], definitions: Mapping[str, GateDefinition]
) -> list[Operation]:
    """Return the operations with each call of a gate in `definitions` fully expanded."""
    out: list[Operation] = []
    # The slices of `out` with earlier expansions, which are copied.
    places: dict[Operation, slice] = {}
    for operation in operations:
        if operation.name not in definitions:
            out.append(operation)
            continue
        place = places.get(operation)
        if place is None:
            start = len(out)
            out.extend(_emitted(definitions, operation))
            if len(places) < MAX_REMEMBERED:
                places[operation] = slice(start, len(out))
        else:
            out.extend(out[place])
    return out


def _emitted(
    definitions: Mapping[str, GateDefinition], operation: Operation
) -> Iterator[Operation]:
    """Yield the standard operations to which a call of a defined gate expands, in order."""
    condition: Condition | None = operation.condition
    body = iter(definitions[operation.name].body)
    frames: list[tuple[Iterator[GateCall], tuple[int, ...], tuple[float, ...]]] = [
        (body, operation.qubits, operation.params)
    ]
    while frames:
        calls, qubits, params = frames[-1]
        for call in calls:
            mapped = tuple([qubits[position] for position in call.qubits])
            if call.name == "barrier":
                yield Operation("barrier", mapped)
                continue
            angles = tuple([evaluate(angle, params) for angle in call.params])
            definition = definitions.get(call.name)
            if definition is not None:
                frames.append((iter(definition.body), mapped, angles))
                break
            yield Operation(call.name, mapped, angles, (), condition)
        else:
            frames.pop()


def with_measurements(circuit: Circuit) -> Circuit:
    """Return the circuit as it runs: with at least one measurement.

    If a circuit measures nothing, all its qubits are measured at the end, in order, into one
    register `meas`, which replaces its classical bits. Its conditions compare bits that are all
    zero, so they are evaluated here. Any other circuit is returned unchanged.
    """
    if any(operation.name == "measure" for operation in circuit.operations):
        return circuit
    operations = [
        operation if operation.condition is None else operation._replace(condition=None)
        for operation in circuit.operations
        if operation.condition is None or operation.condition.value == 0
    ]
    return with_bits(replace(circuit, operations=tuple(operations)))


def with_bits(circuit: Circuit) -> Circuit:
    """Return a circuit without conditions in which each qubit has a bit for its last measurement.

    The bits are one register `meas`, in the order of the qubits, which replaces the classical bits.
    A qubit that is never measured is measured at the end.
    """
    width = circuit.num_qubits
    operations = [
        each._replace(clbits=each.qubits) if each.name == "measure" else each
        for each in circuit.operations
    ]
    measured = {each.qubits[0] for each in operations if each.name == "measure"}
    operations += [
        Operation("measure", (qubit,), (), (qubit,))
        for qubit in range(width)
        if qubit not in measured
    ]
    return replace(
        circuit,
        clbit_registers=(Register("meas", 0, width),),
        operations=tuple(operations),
    )
