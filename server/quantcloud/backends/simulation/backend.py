"""What the light halves of all simulators share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import ClassVar

from quantcloud.backends.base import Executor
from quantcloud.backends.packages import missing
from quantcloud.backends.simulation.sweep.costs import observables_at, runs, shots_at
from quantcloud.backends.sweeps import repeated
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.method import Method, Refusal

_STABILIZER = "stabilizer"
# The most qubits of a statevector whose expectation values are computed, and the most classical
# bits of a circuit whose exact probabilities are.
_MAX_EXACT_QUBITS, _MAX_PROBABILITY_BITS = 20, 16


class SimulatorBackend(ABC):
    """See `base.Backend`. `modules` are those that it needs.

    `executor_class` is the executor's module and class, which are imported only where it runs;
    `arguments` are those of its constructor. `exact_methods` compute exact expectation values, and
    `noisy_exact_methods` do with noise. If `has_adjoint`, exact derivatives take about as long as
    a few values.
    """

    modules: ClassVar[tuple[str, ...]] = ()
    executor_class: ClassVar[str]
    exact_methods: ClassVar[frozenset[str]] = frozenset({"statevector"})
    noisy_exact_methods: ClassVar[frozenset[str]] = frozenset()
    has_adjoint: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        provider: str,
        num_qubits: int,
        description: str,
        packages: tuple[str, ...],
        *arguments: str,
    ) -> None:
        native = tuple(sorted(STANDARD_GATES))
        self.info = BackendInfo(name, provider, num_qubits, native, description, packages=packages)
        self._arguments = arguments

    def offline_reason(self) -> str | None:
        return missing(*self.modules)

    def without_control(self, analysis: Analysis) -> Refusal | None:
        """Return why a backend that only runs gates and measurements cannot run a circuit."""
        if analysis.has_control:
            lacks = "computes no variables between measurements and repeats no loops"
        elif analysis.collapses_conditionally:
            lacks = "measures and resets no qubit under a condition"
        else:
            return None
        return Refusal(f"{self.info.name} {lacks}; local_simulator and aer_simulator do")

    @abstractmethod
    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal: ...

    def sweep_methods(
        self, analysis: Analysis, shots: int, options: RunOptions, sweep: Sweep
    ) -> Sequence[Method] | Refusal:
        """See `sweeps.SweepBackend`. Here the points run one after the other."""
        if refusal := self._refused_sweep(analysis, options, sweep):
            return refusal
        # Multiples of the identity are sampled without a run.
        number = max(1, runs(analysis, sweep, adjoint=self.has_adjoint))
        points = sweep.last - sweep.first
        methods = self.methods(analysis, max(1, shots_at(sweep, shots) * points // number), options)
        if isinstance(methods, Refusal):
            return methods
        repeats = [repeated(method, number) for method in methods]
        if not (sweep.exact or sweep.variances or sweep.probabilities):
            return repeats
        exact_methods = self.exact_methods if options.noise is None else self.noisy_exact_methods
        terms = points * sum([len(each.terms) for each in observables_at(sweep)])
        has_state = analysis.num_qubits <= _MAX_EXACT_QUBITS
        suited = [
            _with_terms(each, terms, analysis.num_qubits)
            for each in repeats
            if each.name in exact_methods
            and (not sweep.probabilities if each.name == _STABILIZER else has_state)
        ]
        return suited or Refusal(f"{self.info.name} has no method for exact values of this circuit")

    def _refused_sweep(
        self, analysis: Analysis, options: RunOptions, sweep: Sweep
    ) -> Refusal | None:
        name, noisy = self.info.name, options.noise is not None
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
        elif exact and noisy and not self.noisy_exact_methods:
            reason = f"{name} computes exact values without noise; give 'shots' to sample them"
        elif sweep.probabilities and analysis.num_clbits > _MAX_PROBABILITY_BITS:
            most = _MAX_PROBABILITY_BITS
            reason = f"exact probabilities are of circuits with up to {most} classical bits"
        else:
            return None
        return Refusal(reason)

    def executor(self) -> Executor:
        return resolve_name(self.executor_class)(*self._arguments)


def _with_terms(method: Method, terms: int, num_qubits: int) -> Method:
    """Return a method with the work for some terms of observables."""
    if method.work is None or method.coefficients is None:
        return method
    # A term reads all amplitudes of a statevector, but only a row of a tableau.
    size = num_qubits if method.name == _STABILIZER else 1 << num_qubits
    work = method.work._replace(state=method.work.state + terms * size)
    return method._replace(work=work, seconds=method.coefficients.seconds(work))
