"""What the executors of all simulators share: the clock and the outcome."""

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from quantcloud.backends.simulation.noise import narrowed
from quantcloud.backends.simulation.programs import Program, program
from quantcloud.backends.simulation.sampling import LibraryCall, generator, shots_in_order
from quantcloud.backends.simulation.sweep.pointwise import PointExecutor, block
from quantcloud.backends.warm_up import WarmsUp
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Outcome, Statevector
from quantcloud.domain.sweep import PointBlock


class SimulatorExecutor(WarmsUp, PointExecutor):
    """See `base.Executor`.

    Runs by `narrow_methods`, and all runs with noise, take only gates on one or two qubits.
    Amplitudes by `single_methods` are in single precision.

    An executor runs what `Backend.methods` offers, and does not check that again.
    """

    narrow_methods: ClassVar[frozenset[str]] = frozenset()
    single_methods: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def library_circuit(self, divided: Program, execution: Execution) -> Any:
        """Return the circuit that `sample` gives to the library."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        began = time.perf_counter()
        metadata: dict[str, object] = {
            "method": execution.method,
            "seed": execution.seed,
            "precision": "single" if execution.method in self.single_methods else "double",
            "noise": execution.options.noise is not None,
        }
        if execution.sweep is not None:
            points = self.swept(circuit, execution)
            elapsed_ms = (time.perf_counter() - began) * 1e3
            return Outcome({}, elapsed_ms, metadata=metadata, block=points)
        if circuit.inputs:
            raise ValueError(f"the input {circuit.inputs[0].name!r} has no values")
        divided = self.prepared(circuit, execution)
        sampled = self.sample(divided, execution)
        memory = sampled.memory
        if execution.options.memory and memory is None:
            memory = shots_in_order(sampled.counts, generator(execution.seed))
        elapsed_ms = (time.perf_counter() - began) * 1e3
        statevector = None
        if sampled.amplitudes is not None and execution.options.statevector:
            real, imag = sampled.amplitudes.real, sampled.amplitudes.imag
            statevector = Statevector(tuple(real.tolist()), tuple(imag.tolist()))
        if sampled.call is not None:
            metadata["simulator"] = _described(sampled.call, divided)
        return Outcome(sampled.counts, elapsed_ms, statevector, memory, metadata)

    def swept(self, circuit: Circuit, execution: Execution) -> PointBlock:
        """Compute the points of a sweep."""
        return block(self, circuit, self.prepared(circuit, execution), execution)

    def prepared(self, circuit: Circuit, execution: Execution) -> Program:
        """Return the program to run for `circuit`, which must be expanded and measured."""
        noisy = execution.options.noise is not None
        is_narrow = noisy or execution.method in self.narrow_methods
        source = narrowed(circuit) if is_narrow else circuit
        divided = program(source, noisy=noisy)
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
