"""What the executors of all simulators share: the checks, the clock and the outcome."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.control import no_conditional_collapse, no_control
from quantcloud.backends.simulation.noise import narrowed
from quantcloud.backends.simulation.programs import Program, program
from quantcloud.backends.simulation.sampling import generator, shots_in_order
from quantcloud.backends.simulation.sweep import pointwise
from quantcloud.backends.simulation.sweep.observables import Operator, inner
from quantcloud.backends.simulation.sweep.outcomes import outcome_probabilities
from quantcloud.backends.simulation.sweep.pointwise import Estimate
from quantcloud.backends.simulation.sweep.template import Template
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.backends.warm_up import WarmsUp
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Outcome, Statevector
from quantcloud.domain.sweep import Observable, PointBlock
from quantcloud.domain.value_object import value_object

MAX_STATEVECTOR_QUBITS = 16


@value_object
class LibraryCall:
    """How a library was called, for the metadata of the result.

    `library` is the name of its package, `simulator` its class or device, and `seed` and `options`
    are the arguments. `submitted` says that it ran the circuit as submitted; otherwise it ran an
    equivalent one, which `reproduction.library_circuit` returns.
    """

    library: str
    version: str
    simulator: str
    seed: int
    options: Mapping[str, object]
    submitted: bool


@value_object
class Sampled:
    """The outcomes of all shots, and the amplitudes before the measurements if requested.

    `counts` is as in `Outcome`. `memory` is too, but may be None if the simulator returns outcomes
    in another order than that of independent shots. Bit q of an index of `amplitudes` is qubit q.
    """

    counts: Mapping[str, int]
    memory: tuple[str, ...] | None = None
    amplitudes: NDArray[np.complexfloating[Any]] | None = None
    precision: Literal["double", "single"] = "double"
    call: LibraryCall | None = None


class SimulatorExecutor(WarmsUp, ABC):
    """See `base.Executor`. A subclass names its methods, and samples.

    `pure_methods` run without noise, `noisy_methods` with it. Runs by `narrow_methods`, and all
    runs with noise, take only gates on one or two qubits. `has_classical_control` says whether it
    runs variables and loops, and measurements and resets under a condition.
    """

    name: ClassVar[str]
    pure_methods: ClassVar[frozenset[str]]
    noisy_methods: ClassVar[frozenset[str]] = frozenset()
    narrow_methods: ClassVar[frozenset[str]] = frozenset()
    has_classical_control: ClassVar[bool] = True

    @abstractmethod
    def sample(self, divided: Program, execution: Execution) -> Sampled:
        """Run a program by the method of `execution`, and sample its outcomes."""

    @abstractmethod
    def library_circuit(self, divided: Program, execution: Execution) -> Any:
        """Return the circuit that `sample` gives to the library."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        began = time.perf_counter()
        if execution.sweep is not None:
            block = self.swept(circuit, execution)
            elapsed_ms = (time.perf_counter() - began) * 1e3
            metadata = self._metadata(execution, self.precision_of(execution))
            return Outcome({}, elapsed_ms, metadata=metadata, block=block)
        if circuit.inputs:
            raise ValueError(f"the input {circuit.inputs[0].name!r} has no values")
        divided = self.prepared(circuit, execution)
        sampled = self.sample(divided, execution)
        memory = sampled.memory
        if execution.options.memory and memory is None:
            memory = shots_in_order(sampled.counts, generator(execution.seed))
        elapsed_ms = (time.perf_counter() - began) * 1e3
        statevector = None
        if execution.options.statevector:
            if sampled.amplitudes is None:
                raise ValueError(f"method {execution.method!r} gives no statevector")
            real, imag = sampled.amplitudes.real, sampled.amplitudes.imag
            statevector = Statevector(tuple(real.tolist()), tuple(imag.tolist()))
        metadata = self._metadata(execution, sampled.precision)
        if sampled.call is not None:
            metadata["simulator"] = _described(sampled.call, divided)
        return Outcome(sampled.counts, elapsed_ms, statevector, memory, metadata)

    @staticmethod
    def _metadata(execution: Execution, precision: str) -> dict[str, object]:
        return {
            "method": execution.method,
            "seed": execution.seed,
            "precision": precision,
            "noise": execution.options.noise is not None,
        }

    # Sweeps

    def precision_of(self, execution: Execution) -> Literal["double", "single"]:
        """Return the precision of the states of a sweep."""
        del execution
        return "double"

    def swept(self, circuit: Circuit, execution: Execution) -> PointBlock:
        """Compute the points of a sweep."""
        return pointwise.block(self, circuit, self.prepared(circuit, execution), execution)

    def expectations(
        self,
        divided: Program,
        execution: Execution,
        observables: Sequence[Observable],
        *,
        variances: bool,
    ) -> Estimate:
        """See `pointwise.Points`."""
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
        """See `pointwise.Points`."""
        del template, angles, execution, observables
        return None

    def probabilities(self, divided: Program, execution: Execution) -> Floats:
        """See `pointwise.Points`."""
        return outcome_probabilities(self._state(divided, execution), divided)

    def _state(self, divided: Program, execution: Execution) -> NDArray[np.complex128]:
        if execution.options.noise is not None or divided.branches:
            raise ValueError(
                f"{self.name} computes exact values without noise, and of circuits that measure "
                "only at their end"
            )
        options = replace(execution.options, statevector=True)
        sampled = self.sample(divided, replace(execution, shots=1, options=options))
        assert sampled.amplitudes is not None  # noqa: S101 - they were requested
        return sampled.amplitudes.astype(np.complex128)

    def prepared(self, circuit: Circuit, execution: Execution) -> Program:
        """Return the program to run for `circuit`, which must be expanded and measured.

        Raises `ValueError` if the method of `execution` cannot run it.
        """
        noisy, method = execution.options.noise is not None, execution.method
        if noisy and not self.noisy_methods:
            raise ValueError(f"{self.name} simulates no noise")
        if method not in (self.noisy_methods if noisy else self.pure_methods):
            noise = "with noise" if noisy else "without noise"
            raise ValueError(f"{self.name} has no method {method!r} {noise}")
        is_narrow = noisy or method in self.narrow_methods
        source = narrowed(circuit) if is_narrow else circuit
        divided = program(source, noisy=noisy, delays=noisy)
        _check_statevector(execution, divided)
        if not self.has_classical_control:
            _check_control(self.name, divided)
        return divided if source is circuit else replace(divided, submitted=False)


