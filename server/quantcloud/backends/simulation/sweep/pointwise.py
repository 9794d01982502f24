"""Runs a sweep point by point, by any executor that samples outcomes."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.noise import misreads
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import Sampled, generator
from quantcloud.backends.simulation.sweep.blocks import Estimate, PointOutcomes, block
from quantcloud.backends.simulation.sweep.groups import (
    Grouped,
    grouped,
    shared_out,
    shots_needed,
)
from quantcloud.backends.simulation.sweep.observables import Operator, moments
from quantcloud.backends.simulation.sweep.outcomes import (
    outcome_probabilities,
    rows_of_counts,
    term_values,
)
from quantcloud.backends.simulation.sweep.template import Template, shifts
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Noise
from quantcloud.domain.sweep import Observable, PointBlock, Sweep, point_seed


class PointExecutor(ABC):
    """What a backend computes for one program without inputs."""

    @abstractmethod
    def sample(self, divided: Program, execution: Execution) -> Sampled:
        """Run a program by the method of `execution`, and sample its outcomes."""

    def expectations(
        self,
        divided: Program,
        execution: Execution,
        observables: Sequence[Observable],
        *,
        variances: bool,
    ) -> Estimate:
        """Return exact expectation values of the state before the final measurements."""
        state = self._state(divided, execution)
        operators = [Operator(each, divided.num_qubits) for each in observables]
        if not variances:
            return Estimate(np.array([each.value(state) for each in operators]))
        values, spread = moments(operators, state)
        return Estimate(values, variances=spread)

    def slopes(
        self,
        template: Template,
        angles: Floats,
        execution: Execution,
        observables: Sequence[Observable],
    ) -> Floats | None:
        """Return exact derivatives by the angles, observables x angles, if it knows a way.

        Otherwise they follow from values at shifted angles.
        """
        del template, angles, execution, observables
        return None

    def probabilities(self, divided: Program, execution: Execution) -> Floats:
        """Return the exact probability of each outcome, by the number of its bits."""
        return outcome_probabilities(self._state(divided, execution), divided)

    def _state(self, divided: Program, execution: Execution) -> NDArray[np.complex128]:
        options = replace(execution.options, statevector=True)
        sampled = self.sample(divided, replace(execution, shots=1, options=options))
        assert sampled.amplitudes is not None  # noqa: S101 - they were requested
        return sampled.amplitudes.astype(np.complex128)


def pointwise(
    backend: PointExecutor, circuit: Circuit, divided: Program, execution: Execution
) -> PointBlock:
    """Compute the points of a run. `divided` is the program of `circuit`."""
    sweep = execution.sweep
    assert sweep is not None  # noqa: S101 - the caller checks
    template = Template(divided)
    runs = _Runs(backend, template, execution, sweep)
    return block(runs, circuit, sweep, template.angles, 1)


class _Runs:
    """Runs one program after the other."""

    def __init__(
        self, backend: PointExecutor, template: Template, execution: Execution, sweep: Sweep
    ) -> None:
        self._backend = backend
        self._template = template
        self._sweep = sweep
        self._execution = replace(execution, sweep=None)
        program = template.program
        self._groups: dict[int, Grouped] = {}
        self._first_bit = 0
        if sweep.observables:
            noise = execution.options.noise
            if noise is not None:
                if program.branches and misreads(noise):
                    raise ValueError(
                        "observables of a circuit with mid-circuit measurements need a noise "
                        "without wrong readout"
                    )
                options = replace(execution.options, noise=_read_rightly(noise))
                self._execution = replace(self._execution, options=options)
            if sweep.precision is not None:
                self._execution = replace(self._execution, shots=shots_needed(sweep))
            if program.branches:
                self._first_bit = program.num_clbits + program.scratch_bits

    def _seeded(self, seed: int, shots: int | None = None) -> Execution:
        shots = self._execution.shots if shots is None else shots
        return replace(self._execution, seed=seed, shots=shots)

    def outcomes(self, first: int, angles: Floats) -> PointOutcomes:
        sweep, seed = self._sweep, point_seed(self._execution.seed, first)
        with _naming(first):
            program = self._template.bound(angles[0])
            counts = self._backend.sample(program, self._seeded(seed)).counts
            likely = None
            if sweep.probabilities:
                likely = self._backend.probabilities(program, self._execution)[None]
            if not sweep.packed:
                return PointOutcomes((counts,), probabilities=likely)
            rows = rows_of_counts(counts, program.num_clbits, generator(seed + 1))
            return PointOutcomes(rows=(rows,), probabilities=likely)

    def estimates(self, first: int, angles: Floats) -> Estimate:
        with _naming(first):
            found = self._estimate(first, angles[0])
            if self._sweep.gradient:
                found = found._replace(slopes=self._slopes(first, angles[0]))
            errors, variances, slopes = [each if each is None else each[None] for each in found[1:]]
            return Estimate(found.values[None], errors, variances, slopes)

    def _observables(self, point: int) -> Sequence[Observable]:
        sweep = self._sweep
        return sweep.observables[point : point + 1] if sweep.zipped else sweep.observables

    def _estimate(self, point: int, row: Floats, number: int = 0) -> Estimate:
        """Return the values of a point; `number` tells apart the estimates of a point."""
        sweep = self._sweep
        observables = self._observables(point)
        program = self._template.bound(row)
        exact = None
        if sweep.exact or (sweep.variances and not number):
            exact = self._backend.expectations(
                program, self._execution, observables, variances=sweep.variances and not number
            )
        if exact is not None and sweep.exact:
            return exact
        key = point if sweep.zipped else 0
        if key not in self._groups:
            self._groups = {key: grouped(observables)}
        seed = point_seed(self._execution.seed, point)
        estimate = self._sampled(program, self._groups[key], point_seed(seed, number))
        return estimate if exact is None else estimate._replace(variances=exact.variances)

    def _slopes(self, point: int, row: Floats) -> Floats:
        """Return the derivatives by each angle: columns x angles."""
        if self._sweep.exact:
            observables = self._observables(point)
            known = self._backend.slopes(self._template, row, self._execution, observables)
            if known is not None:
                return known
        numbers = iter(range(1, 1 << 30))
        columns = [self._slope(point, row, column, numbers) for column in range(len(row))]
        return np.array(columns).reshape(len(row), self._sweep.columns).T

    def _slope(self, point: int, row: Floats, column: int, numbers: Iterator[int]) -> Floats:
        total = np.zeros(self._sweep.columns)
        for shift, weight in shifts(*self._template.gates[column]):
            moved = row.copy()
            moved[column] += shift
            total += weight * self._estimate(point, moved, next(numbers)).values
        return total

    def _sampled(self, program: Program, found: Grouped, seed: int) -> Estimate:
        values = np.array(found.constants)
        squares = np.zeros(len(values))
        limits = found.bounds
        shares = shared_out(self._execution.shots, [max(row) for row in limits])
        for number, (group, shots) in enumerate(zip(found.groups, shares, strict=True)):
            first = self._first_bit
            measured = replace(
                program,
                num_clbits=first + program.num_qubits,
                final={first + qubit: qubit for qubit in sorted(group.basis)},
                fixed={},
                basis=group.rotations,
                submitted=False,
            )
            counts = self._backend.sample(measured, self._seeded(point_seed(seed, number), shots))
            outcomes = np.array([int(key, 2) >> first for key in counts.counts], dtype=np.int64)
            weights = np.fromiter(counts.counts.values(), np.float64) / shots
            seen = term_values(group, outcomes, len(values))
            means = seen @ weights
            spread = ((seen - means[:, None]) ** 2) @ weights
            # One shot tells nothing of the spread; the coefficients bound it.
            spread = spread * shots / (shots - 1) if shots > 1 else np.square(limits[number])
            values += means
            squares += spread / shots
        return Estimate(values, np.sqrt(squares))


def _read_rightly(noise: Noise) -> Noise:
    qubits = tuple([(qubit, replace(own, readout=None)) for qubit, own in noise.qubits])
    return replace(noise, readout=0.0, qubits=qubits)


@contextmanager
def _naming(point: int) -> Generator[None]:
    """Add the point to the message of an error."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"at point {point}: {error}") from error
