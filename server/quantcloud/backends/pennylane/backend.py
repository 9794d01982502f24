"""`pennylane_simulator`: Xanadu's lightning.qubit."""

from collections.abc import Sequence

from quantcloud.backends.base import Executor
from quantcloud.backends.packages import missing
from quantcloud.backends.simulation.control import no_control
from quantcloud.backends.simulation.costs import (
    evolution,
    histories,
    predicted,
    readable_bytes,
    waiting_states,
)
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.states import statevector_bytes
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.work import Coefficients

_LIGHTNING = Coefficients(
    start=2.4e-4, operation=1.9e-5, light=5.2e-10, dense=5.7e-10, wide=1e-9, state=5e-9, sample=5e-9
)

# The bytes that PennyLane keeps for a gate, measured.
_GATE_BYTES = 1_200


class PennyLaneBackend:
    """See `base.Backend`."""

    info = BackendInfo(
        name="pennylane_simulator",
        provider="xanadu",
        num_qubits=20,
        native_gates=tuple(sorted(STANDARD_GATES)),
        description="PennyLane's lightning.qubit statevector simulator",
        packages=("pennylane", "pennylane-lightning"),
    )

    def offline_reason(self) -> str | None:
        return missing("pennylane", "pennylane_lightning")

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        if analysis.has_control:
            return no_control(self.info.name)
        width = analysis.num_qubits
        if options.noise is not None:
            return Refusal(
                "pennylane_simulator simulates no noise; aer_simulator and cirq_simulator do"
            )
        if width > self.info.num_qubits:
            return Refusal(
                f"pennylane_simulator runs up to {self.info.num_qubits} qubits (this circuit has "
                f"{width:,}, a statevector of {readable_bytes(statevector_bytes(width))})"
            )
        branches = histories(analysis, shots)
        # Lightning makes a copy and returns another; sampling needs one more.
        states = waiting_states(analysis, shots) + 4
        return [
            predicted(
                "statevector",
                states * statevector_bytes(width),
                _LIGHTNING,
                evolution(analysis, 1 << width, shots, branches),
                gates=analysis.operation_count,
                gate_bytes=_GATE_BYTES,
            )
        ]

    def executor(self) -> Executor:
        from quantcloud.backends.pennylane.executor import (  # noqa: PLC0415 - the light half imports no simulator
            PennyLaneExecutor,
        )

        return PennyLaneExecutor()


BACKEND = PennyLaneBackend()
