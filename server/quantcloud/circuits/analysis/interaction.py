"""The interaction graph of a circuit, and bounds of the entanglement along the line of qubits."""

from collections.abc import Mapping
from typing import NamedTuple

# These gates exchange their qubits and have operator Schmidt rank 4. Every other standard two-qubit
# gate is, up to one-qubit gates, a controlled gate or a rotation about one product of Pauli
# matrices, and has rank 2.
_RANK_FOUR = frozenset({"swap", "iswap", "dcx"})

Links = Mapping[tuple[int, int], int]
"""Maps pairs of qubits, in any order, to log2 of the greatest operator Schmidt rank of all gates on
the pair together."""


# log2 of a rank is cut off here: no larger rank can be simulated, and its cube is still a `float`.
_MOST_BITS = 40
_CUBE = 8.0
"""The cube of a rank is this number to the power of the rank's bits."""


class Interaction(NamedTuple):
    """Figures of a circuit's interaction graph, which links two qubits if a gate acts on both.

    `interaction_pairs` is the number of edges, `interaction_degree` the most edges of one qubit,
    and `interaction_reach` the greatest distance of two linked qubits along the line of all qubits.
    `entanglement_bits` bounds log2 of the Schmidt rank at every cut of that line, at any time.

    The others are of the circuit that is compiled to gates on neighbours along the line. A gate on
    two distant qubits becomes a gate on neighbours: swaps move the upper qubit down next to the
    lower one, and back after the gate. `chain_gates` includes these swaps. `chain_rank_bits` bounds
    log2 of the Schmidt rank at every cut, at any time. `chain_cubes` sums, over the gates, the cube
    of the rank's bound at the gate's cut, averaged over the growth of the rank.
    """

    interaction_pairs: int
    interaction_degree: int
    interaction_reach: int
    entanglement_bits: int
    chain_rank_bits: int
    chain_gates: int
    chain_cubes: float


def link_bits(name: str) -> int:
    """Return an upper bound of log2 of the operator Schmidt rank of a two-qubit standard gate."""
    return 2 if name in _RANK_FOUR else 1


def interaction(num_qubits: int, links: Links) -> Interaction:
    """Return the figures of the graph whose edges are `links`."""
    if not links:
        return Interaction(0, 0, 0, 0, 0, 0, 0.0)
    edges = {(one, other) if one < other else (other, one) for one, other in links}
    degrees = [0] * num_qubits
    reach = 0
    for first, second in edges:
        degrees[first] += 1
        degrees[second] += 1
        reach = max(reach, second - first)
    return Interaction(len(edges), max(degrees), reach, *_along(num_qubits, links))


def _along(num_qubits: int, links: Links) -> tuple[int, int, int, float]:
    """Return `entanglement_bits` and the figures of the chain.

    At each cut that it crosses, a gate multiplies the rank by at most its operator Schmidt rank.
    Measurements and resets do not raise the rank. If swaps have moved a qubit from above to below
    a cut, it adds at most one bit to the cut below.
    """
    # The changes at each cut of the bits across it and of the qubits that move across it.
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
    return most, max(rank, most), gates, cubes


def _mean_cube(crossing: int, widest: int) -> float:
    """Return the mean cube of a rank whose bits grow from 1 to `crossing`, capped at `widest`."""
    most = min(crossing, widest, _MOST_BITS)
    growing = _CUBE * (_CUBE**most - 1) / (_CUBE - 1)
    return (growing + (crossing - most) * _CUBE**most) / crossing
