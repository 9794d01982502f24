"""Runs circuits on Qiskit Aer."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types; Qiskit has only some.

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit
from qiskit.providers import Options
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer import AerSimulator
from qiskit_aer.backends.aer_compiler import generate_aer_config
from qiskit_aer.backends.backend_utils import cpp_execute_circuits
from qiskit_aer.backends.controller_wrappers import aer_controller_execute
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    depolarizing_error,
    thermal_relaxation_error,
)

from quantcloud.backends.aer.circuits import (
    ONE_QUBIT_NAMES,
    TWO_QUBIT_NAMES,
    Translation,
    translated,
)
from quantcloud.backends.aer.classical import control_circuit, standard_gate
from quantcloud.backends.aer.limits import (
    MAX_BRANCHES_BYTES,
    MAX_MPS_RANK_BITS,
    MAX_SAVED_QUBITS,
    is_bare,
)
from quantcloud.backends.aer.state import AerState, BareStates
from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.noise import narrowed, relaxation_times
from quantcloud.backends.simulation.programs import Program, program
from quantcloud.backends.simulation.results import MAX_STATEVECTOR_QUBITS, Run, check_statevector
from quantcloud.backends.simulation.sampling import (
    Counts,
    Patterns,
    Tally,
    draw_bits,
    draw_bits_from_state,
)
from quantcloud.backends.warm_up import WarmsUp
from quantcloud.circuits.classical import UnboundedLoopError
from quantcloud.circuits.interaction import schmidt_bits
from quantcloud.circuits.ir import Circuit
from quantcloud.circuits.states import statevector_bytes
from quantcloud.domain.execution import Execution, Noise, Outcome

# These methods take few gates on three or more qubits, or none.
_NARROW_METHODS = frozenset({"density_matrix", "matrix_product_state"})
_METHODS = frozenset({"statevector", "density_matrix", "stabilizer", "matrix_product_state"})
# Up to this many qubits Aer is faster with the few Kraus operators of an error than with the many
# terms of the error as a mixture.
_KRAUS_QUBITS = 8
_MAX_SEED = 1 << 53


class AerExecutor(WarmsUp):
    """See `base.Executor`. It keeps one configuration for each method.

    It does what `AerSimulator.run` does, but without a Qiskit circuit, a thread and result objects
    for each run, which take longer than a small circuit. Aer writes each shot as a string. If one
    state serves all shots, the executor therefore asks Aer for the state and samples from it.
    Circuits of few qubits, or with mid-circuit measurements, bypass Aer's controller.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._states = BareStates()
        self._controller = aer_controller_execute()
        # This raises if the device does not exist.
        self._configurations = {method: _configuration(method, device) for method in _METHODS}

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        run = Run(execution)
        method, noise = execution.method, execution.options.noise
        if method not in _METHODS:
            raise ValueError(f"Qiskit Aer has no method {method!r} here")
        if noise is not None or method in _NARROW_METHODS:
            circuit = narrowed(circuit)
        divided = program(circuit, noisy=noise is not None)
        check_statevector(execution, divided.num_qubits, branches=divided.branches)
        if method == "matrix_product_state":
            _check_rank(divided)
        amplitudes = None
        measured, shots = tuple(divided.final.values()), execution.shots
        if divided.has_control:
            counts = self._controlled(divided, execution)
        elif self._is_bare(divided, execution):
            if divided.branches or execution.options.statevector:
                state = AerState(divided.num_qubits)
                counts = run_branches(divided, state, shots, run.rng).counts
                amplitudes = state.amplitudes
            else:
                weights = self._states.probabilities(divided.num_qubits, divided.body)
                counts = _tallied(divided, *draw_bits(weights, measured, shots, run.rng))
        elif self._gives_state(divided, execution):
            amplitudes = self._final_state(divided)
            counts = _tallied(divided, *draw_bits_from_state(amplitudes, measured, shots, run.rng))
        else:
            counts = self._counts(divided, run)
        return run.outcome(counts, amplitudes=amplitudes, details={"device": self._device})

    def _controlled(self, divided: Program, execution: Execution) -> dict[str, int]:
        """Run a program with variables and loops, shot by shot."""
        circuit, unbounded = control_circuit(divided, standard_gate)
        model = None
        if execution.options.noise is not None:
            names = frozenset(operation.name for operation in divided.body)
            model = _noise_model(execution.options.noise, names, as_kraus=False)
        simulator = AerSimulator(
            method=execution.method, device=self._device, max_parallel_threads=1, noise_model=model
        )
        run = simulator.run(circuit, shots=execution.shots, seed_simulator=execution.seed)
        result = run.result()
        if not result.success:
            raise RuntimeError(f"Qiskit Aer: {result.results[0].status}")
        counts = cast(Mapping[str, int], result.data(0).get("counts", {"0x0": execution.shots}))
        if any(int(key, 16) >> unbounded & 1 for key in counts):
            raise UnboundedLoopError
        return _bitstrings(counts, divided)

    def _is_bare(self, divided: Program, execution: Execution) -> bool:
        return execution.method == "statevector" and is_bare(
            self._device, divided.num_qubits, execution.options, branches=divided.branches
        )

    def _gives_state(self, divided: Program, execution: Execution) -> bool:
        """Return whether to ask Aer for the state before the measurements instead of for counts."""
        if (
            execution.method != "statevector"
            or execution.options.noise is not None
            or divided.branches
        ):
            return False
        if divided.num_qubits <= MAX_STATEVECTOR_QUBITS:
            return True
        # When Aer measures, it leaves out qubits that no gate touches. A state that it returns has
        # all qubits.
        touched = {qubit for operation in divided.body for qubit in operation.qubits}
        return len(touched) == divided.num_qubits <= MAX_SAVED_QUBITS

    def _final_state(self, divided: Program) -> NDArray[np.complex128]:
        translation = translated(divided, "statevector", measured=False)
        data = self._run_once(translation, divided, "statevector", shots=1, seed=0)
        return np.asarray(data["statevector"])

    def _counts(self, divided: Program, run: Run) -> dict[str, int]:
        execution = run.execution
        method, noise = execution.method, execution.options.noise
        translation = translated(divided, method)
        model: NoiseModel | None = None
        if noise is not None:
            few_kraus = method == "density_matrix" and divided.num_qubits <= _KRAUS_QUBITS
            model = _noise_model(noise, frozenset(translation.names), as_kraus=few_kraus)
        counts: Counter[str] = Counter()
        for number, shots in enumerate(_batches(divided, execution)):
            seed = int(run.rng.integers(_MAX_SEED)) if number else execution.seed
            data = self._run_once(translation, divided, method, shots=shots, seed=seed, noise=model)
            # Aer returns no counts if no measurement can happen.
            counts.update(data.get("counts", {"0x0": shots}))
        return _bitstrings(counts, divided)

    def _run_once(
        self,
        translation: Translation,
        divided: Program,
        method: str,
        *,
        shots: int,
        seed: int,
        noise: NoiseModel | None = None,
    ) -> Mapping[str, Any]:
        config = self._configurations[method]
        branching = method == "statevector" and noise is None and divided.branches
        config.n_qubits = divided.num_qubits
        config.memory_slots = translation.circuit.num_memory
        config.shots = shots
        config.seed_simulator = seed
        config.shot_branching_enable = branching
        config.shot_branching_sampling_enable = branching
        output = cpp_execute_circuits(self._controller, [translation.circuit], noise, config)
        if not output["success"]:
            results = output["results"]
            raise RuntimeError(f"Qiskit Aer: {(results[0] if results else output)['status']}")
        return cast(Mapping[str, Any], output["results"][0]["data"])


