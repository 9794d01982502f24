"""Which qubits a circuit joins, and how much entanglement that can make along the line of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from quantcloud.circuits.ir import Operation

# Operator Schmidt rank 4: these exchange what their qubits hold. Every other standard gate on two
# qubits is, up to gates on one, a controlled gate or a rotation about one product of Pauli
# matrices, and of rank 2.
_RANK_FOUR = frozenset({"swap", "iswap", "dcx"})

Links = Mapping[tuple[int, int], int]
"""Pairs of qubits, in any order, and log2 of the greatest operator Schmidt rank that the gates on
a pair have together."""


class Interaction(NamedTuple):
    """A circuit's interaction graph in figures: its qubits, joined where a gate acts on both.

    `pairs` is how many edges it has, `degree` the most that one qubit has, `reach` the greatest
    distance of two joined qubits along the line of all. `entanglement_bits` bounds log2 of the
    Schmidt rank at every cut of that line, at any time.
    """

    pairs: int
    degree: int
    reach: int
    entanglement_bits: int


def link_bits(name: str) -> int:
    """Return log2 of the operator Schmidt rank of a standard gate on two qubits, at most."""
    return 2 if name in _RANK_FOUR else 1


def interaction(num_qubits: int, links: Links) -> Interaction:
    """Return the figures of the graph whose edges are `links`."""
    if not links:
        return Interaction(0, 0, 0, 0)
    edges = {(one, other) if one < other else (other, one) for one, other in links}
    degrees = [0] * num_qubits
    reach = 0
    for first, second in edges:
        degrees[first] += 1
        degrees[second] += 1
        reach = max(reach, second - first)
    return Interaction(len(edges), max(degrees), reach, _entanglement_bits(num_qubits, links))


def _entanglement_bits(num_qubits: int, links: Links) -> int:
    """Bound log2 of the Schmidt rank at every cut between neighbouring qubits, at any time.

    A gate multiplies the rank by at most its own operator Schmidt rank at each cut that it
    crosses; measurements and resets do not raise it.
    """
    changes = [0] * (num_qubits + 1)
    for (first, second), bits in links.items():
        sign = bits if first < second else -bits
        changes[first] += sign
        changes[second] -= sign
    crossing = most = 0
    for cut in range(1, num_qubits):
        crossing += changes[cut - 1]
        if crossing > most:
            most = max(most, min(crossing, cut, num_qubits - cut))
    return most


def schmidt_bits(num_qubits: int, operations: Iterable[Operation]) -> int:
    """Bound log2 of the Schmidt rank at every cut of the line, at any time.

    Takes gates on one or two qubits.
    """
    links: Counter[tuple[int, int]] = Counter()
    for name, qubits, _, _, _ in operations:
        if len(qubits) > 1:
            first, second = qubits
            links[first, second] += link_bits(name)
    return _entanglement_bits(num_qubits, links)
