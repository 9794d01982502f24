"""Runs circuits on Qiskit Aer."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types, Qiskit's are partial.

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

import numpy as np
from qiskit.circuit import ControlFlowOp, QuantumCircuit
from qiskit.providers import Options
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer import AerSimulator
from qiskit_aer.backends.aer_compiler import (
    assemble_circuits,
    compile_circuit,
    generate_aer_config,
)
from qiskit_aer.backends.backend_utils import cpp_execute_circuits
from qiskit_aer.backends.controller_wrappers import aer_controller_execute
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    depolarizing_error,
    thermal_relaxation_error,
)

from quantcloud.backends.aer import MAX_BRANCHES_BYTES, MAX_MPS_RANK_BITS
from quantcloud.backends.aer_circuits import ONE_QUBIT_NAMES, TWO_QUBIT_NAMES, translated
from quantcloud.backends.noise import narrowed, relaxation_times
from quantcloud.backends.programs import Program, program
from quantcloud.backends.results import Run, check_statevector
from quantcloud.circuits.interaction import schmidt_bits
from quantcloud.circuits.ir import Circuit
from quantcloud.circuits.states import statevector_bytes
from quantcloud.domain.execution import Execution, Noise, Outcome

# These take gates on one or two qubits only, or few others.
_NARROW_METHODS = frozenset({"density_matrix", "matrix_product_state"})
_METHODS = frozenset({"statevector", "density_matrix", "stabilizer", "matrix_product_state"})
# Up to so many qubits Aer is faster with an error as its few Kraus operators than as the many
# terms that it is a mixture of.
_KRAUS_QUBITS = 8
_MAX_SEED = 1 << 53


class AerExecutor:
    """See `base.Executor`. Keeps one set of options for each method.

    It does what `AerSimulator.run` does, without its thread and its result objects for each run,
    which take longer than a small circuit.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._controller = aer_controller_execute()
        self._options = {
            # Refuses a device that is not there.
            method: cast(
                Options, AerSimulator(method=method, device=device, max_parallel_threads=1).options
            )
            for method in _METHODS
        }

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        run = Run(execution)
        method, noise = execution.method, execution.options.noise
        if method not in self._options:
            raise ValueError(f"Qiskit Aer has no method {method!r} here")
        if noise is not None or method in _NARROW_METHODS:
            circuit = narrowed(circuit)
        divided = program(circuit)
        wants_state = execution.options.statevector
        check_statevector(execution, divided.num_qubits, branches=divided.branches)
        if method == "matrix_product_state":
            _check_rank(divided)
        translation = translated(divided, method, statevector=wants_state)
        options: dict[str, object] = {}
        model: NoiseModel | None = None
        if noise is not None:
            few_kraus = method == "density_matrix" and divided.num_qubits <= _KRAUS_QUBITS
            model = _noise_model(noise, frozenset(_gate_names(translation)), as_kraus=few_kraus)
        elif method == "statevector" and divided.branches:
            options["shot_branching_enable"] = True
            options["shot_branching_sampling_enable"] = True
        if divided.branches:
            # Conditions become jumps.
            (translation,) = cast(list[QuantumCircuit], compile_circuit([translation]))
        counts: Counter[str] = Counter()
        data: Mapping[str, Any] = {}
        for number, shots in enumerate(_batches(divided, execution)):
            seed = int(run.rng.integers(_MAX_SEED)) if number else execution.seed
            data = self._run_once(
                translation, model, {**options, "shots": shots, "seed_simulator": seed}, method
            )
            counts.update(data["counts"])
        amplitudes = np.asarray(data["statevector"]) if wants_state else None
        return run.outcome(
            _bitstrings(counts, divided.num_clbits),
            amplitudes=amplitudes,
            details={"device": self._device},
        )

    def _run_once(
        self,
        circuit: QuantumCircuit,
        noise: NoiseModel | None,
        options: Mapping[str, object],
        method: str,
    ) -> Mapping[str, Any]:
        circuits, _ = assemble_circuits([circuit])
        config = generate_aer_config([circuit], self._options[method], **options)
        output = cpp_execute_circuits(self._controller, circuits, noise, config)
        if not output["success"]:
            results = output["results"]
            raise RuntimeError(f"Qiskit Aer: {(results[0] if results else output)['status']}")
        return cast(Mapping[str, Any], output["results"][0]["data"])


def _batches(divided: Program, execution: Execution) -> list[int]:
    """Divide the shots so that the histories of each part have states that fit in memory.

    Aer's shot branching follows all histories at once, each with a state of its own.
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
            f"the matrix_product_state method holds circuits whose gates across any cut between "
            f"neighbouring qubits allow a Schmidt rank of {2**MAX_MPS_RANK_BITS}; those of this "
            f"circuit allow 2**{bits}"
        )


def _bitstrings(counts: Mapping[str, int], num_clbits: int) -> dict[str, int]:
    """Rewrite Aer's keys, hexadecimal numbers, as bitstrings."""
    width = f"0{num_clbits}b"
    return {format(int(key, 16), width): count for key, count in counts.items()}


def _gate_names(circuit: QuantumCircuit) -> Iterator[str]:
    """Yield the names by which a noise model knows the circuit's gates."""
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            for block in operation.blocks:
                yield from _gate_names(block)
        else:
            yield operation.label or operation.name


@lru_cache(maxsize=64)
def _noise_model(noise: Noise, names: frozenset[str], *, as_kraus: bool) -> NoiseModel:
    """Make a model for the gates `names` alone, since Aer unfolds every error that it is given."""
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