def _configuration(method: str, device: str) -> Any:
    """Return Aer's configuration for runs by `method`; each run sets its own values in it."""
    simulator = AerSimulator(
        method=method,
        device=device,
        max_parallel_threads=1,
        # By default Aer decomposes every matrix again for each shot.
        mps_sample_measure_algorithm="mps_probabilities",
    )
    return generate_aer_config([QuantumCircuit(1)], cast(Options, simulator.options))


def _tallied(divided: Program, patterns: Patterns, drawn: Counts) -> dict[str, int]:
    """Count the outcomes of the measurements at the end of the circuit."""
    tally = Tally(divided.num_clbits)
    tally.add(patterns, drawn, tuple(divided.final), divided.at_end(0))
    return tally.counts


def _batches(divided: Program, execution: Execution) -> list[int]:
    """Divide the shots so that the states of all histories of each part fit in memory.

    Aer's shot branching follows all histories at the same time and keeps a state for each.
    """
    shots = execution.shots
    if not divided.branches or execution.method != "statevector" or execution.options.noise:
        return [shots]
    events = sum(operation.name in ("measure", "reset") for operation in divided.body)
    fit = max(1, MAX_BRANCHES_BYTES // statevector_bytes(divided.num_qubits))
    if 1 << min(events, shots.bit_length()) <= fit:
        return [shots]
    full, rest = divmod(shots, fit)
    return [fit] * full + [rest] * (rest > 0)


def _check_rank(divided: Program) -> None:
    bits = schmidt_bits(divided.num_qubits, divided.body)
    if bits > MAX_MPS_RANK_BITS:
        raise ValueError(
            f"the matrix_product_state method runs circuits whose gates across any cut between "
            f"neighbouring qubits allow a Schmidt rank of {2**MAX_MPS_RANK_BITS}; the gates of "
            f"this circuit allow 2**{bits}"
        )


def _bitstrings(counts: Mapping[str, int], divided: Program) -> dict[str, int]:
    """Rewrite Aer's keys, hexadecimal numbers, as bitstrings of the circuit's classical bits."""
    width, mask = f"0{divided.num_clbits}b", (1 << divided.num_clbits) - 1
    result: dict[str, int] = {}
    for key, count in counts.items():
        bits = format(divided.at_end(int(key, 16) & mask), width)
        result[bits] = result.get(bits, 0) + count
    return result


@lru_cache(maxsize=64)
def _noise_model(noise: Noise, names: frozenset[str], *, as_kraus: bool) -> NoiseModel:
    """Make a model for the gates `names` only, because Aer expands every error in the model."""
    model = NoiseModel()
    for num_qubits, known in ((1, ONE_QUBIT_NAMES), (2, TWO_QUBIT_NAMES)):
        error = _gate_error(noise, num_qubits, as_kraus=as_kraus)
        if error is not None and (used := sorted(names.intersection(known))):
            model.add_all_qubit_quantum_error(error, used)
    if noise.readout:
        right, wrong = 1 - noise.readout, noise.readout
        model.add_all_qubit_readout_error(ReadoutError([[right, wrong], [wrong, right]]))
    return model


@lru_cache(maxsize=64)
def _gate_error(noise: Noise, num_qubits: int, *, as_kraus: bool) -> QuantumError | None:
    rate, time_us = (
        (noise.depolarizing_1q, noise.gate_time_1q_us)
        if num_qubits == 1
        else (noise.depolarizing_2q, noise.gate_time_2q_us)
    )
    error: QuantumError | None = depolarizing_error(rate, num_qubits) if rate else None
    times = relaxation_times(noise)
    if times is not None and time_us:
        each = thermal_relaxation_error(*times, time_us)
        thermal = each if num_qubits == 1 else each.tensor(each)
        error = thermal if error is None else error.compose(thermal)
    if error is not None and as_kraus:
        return QuantumError(Kraus(SuperOp(error)))
    return error
