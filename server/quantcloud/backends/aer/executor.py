"""Runs circuits on Qiskit Aer."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types; Qiskit has only some.

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import qiskit_aer
from numpy.typing import NDArray
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.jobs import utils
from qiskit_aer.library import (
    SaveExpectationValue,
    SaveExpectationValueVariance,
    SaveStatevector,
)

from quantcloud.backends.aer.backend import MAX_BRANCHES_BYTES
from quantcloud.backends.aer.noise import noise_model
from quantcloud.backends.aer.translation import translated
from quantcloud.backends.simulation.executor import SimulatorExecutor
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import LibraryCall, Sampled
from quantcloud.backends.simulation.sweep.blocks import Estimate
from quantcloud.backends.simulation.sweep.groups import paulis
from quantcloud.circuits.classical import UnboundedLoopError
from quantcloud.circuits.states import statevector_bytes
from quantcloud.domain.execution import Execution
from quantcloud.domain.sweep import Observable

P = ParamSpec("P")
T = TypeVar("T")

_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "statevector": {},
    "density_matrix": {},
    "stabilizer": {},
    # By default Aer decomposes every matrix again for each shot.
    "matrix_product_state": {"mps_sample_measure_algorithm": "mps_probabilities"},
}
# Aer follows each history of outcomes once, instead of each shot. The outcomes are the same.
_BRANCHING = {"shot_branching_enable": True, "shot_branching_sampling_enable": True}
_ONE_THREAD = {"max_parallel_threads": 1}
# Aer leaves out gates that no measured qubit depends on. Then it cannot load some circuits with
# conditions (`unordered_map::at`), and may take the noise of one qubit for that of another.
_ALL_GATES = {"enable_truncation": False}


class _Here(futures.Executor):
    """Runs Aer's jobs in the thread that submits them, with its priority and number of threads."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "futures.Future[T]":
        done: futures.Future[T] = futures.Future()
        done.set_result(fn(*args, **kwargs))
        return done


class AerExecutor(SimulatorExecutor):
    """See `base.Executor`. It keeps a simulator for each method."""

    # These methods take few gates on three or more qubits, or none.
    narrow_methods = frozenset({"density_matrix", "matrix_product_state"})

    def __init__(self, device: str) -> None:
        self._options = {
            method: {"method": method, "device": device, **options}
            for method, options in _OPTIONS.items()
        }
        # `AerSimulator` ignores its documented option `executor`, and its jobs look this up.
        # See docs/adr/0015-aer-in-the-callers-thread.md.
        utils.DEFAULT_EXECUTOR = _Here()
        # This raises if the device does not exist.
        self._simulators = {
            method: AerSimulator(**options) for method, options in self._options.items()
        }

    def sample(self, divided: Program, execution: Execution) -> Sampled:
        method, requested = execution.method, execution.options
        circuit, submitted, unbounded = translated(divided, method, requested.noise)
        threads = {"max_parallel_threads": execution.threads}
        follows_histories = _follows_histories(divided, execution)
        # Aer returns the shots of a history together, which independent shots are not.
        in_order = requested.memory and not follows_histories
        options: dict[str, Any] = {"memory": in_order, **threads}
        if requested.noise is not None:
            options["noise_model"] = noise_model(requested.noise, circuit, method)
        conditional = any(each.condition for each in divided.body)
        special = _ALL_GATES if conditional or requested.noise is not None else {}
        if follows_histories:
            special = {**_BRANCHING, **special}
        most = _shots_per_call(divided, execution)
        counts: Counter[str] = Counter()
        memory: list[str] = []
        for done in range(0, execution.shots, most):
            # Aer adds its number to the seed of each shot, so the outcomes are those of one call.
            shots, seed = min(most, execution.shots - done), execution.seed + done
            data = self._data(circuit, method, shots, seed, {**special, **options})
            # Aer returns no outcomes if no measurement can happen.
            counts.update(data.get("counts", {"0x0": shots}))
            memory += data.get("memory", ["0x0"] * shots)
        if unbounded is not None and any(int(key, 16) >> unbounded & 1 for key in counts):
            raise UnboundedLoopError
        text = {key: _bitstring(key, divided) for key in counts}
        result: dict[str, int] = {}
        for key, count in counts.items():
            result[text[key]] = result.get(text[key], 0) + count
        return Sampled(
            result,
            tuple(map(text.__getitem__, memory)) if in_order else None,
            self._amplitudes(divided) if requested.statevector else None,
            call=LibraryCall(
                "qiskit-aer",
                qiskit_aer.__version__,
                "AerSimulator",
                execution.seed,
                {**self._options[method], **threads, **special},
                submitted=submitted,
            ),
        )

    def library_circuit(self, divided: Program, execution: Execution) -> QuantumCircuit:
        return translated(divided, execution.method, execution.options.noise).circuit

    def expectations(
        self,
        divided: Program,
        execution: Execution,
        observables: Sequence[Observable],
        *,
        variances: bool,
    ) -> Estimate:
        method, noise = execution.method, execution.options.noise
        circuit = translated(divided, method, measured=False).circuit
        options: dict[str, Any] = {}
        if noise is not None:
            options["noise_model"] = noise_model(noise, circuit, method)
        _save(circuit, observables, variances=variances)
        data = self._data(circuit, method, 1, execution.seed, options)
        return _saved(data, len(observables), variances=variances)

    def _amplitudes(self, divided: Program) -> NDArray[np.complex128]:
        circuit = translated(divided, "statevector", measured=False).circuit
        circuit.append(SaveStatevector(divided.num_qubits), circuit.qubits)
        return np.asarray(self._data(circuit, "statevector", 1, 0, _ONE_THREAD)["statevector"])

    def _data(
        self,
        circuit: QuantumCircuit,
        method: str,
        shots: int,
        seed: int,
        options: Mapping[str, object],
    ) -> Mapping[str, Any]:
        job = self._simulators[method].run(circuit, shots=shots, seed_simulator=seed, **options)
        result = job.result()
        if not result.success:
            failed = result.results[0] if result.results else result
            raise RuntimeError(f"Qiskit Aer: {failed.status}")
        return cast(Mapping[str, Any], result.data(0))


