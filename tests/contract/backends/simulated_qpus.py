"""Simulated quantum hardware: each QPU has a queue, a price, error rates and a coupling map."""

from quantcloud.backends.hardware import Device
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Execution
from quantcloud.routing.method import Method, Refusal


def line(length):
    return frozenset((qubit, qubit + 1) for qubit in range(length - 1))


class Qpu:
    """Runs circuits on the local simulator. `queue_seconds` is the wait in the provider's queue."""

    def __init__(self, name, device, *, cost, queue_seconds, shot_seconds=1e-4):
        self.info = BackendInfo(
            name, "tests", device.num_qubits, ("rz", "sx", "cz"), "A simulated QPU.",
            is_simulator=False, cost_per_shot=cost,
        )  # fmt: skip
        self._device = device
        self._queue_seconds = queue_seconds
        self._shot_seconds = shot_seconds

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        if options.noise is not None or options.statevector:
            return Refusal(f"{self.info.name} is hardware: it has no noise to set and no state")
        if analysis.num_qubits > self.info.num_qubits:
            return Refusal(f"{self.info.name} has {self.info.num_qubits} qubits")
        return [
            Method(
                "hardware",
                memory_bytes=1 << 20,
                seconds=shots * self._shot_seconds,
                fidelity=self._device.fidelity(analysis),
                wait_seconds=self._queue_seconds,
            )
        ]

    def executor(self):
        from quantcloud.backends.local.executor import LocalExecutor  # noqa: PLC0415

        return Simulated(LocalExecutor())


class Simulated:
    def __init__(self, simulator):
        self._simulator = simulator

    def run(self, circuit, execution):
        inner = Execution(
            execution.job_id, "local_simulator", "statevector", "", execution.shots, execution.seed,
            execution.options,
        )  # fmt: skip
        return self._simulator.run(circuit, inner)


GOOD = Qpu("good_qpu", Device(8, line(8), 1e-4, 1e-3, 1e-3), cost=0.02, queue_seconds=600.0)
CHEAP = Qpu("cheap_qpu", Device(8, line(8), 2e-3, 3e-2, 2e-2), cost=0.001, queue_seconds=5.0)
IONS = Qpu("ions_qpu", Device(4, None, 1e-3, 5e-3, 2e-3), cost=0.01, queue_seconds=60.0)
