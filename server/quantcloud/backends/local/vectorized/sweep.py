"""Computes the points of a sweep, some at once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from quantcloud.backends.local.vectorized.costs import CHUNK_BYTES
from quantcloud.backends.local.vectorized.engine import Engine
from quantcloud.backends.local.vectorized.outcomes import Outcomes, Sampler
from quantcloud.backends.local.vectorized.phases import State
from quantcloud.backends.local.vectorized.plan import compiled
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sweep import blocks
from quantcloud.backends.simulation.sweep.angles import Angles
from quantcloud.backends.simulation.sweep.blocks import Estimate, PointOutcomes
from quantcloud.backends.simulation.sweep.groups import shots_needed
from quantcloud.backends.simulation.sweep.observables import Operator, moments
from quantcloud.backends.simulation.sweep.outcomes import outcome_probabilities
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution
from quantcloud.domain.sweep import Observable, PointBlock, Sweep, point_seed

# The bytes of the states that derivatives keep, of the points that are computed together and the
# most of one point.
_KEPT_BYTES: Final = 1 << 24
_MOST_KEPT_BYTES: Final = 1 << 28


class Compiled:
    """A circuit that was compiled for sweeps."""

    def __init__(self, circuit: Circuit, program: Program) -> None:
        self.circuit = circuit
        self.program = program
        self.engine = Engine(compiled(circuit, program.body))
        self.angles = Angles(self.engine.plan.angles)
        self.outcomes = Outcomes(program)
        # The observables of the latest sweep, compiled.
        self.operators = lru_cache(maxsize=1)(self._operators)

    def _operators(self, observables: tuple[Observable, ...]) -> list[Operator]:
        return [Operator(each, self.program.num_qubits) for each in observables]


def block(ready: Compiled, execution: Execution) -> PointBlock:
    """Compute the points of a run."""
    sweep = execution.sweep
    assert sweep is not None  # noqa: S101 - the caller checks
    computer = _Vectorized(ready, execution, sweep)
    return blocks.block(computer, ready.circuit, sweep, ready.angles, _together(ready, sweep))


def _together(ready: Compiled, sweep: Sweep) -> int:
    """Return how many points to compute together."""
    if sweep.zipped:
        return 1
    most = CHUNK_BYTES // _state_bytes(ready)
    if sweep.gradient and sweep.exact:
        most = min(most, _KEPT_BYTES // _kept_bytes(ready, sweep.columns))
    return max(1, most)


def _state_bytes(ready: Compiled) -> int:
    return np.dtype(ready.engine.dtype).itemsize << ready.program.num_qubits


def _kept_bytes(ready: Compiled, observables: int) -> int:
    return _state_bytes(ready) * (1 + ready.engine.kept) * (1 + observables)


class _Vectorized:
    """Computes points; see `blocks.Computer`."""

    def __init__(self, ready: Compiled, execution: Execution, sweep: Sweep) -> None:
        self._ready = ready
        self._sweep = sweep
        self._seed = execution.seed
        self._shots = execution.shots if sweep.precision is None else shots_needed(sweep)
        self._sampler: Sampler | None = None

    def outcomes(self, first: int, angles: Floats) -> PointOutcomes:
        sweep, outcomes = self._sweep, self._ready.outcomes
        states = self._ready.engine.states(np.ascontiguousarray(angles.T))
        points = [
            (row, self._shots, point_seed(self._seed, point))
            for point, row in enumerate(outcomes.weights(states), first)
        ]
        likely = outcome_probabilities(states, self._ready.program) if sweep.probabilities else None
        if sweep.packed:
            rows = [outcomes.rows(*each) for each in points]
            return PointOutcomes(rows=rows, probabilities=likely)
        return PointOutcomes([outcomes.counts(*each) for each in points], probabilities=likely)

    def estimates(self, first: int, angles: Floats) -> Estimate:
        sweep, columns = self._sweep, np.ascontiguousarray(angles.T)
        observables = (sweep.observables[first],) if sweep.zipped else sweep.observables
        if sweep.exact:
            found = _exact(self._ready, sweep, columns, observables)
        else:
            found = self._sampled(first, columns, observables)
        # The axis of points comes first.
        errors, variances, slopes = [each if each is None else each.T for each in found[1:]]
        return Estimate(found.values.T, errors, variances, slopes)

    def _sampled(self, first: int, angles: Floats, observables: tuple[Observable, ...]) -> Estimate:
        if self._sampler is None or self._sweep.zipped:
            self._sampler = Sampler(observables, self._shots)
        engine, sampler = self._ready.engine, self._sampler
        states = engine.states(angles)
        variances = None
        if self._sweep.variances:
            _, variances = moments(self._ready.operators(observables), states)
        seeds = [point_seed(self._seed, first + place) for place in range(angles.shape[1])]
        values, errors = sampler.estimates(states, [point_seed(own, 0) for own in seeds])
        slopes = _shifted(engine, sampler, angles, seeds) if self._sweep.gradient else None
        return Estimate(values, errors, variances, slopes)


def _exact(
    ready: Compiled, sweep: Sweep, angles: Floats, observables: tuple[Observable, ...]
) -> Estimate:
    if sweep.gradient:
        found = _with_gradients(ready, ready.operators(observables), angles)
        if not sweep.variances:
            return found
        states = ready.engine.states(angles)
        return found._replace(variances=moments(ready.operators(observables), states)[1])
    states = ready.engine.states(angles)
    if sweep.variances:
        values, variances = moments(ready.operators(observables), states)
        return Estimate(values, variances=variances)
    operators = ready.operators(observables)
    return Estimate(np.array([each.value(states) for each in operators]))


def _with_gradients(ready: Compiled, operators: Sequence[Operator], angles: Floats) -> Estimate:
    def apply(state: State) -> State:
        return np.stack([each.applied(state) for each in operators], axis=1)

    store = _kept_bytes(ready, len(operators)) <= _MOST_KEPT_BYTES
    values, slopes = ready.engine.gradients(angles, apply, store=store)
    return Estimate(values, slopes=slopes)


def _shifted(engine: Engine, sampler: Sampler, angles: Floats, seeds: Sequence[int]) -> Floats:
    """Return derivatives from sampled values: each angle turns a half of what it says."""
    result = np.empty((len(angles), sampler.number, angles.shape[1]))
    for column in range(len(angles)):
        sides: list[Floats] = []
        for side, shift in enumerate((np.pi / 2, -np.pi / 2)):
            moved = angles.copy()
            moved[column] += shift
            number = 1 + 2 * column + side
            own = [point_seed(seed, number) for seed in seeds]
            sides.append(sampler.estimates(engine.states(moved), own)[0])
        result[column] = (sides[0] - sides[1]) / 2
    return result
