"""What the light halves of all simulators share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import ClassVar

from quantcloud.backends.base import Executor
from quantcloud.backends.packages import missing
from quantcloud.backends.simulation.sweep.costs import (
    holds_values,
    refusal,
    runs,
    shots_at,
    term_amplitudes,
    with_state_work,
)
from quantcloud.backends.sweeps import repeated
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.method import Method, Refusal


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

    @abstractmethod
    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal: ...

    def sweep_methods(
        self, analysis: Analysis, shots: int, options: RunOptions, sweep: Sweep
    ) -> Sequence[Method] | Refusal:
        """See `sweeps.SweepBackend`. Here the points run one after the other."""
        exact_methods = self.exact_methods if options.noise is None else self.noisy_exact_methods
        refused = refusal(
            self.info.name, analysis, options, sweep, noisy_exact=bool(self.noisy_exact_methods)
        )
        if refused is not None:
            return refused
        number = runs(analysis, sweep, adjoint=self.has_adjoint)
        total = shots_at(sweep, shots) * (sweep.last - sweep.first)
        methods = self.methods(analysis, max(1, total // number), options)
        if isinstance(methods, Refusal):
            return methods
        exact = sweep.exact or sweep.variances or sweep.probabilities
        suited = [
            each
            for each in methods
            if not exact or (each.name in exact_methods and holds_values(each.name, analysis))
        ]
        if not suited:
            return Refusal(f"{self.info.name} has no method for exact values of this circuit")
        terms = (sweep.last - sweep.first) * term_amplitudes(analysis, sweep) if exact else 0
        return [with_state_work(repeated(method, number), terms) for method in suited]

    def executor(self) -> Executor:
        return resolve_name(self.executor_class)(*self._arguments)
