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


# Beyond this, log2 of a rank makes no difference to anybody; its cube is still a `float`.
_MOST_BITS = 40
_CUBE = 8.0
"""The cube of a rank is this to the power of its bits."""


class Chain(NamedTuple):
    """A circuit as gates on neighbours alone, in figures.

    A gate on two distant qubits of the line is one on neighbours once the upper of the two has
    changed places with each qubit between them; afterwards it goes back the same way. `gates`
    counts the exchanges too. `rank_bits` bounds log2 of the Schmidt rank at every cut, at any time,
    and `cubes` sums, over the gates, the cube of such a bound at the gate's cut, on average
    while the gates there come to be.
    """

    rank_bits: int
    gates: int
    cubes: float


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
    chain: Chain


def link_bits(name: str) -> int:
    """Return log2 of the operator Schmidt rank of a standard gate on two qubits, at most."""
    return 2 if name in _RANK_FOUR else 1


def interaction(num_qubits: int, links: Links) -> Interaction:
    """Return the figures of the graph whose edges are `links`."""
    if not links:
        return Interaction(0, 0, 0, 0, Chain(0, 0, 0.0))
    edges = {(one, other) if one < other else (other, one) for one, other in links}
    degrees = [0] * num_qubits
    reach = 0
    for first, second in edges:
        degrees[first] += 1
        degrees[second] += 1
        reach = max(reach, second - first)
    bits, chain = _along(num_qubits, links)
    return Interaction(len(edges), max(degrees), reach, bits, chain)


def _along(num_qubits: int, links: Links) -> tuple[int, Chain]:
    """Bound log2 of the Schmidt rank at every cut between neighbouring qubits, at any time.

    A gate multiplies the rank by at most its own operator Schmidt rank at each cut that it
    crosses; measurements and resets do not raise it. Where a qubit from further up has come to
    stand below a cut, it adds at most one bit to the cut below that one.
    """
    # What begins or ends at each cut: of the bits across it, and of the qubits that move across.
    crossings = [0] * (num_qubits + 1)
    moves = [0] * (num_qubits + 1)
    meetings = [0] * (num_qubits + 1)
    for (first, second), bits in links.items():
        low, high = (first, second) if first < second else (second, first)
        crossings[low + 1] += bits
        crossings[high + 1] -= bits
        meetings[low + 1] += bits
        moves[low + 2] += 2 * bits
        moves[high + 1] -= 2 * bits
    crossing = moving = below = most = rank = gates = 0
    cubes = 0.0
    for cut in range(1, num_qubits):
        crossing += crossings[cut]
        moving += moves[cut]
        widest = min(cut, num_qubits - cut)
        bits = min(crossing, widest)
        most = max(most, bits)
        rank = max(rank, min(widest, bits + 2, below + 1) if moving else bits)
        here = meetings[cut] + moving
        if here:
            gates += here
            cubes += here * _mean_cube(crossing, widest)
        below = bits
    return most, Chain(max(rank, most), gates, cubes)


def _mean_cube(crossing: int, widest: int) -> float:
    """Return the mean of a rank's cube while its bits rise from 1 to `crossing`, one at a time.

    They stay at `widest` once they are there.
    """
    risen = min(crossing, widest, _MOST_BITS)
    rising = _CUBE * (_CUBE**risen - 1) / (_CUBE - 1)
    return (rising + (crossing - risen) * _CUBE**risen) / crossing


def schmidt_bits(num_qubits: int, operations: Iterable[Operation]) -> int:
    """Bound log2 of the Schmidt rank at every cut of the line, at any time.

    Takes gates on one or two qubits.
    """
    links: Counter[tuple[int, int]] = Counter()
    for name, qubits, _, _, _ in operations:
        if len(qubits) > 1:
            first, second = qubits
            links[first, second] += link_bits(name)
    return _along(num_qubits, links)[0]
