"""Runs a sweep point by point, by any executor that samples outcomes."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.noise import misreads
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import Sampled, generator
from quantcloud.backends.simulation.sweep.groups import (
    Grouped,
    grouped,
    shared_out,
    shots_needed,
)
from quantcloud.backends.simulation.sweep.observables import Operator, inner
from quantcloud.backends.simulation.sweep.outcomes import outcome_probabilities, term_values
from quantcloud.backends.simulation.sweep.registers import Bytes, packed, rows_of_counts
from quantcloud.backends.simulation.sweep.shifts import shifts
from quantcloud.backends.simulation.sweep.template import Template
from quantcloud.backends.simulation.sweep.values import Floats, in_sweep_order, values_of
from quantcloud.circuits.ir import Circuit, Register
from quantcloud.domain.execution import Execution, Noise
from quantcloud.domain.sweep import Observable, PointBlock, Sweep, point_seed


class Estimate(NamedTuple):
    """Expectation values of observables with their standard errors and variances.

    The errors are None if the values are exact. The variances are those of the observables in the
    state with any number of shots, and None if nobody asked for them.
    """

    values: Floats
    errors: Floats | None = None
    variances: Floats | None = None


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
        products = [each.applied(state) for each in operators]
        values = np.array([inner(state, product) for product in products])
        squares = np.array([inner(product, product) for product in products])
        return Estimate(values, variances=np.maximum(squares - values**2, 0.0))

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


def block(
    backend: PointExecutor, circuit: Circuit, divided: Program, execution: Execution
) -> PointBlock:
    """Compute the points of a run. `divided` is the program of `circuit`."""
    sweep = execution.sweep
    assert sweep is not None  # noqa: S101 - the caller checks
    template = Template(divided)
    inputs = values_of(sweep, circuit.inputs)
    angles = template.angles.values(inputs, sweep.first)
    runs = _Runs(backend, template, execution, sweep)
    if not sweep.observables:
        return _outcomes(runs, angles, circuit.clbit_registers)
    found: list[Estimate] = []
    slopes: list[Floats] = []
    for place, row in enumerate(angles):
        point = sweep.first + place
        with naming(point):
            found.append(runs.estimate(point, row))
            if sweep.gradient:
                slopes.append(runs.slopes(point, row))
    gradients = None
    if sweep.gradient:
        by_input = template.angles.pulled_back(inputs, np.array(slopes), sweep.first)
        gradients = as_bytes(in_sweep_order(by_input, sweep, circuit.inputs))
    return PointBlock(
        sweep.first,
        len(angles),
        values=as_bytes([each.values for each in found]),
        errors=None if sweep.exact else as_bytes([each.errors for each in found]),
        variances=as_bytes([each.variances for each in found]) if sweep.variances else None,
        gradients=gradients,
    )


def _outcomes(runs: "_Runs", angles: Floats, registers: tuple[Register, ...]) -> PointBlock:
    sweep = runs.sweep
    counts: list[Mapping[str, int]] = []
    rows: list[Bytes] = []
    weights: list[Floats] = []
    for place, row in enumerate(angles):
        point = sweep.first + place
        with naming(point):
            found = runs.counts(point, row)
            if sweep.packed:
                rng = generator(point_seed(runs.execution.seed, point) + 1)
                rows.append(rows_of_counts(found, runs.template.program.num_clbits, rng))
            else:
                counts.append(found)
            if sweep.probabilities:
                weights.append(runs.probabilities(row))
    return PointBlock(
        sweep.first,
        len(angles),
        counts=None if sweep.packed else tuple(counts),
        probabilities=as_bytes(weights) if sweep.probabilities else None,
        registers=packed(rows, registers) if sweep.packed else (),
    )


class _Runs:
    """Runs one program after the other."""

    def __init__(
        self, backend: PointExecutor, template: Template, execution: Execution, sweep: Sweep
    ) -> None:
        self._backend = backend
        self.template = template
        self.sweep = sweep
        self.execution = replace(execution, sweep=None)
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
                self.execution = replace(self.execution, options=options)
            if sweep.precision is not None:
                self.execution = replace(self.execution, shots=shots_needed(sweep))
            if program.branches:
                self._first_bit = program.num_clbits + program.scratch_bits

    def _seeded(self, seed: int, shots: int | None = None) -> Execution:
        shots = self.execution.shots if shots is None else shots
        return replace(self.execution, seed=seed, shots=shots)

    def counts(self, point: int, row: Floats) -> Mapping[str, int]:
        """Return the counts of a point."""
        seeded = self._seeded(point_seed(self.execution.seed, point))
        return self._backend.sample(self.template.bound(row), seeded).counts

    def probabilities(self, row: Floats) -> Floats:
        """Return the probabilities of a point."""
        return self._backend.probabilities(self.template.bound(row), self.execution)

    def _observables(self, point: int) -> Sequence[Observable]:
        sweep = self.sweep
        return sweep.observables[point : point + 1] if sweep.zipped else sweep.observables

    def estimate(self, point: int, row: Floats, number: int = 0) -> Estimate:
        """Return the values of a point; `number` tells apart the estimates of a point."""
        sweep = self.sweep
        observables = self._observables(point)
        program = self.template.bound(row)
        exact = None
        if sweep.exact or (sweep.variances and not number):
            exact = self._backend.expectations(
                program, self.execution, observables, variances=sweep.variances and not number
            )
        if exact is not None and sweep.exact:
            return exact
        key = point if sweep.zipped else 0
        if key not in self._groups:
            self._groups = {key: grouped(observables)}
        seed = point_seed(self.execution.seed, point)
        estimate = self._sampled(program, self._groups[key], point_seed(seed, number))
        return estimate if exact is None else estimate._replace(variances=exact.variances)

    def slopes(self, point: int, row: Floats) -> Floats:
        """Return the derivatives by each angle: columns x angles."""
        if self.sweep.exact:
            observables = self._observables(point)
            known = self._backend.slopes(self.template, row, self.execution, observables)
            if known is not None:
                return known
        numbers = iter(range(1, 1 << 30))
        columns = [self._slope(point, row, column, numbers) for column in range(len(row))]
        return np.array(columns).reshape(len(row), self.sweep.columns).T

    def _slope(self, point: int, row: Floats, column: int, numbers: Iterator[int]) -> Floats:
        total = np.zeros(self.sweep.columns)
        for shift, weight in shifts(*self.template.gates[column]):
            moved = row.copy()
            moved[column] += shift
            total += weight * self.estimate(point, moved, next(numbers)).values
        return total

    def _sampled(self, program: Program, found: Grouped, seed: int) -> Estimate:
        values = np.array(found.constants)
        squares = np.zeros(len(values))
        limits = found.bounds
        shares = shared_out(self.execution.shots, [max(row) for row in limits])
        for number, (group, shots) in enumerate(zip(found.groups, shares, strict=True)):
            first = self._first_bit
            measured = replace(
                program,
                num_clbits=first + program.num_qubits,
                final={first + qubit: qubit for qubit in sorted(group.basis)},
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
def naming(point: int) -> Generator[None]:
    """Add the point to the message of an error."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"at point {point}: {error}") from error


def as_bytes(values: object) -> bytes:
    """Return an array as bytes of float64, little-endian and row-major."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()