def _follows_histories(divided: Program, execution: Execution) -> bool:
    pure = execution.method == "statevector" and execution.options.noise is None
    return pure and divided.branches and not divided.has_control


def _shots_per_call(divided: Program, execution: Execution) -> int:
    """Return how many shots may run together, so that a state for each history fits in memory."""
    shots = execution.shots
    if not _follows_histories(divided, execution):
        return shots
    events = sum(operation.name in ("measure", "reset") for operation in divided.body)
    fit = max(1, MAX_BRANCHES_BYTES // statevector_bytes(divided.num_qubits))
    return shots if 1 << min(events, shots.bit_length()) <= fit else min(shots, fit)


def _bitstring(key: str, divided: Program) -> str:
    """Rewrite Aer's key, a hexadecimal number, as the bits of the circuit."""
    return format(divided.at_end(int(key, 16)), f"0{divided.num_clbits}b")


def _save(circuit: QuantumCircuit, observables: Sequence[Observable], *, variances: bool) -> None:
    """Append to a circuit that Aer saves expectation values, and variances if wanted."""
    kind: Any = SaveExpectationValueVariance if variances else SaveExpectationValue
    for place, observable in enumerate(observables):
        circuit.append(kind(_operator(observable, circuit.num_qubits), f"{place}"), circuit.qubits)


def _operator(observable: Observable, num_qubits: int) -> SparsePauliOp:
    """Return an observable in Qiskit's form."""
    terms = [
        ("".join([letter for _, letter in factors]), [qubit for qubit, _ in factors], coefficient)
        for factors, coefficient in paulis(observable).items()
    ]
    return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=num_qubits)


def _saved(data: Mapping[str, Any], number: int, *, variances: bool) -> Estimate:
    """Return what Aer has saved of some observables."""
    found = np.array([data[f"{place}"] for place in range(number)], dtype=np.float64)
    if not variances:
        return Estimate(found)
    return Estimate(found[:, 0], variances=np.maximum(found[:, 1], 0.0))
