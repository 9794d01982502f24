"""`cirq_simulator`: Google's simulators, qsim and Cirq."""

from collections.abc import Sequence

from quantcloud.backends.base import Executor
from quantcloud.backends.costs import (
    SINGLE,
    Cost,
    density_matrix_bytes,
    histories,
    readable_bytes,
    statevector_bytes,
    waiting_states,
)
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.routing.method import Method, Refusal

MAX_DENSITY_MATRIX_QUBITS = 10

_QSIM = Cost(start=6e-5, operation=4e-6, amplitude=1.5e-10)
_DENSITY_MATRIX = Cost(start=1e-3, operation=1.2e-3, amplitude=4e-7)
_TRAJECTORY = Cost(start=1e-3, operation=7e-6, amplitude=5e-9, shot=5e-5)


class CirqBackend:
    """See `base.Backend`."""

    info = BackendInfo(
        name="cirq_simulator",
        provider="google",
        num_qubits=20,
        native_gates=tuple(sorted(STANDARD_GATES)),
        description="Google's qsim in single precision; noise by Cirq",
    )

    def offline_reason(self) -> None:
        return None

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        width = analysis.num_qubits
        if width > self.info.num_qubits:
            return Refusal(
                f"cirq_simulator runs up to {self.info.num_qubits} qubits (this circuit has "
                f"{width:,}, a statevector of {readable_bytes(statevector_bytes(width, SINGLE))})"
            )
        if options.noise is None:
            return [_statevector(analysis, shots)]
        if options.statevector:
            return Refusal("the statevector option does not go with noise: a noisy state is mixed")
        methods = [_trajectories(analysis, shots)]
        if width <= MAX_DENSITY_MATRIX_QUBITS:
            methods.append(_density_matrix(analysis, shots))
        return sorted(methods, key=lambda method: method.seconds)

    def executor(self) -> Executor:
        from quantcloud.backends.cirq_executor import (  # noqa: PLC0415 - the light half imports no simulator
            CirqExecutor,
        )

        return CirqExecutor()


def _statevector(analysis: Analysis, shots: int) -> Method:
    width, branches = analysis.num_qubits, histories(analysis, shots)
    # An evolution has a copy of its own; the weights of a sample take as much as two.
    states = waiting_states(analysis, shots) + 4
    return Method(
        "statevector",
        states * statevector_bytes(width, SINGLE),
        _QSIM.seconds(1 << width, analysis.operation_count, shots, branches),
        double_precision=False,
    )


def _density_matrix(analysis: Analysis, shots: int) -> Method:
    width, branches = analysis.num_qubits, histories(analysis, shots)
    # Cirq applies a channel into buffers as large as the matrix.
    matrices = waiting_states(analysis, shots) + 5
    return Method(
        "density_matrix",
        matrices * density_matrix_bytes(width),
        _DENSITY_MATRIX.seconds(1 << 2 * width, analysis.operation_count, shots, branches),
    )


def _trajectories(analysis: Analysis, shots: int) -> Method:
    width = analysis.num_qubits
    return Method(
        "trajectories",
        6 * statevector_bytes(width, SINGLE),
        _TRAJECTORY.seconds(1 << width, analysis.operation_count, shots, shots),
        double_precision=False,
    )


BACKEND = CirqBackend()
