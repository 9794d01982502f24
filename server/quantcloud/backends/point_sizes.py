"""The predicted size of the results of points."""

from typing import Final

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.sweep import Sweep

VALUE_BYTES: Final = 8
# An entry of counts has these bytes besides its bitstring, and a field its tag and size.
_ENTRY_BYTES: Final = 8
_FIELD_BYTES: Final = 4


def point_bytes(sweep: Sweep, analysis: Analysis, shots: int) -> int:
    """Return the predicted number of bytes of the results of one point."""
    columns, bits = sweep.columns, analysis.num_clbits
    size = _FIELD_BYTES
    if columns:
        arrays = 1 + (not sweep.exact) + sweep.variances
        size += arrays * (_FIELD_BYTES + columns * VALUE_BYTES)
        if sweep.gradient:
            names = sum(len(each.name.encode()) for each in sweep.parameters)
            heads = _ENTRY_BYTES * len(sweep.parameters) + names
            size += columns * (_FIELD_BYTES + heads + sweep.width * VALUE_BYTES)
    elif sweep.packed:
        size += shots * (-(-bits // 8))
    else:
        outcomes = shots if bits >= shots.bit_length() else min(shots, 1 << bits)
        size += outcomes * (bits + _ENTRY_BYTES)
    if sweep.probabilities:
        size += VALUE_BYTES << bits
    return size
