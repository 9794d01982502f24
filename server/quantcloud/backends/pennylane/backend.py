"""`pennylane_simulator`: Xanadu's lightning.qubit."""

from collections.abc import Sequence

from quantcloud.backends.simulation.backend import SimulatorBackend
from quantcloud.backends.simulation.costs import evolution, histories, predicted
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.states import statevector_bytes
from quantcloud.domain.execution import RunOptions
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.readable import binary_size
from quantcloud.routing.work import Coefficients, Work

_LIGHTNING = Coefficients(
    start=2.4e-4,
    operation=1.9e-5,
    light=5.2e-10,
    dense=5.7e-10,
    wide=8e-9,
    state=5e-9,
    sample=2.5e-8,
)

# Lightning's kernels for three qubits take as long as those for two. It multiplies by the matrices
# of other gates on so many qubits.
_WIDE_KERNELS = ("ccx", "cswap")

# The bytes that PennyLane keeps for a gate, measured.
_GATE_BYTES = 1_200
# The bytes for a bit of a shot, which is an integer and a Boolean, each with a copy.
_BIT_BYTES = 24


class PennyLaneBackend(SimulatorBackend):
    """See `base.Backend`."""

    modules = ("pennylane", "pennylane_lightning")
    executor_class = "quantcloud.backends.pennylane.executor:PennyLaneExecutor"
    has_adjoint = True

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        width = analysis.num_qubits
        if options.noise is not None:
            return Refusal(
                "pennylane_simulator simulates no noise; aer_simulator and cirq_simulator do"
            )
        if refusal := self.without_control(analysis):
            return refusal
        if width > self.info.num_qubits:
            return Refusal(
                f"pennylane_simulator runs up to {self.info.num_qubits} qubits (this circuit has "
                f"{width:,}, a statevector of {binary_size(statevector_bytes(width))})"
            )
        # Lightning keeps a state for each mid-circuit measurement, and makes copies.
        states = analysis.branching_count + 4
        outcomes = _BIT_BYTES * shots * (analysis.num_qubits + analysis.num_clbits)
        return [
            predicted(
                "statevector",
                states * statevector_bytes(width) + outcomes,
                _LIGHTNING,
                _work(analysis, shots),
                gates=analysis.operation_count,
                gate_bytes=_GATE_BYTES,
            )
        ]


def _work(analysis: Analysis, shots: int) -> Work:
    work = evolution(analysis, 1 << analysis.num_qubits, shots, histories(analysis, shots))
    kernels = sum(analysis.gate_counts.get(name, 0) for name in _WIDE_KERNELS)
    light = min(work.wide, kernels * work.state)
    return work._replace(light=work.light + light, wide=work.wide - light)


BACKEND = PennyLaneBackend(
    "pennylane_simulator",
    "xanadu",
    20,
    "PennyLane's lightning.qubit statevector simulator",
    ("pennylane", "pennylane-lightning"),
)
