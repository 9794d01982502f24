"""What a circuit comes to once its own gates are expanded, told without expanding them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.interaction import link_bits
from quantcloud.circuits.ir import Circuit, GateDefinition
from quantcloud.circuits.lowering import standard_definition

_PAIR = 2

# Steps that go into definitions, beyond which their contents are not looked at: calls of calls
# may join a million pairs of qubits in a few lines.
_MAX_STEPS = 200_000
_MAX_STEPS_PER_OPERATION = 4


class Content(NamedTuple):
    """Standard operations by name, without barriers, and which qubits they join.

    `links` counts, for each pair of qubits, log2 of the operator Schmidt ranks of the gates on
    both, multiplied; a gate on three or more qubits counts as those of its standard definition.
    """

    counts: Mapping[str, int]
    links: Mapping[tuple[int, int], int]


class TooMuchError(Exception):
    """The definitions say more than is looked at."""


def content(circuit: Circuit) -> Content:
    """Return what a circuit holds. Raises `TooMuchError`."""
    operations, definitions = circuit.operations, circuit.definitions
    known: dict[str, Content] = {}
    if definitions:
        steps = _MAX_STEPS + _MAX_STEPS_PER_OPERATION * len(operations)
        known = _contents(definitions, {operation.name for operation in operations}, steps)
    calls = Counter(
        [(name, qubits) for name, qubits, _, _, _ in operations if len(qubits) >= _PAIR]
    )
    links: dict[tuple[int, int], int] = {}
    for (name, qubits), times in calls.items():
        if name != "barrier":
            _link(links, _links(name, known), qubits, times)
    counts: Counter[str] = Counter()
    for name, times in Counter([operation[0] for operation in operations]).items():
        if name in known:
            for gate, number in known[name].counts.items():
                counts[gate] += times * number
        elif name != "barrier":
            counts[name] += times
    return Content(counts, links)


_ONE_LINK: Mapping[tuple[int, int], int] = {(0, 1): 1}
_TWO_LINKS: Mapping[tuple[int, int], int] = {(0, 1): 2}


def _links(name: str, known: Mapping[str, Content]) -> Mapping[tuple[int, int], int]:
    """Return which of its own qubits a gate joins."""
    if name in known:
        return known[name].links
    gate = STANDARD_GATES[name]
    if gate.num_qubits < _PAIR:
        return {}
    if gate.num_qubits == _PAIR:
        return _ONE_LINK if link_bits(name) == 1 else _TWO_LINKS
    return _wide_links(name)


@cache
def _wide_links(name: str) -> Mapping[tuple[int, int], int]:
    """Return the links of a standard gate on three or more qubits, as its definition makes them."""
    definition = standard_definition(name)
    links: dict[tuple[int, int], int] = {}
    for call in definition.body if definition is not None else ():
        _link(links, _links(call.name, {}), call.qubits, 1)
    return links


def _link(
    links: dict[tuple[int, int], int],
    inner: Mapping[tuple[int, int], int],
    qubits: tuple[int, ...],
    times: int,
) -> None:
    """Add `times` calls of a gate on `qubits` that joins its own by `inner`."""
    for (first, second), bits in inner.items():
        pair = qubits[first], qubits[second]
        links[pair] = links.get(pair, 0) + times * bits


def _contents(
    definitions: Mapping[str, GateDefinition], wanted: Iterable[str], steps: int
) -> dict[str, Content]:
    """Return what the wanted definitions hold, and those that they call.

    Raises `TooMuchError` where that takes more than so many steps.
    """
    needed = [name for name in wanted if name in definitions]
    seen = set(needed)
    for name in needed:  # it grows meanwhile
        for called in {call.name for call in definitions[name].body}:
            if called in definitions and called not in seen:
                seen.add(called)
                needed.append(called)
    found: dict[str, Content] = {}
    # A definition calls earlier ones only.
    for name, definition in definitions.items():
        if name not in seen:
            continue
        counts: Counter[str] = Counter()
        links: dict[tuple[int, int], int] = {}
        for call in definition.body:
            if call.name == "barrier":
                continue
            inner = found.get(call.name)
            joins = _links(call.name, found)
            _link(links, joins, call.qubits, 1)
            if inner is None:
                counts[call.name] += 1
            else:
                counts.update(inner.counts)
            steps -= 1 + len(joins) + (len(inner.counts) if inner else 0)
            if steps < 0:
                raise TooMuchError
        found[name] = Content(counts, links)
    return found
