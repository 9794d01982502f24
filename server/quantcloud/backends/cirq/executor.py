"""Runs circuits with Google's simulators, qsim and Cirq."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# qsim has no types; Cirq is annotated only in part.

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import cirq
import numpy as np
from numpy.typing import NDArray
from qsimcirq.qsim_simulator import QSimOptions, QSimSimulator

from quantcloud.backends.cirq.translation import keys_of, pauli_sum, translated
from quantcloud.backends.simulation.executor import SimulatorExecutor
from quantcloud.backends.simulation.noise import misreads
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import LibraryCall, Sampled, counted
from quantcloud.backends.simulation.sweep.pointwise import Estimate
from quantcloud.domain.execution import Execution
from quantcloud.domain.sweep import Observable

# Measured on one thread and on two with 24 qubits: fusion to three qubits takes 0.6 to 0.8 of the
# time of fusion to two (qsim's default), and of fusion to four. Up to 16 qubits there is no
# difference.
_PURE: Mapping[str, Any] = {"max_fused_gate_size": 3}
_NOISY: Mapping[str, Any] = {"max_fused_gate_size": 2}
# NumPy's older generator, which both use, takes 32 bits.
_SEEDS = 1 << 32
_QSIM_VERSION = version("qsimcirq")


class CirqExecutor(SimulatorExecutor):
    """See `base.Executor`."""

    single_methods = frozenset({"statevector", "trajectories"})

    def sample(self, divided: Program, execution: Execution) -> Sampled:
        noise, seed = execution.options.noise, execution.seed % _SEEDS
        circuit = translated(divided, noise)
        simulator, call = _simulator(divided, execution, seed)
        records: Mapping[str, NDArray[Any]] = {}
        if cirq.is_measurement(circuit):
            records = simulator.run(circuit, repetitions=execution.shots).records
        keys = keys_of(divided, noise)
        # Only the last measurement into a bit counts.
        columns = [records[key][:, -1, 0] for key in keys.values()]
        rows = np.array(columns, dtype=np.bool_).reshape(len(keys), execution.shots).T
        counts = counted(rows, tuple(keys), divided)
        amplitudes = None
        if execution.options.statevector:
            state = translated(divided, None, measured=False)
            # The highest qubit is the highest bit of an index.
            order = cirq.LineQubit.range(divided.num_qubits)[::-1]
            amplitudes = simulator.simulate(state, qubit_order=order).final_state_vector
        return Sampled(counts, amplitudes=amplitudes, call=call)

    def expectations(
        self,
        divided: Program,
        execution: Execution,
        observables: Sequence[Observable],
        *,
        variances: bool,
    ) -> Estimate:
        noise = execution.options.noise
        if variances and noise is None:
            return super().expectations(divided, execution, observables, variances=True)
        sums = [pauli_sum(each) for each in observables]
        squares = [each * each for each in sums] if variances else []
        simulator, _ = _simulator(divided, execution, 0)
        found = simulator.simulate_expectation_values(
            translated(divided, noise, measured=False),
            [*sums, *squares],
            qubit_order=cirq.LineQubit.range(divided.num_qubits),
        )
        values = np.array(found, dtype=np.complex128).real
        if not variances:
            return Estimate(values)
        values, means = values[: len(sums)], values[len(sums) :]
        return Estimate(values, variances=np.maximum(means - values**2, 0.0))

    def library_circuit(self, divided: Program, execution: Execution) -> cirq.Circuit:
        return translated(divided, execution.options.noise)


def _simulator(divided: Program, execution: Execution, seed: int) -> tuple[Any, LibraryCall]:
    """Return qsim if it knows all that the circuit needs, else a simulator of Cirq."""
    noise, once = execution.options.noise, divided.measures_once
    submitted = divided.submitted and noise is None and once

    def call(library: str, version: str, simulator: str, **options: object) -> LibraryCall:
        return LibraryCall(library, version, simulator, seed, options, submitted=submitted)

    if execution.method == "density_matrix":
        return cirq.DensityMatrixSimulator(dtype=np.complex128, seed=seed), call(
            "cirq-core", cirq.__version__, "DensityMatrixSimulator", dtype="complex128"
        )
    # qsim knows no conditions, and no wrong readout of a qubit that goes on.
    conditional = any(operation.condition is not None for operation in divided.body)
    misread = noise is not None and misreads(noise) and (divided.branches or not once)
    if conditional or misread:
        return cirq.Simulator(seed=seed), call("cirq-core", cirq.__version__, "Simulator")
    fusion = _PURE if noise is None else _NOISY
    options: Mapping[str, Any] = {"cpu_threads": execution.threads, **fusion}
    simulator = QSimSimulator(QSimOptions(**options), seed=seed)
    return simulator, call("qsimcirq", _QSIM_VERSION, "QSimSimulator", **options)
