"""Counts the standard gates of a circuit and its linked qubits without expanding definitions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple, TypeVar

from quantcloud.circuits.analysis.interaction import link_bits
from quantcloud.circuits.gates import STANDARD_GATES, definition_calls
from quantcloud.circuits.ir import Circuit, GateDefinition, Operation

_PAIR = 2
Key = TypeVar("Key")

# The most steps to read definitions; beyond them the contents are not computed. Nested calls may
# link a million pairs of qubits in a few lines.
_MAX_STEPS = 200_000
_MAX_STEPS_PER_OPERATION = 4


class Content(NamedTuple):
    """Standard operations by name, without barriers, and the pairs of qubits that they link.

    `links` maps each pair of qubits to log2 of the product of the operator Schmidt ranks of the
    gates on both. A gate on three or more qubits counts as the gates of its standard definition.
    """

    counts: Mapping[str, int]
    links: Mapping[tuple[int, int], int]


class TooMuchError(Exception):
    """The definitions need more steps than allowed."""


def counted(items: Iterable[Key]) -> dict[Key, int]:
    """Count equal items. A `Counter` is slow to set up, and most circuits are short."""
    counts: dict[Key, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


def content(circuit: Circuit, calls: Mapping[str, int]) -> Content:
    """Return the content of a circuit. Raises `TooMuchError`.

    `calls` counts its operations by name, without barriers.
    """
    operations, definitions = circuit.operations, circuit.definitions
    if not definitions:
        return Content(calls, _all_links(operations, {}))
    steps = _MAX_STEPS + _MAX_STEPS_PER_OPERATION * len(operations)
    known = _contents(definitions, calls, steps)
    counts: dict[str, int] = {}
    for name, times in calls.items():
        inside = known[name].counts if name in known else {name: 1}
        for gate, number in inside.items():
            counts[gate] = counts.get(gate, 0) + times * number
    return Content(counts, _all_links(operations, known))


def _all_links(
    operations: Iterable[Operation], known: Mapping[str, Content]
) -> dict[tuple[int, int], int]:
    pairs = _PAIR_BITS
    if not pairs.keys().isdisjoint(known):
        pairs = {name: bits for name, bits in pairs.items() if name not in known}
    links: dict[tuple[int, int], int] = {}
    others: list[tuple[str, tuple[int, ...]]] = []
    for name, qubits, _, _, _ in operations:
        if len(qubits) < _PAIR:
            continue
        bits = pairs.get(name)
        if bits is None:
            others.append((name, qubits))
        else:
            first, second = qubits
            links[first, second] = links.get((first, second), 0) + bits
    for (name, qubits), times in counted(others).items():
        if name != "barrier":
            _link(links, _links(name, known), qubits, times)
    return links


_PAIR_BITS: Mapping[str, int] = {
    name: link_bits(name) for name, gate in STANDARD_GATES.items() if gate.num_qubits == _PAIR
}


def _links(name: str, known: Mapping[str, Content]) -> Mapping[tuple[int, int], int]:
    """Return which of its qubits a gate links."""
    return known[name].links if name in known else _standard_links(name)


@cache
def _standard_links(name: str) -> Mapping[tuple[int, int], int]:
    if name in _PAIR_BITS:
        return {(0, 1): _PAIR_BITS[name]}
    links: dict[tuple[int, int], int] = {}
    if STANDARD_GATES[name].num_qubits > _PAIR:
        for called, qubits in definition_calls(name):
            _link(links, _standard_links(called), qubits, 1)
    return links


def _link(
    links: dict[tuple[int, int], int],
    inner: Mapping[tuple[int, int], int],
    qubits: tuple[int, ...],
    times: int,
) -> None:
    """Add the links of `times` calls, on `qubits`, of a gate with the links `inner`."""
    for (first, second), bits in inner.items():
        pair = qubits[first], qubits[second]
        links[pair] = links.get(pair, 0) + times * bits


def _contents(
    definitions: Mapping[str, GateDefinition], wanted: Iterable[str], steps: int
) -> dict[str, Content]:
    """Return the content of the wanted definitions and of those that they call.

    Raises `TooMuchError` if that takes more than `steps` steps.
    """
    needed = [name for name in wanted if name in definitions]
    seen = set(needed)
    for name in needed:  # the loop extends it
        for called in {call.name for call in definitions[name].body}:
            if called in definitions and called not in seen:
                seen.add(called)
                needed.append(called)
    found: dict[str, Content] = {}
    # A definition calls only earlier ones.
    for name, definition in definitions.items():
        if name not in seen:
            continue
        counts: Counter[str] = Counter()
        links: dict[tuple[int, int], int] = {}
        for call in definition.body:
            if call.name == "barrier":
                continue
            inner = found.get(call.name)
            inner_links = _links(call.name, found)
            _link(links, inner_links, call.qubits, 1)
            if inner is None:
                counts[call.name] += 1
            else:
                counts.update(inner.counts)
            steps -= 1 + len(inner_links) + (len(inner.counts) if inner else 0)
            if steps < 0:
                raise TooMuchError
        found[name] = Content(counts, links)
    return found
