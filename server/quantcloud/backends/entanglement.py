"""How much entanglement a circuit can make, told from where its gates are."""

from collections.abc import Iterable
from itertools import accumulate

from quantcloud.circuits.ir import Operation

# Operator Schmidt rank 4: these exchange what their qubits hold. Every other standard gate on two
# qubits is, up to gates on one, a controlled gate or a rotation about one product of Pauli
# matrices, and of rank 2.
_RANK_FOUR = frozenset({"swap", "iswap", "dcx"})


def schmidt_bits(num_qubits: int, operations: Iterable[Operation]) -> int:
    """Bound log2 of the Schmidt rank at every cut between neighbouring qubits, at any time.

    A gate multiplies the rank by at most its own operator Schmidt rank at each cut that it
    crosses; measurements and resets do not raise it. Takes gates on one or two qubits.
    """
    changes = [0] * (num_qubits + 1)
    for name, qubits, _, _, _ in operations:
        if len(qubits) > 1:
            bits = 2 if name in _RANK_FOUR else 1
            changes[min(qubits)] += bits
            changes[max(qubits)] -= bits
    return max(
        (
            min(bits, cut + 1, num_qubits - cut - 1)
            for cut, bits in enumerate(accumulate(changes[: num_qubits - 1]))
        ),
        default=0,
    )
