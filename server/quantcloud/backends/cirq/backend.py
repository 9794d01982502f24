"""`cirq_simulator`: Google's simulators, qsim and Cirq."""

from collections.abc import Sequence

from quantcloud.backends.simulation.backend import SimulatorBackend
from quantcloud.backends.simulation.costs import Parallel, alike, evolution, predicted
from quantcloud.backends.simulation.noise import misreads
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.states import SINGLE, density_matrix_bytes, statevector_bytes
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size
from quantcloud.routing.work import Coefficients, Work

MAX_DENSITY_MATRIX_QUBITS = 10

MAX_PURE_QUBITS = 36
"""The most qubits of a circuit without noise that measures at its end: a state of 512 GiB."""

# The bytes kept for a gate, measured, and a fifth more; with noise, with all kinds of noise.
_GATE_BYTES, _TRAJECTORY_GATE_BYTES, _DENSITY_MATRIX_GATE_BYTES = 3_700, 34_000, 15_500

_QSIM = Coefficients(
    start=4e-4,
    operation=3e-5,
    light=1.9e-10,
    dense=5e-11,
    wide=1.4e-10,
    state=1.2e-8,
    sample=1e-7,
)
# qsim divides the amplitudes among threads, and draws the samples on one. Measured on two cores
# with 22, 24 and 26 qubits: 1.7, 1.7 and 1.6 times as fast as on one. Trajectories gain nothing.
_PARALLEL = Parallel(gates=0.98, state=0.3)
_DENSITY_MATRIX = alike(4e-7, start=1e-3, operation=1.2e-3, sample=1e-7)
_TRAJECTORY = alike(5e-9, start=1e-3, operation=1.5e-5, sample=1e-7)
# The cost of a shot beside its bits, in bits; of an operation in a shot of qsim, in operations that
# are translated for it; and of one with noise in a shot of Cirq, in operations of qsim.
_SHOT, _QSIM_OPERATION, _CIRQ_OPERATION = 15, 0.04, 60
# The bytes for a bit of a shot: in a list, and as integers.
_BIT_BYTES = 32


class CirqBackend(SimulatorBackend):
    """See `base.Backend`."""

    modules = ("cirq", "qsimcirq")
    executor_class = "quantcloud.backends.cirq.executor:CirqExecutor"
    noisy_exact_methods = frozenset({"density_matrix"})

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        analysis = analysis.of_run(noisy=options.noise is not None)
        if refusal := self.without_control(analysis):
            return refusal
        width = analysis.num_qubits
        pure = options.noise is None and not analysis.has_mid_circuit
        if width > (MAX_PURE_QUBITS if pure else self.info.num_qubits):
            return Refusal(
                f"cirq_simulator runs up to {self.info.num_qubits} qubits of any circuit (this one "
                f"has {width:,}, a statevector of "
                f"{binary_size(statevector_bytes(width, SINGLE))}); beyond that, circuits up to "
                f"{MAX_PURE_QUBITS} qubits without noise that are measured at their end"
            )
        if options.noise is None:
            return [_statevector(analysis, shots, options)]
        if options.statevector:
            return Refusal("a statevector needs a run without noise: a noisy state is mixed")
        methods = [_trajectories(analysis, shots, options.noise)]
        if width <= MAX_DENSITY_MATRIX_QUBITS:
            methods.append(_density_matrix(analysis, shots))
        return sorted(methods, key=lambda method: method.seconds)


def _statevector(analysis: Analysis, shots: int, options: RunOptions) -> Method:
    width, operations = analysis.num_qubits, analysis.operation_count
    work = evolution(analysis, 1 << width, shots, shots if analysis.has_mid_circuit else 1)
    if analysis.has_mid_circuit and not analysis.has_conditions:
        work = work._replace(operations=operations + shots * operations * _QSIM_OPERATION)
    # qsim samples the state in place. Cirq, and who returns the amplitudes, makes copies.
    states = 4 if analysis.has_mid_circuit or options.statevector else 1
    return _method(
        "statevector",
        _QSIM,
        work,
        analysis,
        shots,
        state_bytes=states * statevector_bytes(width, SINGLE),
        gate_bytes=_GATE_BYTES,
        parallel=Parallel() if analysis.has_mid_circuit else _PARALLEL,
    )


def _density_matrix(analysis: Analysis, shots: int) -> Method:
    width = analysis.num_qubits
    return _method(
        "density_matrix",
        _DENSITY_MATRIX,
        evolution(analysis, 1 << 2 * width, shots, shots if analysis.has_mid_circuit else 1),
        analysis,
        shots,
        # Cirq applies a channel into buffers as large as the matrix.
        state_bytes=6 * density_matrix_bytes(width),
        gate_bytes=_DENSITY_MATRIX_GATE_BYTES,
    )


def _trajectories(analysis: Analysis, shots: int, noise: Noise) -> Method:
    work = evolution(analysis, 1 << analysis.num_qubits, shots, shots)
    if analysis.has_mid_circuit and (analysis.has_conditions or misreads(noise)):
        work = work._replace(operations=work.operations * _CIRQ_OPERATION)
    return _method(
        "trajectories",
        _TRAJECTORY,
        work,
        analysis,
        shots,
        state_bytes=6 * statevector_bytes(analysis.num_qubits, SINGLE),
        gate_bytes=_TRAJECTORY_GATE_BYTES,
    )


def _method(
    name: str,
    coefficients: Coefficients,
    work: Work,
    analysis: Analysis,
    shots: int,
    *,
    state_bytes: int,
    gate_bytes: int,
    parallel: Parallel = Parallel(),  # noqa: B008 - it is immutable
) -> Method:
    bits = analysis.num_qubits + analysis.num_clbits
    return predicted(
        name,
        state_bytes + _BIT_BYTES * shots * bits,
        coefficients,
        work._replace(samples=work.samples + _SHOT * shots),
        gates=analysis.operation_count,
        gate_bytes=gate_bytes,
        double=name == "density_matrix",
        parallel=parallel,
    )


BACKEND = CirqBackend(
    "cirq_simulator",
    "google",
    20,
    "Google's qsim in single precision; noise by Cirq",
    ("qsimcirq", "cirq-core"),
)
