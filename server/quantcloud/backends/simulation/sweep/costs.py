"""Predicts the time of a sweep that runs point by point."""

from collections.abc import Sequence

from quantcloud.backends.simulation.sweep.groups import grouped, shots_needed
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.sweep import Observable, Sweep
from quantcloud.routing.method import Method, Refusal

MAX_PROBABILITY_BITS = 16
"""The most classical bits of a circuit whose exact probabilities are computed."""
_ADJOINT_RUNS = 4
STABILIZER = "stabilizer"
MAX_EXACT_QUBITS = 20
"""The most qubits of a state whose expectation values are computed exactly."""
# The names of operations that are no calls of a definition.
_KNOWN = STANDARD_GATES.keys() | {"measure", "reset", "delay", "mcx", "c3sx", "rcccx"}


def refusal(
    name: str, analysis: Analysis, options: RunOptions, sweep: Sweep, *, noisy_exact: bool
) -> Refusal | None:
    """Return why a backend cannot compute a sweep, if so.

    `noisy_exact` says that it computes exact expectation values with noise.
    """
    noisy = options.noise is not None
    exact = sweep.exact or sweep.variances or sweep.probabilities
    if sweep.observables and analysis.has_control:
        reason = "observables are of circuits without variables and loops during a run"
    elif sweep.probabilities and noisy:
        reason = f"{name} computes exact probabilities without noise"
    elif exact and analysis.of_run(noisy=noisy).has_mid_circuit:
        reason = (
            f"{name} computes exact values of circuits that measure only at their end; "
            "give 'shots' to sample this one"
        )
    elif exact and noisy and not noisy_exact:
        reason = f"{name} computes exact values without noise; give 'shots' to sample them"
    elif sweep.probabilities and analysis.num_clbits > MAX_PROBABILITY_BITS:
        reason = (
            f"exact probabilities are of circuits with up to {MAX_PROBABILITY_BITS} classical bits"
        )
    else:
        return None
    return Refusal(reason)


def holds_values(method: str, analysis: Analysis) -> bool:
    """Return whether exact values of so many qubits are computed by a method."""
    return method == STABILIZER or analysis.num_qubits <= MAX_EXACT_QUBITS


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


def term_amplitudes(analysis: Analysis, sweep: Sweep) -> int:
    """Return how many amplitudes the terms of the observables of a point process."""
    return (1 << analysis.num_qubits) * sum([len(each.terms) for each in observables_at(sweep)])


def with_state_work(method: Method, amplitudes: int) -> Method:
    """Return a method with work for more amplitudes of states."""
    if method.work is None or method.coefficients is None or not amplitudes:
        return method
    work = method.work._replace(state=method.work.state + amplitudes)
    return method._replace(work=work, seconds=method.coefficients.seconds(work))


def observables_at(sweep: Sweep) -> Sequence[Observable]:
    """Return the observables of one point."""
    return sweep.observables[:1] if sweep.zipped else sweep.observables
