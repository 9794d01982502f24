"""Predicts the time of a sweep that runs point by point."""

from collections.abc import Sequence

from quantcloud.backends.simulation.sweep.groups import grouped, shots_needed
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.sweep import Observable, Sweep
from quantcloud.routing.method import Refusal

MAX_PROBABILITY_BITS = 16
"""The most classical bits of a circuit whose exact probabilities are computed."""
MAX_EXACT_QUBITS = 20
"""The most qubits of a state whose expectation values are computed exactly."""


def refusal(
    name: str, analysis: Analysis, options: RunOptions, sweep: Sweep, *, noisy_exact: bool
) -> Refusal | None:
    """Return why a backend cannot compute a sweep, if so.

    `noisy_exact` says that it computes exact expectation values with noise.
    """
    noisy = options.noise is not None
    if sweep.probabilities and noisy:
        return Refusal(f"{name} computes exact probabilities without noise")
    exact = sweep.exact or sweep.variances or sweep.probabilities
    if exact and analysis.of_run(noisy=noisy).has_mid_circuit:
        return Refusal(
            f"{name} computes exact values of circuits that measure only at their end; "
            "give 'shots' to sample this one"
        )
    if exact and noisy and not noisy_exact:
        return Refusal(f"{name} computes exact values without noise; give 'shots' to sample them")
    if exact and analysis.num_qubits > MAX_EXACT_QUBITS:
        return Refusal(f"{name} computes exact values of up to {MAX_EXACT_QUBITS} qubits")
    if sweep.probabilities and analysis.num_clbits > MAX_PROBABILITY_BITS:
        return Refusal(
            f"exact probabilities are of circuits with up to {MAX_PROBABILITY_BITS} classical bits"
        )
    return None


def angles(analysis: Analysis) -> int:
    """Return about how many angles of a circuit depend on its inputs."""
    if not analysis.inputs:
        return 0
    defined = sum(
        [count for name, count in analysis.gate_counts.items() if name not in STANDARD_GATES]
    )
    return analysis.operation_count if defined else analysis.parameter_count


def shots_at(sweep: Sweep, shots: int) -> int:
    """Return the shots of each point."""
    if sweep.exact:
        return 0
    return shots if sweep.precision is None else shots_needed(sweep)


def runs(analysis: Analysis, sweep: Sweep) -> int:
    """Return how many circuits run point by point for the points of a run."""
    points = sweep.last - sweep.first
    if not sweep.observables:
        return points * (1 + sweep.probabilities)
    each = 1
    if not sweep.exact:
        each = len(grouped(observables_at(sweep)).groups)
    shifted = 2 * angles(analysis) if sweep.gradient else 0
    return points * (each * (1 + shifted) + (sweep.variances and not sweep.exact))


def observables_at(sweep: Sweep) -> Sequence[Observable]:
    """Return the observables of one point."""
    return sweep.observables[:1] if sweep.zipped else sweep.observables
