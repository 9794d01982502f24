"""Runs circuits for `local_simulator`: NumPy for any circuit, Stim for Clifford circuits."""

from collections.abc import Sequence
from typing import Any

from quantcloud.backends.local.statevector import Statevector
from quantcloud.backends.local.vectorized.sweep import Compiled, block
from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.executor import SimulatorExecutor
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import Sampled, generator, shots_in_order
from quantcloud.backends.simulation.sweep.pointwise import Estimate
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution
from quantcloud.domain.sweep import Observable, PointBlock

# The most operations times amplitudes of a circuit that is kept for the next run. Its tables may
# have 40 bytes for each.
_MOST_KEPT = 1 << 21


class LocalExecutor(SimulatorExecutor):
    """See `base.Executor`."""

    def __init__(self) -> None:
        self._compiled: Compiled | None = None

    def swept(self, circuit: Circuit, execution: Execution) -> PointBlock:
        if execution.method != "vectorized":
            return super().swept(circuit, execution)
        compiled = self._compiled
        if compiled is None or compiled.circuit is not circuit:
            compiled = Compiled(circuit, self.prepared(circuit, execution))
            is_kept = len(circuit.operations) << circuit.num_qubits <= _MOST_KEPT
            self._compiled = compiled if is_kept else None
        return block(compiled, execution)

    def sample(self, divided: Program, execution: Execution) -> Sampled:
        rng = generator(execution.seed)
        if execution.method == "stabilizer":
            # Imported here, since the serving process runs small statevectors and needs no Stim.
            from quantcloud.backends.local import stabilizer  # noqa: PLC0415

            return stabilizer.sample(divided, execution, rng)
        state = Statevector(divided.num_qubits)
        counts = run_branches(divided, state, execution.shots, rng).counts
        memory = shots_in_order(counts, rng) if execution.options.memory else None
        return Sampled(counts, memory, state.amplitudes)

    def expectations(
        self,
        divided: Program,
        execution: Execution,
        observables: Sequence[Observable],
        *,
        variances: bool,
    ) -> Estimate:
        if execution.method == "stabilizer" and not divided.branches:
            from quantcloud.backends.local import stabilizer  # noqa: PLC0415

            return stabilizer.expectations(divided, observables, variances=variances)
        return super().expectations(divided, execution, observables, variances=variances)

    def library_circuit(self, divided: Program, execution: Execution) -> Any:
        if execution.method != "stabilizer":
            raise ValueError(f"local_simulator runs {execution.method} by itself, with no library")
        from quantcloud.backends.local import stabilizer  # noqa: PLC0415

        return stabilizer.translated(divided.operations)