def _described(call: LibraryCall, divided: Program) -> Mapping[str, object]:
    described: dict[str, object] = {
        "library": call.library,
        "version": call.version,
        "simulator": call.simulator,
        "seed": call.seed,
        "options": dict(call.options),
        "circuit": "submitted" if call.submitted else "prepared",
    }
    if divided.fixed:
        # The library's circuit does not measure these bits.
        described["certain_bits"] = {str(bit): value for bit, value in divided.fixed.items()}
    return described


def _check_control(name: str, divided: Program) -> None:
    if divided.has_control:
        raise ValueError(no_control(name).reason)
    if any(each.condition and each.name in ("measure", "reset") for each in divided.body):
        raise ValueError(no_conditional_collapse(name).reason)


def _check_statevector(execution: Execution, divided: Program) -> None:
    """Raise `ValueError` if a statevector is requested that the circuit cannot have."""
    if not execution.options.statevector:
        return
    if divided.branches:
        raise ValueError(
            "the statevector option needs a circuit that measures only at its end: with a "
            "mid-circuit measurement, reset or condition, the final state differs between shots"
        )
    if execution.options.noise is not None:
        raise ValueError("a statevector needs a run without noise: a noisy state is mixed")
    if divided.num_qubits > MAX_STATEVECTOR_QUBITS:
        raise ValueError(
            f"the statevector option takes up to {MAX_STATEVECTOR_QUBITS} qubits, "
            f"this circuit has {divided.num_qubits}"
        )
