"""Predicts the memory and the time of a run.

Memory follows from the sizes of the states. Time follows from the `Work` of the run and the
coefficients of its method. The coefficients that backends state were fitted to runs of MQT Bench's
circuits on one core of a 2-core server; `quantcloud calibrate` fits them to another machine.
"""

import math
from typing import NamedTuple

from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.kinds import DENSE, DIAGONAL, PERMUTATION, WIDE
from quantcloud.routing.method import Method
from quantcloud.routing.work import Coefficients, Work

PARSED_GATE_BYTES = 600
"""The bytes of a gate in a parsed circuit if no other gate has its angles, measured."""


class Parallel(NamedTuple):
    """The shares of the time that threads divide: of that of gates, and of that of states."""

    gates: float = 0.0
    state: float = 0.0


_SERIAL = Parallel()


def evolution(
    analysis: Analysis,
    amplitudes: float,
    shots: int,
    repeats: float,
    *,
    single_shots: bool = True,
) -> Work:
    """Return the work to evolve a state of `amplitudes` `repeats` times and to sample it.

    `single_shots` says that the outcome of each shot is drawn and written by itself; otherwise
    equal outcomes are written once.
    """
    kinds = analysis.gates_by_kind
    if kinds:
        light = kinds.get(DIAGONAL, 0) + kinds.get(PERMUTATION, 0)
        dense, wide = kinds.get(DENSE, 0), kinds.get(WIDE, 0)
    else:
        light, dense, wide = 0, analysis.operation_count, 0
    steps = repeats * amplitudes
    written = shots if single_shots else min(shots, amplitudes)
    return Work(
        operations=repeats * analysis.operation_count,
        light=steps * light,
        dense=steps * dense,
        wide=steps * wide,
        state=steps,
        samples=shots + written * analysis.num_clbits,
    )


def alike(amplitude: float, **others: float) -> Coefficients:
    """Return the coefficients of a simulator for which all gates cost the same."""
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
    parallel: Parallel = _SERIAL,
) -> Method:
    """Return a method whose time follows from `work`; `double` stands for double precision.

    Its memory is `state_bytes` plus the bytes of the `gates`: `gate_bytes` each, besides those of
    the parsed circuit.
    """
    seconds = coefficients.seconds(work)
    return Method(
        name,
        state_bytes + gates * (PARSED_GATE_BYTES + gate_bytes),
        seconds,
        double_precision=double,
        work=work,
        coefficients=coefficients,
        parallel=_parallel_seconds(coefficients, work, parallel) / seconds if seconds else 0.0,
    )


def _parallel_seconds(cost: Coefficients, work: Work, parallel: Parallel) -> float:
    gates = cost.light * work.light + cost.dense * work.dense + cost.wide * work.wide
    return parallel.gates * gates + parallel.state * cost.state * work.state


def histories(analysis: Analysis, shots: int) -> int:
    """Estimate how many different histories `shots` shots of a circuit have.

    Each mid-circuit measurement or reset may double them. If few qubits are measured many times,
    as in phase estimation or error correction, most outcomes follow from earlier ones. So at most
    two measurements or resets of each qubit count.
    """
    events = min(analysis.branching_count, 2 * analysis.num_qubits)
    return max(1, min(shots, 1 << min(events, shots.bit_length())))


def waiting_states(analysis: Analysis, shots: int) -> int:
    """Return an upper bound of the states that wait in `branching.run`."""
    return math.ceil(math.log2(shots)) if analysis.has_mid_circuit and shots > 1 else 0
