"""Runs circuits on Qiskit Aer."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types, Qiskit's are partial.

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import numpy as np
from qiskit_aer import AerSimulator
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    depolarizing_error,
    thermal_relaxation_error,
)

from quantcloud.backends.aer_circuits import ONE_QUBIT_NAMES, TWO_QUBIT_NAMES, translated
from quantcloud.backends.noise import NARROW_GATES, narrowed, relaxation_times
from quantcloud.backends.programs import program
from quantcloud.backends.results import Run, check_statevector
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Noise, Outcome

_METHODS = frozenset({"statevector", "density_matrix", "stabilizer", "matrix_product_state"})
# Aer takes a 32-bit seed.
_SEED_MASK = 0xFFFF_FFFF


class AerExecutor:
    """See `base.Executor`. Keeps one simulator for each method."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._simulators: dict[str, AerSimulator] = {}

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        run = Run(execution)
        method, noise = execution.method, execution.options.noise
        simulator = self._simulator(method)
        if noise is not None or method == "matrix_product_state":
            circuit = narrowed(circuit)
        divided = program(circuit)
        wants_state = execution.options.statevector
        check_statevector(execution, divided.num_qubits, branches=divided.branches)
        options: dict[str, object] = {}
        if noise is not None:
            options["noise_model"] = _noise_model(noise)
        elif method == "statevector" and divided.branches:
            options["shot_branching_enable"] = True
            options["shot_branching_sampling_enable"] = True
        result = simulator.run(
            translated(divided, clifford=method == "stabilizer", statevector=wants_state),
            shots=execution.shots,
            seed_simulator=execution.seed & _SEED_MASK,
            **options,
        ).result()
        if not result.success:
            raise RuntimeError(f"Qiskit Aer: {result.results[0].status if result.results else result.status}")
        data = result.data(0)
        counts = _counts(data.get("counts", {}), divided.num_clbits, execution.shots)
        amplitudes = np.asarray(data["statevector"]) if wants_state else None
        return run.outcome(counts, amplitudes=amplitudes, details={"device": self._device})

    def _simulator(self, method: str) -> AerSimulator:
        if method not in _METHODS:
            raise ValueError(f"Qiskit Aer has no method {method!r} here")
        if method not in self._simulators:
            self._simulators[method] = AerSimulator(
                method=method, device=self._device, max_parallel_threads=1
            )
        return self._simulators[method]


def _counts(counts: Mapping[str, int], num_clbits: int, shots: int) -> dict[str, int]:
    """Rewrite Aer's keys, hexadecimal numbers, as bitstrings."""
    width = f"0{num_clbits}b"
    return {format(int(key, 16), width): count for key, count in counts.items()}


@lru_cache(maxsize=64)
def _noise_model(noise: Noise) -> NoiseModel:
    model = NoiseModel()
    one = _gate_error(noise, noise.depolarizing_1q, noise.gate_time_1q_us, 1)
    two = _gate_error(noise, noise.depolarizing_2q, noise.gate_time_2q_us, 2)
    if one is not None:
        model.add_all_qubit_quantum_error(one, list(ONE_QUBIT_NAMES))
    if two is not None:
        model.add_all_qubit_quantum_error(two, list(TWO_QUBIT_NAMES))
    if noise.readout:
        right, wrong = 1 - noise.readout, noise.readout
        model.add_all_qubit_readout_error(ReadoutError([[right, wrong], [wrong, right]]))
    return model


def _gate_error(
    noise: Noise, depolarizing: float, time_us: float, num_qubits: int
) -> QuantumError | None:
    error: QuantumError | None = None
    if depolarizing:
        error = depolarizing_error(depolarizing, num_qubits)
    times = relaxation_times(noise)
    if times is not None and time_us:
        each = thermal_relaxation_error(*times, time_us)
        thermal = each if num_qubits == 1 else each.tensor(each)
        error = thermal if error is None else error.compose(thermal)
    return error
