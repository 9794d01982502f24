"""The sizes of results, which are known or predicted before the run."""

from typing import Final

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.readable import binary_size

# The most bytes of a result as a worker sends it. In JSON it is up to 2.5 times as long: Envoy lets
# 128 MiB pass, and the server holds the JSON in memory.
MAX_RESULT_BYTES: Final = 32 << 20

_COUNT_BYTES = 8
_AMPLITUDE_BYTES = 16
_VALUE_BYTES: Final = 8
# An entry of counts has these bytes besides its bitstring, and a field its tag and size.
_ENTRY_BYTES: Final = 8
_FIELD_BYTES: Final = 4


def check_result_size(analysis: Analysis, shots: int, options: RunOptions) -> None:
    """Refuse a run whose result would exceed 32 MiB even with a single entry of counts.

    A result has at least one entry of counts, a line of text for each shot if `memory` is
    requested, and the statevector if that is requested. Raises `InvalidArgument` for
    `options.memory`. Nothing else makes a result so large: a statevector has at most 16 qubits, and
    the text of a circuit at most 8 MB.
    """
    if not options.memory:
        return
    line = analysis.num_clbits + 1
    amplitudes = _AMPLITUDE_BYTES << analysis.num_qubits if options.statevector else 0
    rest = line + _COUNT_BYTES + amplitudes
    size = rest + line * shots
    if size <= MAX_RESULT_BYTES:
        return
    most = max(0, MAX_RESULT_BYTES - rest) // line
    raise InvalidArgument(
        "options.memory",
        f"makes a result of {binary_size(size)} from {shots} shots of {analysis.num_clbits} "
        f"bits; the limit is {binary_size(MAX_RESULT_BYTES)}; "
        + (f"send at most {most} shots, or leave it out" if most else "leave it out"),
        reason="RESULT_TOO_LARGE",
    )


def point_bytes(sweep: Sweep, analysis: Analysis, shots: int) -> int:
    """Return the predicted number of bytes of the results of one point."""
    columns, bits = sweep.columns, analysis.num_clbits
    size = _FIELD_BYTES
    if columns:
        arrays = 1 + (not sweep.exact) + sweep.variances
        size += arrays * (_FIELD_BYTES + columns * _VALUE_BYTES)
        if sweep.gradient:
            names = sum(len(each.name.encode()) for each in sweep.parameters)
            heads = _ENTRY_BYTES * len(sweep.parameters) + names
            size += columns * (_FIELD_BYTES + heads + sweep.width * _VALUE_BYTES)
    elif sweep.packed:
        size += shots * (-(-bits // 8))
    else:
        outcomes = shots if bits >= shots.bit_length() else min(shots, 1 << bits)
        size += outcomes * (bits + _ENTRY_BYTES)
    if sweep.probabilities:
        size += _VALUE_BYTES << bits
    return size
