"""Kinds of standard gates, by their effect on a state, which determines the work to run them."""

from collections.abc import Mapping
from typing import Final

from quantcloud.circuits.gates import STANDARD_GATES

DIAGONAL: Final = "diagonal"
"""Gates on one or two qubits that multiply amplitudes: `rz`, `cz`, `cp`, ..."""
PERMUTATION: Final = "permutation"
"""Gates on one or two qubits that exchange amplitudes: `x`, `cx`, `swap`, ..."""
DENSE: Final = "dense"
"""All other gates on one or two qubits: `h`, `rx`, `crx`, `rxx`, ..."""
WIDE: Final = "wide"
"""Gates on three or more qubits."""

_NARROW = 2
_DIAGONAL_NAMES = frozenset(
    [
        "id",
        "u0",
        "z",
        "s",
        "sdg",
        "t",
        "tdg",
        "p",
        "u1",
        "rz",
        "cz",
        "cp",
        "cu1",
        "crz",
        "cs",
        "csdg",
        "rzz",
    ],
)
_PERMUTATION_NAMES = frozenset(["x", "y", "cx", "CX", "cy", "swap", "iswap", "dcx"])

_KINDS: Final[Mapping[str, str]] = {
    name: WIDE
    if gate.num_qubits > _NARROW
    else DIAGONAL
    if name in _DIAGONAL_NAMES
    else PERMUTATION
    if name in _PERMUTATION_NAMES
    else DENSE
    for name, gate in STANDARD_GATES.items()
}


def by_kind(counts: Mapping[str, int]) -> dict[str, int]:
    """Count standard gates by kind; operations that are not gates, like `measure`, are skipped."""
    kinds: dict[str, int] = {}
    for name, count in counts.items():
        kind = _KINDS.get(name)
        if kind is not None:
            kinds[kind] = kinds.get(kind, 0) + count
    return kinds
