"""Runs and methods of sweeps, also by backends that know nothing of them.

Such a backend computes the counts of each point from a circuit without inputs.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

from quantcloud.backends.base import Backend, Executor
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.binding import bound
from quantcloud.circuits.expand import expanded, with_measurements
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Outcome, RunOptions
from quantcloud.domain.sweep import PointBlock, Sweep, point_seed
from quantcloud.openqasm import parse
from quantcloud.routing.method import Method, Refusal

# The latest circuits, and how many are kept, of how many operations at most: some megabytes.
_circuits: dict[str, Circuit] = {}
_MOST_CIRCUITS: Final = 4
_MOST_OPERATIONS: Final = 10_000


@runtime_checkable
class SweepBackend(Protocol):
    """A backend that computes sweeps by itself. Its executor does what `execution.sweep` says."""

    def sweep_methods(
        self, analysis: Analysis, shots: int, options: RunOptions, sweep: Sweep
    ) -> Sequence[Method] | Refusal:
        """Return the methods that can run such a sweep, best first, or why there is none.

        Their time is that of the points from `sweep.first` to `sweep.last`.
        """
        ...


def methods_of(
    backend: Backend, analysis: Analysis, shots: int, options: RunOptions, sweep: Sweep | None
) -> Sequence[Method] | Refusal:
    """Return the methods of a backend for a run, of a sweep if there is one."""
    if sweep is None:
        return backend.methods(analysis, shots, options)
    if isinstance(backend, SweepBackend):
        return backend.sweep_methods(analysis, shots, options, sweep)
    if sweep.observables or sweep.probabilities or sweep.packed:
        return Refusal(f"{backend.info.name} computes only the counts of each point")
    methods = backend.methods(analysis, shots, options)
    if isinstance(methods, Refusal):
        return methods
    return [repeated(method, sweep.last - sweep.first) for method in methods]


def repeated(method: Method, times: float) -> Method:
    """Return a method with the time and the work of several runs, one after the other."""
    work = method.work and type(method.work)._make(times * amount for amount in method.work)
    coefficients = method.coefficients
    if coefficients is not None:
        coefficients = replace(coefficients, start=times * coefficients.start)
    return method._replace(
        seconds=times * method.seconds, work=work, coefficients=coefficients, inline=False
    )


def circuit_of(qasm: str) -> Circuit:
    """Return the circuit of a sweep, expanded and measured.

    The same text gives the same object as long as it is among the latest ones, unless it is large.
    """
    known = _circuits.get(qasm)
    if known is not None:
        return known
    circuit = expanded(with_measurements(parse(qasm)))
    if len(circuit.operations) <= _MOST_OPERATIONS:
        if len(_circuits) >= _MOST_CIRCUITS:
            del _circuits[next(iter(_circuits))]
        _circuits[qasm] = circuit
    return circuit


def run(executor: Executor, backend: Backend, circuit: Circuit, execution: Execution) -> Outcome:
    """Run a circuit or the points of a sweep. `circuit` must be expanded and measured."""
    sweep = execution.sweep
    if sweep is None or isinstance(backend, SweepBackend):
        return executor.run(circuit, execution)
    counts: list[dict[str, int]] = []
    elapsed_ms = 0.0
    given = {each.name: memoryview(each.values).cast("d") for each in sweep.parameters}
    for point in range(sweep.first, sweep.last):
        values: list[float] = []
        for each in circuit.inputs:
            own = given[each.name]
            start = point * each.size if len(own) > each.size else 0
            values += own[start : start + each.size]
        seeded = replace(execution, sweep=None, seed=point_seed(execution.seed, point))
        outcome = executor.run(bound(circuit, values), seeded)
        counts.append(dict(outcome.counts))
        elapsed_ms += outcome.execution_time_ms
    block = PointBlock(sweep.first, len(counts), counts=tuple(counts))
    return Outcome({}, elapsed_ms, metadata={"seed": execution.seed}, block=block)
