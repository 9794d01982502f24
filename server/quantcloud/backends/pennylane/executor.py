"""Runs circuits on PennyLane's lightning.qubit."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# PennyLane has no types.

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.devices import ExecutionConfig, MCMConfig
from pennylane.tape import QuantumScript

from quantcloud.backends.pennylane.translation import (
    KERNELS,
    state_script,
    translated,
    value_script,
)
from quantcloud.backends.simulation.executor import SimulatorExecutor
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import LibraryCall, Sampled, counted
from quantcloud.backends.simulation.sweep import pointwise
from quantcloud.backends.simulation.sweep.pointwise import Estimate
from quantcloud.backends.simulation.sweep.rotations import rotated
from quantcloud.backends.simulation.sweep.template import Template
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution
from quantcloud.domain.sweep import Observable, PointBlock

_DEVICE = "lightning.qubit"
_VERSION = version("pennylane-lightning")
# PennyLane's way to follow each history of outcomes once, instead of each shot.
_MCM_METHOD = "tree-traversal"
_CONFIG = ExecutionConfig(mcm_config=MCMConfig(mcm_method=_MCM_METHOD))
_ADJOINT = ExecutionConfig(gradient_method="adjoint", use_device_gradient=True)


class PennyLaneExecutor(SimulatorExecutor):
    """See `base.Executor`."""

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

    def swept(self, circuit: Circuit, execution: Execution) -> PointBlock:
        divided = self.prepared(circuit, execution)
        sweep = execution.sweep
        if sweep is not None and sweep.exact and sweep.gradient and not divided.branches:
            # Lightning differentiates its own gates with one angle.
            body = rotated(circuit, divided.body, KERNELS)
            divided = replace(divided, body=tuple(body), submitted=False)
        return pointwise.block(self, circuit, divided, execution)

    def expectations(
        self,
        divided: Program,
        execution: Execution,
        observables: Sequence[Observable],
        *,
        variances: bool,
    ) -> Estimate:
        if variances or divided.branches:
            return super().expectations(divided, execution, observables, variances=variances)
        device = qml.device(_DEVICE, wires=divided.num_qubits)
        return Estimate(_numbers(device.execute(value_script(divided, observables))))

    def slopes(
        self,
        template: Template,
        angles: Floats,
        execution: Execution,
        observables: Sequence[Observable],
    ) -> Floats:
        del execution
        device = qml.device(_DEVICE, wires=template.program.num_qubits)
        script = value_script(template.bound(angles), observables, template.open)
        rows = device.compute_derivatives(script, _ADJOINT)
        return np.array(rows, dtype=np.float64).reshape(len(observables), len(angles))

    def library_circuit(self, divided: Program, execution: Execution) -> QuantumScript:
        return translated(divided, execution.shots).script


def _numbers(found: Any) -> Floats:
    """Return what the device gives for one script: a number, or a tuple of several."""
    return np.array(found if isinstance(found, tuple) else (found,), dtype=np.float64)
