"""What a run is predicted to need.

Memory follows from the sizes of the states, time from what there is to do (`Work`) and the
coefficients of each method. Those that backends state were fitted to runs of MQT Bench's circuits
on one core of a 2-core server; `quantcloud calibrate` fits them to another.
"""

import math

from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.kinds import DENSE, DIAGONAL, PERMUTATION, WIDE
from quantcloud.routing.method import Method
from quantcloud.routing.work import Coefficients, Work

PARSED_GATE_BYTES = 500
"""What a parsed circuit takes for a gate with angles of its own, measured."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def evolution(analysis: Analysis, amplitudes: float, shots: int, repeats: float = 1) -> Work:
    """What it takes to evolve a state of so many amplitudes `repeats` times, and to sample it."""
    kinds = analysis.gates_by_kind
    if kinds:
        light = kinds.get(DIAGONAL, 0) + kinds.get(PERMUTATION, 0)
        dense, wide = kinds.get(DENSE, 0), kinds.get(WIDE, 0)
    else:
        light, dense, wide = 0, analysis.operation_count, 0
    steps = repeats * amplitudes
    return Work(
        operations=repeats * analysis.operation_count,
        light=steps * light,
        dense=steps * dense,
        wide=steps * wide,
        state=steps,
        samples=shots + min(shots, amplitudes) * analysis.num_clbits,
    )


def alike(amplitude: float, **others: float) -> Coefficients:
    """Coefficients of a simulator to which all gates are the same."""
    return Coefficients(light=amplitude, dense=amplitude, wide=amplitude, state=amplitude, **others)


def predicted(
    name: str,
    state_bytes: int,
    coefficients: Coefficients,
    work: Work,
    *,
    gates: int,
    gate_bytes: int,
    double: bool = True,
) -> Method:
    """A method whose time follows from `work`; `double` says in which precision it computes.

    Its memory is `state_bytes` and, for each of the `gates` that it keeps, `gate_bytes` beside what
    the parsed circuit has of it.
    """
    return Method(
        name,
        state_bytes + gates * (PARSED_GATE_BYTES + gate_bytes),
        coefficients.seconds(work),
        double_precision=double,
        work=work,
        coefficients=coefficients,
    )


def histories(analysis: Analysis, shots: int) -> int:
    """Guess how many different histories `shots` shots of a circuit have.

    Each measurement or reset midway may double them. Where few qubits are measured many times,
    most outcomes follow from earlier ones, as in phase estimation or error correction: so no more
    than two for each qubit count.
    """
    events = min(analysis.branching_count, 2 * analysis.num_qubits)
    return max(1, min(shots, 1 << min(events, shots.bit_length())))


def waiting_states(analysis: Analysis, shots: int) -> int:
    """Bound how many states `branching.run` keeps waiting."""
    return math.ceil(math.log2(shots)) if analysis.has_mid_circuit and shots > 1 else 0


def readable_bytes(amount: int) -> str:
    """Write a size in binary units: `statevector_bytes(34)` is `256 GiB`."""
    if amount >> 10 * len(_UNITS):
        return f"2**{amount.bit_length() - 1} bytes"
    rank = max(0, (amount.bit_length() - 1) // 10)
    size = amount / (1 << 10 * rank)
    return f"{size:.0f} {_UNITS[rank]}" if size >= 100 else f"{size:.3g} {_UNITS[rank]}"  # noqa: PLR2004 - three digits
