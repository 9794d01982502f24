"""Kinds of standard gates, by their effect on a state, which determines the work to run them."""

from collections.abc import Mapping
from typing import Final

from quantcloud.circuits.gates import CONTROLLED_GATES, STANDARD_GATES

DIAGONAL: Final = "diagonal"
"""Gates on one or two qubits that multiply amplitudes: `rz`, `cz`, `cp`, ..."""
PERMUTATION: Final = "permutation"
"""Gates on one or two qubits that exchange amplitudes: `x`, `cx`, `swap`, ..."""
DENSE: Final = "dense"
"""All other gates on one or two qubits: `h`, `rx`, `crx`, `rxx`, ..."""
WIDE: Final = "wide"
"""Gates on three or more qubits."""

_DIAGONAL_GATES: Final = frozenset(
    {"id", "u0", "z", "s", "sdg", "t", "tdg", "p", "u1", "rz", "rzz"}
)
_PERMUTATION_GATES: Final = frozenset({"x", "y", "swap", "iswap", "dcx"})


def _kind(name: str) -> str:
    if STANDARD_GATES[name].num_qubits > 2:  # noqa: PLR2004 - wide is three or more
        return WIDE
    # A control keeps the kind.
    _, inner = CONTROLLED_GATES.get(name, (0, name))
    if inner in _DIAGONAL_GATES:
        return DIAGONAL
    return PERMUTATION if inner in _PERMUTATION_GATES else DENSE


_KINDS: Final[Mapping[str, str]] = {name: _kind(name) for name in STANDARD_GATES}


def by_kind(counts: Mapping[str, int]) -> dict[str, int]:
    """Count standard gates by kind; operations that are not gates, like `measure`, are skipped."""
    kinds: dict[str, int] = {}
    for name, count in counts.items():
        kind = _KINDS.get(name)
        if kind is not None:
            kinds[kind] = kinds.get(kind, 0) + count
    return kinds
