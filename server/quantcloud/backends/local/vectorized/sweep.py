"""Computes the points of a sweep, some at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.vectorized.costs import CHUNK_BYTES
from quantcloud.backends.local.vectorized.engine import Engine
from quantcloud.backends.local.vectorized.outcomes import Outcomes
from quantcloud.backends.local.vectorized.phases import State
from quantcloud.backends.local.vectorized.plan import compiled
from quantcloud.backends.local.vectorized.samples import Sampler
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sweep.angles import Angles
from quantcloud.backends.simulation.sweep.groups import shots_needed
from quantcloud.backends.simulation.sweep.observables import Operator, inner
from quantcloud.backends.simulation.sweep.outcomes import outcome_probabilities
from quantcloud.backends.simulation.sweep.pointwise import as_bytes
from quantcloud.backends.simulation.sweep.registers import packed
from quantcloud.backends.simulation.sweep.values import Floats, in_sweep_order, values_of
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
        self.operators = _Operators(program.num_qubits)


class _Operators:
    """The observables of the latest sweep, compiled."""

    def __init__(self, num_qubits: int) -> None:
        self._num_qubits = num_qubits
        self._observables: Sequence[Observable] = ()
        self._found: list[Operator] = []

    def of(self, observables: Sequence[Observable]) -> list[Operator]:
        if observables != self._observables:
            self._found = [Operator(each, self._num_qubits) for each in observables]
            self._observables = observables
        return self._found


class _Chunk(NamedTuple):
    """Points `first` to `last`, exclusive, of all points, and the angles: columns x points."""

    first: int
    last: int
    angles: Floats


def block(ready: Compiled, execution: Execution) -> PointBlock:
    """Compute the points of a run."""
    sweep = execution.sweep
    assert sweep is not None  # noqa: S101 - the caller checks
    inputs = values_of(sweep, ready.circuit.inputs)
    angles = ready.angles.values(inputs, sweep.first)
    if not sweep.observables:
        return _outcomes(ready, execution, sweep, angles)
    return _expectations(ready, execution, sweep, inputs, angles)


def _chunks(sweep: Sweep, angles: Floats, size: int) -> Iterator[_Chunk]:
    for start in range(0, len(angles), size):
        rows = angles[start : start + size]
        first = sweep.first + start
        yield _Chunk(first, first + len(rows), np.ascontiguousarray(rows.T))


def _state_bytes(ready: Compiled) -> int:
    return np.dtype(ready.engine.dtype).itemsize << ready.program.num_qubits


def _outcomes(ready: Compiled, execution: Execution, sweep: Sweep, angles: Floats) -> PointBlock:
    counts: list[Mapping[str, int]] = []
    rows: list[NDArray[np.uint8]] = []
    weights: list[Floats] = []
    size = max(1, CHUNK_BYTES // _state_bytes(ready))
    for chunk in _chunks(sweep, angles, size):
        states = ready.engine.states(chunk.angles)
        likely = ready.outcomes.weights(states)
        for point, row in enumerate(likely, chunk.first):
            seed = point_seed(execution.seed, point)
            if sweep.packed:
                rows.append(ready.outcomes.rows(row, execution.shots, seed))
            else:
                counts.append(ready.outcomes.counts(row, execution.shots, seed))
        if sweep.probabilities:
            weights.append(outcome_probabilities(states, ready.program))
    return PointBlock(
        sweep.first,
        len(angles),
        counts=None if sweep.packed else tuple(counts),
        probabilities=as_bytes(np.concatenate(weights)) if sweep.probabilities else None,
        registers=packed(rows, ready.circuit.clbit_registers) if sweep.packed else (),
    )


def _expectations(
    ready: Compiled, execution: Execution, sweep: Sweep, inputs: Floats, angles: Floats
) -> PointBlock:
    found: list[_Part] = []
    shots = execution.shots if sweep.precision is None else shots_needed(sweep)
    if sweep.zipped:
        for chunk in _chunks(sweep, angles, 1):
            own = (sweep.observables[chunk.first],)
            sampler = None if sweep.exact else Sampler(own, shots)
            found.append(_part(ready, execution.seed, sweep, chunk, own, sampler=sampler))
    else:
        size = _together(ready, sweep)
        sampler = None if sweep.exact else Sampler(sweep.observables, shots)
        found += [
            _part(ready, execution.seed, sweep, chunk, sweep.observables, sampler=sampler)
            for chunk in _chunks(sweep, angles, size)
        ]
    gradients = None
    if sweep.gradient:
        slopes = np.concatenate([each.slopes for each in found if each.slopes is not None], axis=2)
        by_angle = np.ascontiguousarray(slopes.transpose(2, 1, 0))
        by_input = ready.angles.pulled_back(inputs, by_angle, sweep.first)
        gradients = as_bytes(in_sweep_order(by_input, sweep, ready.circuit.inputs))
    return PointBlock(
        sweep.first,
        len(angles),
        values=_joined([each.values for each in found]),
        errors=_joined([each.errors for each in found]),
        variances=_joined([each.variances for each in found]),
        gradients=gradients,
    )


def _together(ready: Compiled, sweep: Sweep) -> int:
    """Return how many points to compute together."""
    one = _state_bytes(ready)
    if not sweep.gradient or not sweep.exact:
        return max(1, CHUNK_BYTES // one)
    return max(1, min(CHUNK_BYTES // one, _KEPT_BYTES // _kept_bytes(ready, sweep.columns)))


def _kept_bytes(ready: Compiled, observables: int) -> int:
    return _state_bytes(ready) * (1 + ready.engine.kept) * (1 + observables)


class _Part(NamedTuple):
    """Results of some points: observables x points; `slopes` is columns of angles x those."""

    values: Floats
    errors: Floats | None = None
    variances: Floats | None = None
    slopes: Floats | None = None


def _joined(parts: Sequence[Floats | None]) -> bytes | None:
    known = [part for part in parts if part is not None]
    return as_bytes(np.concatenate(known, axis=1).T) if known else None


def _part(
    ready: Compiled,
    seed: int,
    sweep: Sweep,
    chunk: _Chunk,
    observables: Sequence[Observable],
    *,
    sampler: Sampler | None,
) -> _Part:
    """Compute some points; without a `sampler` the values are exact."""
    if sampler is None:
        return _exact_part(ready, sweep, chunk, observables)
    states = ready.engine.states(chunk.angles)
    variances = _moments(ready, states, observables)[1] if sweep.variances else None
    seeds = [point_seed(seed, point) for point in range(chunk.first, chunk.last)]
    values, errors = sampler.estimates(states, [point_seed(own, 0) for own in seeds])
    slopes = _shifted(ready.engine, sampler, chunk.angles, seeds) if sweep.gradient else None
    return _Part(values, errors, variances, slopes)


def _exact_part(
    ready: Compiled, sweep: Sweep, chunk: _Chunk, observables: Sequence[Observable]
) -> _Part:
    if sweep.gradient:
        part = _part_of_gradients(ready, ready.operators.of(observables), chunk)
        if not sweep.variances:
            return part
        states = ready.engine.states(chunk.angles)
        return part._replace(variances=_moments(ready, states, observables)[1])
    states = ready.engine.states(chunk.angles)
    if sweep.variances:
        values, variances = _moments(ready, states, observables)
        return _Part(values, variances=variances)
    operators = ready.operators.of(observables)
    return _Part(np.array([each.value(states) for each in operators]))


def _moments(
    ready: Compiled, states: State, observables: Sequence[Observable]
) -> tuple[Floats, Floats]:
    """Return expectation values and variances."""
    operators = ready.operators.of(observables)
    products = [each.applied(states) for each in operators]
    values = np.array([inner(states, product) for product in products])
    squares = np.array(
        [each.squared(states, own) for each, own in zip(operators, products, strict=True)]
    )
    return values, np.maximum(squares - values**2, 0.0)


def _part_of_gradients(ready: Compiled, operators: Sequence[Operator], chunk: _Chunk) -> _Part:
    def apply(state: State) -> State:
        return np.stack([each.applied(state) for each in operators], axis=1)

    store = _kept_bytes(ready, len(operators)) <= _MOST_KEPT_BYTES
    values, slopes = ready.engine.gradients(chunk.angles, apply, store=store)
    return _Part(values, slopes=slopes)


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
