"""Runs circuits on PennyLane's lightning.qubit."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# PennyLane has no types.

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.tape import QuantumScript

from quantcloud.backends.simulation.amplitudes import PureState
from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.programs import program
from quantcloud.backends.simulation.results import Run, check_statevector
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.backends.warm_up import WarmsUp
from quantcloud.circuits.ir import Circuit, Operation
from quantcloud.domain.execution import Execution, Outcome

# Lightning's kernels for gates that are equal up to a global phase.
_KERNELS: dict[str, Callable[..., Any]] = {
    "x": qml.PauliX,
    "y": qml.PauliY,
    "z": qml.PauliZ,
    "h": qml.Hadamard,
    "s": qml.S,
    "t": qml.T,
    "sx": qml.SX,
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "p": qml.PhaseShift,
    "u1": qml.PhaseShift,
    "cx": qml.CNOT,
    "CX": qml.CNOT,
    "cy": qml.CY,
    "cz": qml.CZ,
    "crx": qml.CRX,
    "cry": qml.CRY,
    "crz": qml.CRZ,
    "cp": qml.ControlledPhaseShift,
    "cu1": qml.ControlledPhaseShift,
    "swap": qml.SWAP,
    "rxx": qml.IsingXX,
    "ryy": qml.IsingYY,
    "rzz": qml.IsingZZ,
    "ccx": qml.Toffoli,
    "cswap": qml.CSWAP,
}


@lru_cache(maxsize=4)
def _device(num_qubits: int) -> Any:
    return qml.device("lightning.qubit", wires=num_qubits)


class LightningState(PureState):
    """A pure state in double precision."""

    __slots__ = ()

    def evolve(self, gates: Sequence[Operation]) -> None:
        # In PennyLane the first wire is the highest bit.
        top = self.num_qubits - 1
        operations: list[Any] = [
            qml.StatePrep(self.amplitudes, wires=range(self.num_qubits), validate_norm=False)
        ]
        for name, qubits, params, _, _ in gates:
            kernel = _KERNELS.get(name)
            if kernel is not None:
                operations.append(kernel(*params, wires=[top - qubit for qubit in qubits]))
            else:
                wires = [top - qubit for qubit in reversed(qubits)]
                operations.append(qml.QubitUnitary(matrix(name, params), wires=wires))
        script = QuantumScript(operations, [qml.state()])
        self.amplitudes = np.asarray(_device(self.num_qubits).execute(script))


class PennyLaneExecutor(WarmsUp):
    """See `base.Executor`."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        run = Run(execution)
        if execution.options.noise is not None:
            raise ValueError("pennylane_simulator simulates no noise")
        if execution.method != "statevector":
            raise ValueError(f"pennylane_simulator has no method {execution.method!r}")
        divided = program(circuit)
        check_statevector(execution, divided.num_qubits, branches=divided.branches)
        state = LightningState(divided.num_qubits)
        tally = run_branches(divided, state, execution.shots, run.rng)
        return run.outcome(
            tally.counts, amplitudes=state.amplitudes, details={"engine": "lightning.qubit"}
        )
