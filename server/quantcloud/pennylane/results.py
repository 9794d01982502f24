"""Which circuits give a tape its results, and how they are read."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pennylane import measurements as mps
from pennylane.devices.preprocess import decompose
from pennylane.exceptions import DeviceError
from pennylane.tape import QuantumScript
from pennylane.wires import Wires

from quantcloud.pennylane.circuits import Template, decomposition, is_known, terms
from quantcloud.pennylane.jobs import Jobs, Point

Read = Callable[[Sequence[Point]], Any]
"""Reads a result from what the circuits of a batch have."""


def add(jobs: Jobs, tape: QuantumScript, wires: Any) -> Read:
    """Add the circuits of a tape."""
    if tape.shots:
        return _add_samples(jobs, tape, wires)
    if any(map(_needs_state, tape.measurements)):
        return _add_state(jobs, tape, wires)
    reads = _add_exact(jobs, tape, wires)
    return lambda points: nested([read(points) for read in reads])


def _needs_state(measurement: Any) -> bool:
    return not isinstance(measurement, (mps.ExpectationMP, mps.VarianceMP, mps.ProbabilityMP))


def nested(items: Sequence[Any]) -> Any:
    """Return several items as a tuple, and one by itself, as PennyLane has results."""
    return items[0] if len(items) == 1 else tuple(items)


def _add_samples(jobs: Jobs, tape: QuantumScript, wires: Any) -> Read:
    measurements: Any = tape.measurements
    measured = Wires.all_wires([each.wires or wires for each in measurements])
    number = jobs.add(
        Template(tape.operations, wires, measured), packed=True, shots=tape.shots.total_shots
    )

    def read(points: Sequence[Point]) -> Any:
        samples = points[number]["samples"].astype(np.int64)
        found = [
            nested([each.process_samples(samples[first:last], measured) for each in measurements])
            for first, last in tape.shots.bins()
        ]
        return tuple(found) if tape.shots.has_partitioned_shots else found[0]

    return read


def _add_state(jobs: Jobs, tape: QuantumScript, wires: Any) -> Read:
    measurements: Any = tape.measurements
    template = Template(tape.operations, wires)
    number = jobs.add(template, statevector=True, shots=1)

    def read(points: Sequence[Point]) -> Any:
        # The server's first qubit is the least significant, and it leaves global phases out.
        state = points[number]["statevector"].reshape([2] * len(wires)).T.ravel()
        state = state * np.exp(-1j * template.phase)
        return nested([each.process_state(state, wires) for each in measurements])

    return read


def _add_exact(jobs: Jobs, tape: QuantumScript, wires: Any) -> list[Read]:
    """Add a job for all observables, and one for the probabilities of each set of wires."""
    observed = [each for each in tape.measurements if _has_terms(each)]
    wanted: dict[str, Any] = {
        "observables": [terms(each.obs, wires) for each in observed],
        "variances": any(isinstance(each, mps.VarianceMP) for each in observed),
    }
    number = jobs.add(Template(tape.operations, wires), **wanted) if observed else -1
    reads: list[Read] = []
    for measurement in tape.measurements:
        if _has_terms(measurement):
            name = "variances" if isinstance(measurement, mps.VarianceMP) else "values"
            place = next(at for at, each in enumerate(observed) if each is measurement)
            reads.append(
                lambda points, name=name, place=place: np.array(points[number][name][place])
            )
        else:
            reads.append(_add_probabilities(jobs, tape, wires, measurement))
    return reads


def _has_terms(measurement: Any) -> bool:
    return measurement.obs is not None and not isinstance(measurement, mps.ProbabilityMP)


def _add_probabilities(jobs: Jobs, tape: QuantumScript, wires: Any, measurement: Any) -> Read:
    rotations = QuantumScript(measurement.diagonalizing_gates())
    decomposed: Any = decompose(rotations, stopping_condition=is_known, decomposer=decomposition)
    (rotated,), _ = decomposed
    measured = measurement.wires or wires
    template = Template([*tape.operations, *rotated.operations], wires, measured)
    number = jobs.add(template, probabilities=True, shots=1)

    def read(points: Sequence[Point]) -> Any:
        probabilities = points[number]["probabilities"]
        if isinstance(measurement, mps.ProbabilityMP):
            return probabilities
        values = np.real(measurement.eigvals())
        mean = probabilities @ values
        if isinstance(measurement, mps.VarianceMP):
            return np.array(probabilities @ values**2 - mean**2)
        return np.array(mean)

    return read


def add_derivatives(jobs: Jobs, tape: QuantumScript, wires: Any) -> Read:
    """Add a circuit that gives expectation values and their derivatives by trainable parameters."""
    template = Template(tape.operations, wires)
    inputs = tape.trainable_params
    if any(place >= len(template.angles) for place in inputs):
        raise DeviceError("the server computes no derivatives by coefficients of observables")
    wanted = [terms(each.obs, wires) for each in tape.measurements]
    number = jobs.add(template, inputs, observables=wanted, gradient=bool(inputs))

    def read(points: Sequence[Point]) -> Any:
        point = points[number]
        rows = [
            nested([np.array(row.get(f"p{place}", 0.0)) for place in inputs])
            for row in point["gradients"] or [{}] * len(wanted)
        ]
        return nested([*map(np.array, point["values"])]), nested(rows)

    return read
