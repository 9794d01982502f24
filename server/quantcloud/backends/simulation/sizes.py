"""The least size of a result, which is known before the run."""

from typing import Final

from quantcloud.backends.simulation.costs import readable_bytes
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import RunOptions

# The most bytes of a result as a worker sends it. In JSON it is up to 2.5 times as long: Envoy lets
# 128 MiB pass, and the server holds the JSON in memory.
MAX_RESULT_BYTES: Final = 32 << 20

_COUNT_BYTES = 8
_AMPLITUDE_BYTES = 16


def least_result_bytes(analysis: Analysis, shots: int, options: RunOptions) -> int:
    """Return the least number of bytes of a result.

    It has one entry of counts, a line of text for each shot if `memory` is requested, and the
    statevector if that is requested.
    """
    line = analysis.num_clbits + 1
    outcomes = line * shots if options.memory else 0
    amplitudes = _AMPLITUDE_BYTES << analysis.num_qubits if options.statevector else 0
    return line + _COUNT_BYTES + outcomes + amplitudes


def check_result_size(analysis: Analysis, shots: int, options: RunOptions) -> None:
    """Refuse a run whose result would exceed 32 MiB even with a single entry of counts.

    Raises `InvalidArgument` for `options.memory`. Nothing else makes a result so large: a
    statevector has at most 16 qubits, and the text of a circuit at most 8 MB.
    """
    size = least_result_bytes(analysis, shots, options)
    if not options.memory or size <= MAX_RESULT_BYTES:
        return
    line = analysis.num_clbits + 1
    rest = size - line * shots
    most = max(0, MAX_RESULT_BYTES - rest) // line
    raise InvalidArgument(
        "options.memory",
        f"makes a result of {readable_bytes(size)} from {shots} shots of {analysis.num_clbits} "
        f"bits; the limit is {readable_bytes(MAX_RESULT_BYTES)}; "
        + (f"send at most {most} shots, or leave it out" if most else "leave it out"),
        reason="RESULT_TOO_LARGE",
    )
