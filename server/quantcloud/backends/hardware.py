"""Predicts the fidelity of a circuit on quantum hardware, for backends that run on hardware."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from quantcloud.circuits.analysis import Analysis

_GATES_PER_SWAP = 3


@dataclass(frozen=True)
class Device:
    """A quantum processor: its coupling map and its error rates.

    `couplings` are the pairs of qubits that have gates, in either order; None stands for all pairs.
    The error rates are the probabilities that a gate on one qubit, a gate on two qubits, and the
    readout of a qubit fail.
    """

    num_qubits: int
    couplings: frozenset[tuple[int, int]] | None
    error_1q: float
    error_2q: float
    error_readout: float

    def fidelity(self, analysis: Analysis) -> float:
        """Predict the fidelity of a run: the probability that nothing fails, from 0 to 1.

        Gates on qubits that are not coupled need swaps, each of three gates. Their number is
        estimated from the mean distance of the qubits. A circuit needs none if its gates act only
        on neighbours along a line.
        """
        counts = analysis.gate_counts
        readouts = counts.get("measure", 0)
        pairs = analysis.two_qubit_gate_count
        singles = analysis.operation_count - pairs - readouts - counts.get("reset", 0)
        reach = analysis.interaction_reach
        is_line = reach is not None and reach <= 1
        swaps = 0.0 if is_line else pairs * (self.mean_distance - 1)
        return (
            (1 - self.error_1q) ** singles
            * (1 - self.error_2q) ** (pairs + _GATES_PER_SWAP * swaps)
            * (1 - self.error_readout) ** readouts
        )

    @cached_property
    def mean_distance(self) -> float:
        """The mean distance of two connected qubits, in couplings."""
        if self.couplings is None:
            return 1.0
        neighbours: list[list[int]] = [[] for _ in range(self.num_qubits)]
        for first, second in self.couplings:
            neighbours[first].append(second)
            neighbours[second].append(first)
        distances = [
            distance
            for start in range(self.num_qubits)
            for distance in _distances(start, neighbours)
            if distance
        ]
        return sum(distances) / len(distances) if distances else 1.0


def _distances(start: int, neighbours: list[list[int]]) -> Iterable[int]:
    distances = {start: 0}
    queue = deque([start])
    while queue:
        qubit = queue.popleft()
        for other in neighbours[qubit]:
            if other not in distances:
                distances[other] = distances[qubit] + 1
                queue.append(other)
    return distances.values()
