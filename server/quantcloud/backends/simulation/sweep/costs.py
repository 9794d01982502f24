"""Predicts the time of a sweep that runs point by point."""

from collections.abc import Sequence

from quantcloud.backends.simulation.sweep.groups import grouped, shots_needed
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.sweep import Observable, Sweep

_ADJOINT_RUNS = 4
# The names of operations that are no calls of a definition.
_KNOWN = STANDARD_GATES.keys() | {"measure", "reset", "delay", "mcx", "c3sx", "rcccx"}


def angles(analysis: Analysis) -> int:
    """Return about how many angles of a circuit depend on its inputs."""
    if not analysis.inputs:
        return 0
    calls_definitions = not analysis.gate_counts.keys() <= _KNOWN
    return analysis.operation_count if calls_definitions else analysis.parameter_count


def shots_at(sweep: Sweep, shots: int) -> int:
    """Return the shots of each point."""
    if sweep.exact:
        return 0
    return shots if sweep.precision is None else shots_needed(sweep)


def runs(analysis: Analysis, sweep: Sweep, *, adjoint: bool) -> int:
    """Return how many circuits run point by point for the points of a run.

    With `adjoint`, the backend knows exact derivatives without shifted angles.
    """
    points = sweep.last - sweep.first
    if not sweep.observables:
        return points * (1 + sweep.probabilities)
    each = 1
    if not sweep.exact:
        each = len(grouped(observables_at(sweep)).groups)
    shifted = 0
    if sweep.gradient:
        shifted = _ADJOINT_RUNS if adjoint and sweep.exact else 2 * angles(analysis)
    return points * (each * (1 + shifted) + (sweep.variances and not sweep.exact))


def observables_at(sweep: Sweep) -> Sequence[Observable]:
    """Return the observables of one point."""
    return sweep.observables[:1] if sweep.zipped else sweep.observables
