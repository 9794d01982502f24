"""`cirq_simulator`: Google's simulators, qsim and Cirq."""

from collections.abc import Sequence

from quantcloud.backends.base import Executor
from quantcloud.backends.cirq.limits import MOST_GATES_KEPT
from quantcloud.backends.packages import missing
from quantcloud.backends.simulation.control import no_control
from quantcloud.backends.simulation.costs import (
    alike,
    evolution,
    histories,
    predicted,
    readable_bytes,
    waiting_states,
)
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.states import SINGLE, density_matrix_bytes, statevector_bytes
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.work import Coefficients

MAX_DENSITY_MATRIX_QUBITS = 10

MAX_PURE_QUBITS = 28
"""The most qubits of a circuit without noise that measures at its end: a state of 2 GiB."""

# The bytes kept for a gate, measured; with noise, measured with all kinds of noise.
_GATE_BYTES, _TRAJECTORY_GATE_BYTES, _DENSITY_MATRIX_GATE_BYTES = 1_200, 20_300, 13_300

_QSIM = Coefficients(
    start=1.3e-4,
    operation=3.2e-6,
    light=1.9e-10,
    dense=5e-11,
    wide=1.4e-10,
    state=1.2e-8,
    sample=6e-9,
)
_DENSITY_MATRIX = alike(4e-7, start=1e-3, operation=1.2e-3, sample=2e-8)
_TRAJECTORY = alike(5e-9, start=1e-3, operation=7e-6, sample=1e-5)


class CirqBackend:
    """See `base.Backend`."""

    info = BackendInfo(
        name="cirq_simulator",
        provider="google",
        num_qubits=20,
        native_gates=tuple(sorted(STANDARD_GATES)),
        description="Google's qsim in single precision; noise by Cirq",
        packages=("qsimcirq", "cirq-core"),
    )

    def offline_reason(self) -> str | None:
        return missing("cirq", "qsimcirq")

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        if analysis.has_control:
            return no_control(self.info.name)
        analysis = analysis.of_run(noisy=options.noise is not None)
        width = analysis.num_qubits
        pure = options.noise is None and not analysis.has_mid_circuit
        if width > (MAX_PURE_QUBITS if pure else self.info.num_qubits):
            return Refusal(
                f"cirq_simulator runs up to {self.info.num_qubits} qubits of any circuit (this one "
                f"has {width:,}, a statevector of "
                f"{readable_bytes(statevector_bytes(width, SINGLE))}); beyond that, circuits up to "
                f"{MAX_PURE_QUBITS} qubits without noise that are measured at their end"
            )
        if options.noise is None:
            return [_statevector(analysis, shots)]
        if options.statevector:
            return Refusal("a statevector needs a run without noise: a noisy state is mixed")
        methods = [_trajectories(analysis, shots)]
        if width <= MAX_DENSITY_MATRIX_QUBITS:
            methods.append(_density_matrix(analysis, shots))
        return sorted(methods, key=lambda method: method.seconds)

    def executor(self) -> Executor:
        from quantcloud.backends.cirq.executor import (  # noqa: PLC0415 - the light half imports no simulator
            CirqExecutor,
        )

        return CirqExecutor()


def _statevector(analysis: Analysis, shots: int) -> Method:
    width, branches = analysis.num_qubits, histories(analysis, shots)
    # An evolution makes a copy; the weights of a sample take as much as two states.
    states = waiting_states(analysis, shots) + 4
    return predicted(
        "statevector",
        states * statevector_bytes(width, SINGLE),
        _QSIM,
        evolution(analysis, 1 << width, shots, branches),
        gates=analysis.operation_count,
        gate_bytes=_GATE_BYTES,
        double=False,
    )


def _density_matrix(analysis: Analysis, shots: int) -> Method:
    width, branches = analysis.num_qubits, histories(analysis, shots)
    # Cirq applies a channel into buffers as large as the matrix.
    matrices = waiting_states(analysis, shots) + 5
    return predicted(
        "density_matrix",
        matrices * density_matrix_bytes(width),
        _DENSITY_MATRIX,
        evolution(analysis, 1 << 2 * width, shots, branches),
        gates=analysis.operation_count,
        gate_bytes=_DENSITY_MATRIX_GATE_BYTES,
    )


def _trajectories(analysis: Analysis, shots: int) -> Method:
    width, gates = analysis.num_qubits, analysis.operation_count
    # Without mid-circuit measurements, all shots share one sequence of gates.
    kept = max(gates, min(MOST_GATES_KEPT, shots * gates)) if analysis.has_mid_circuit else gates
    return predicted(
        "trajectories",
        6 * statevector_bytes(width, SINGLE),
        _TRAJECTORY,
        evolution(analysis, 1 << width, shots, shots),
        gates=kept,
        gate_bytes=_TRAJECTORY_GATE_BYTES,
        double=False,
    )


BACKEND = CirqBackend()
