"""`aer_simulator` and `aer_gpu_simulator`: Qiskit Aer on a processor and on an NVIDIA GPU."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from quantcloud.backends.resources import Resources
from quantcloud.backends.simulation.backend import SimulatorBackend
from quantcloud.backends.simulation.costs import (
    Parallel,
    alike,
    evolution,
    histories,
    predicted,
)
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.states import (
    density_matrix_bytes,
    matrix_product_bytes,
    statevector_bytes,
    tableau_bytes,
)
from quantcloud.domain.execution import RunOptions
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size
from quantcloud.routing.work import Coefficients, Work

MAX_STABILIZER_QUBITS = 1_000
MAX_PURE_QUBITS = 36
"""The most qubits of a statevector without noise that is measured at its end: one of 1 TiB."""
MAX_MPS_QUBITS = 200
MAX_DENSITY_MATRIX_QUBITS = 12
MAX_BRANCHES_BYTES = 1 << 29
"""Memory for the states of all histories that Aer keeps for mid-circuit measurements."""
MAX_MPS_RANK_BITS = 6
"""log2 of the largest Schmidt rank of a matrix product state, which is never truncated. While Aer
brings the qubits of a gate together, the bond dimension may be twice that rank."""

# The PyPI distributions of Aer's CUDA build.
_CUDA_DISTRIBUTIONS = ("qiskit-aer-gpu", "qiskit-aer-gpu-cu11")

_STATEVECTOR = Coefficients(
    start=7e-4, operation=1.6e-5, light=2e-9, dense=1.1e-9, wide=2.6e-9, state=3e-8, sample=8e-8
)
# The cost to begin a shot that is run alone, in characters of an outcome: of a circuit with
# mid-circuit measurements, and with noise. And the cost of an operation in each history, in
# operations that are translated for Aer.
_SHOT, _NOISY_SHOT, _HISTORY = 375, 300, 0.06

# A circuit with variables and loops: how many instructions an operation takes; the cost to write an
# instruction and to run it, in operations; and the bytes that are kept for it.
_INSTRUCTIONS, _WRITTEN_INSTRUCTION, _RUN_INSTRUCTION, _INSTRUCTION_BYTES = 3, 6, 0.02, 2_600
MAX_CONTROL_INSTRUCTIONS = 400_000

# Aer divides the amplitudes of states of more than 14 qubits among threads. Measured on two cores
# without noise and with 16, 18 and 20 qubits: 1.6, 2.0 and 2.0 times as fast as on one. With
# noise, with mid-circuit measurements and by the other methods there was no gain.
_PARALLEL = Parallel(gates=0.98, state=0.98)
_MAX_SERIAL_QUBITS = 14

_DENSITY_MATRIX = alike(1.1e-8, start=2.4e-3, operation=1.8e-5, sample=1.3e-7)
_TRAJECTORY = alike(3e-9, start=1e-3, operation=2.6e-6, sample=1.5e-7)
# In the time that a character of an outcome takes: how many rows of a tableau are read. And the
# cost to begin a shot of a circuit with mid-circuit measurements, in characters.
_QUBITS_PER_CHARACTER, _REPEATED_SHOT = 8, 550
_STABILIZER = Coefficients(start=7e-4, operation=1.6e-5, light=9e-8, sample=8e-8)
# `light` counts gates on neighbours, `dense` the cubes of bond dimensions, `state` their squares.
_MPS = Coefficients(start=3e-3, operation=4e-6, light=3e-5, dense=1.3e-8, state=1.5e-9, sample=5e-7)
_GPU = alike(3e-11, start=5e-2, operation=2e-5, sample=5e-7)
_GPU_HOST_BYTES = 1 << 30
# The bytes of an outcome beside its characters, as a string and in its two tables.
_OUTCOME_BYTES = 250
# The bytes that Aer keeps for a gate, measured; with noise, measured with all kinds of noise.
_GATE_BYTES, _TRAJECTORY_GATE_BYTES, _DENSITY_MATRIX_GATE_BYTES = 3_000, 6_800, 14_500


class AerBackend(SimulatorBackend):
    """See `base.Backend`. `device` is Aer's name for the device that it runs on."""

    modules = ("qiskit", "qiskit_aer")
    executor_class = "quantcloud.backends.aer.executor:AerExecutor"
    noisy_exact_methods = frozenset({"density_matrix"})

    def __init__(
        self, name: str, num_qubits: int, description: str, device: str, package: str
    ) -> None:
        super().__init__(name, "ibm", num_qubits, description, (package,), device)
        self.resources = Resources(gpus=float(device == "GPU"))
        self._device = device

    def offline_reason(self) -> str | None:
        if self._device != "GPU":
            return super().offline_reason()
        if not any([*metadata.distributions(name=each)] for each in _CUDA_DISTRIBUTIONS):
            return f"no CUDA build of Qiskit Aer is installed ({_CUDA_DISTRIBUTIONS[0]})"
        if not any(Path("/dev").glob("nvidia[0-9]*")):
            return "this machine shows no NVIDIA GPU (/dev/nvidia0)"
        return None

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        noisy = options.noise is not None
        analysis = analysis.of_run(noisy=noisy)
        if noisy and options.statevector:
            return Refusal("a statevector needs a run without noise: a noisy state is mixed")
        if analysis.has_control:
            return self._controlled(analysis, shots)
        return self._uncontrolled(analysis, shots, options)

    def _uncontrolled(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        noisy = options.noise is not None
        methods: list[Method] = []
        is_pure = not noisy and not analysis.has_mid_circuit and self._device == "CPU"
        if analysis.num_qubits <= (MAX_PURE_QUBITS if is_pure else self.info.num_qubits):
            methods.append(self._statevector(analysis, shots, noisy=noisy))
        if noisy:
            if analysis.num_qubits <= MAX_DENSITY_MATRIX_QUBITS:
                methods.append(self._density_matrix(analysis, shots))
        elif self._device == "CPU" and not options.statevector:
            if analysis.is_clifford and analysis.num_qubits <= MAX_STABILIZER_QUBITS:
                methods.append(_stabilizer(analysis, shots))
            bits = analysis.entanglement_bits
            is_sparse = bits is not None and bits <= MAX_MPS_RANK_BITS
            if is_sparse and self.info.num_qubits < analysis.num_qubits <= MAX_MPS_QUBITS:
                methods.append(_matrix_product_state(analysis, shots))
        if methods:
            return sorted(methods, key=lambda method: method.seconds)
        return self._refusal(analysis, noisy=noisy)

    def _controlled(self, analysis: Analysis, shots: int) -> Sequence[Method] | Refusal:
        """Return the methods for a circuit with variables and loops, which run each shot alone."""
        if self._device != "CPU" and (refusal := self.without_control(analysis)):
            return refusal
        if analysis.num_qubits > self.info.num_qubits:
            return self._refusal(analysis, noisy=True)
        instructions = _INSTRUCTIONS * analysis.operation_count + analysis.logic_gates
        if instructions > MAX_CONTROL_INSTRUCTIONS:
            return Refusal(
                f"{self.info.name} computes variables bit by bit; those of this circuit take "
                f"about {instructions:,} instructions, and it runs {MAX_CONTROL_INSTRUCTIONS:,}: "
                "write fewer rounds of loops, smaller integers or fewer products, or use "
                "local_simulator"
            )
        work = evolution(analysis, 1 << analysis.num_qubits, shots, shots)
        added = instructions * (_WRITTEN_INSTRUCTION + shots * _RUN_INSTRUCTION)
        return [
            predicted(
                "statevector",
                2 * statevector_bytes(analysis.num_qubits),
                _TRAJECTORY,
                work._replace(operations=work.operations + added),
                gates=instructions,
                gate_bytes=_INSTRUCTION_BYTES,
            )
        ]

    def _statevector(self, analysis: Analysis, shots: int, *, noisy: bool) -> Method:
        size = statevector_bytes(analysis.num_qubits)
        branches, cost = histories(analysis, shots), _STATEVECTOR
        if noisy:
            branches, cost = shots, _TRAJECTORY
        elif analysis.has_mid_circuit:
            # If the histories do not fit in memory together, the shots are run in parts.
            parts = max(1, branches * size // MAX_BRANCHES_BYTES)
            branches = min(shots, parts * branches)
        if self._device == "GPU":
            cost = _GPU
        work = evolution(analysis, 1 << analysis.num_qubits, shots, branches)
        kept = 0
        once = not noisy and not analysis.has_mid_circuit
        divides = once and self._device == "CPU" and analysis.num_qubits > _MAX_SERIAL_QUBITS
        if analysis.has_mid_circuit:
            kept = min(shots * size, MAX_BRANCHES_BYTES)
            operations = analysis.operation_count
            work = work._replace(operations=operations * (1 + branches * _HISTORY))
        if not once:
            alone = _NOISY_SHOT if noisy else _SHOT
            work = work._replace(samples=work.samples + alone * shots)
        # Aer samples a state in place, if it does so once.
        states = 1 if once else 2
        memory = states * size + kept if self._device == "CPU" else _GPU_HOST_BYTES
        return predicted(
            "statevector",
            memory + _outcome_bytes(analysis, shots),
            cost,
            work,
            gates=analysis.operation_count,
            gate_bytes=_TRAJECTORY_GATE_BYTES if noisy else _GATE_BYTES,
            parallel=_PARALLEL if divides else Parallel(),
        )

    def _density_matrix(self, analysis: Analysis, shots: int) -> Method:
        repeats = shots if analysis.has_mid_circuit else 1
        elements = 1 << 2 * analysis.num_qubits
        memory = _GPU_HOST_BYTES
        if self._device == "CPU":
            memory = 2 * density_matrix_bytes(analysis.num_qubits)
        return predicted(
            "density_matrix",
            memory + _outcome_bytes(analysis, shots),
            _DENSITY_MATRIX,
            evolution(analysis, elements, shots, repeats),
            gates=analysis.operation_count,
            gate_bytes=_DENSITY_MATRIX_GATE_BYTES,
        )

    def _refusal(self, analysis: Analysis, *, noisy: bool) -> Refusal:
        name, limit, width = self.info.name, self.info.num_qubits, analysis.num_qubits
        need = (
            f"{name} runs up to {limit} qubits of any circuit (this one has {width:,}, a "
            f"statevector of {binary_size(statevector_bytes(width))})"
        )
        if noisy or self._device == "GPU":
            return Refusal(need)
        bits = analysis.entanglement_bits
        rank = "any" if bits is None else f"2**{bits}"
        return Refusal(
            f"{need}; beyond that, circuits up to {MAX_PURE_QUBITS} qubits that are measured at "
            f"their end, Clifford circuits up to {MAX_STABILIZER_QUBITS:,} qubits, and circuits up "
            f"to {MAX_MPS_QUBITS} qubits whose gates across any cut between neighbouring qubits "
            f"allow a Schmidt rank of {2**MAX_MPS_RANK_BITS} (its gates allow {rank})"
        )


def _outcome_bytes(analysis: Analysis, shots: int) -> int:
    return shots * (_OUTCOME_BYTES + analysis.num_clbits)


def _stabilizer(analysis: Analysis, shots: int) -> Method:
    # Each shot measures every qubit, in time at most linear in the width, and writes its outcome.
    width, operations = analysis.num_qubits, analysis.operation_count
    characters = 1 + analysis.num_clbits + width**2 / _QUBITS_PER_CHARACTER
    repeated = 0
    if analysis.has_mid_circuit:
        repeated = shots * operations
        characters += _REPEATED_SHOT
    work = Work(operations=operations, light=repeated, samples=shots * characters)
    return predicted(
        "stabilizer",
        2 * tableau_bytes(width) + _outcome_bytes(analysis, shots),
        _STABILIZER,
        work,
        gates=operations,
        gate_bytes=_GATE_BYTES,
    )


def _matrix_product_state(analysis: Analysis, shots: int) -> Method:
    width, operations = analysis.num_qubits, analysis.operation_count
    bits, most_bits = analysis.entanglement_bits or 0, analysis.chain_rank_bits or 0
    gates, cubes = analysis.chain_gates or 0, analysis.chain_cubes or 0.0
    kept, repeats = operations + gates, 1
    if analysis.has_mid_circuit:
        # Each measurement sweeps along the line, about half of which is still entangled.
        repeats, sweeps = shots, width * (analysis.branching_count + analysis.num_clbits) // 2
        gates, cubes = gates + sweeps, cubes + sweeps * 8.0**bits
    work = Work(
        operations=repeats * operations,
        light=repeats * gates,
        dense=repeats * cubes,
        state=shots * width * 4.0**bits,
        samples=shots * width,
    )
    return predicted(
        "matrix_product_state",
        # The state, a copy of it, and working memory of the same size.
        3 * matrix_product_bytes(width, most_bits) + _outcome_bytes(analysis, shots),
        _MPS,
        work,
        gates=kept,
        gate_bytes=_GATE_BYTES,
    )


CPU = AerBackend(
    "aer_simulator", 25, "IBM Qiskit Aer high-performance simulator", "CPU", "qiskit-aer"
)
GPU = AerBackend(
    "aer_gpu_simulator", 30, "IBM Qiskit Aer on an NVIDIA GPU", "GPU", "qiskit-aer-gpu"
)
