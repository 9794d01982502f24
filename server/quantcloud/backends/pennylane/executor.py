"""Runs circuits on PennyLane's lightning.qubit."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# PennyLane has no types.

from importlib.metadata import version

import numpy as np
import pennylane as qml
from pennylane.devices import ExecutionConfig, MCMConfig
from pennylane.tape import QuantumScript

from quantcloud.backends.pennylane.translation import state_script, translated
from quantcloud.backends.simulation.executor import LibraryCall, Sampled, SimulatorExecutor
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import counted
from quantcloud.domain.execution import Execution

_DEVICE = "lightning.qubit"
_VERSION = version("pennylane-lightning")
# PennyLane's way to follow each history of outcomes once, instead of each shot.
_MCM_METHOD = "tree-traversal"
_CONFIG = ExecutionConfig(mcm_config=MCMConfig(mcm_method=_MCM_METHOD))


class PennyLaneExecutor(SimulatorExecutor):
    """See `base.Executor`."""

    name = "pennylane_simulator"
    pure_methods = frozenset({"statevector"})
    has_classical_control = False

    def sample(self, divided: Program, execution: Execution) -> Sampled:
        device = qml.device(_DEVICE, wires=divided.num_qubits, seed=execution.seed)
        script, columns = translated(divided, execution.shots)
        rows = np.empty((execution.shots, 0), dtype=np.bool_)
        if script.measurements:
            result = device.execute(script, _CONFIG)
            parts = result if isinstance(result, tuple) else (result,)
            samples = np.concatenate([np.asarray(part, dtype=np.bool_) for part in parts], axis=1)
            rows = samples[:, list(columns.values())]
        counts = counted(rows, tuple(columns), divided)
        amplitudes = None
        if execution.options.statevector:
            state = np.asarray(device.execute(state_script(divided)))
            # The first wire is the highest bit.
            amplitudes = state.reshape((2,) * divided.num_qubits).transpose().ravel()
        options = {"mcm_method": _MCM_METHOD} if divided.branches else {}
        call = LibraryCall(
            "pennylane-lightning",
            _VERSION,
            _DEVICE,
            execution.seed,
            options,
            submitted=divided.submitted,
        )
        return Sampled(counts, amplitudes=amplitudes, call=call)

    def library_circuit(self, divided: Program, execution: Execution) -> QuantumScript:
        return translated(divided, execution.shots).script
