"""How large a result is, as far as that is known before the run."""

from typing import Final

from quantcloud.backends.simulation.costs import readable_bytes
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import RunOptions

# Bytes of a result in the form in which a worker sends it. In JSON it is up to two and a half
# times as long, of which Envoy lets 128 MiB pass, and the server holds it in memory.
MAX_RESULT_BYTES: Final = 32 << 20

_COUNT_BYTES = 8
_AMPLITUDE_BYTES = 16


def least_result_bytes(analysis: Analysis, shots: int, options: RunOptions) -> int:
    """Bytes that a result has at least.

    That is all of it but the counts, of which there may be a single one or one for each shot: a
    line of text for each shot where their outcomes are asked for, and the statevector.
    """
    line = analysis.num_clbits + 1
    outcomes = line * shots if options.memory else 0
    amplitudes = _AMPLITUDE_BYTES << analysis.num_qubits if options.statevector else 0
    return line + _COUNT_BYTES + outcomes + amplitudes


def check_result_size(analysis: Analysis, shots: int, options: RunOptions) -> None:
    """Refuse a run whose result would be larger than 32 MiB whatever its counts are.

    Raises `InvalidArgument` for `options.memory`, which alone can make it so: a statevector has 16
    qubits at most, and a circuit's text no more than 8 MB.
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
        f"bits, and one may have {readable_bytes(MAX_RESULT_BYTES)}; "
        + (f"send {most} shots at most, or leave it out" if most else "leave it out"),
        reason="RESULT_TOO_LARGE",
    )
