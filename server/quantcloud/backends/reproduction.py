"""Gives the circuit that a library ran, to run it again elsewhere."""

from typing import Any

from quantcloud.backends.base import installed_backends
from quantcloud.backends.simulation.executor import SimulatorExecutor
from quantcloud.circuits import analyse, expanded, with_measurements
from quantcloud.domain.execution import NO_OPTIONS, Execution, RunOptions
from quantcloud.openqasm import parse
from quantcloud.routing.method import Refusal


def library_circuit(
    backend: str, method: str, qasm: str, shots: int = 1024, options: RunOptions = NO_OPTIONS
) -> Any:
    """Return the circuit that the library of `backend` runs by `method` for `qasm`.

    It is a Qiskit, Cirq or Stim circuit, or a PennyLane script. `shots` counts only for PennyLane,
    whose scripts state it. Raises `ValueError` if the backend cannot run it.
    """
    executor = installed_backends()[backend].executor()
    if not isinstance(executor, SimulatorExecutor):
        raise TypeError(f"{backend} runs no library of this package")
    circuit = parse(qasm)
    offered = installed_backends()[backend].methods(analyse(circuit), shots, options)
    if isinstance(offered, Refusal):
        raise ValueError(offered.reason)  # noqa: TRY004 - the circuit is of no wrong type
    execution = Execution("", backend, method, qasm, shots, 0, options)
    divided = executor.prepared(expanded(with_measurements(circuit)), execution)
    return executor.library_circuit(divided, execution)
