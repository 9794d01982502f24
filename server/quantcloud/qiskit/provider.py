"""Backends of a server as Qiskit's backends."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportIncompatibleMethodOverride=false

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from qiskit.circuit import Measure, Parameter, QuantumCircuit, Reset, controlflow
from qiskit.circuit.delay import Delay
from qiskit.providers import BackendV2, Options
from qiskit.result import Result as QiskitResult
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import Target

from quantcloud.client import Client, Result
from quantcloud.qiskit.export import export, gates
from quantcloud.qiskit.jobs import Jobs, QuantCloudJob
from thequantcloud.v1 import backend_pb2

_HEADER = "// Qiskit: "
_FLOW = {
    "if_else": controlflow.IfElseOp,
    "while_loop": controlflow.WhileLoopOp,
    "for_loop": controlflow.ForLoopOp,
    "switch_case": controlflow.SwitchCaseOp,
}


class Provider:
    """The backends of one server.

    `server` and `token` are those of `quantcloud.Client`, which also finds them in the environment
    and in the profile. Raises `NotConfigured`.
    """

    def __init__(
        self, server: str | None = None, token: str | None = None, *, client: Client | None = None
    ) -> None:
        self.client = client or Client(server, token)

    @cached_property
    def _backends(self) -> Mapping[str, "Backend"]:
        listed = self.client.backends()
        return {each.name: Backend(self, each) for each in listed}

    def backends(self, name: str | None = None) -> list["Backend"]:
        """Return the backends that are online, or the one with a name. The server is asked once."""
        if name is not None:
            return [self.backend(name)]
        online = backend_pb2.Backend.online
        return [each for each in self._backends.values() if each.message.status == online]

    def backend(self, name: str) -> "Backend":
        """Return a backend by its name. Raises `ValueError`."""
        if name not in self._backends:
            raise ValueError(f"there is no backend {name!r}; there are {', '.join(self._backends)}")
        return self._backends[name]

    get_backend = backend

    def job(self, job_id: str) -> QuantCloudJob:
        """Return a job of `Backend.run` by its id."""
        jobs = [self.client.job(each) for each in job_id.split(",")]
        backend = jobs[0].backend
        return QuantCloudJob(backend and self.backend(backend), Jobs([jobs]), _retrieved)


class Backend(BackendV2):
    """A backend of the server. `message` is what the server says about it."""

    def __init__(self, provider: Provider, message: backend_pb2.Backend) -> None:
        super().__init__(provider, name=message.name, description=message.description)
        self.message = message

    @cached_property
    def _target(self) -> Target:
        target = Target(
            self.description, num_qubits=self.message.widest_circuit or self.message.num_qubits
        )
        for name, gate in gates().items():
            if name in self.message.native_gates:
                target.add_instruction(gate.to_mutable())
        target.add_instruction(Measure())
        target.add_instruction(Reset())
        target.add_instruction(Delay(Parameter("duration")))
        for name, kind in _FLOW.items():
            target.add_instruction(kind, name=name)
        return target

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, memory=False)

    def run(
        self, run_input: QuantumCircuit | Sequence[QuantumCircuit], **options: Any
    ) -> QuantCloudJob:
        """Submit circuits, one job for each, all or none.

        `options` are those of a run of `quantcloud.Client`, such as `shots`, `memory`, `seed` and
        `noise`; Qiskit's name `seed_simulator` is known, too. Raises `ValueError` for a circuit
        that the server has no form of, and `QuantCloudError`.
        """
        given = {**vars(self.options), **options}
        if "seed_simulator" in given:
            given["seed"] = given.pop("seed_simulator")
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else [*run_input]
        items = [{**given, "circuit": _text(each), "backend": self.name} for each in circuits]
        headers = [_header(each) for each in circuits]

        def read(job: QuantCloudJob, results: list[Result]) -> QiskitResult:
            return _result(job, results, headers)

        provider: Any = self.provider
        return QuantCloudJob(self, Jobs.submitted(provider.client, items), read)

    def retrieve_job(self, job_id: str) -> QuantCloudJob:
        """Return a job of `run` by its id."""
        provider: Any = self.provider
        return provider.job(job_id)


def _header(circuit: QuantumCircuit) -> dict[str, Any]:
    """Return what Qiskit's result says about a circuit."""
    return {
        "name": circuit.name,
        "creg_sizes": [[each.name, each.size] for each in circuit.cregs],
        "memory_slots": circuit.num_clbits,
        "n_qubits": circuit.num_qubits,
        "metadata": circuit.metadata,
    }


def _text(circuit: QuantumCircuit) -> str:
    """Return the text of a circuit; its first line is a comment for a client that reads the job."""
    if circuit.parameters:
        names = ", ".join(each.name for each in circuit.parameters)
        raise ValueError(f"assign values to {names}, or run the circuit with a primitive")
    header = json.dumps(_header(circuit), default=str)
    return f"{_HEADER}{header}\n{export(circuit).qasm}"


def _retrieved(job: QuantCloudJob, results: list[Result]) -> QiskitResult:
    headers: list[dict[str, Any]] = []
    for each in job.jobs:
        first = each.circuit().qasm.partition("\n")[0]
        headers.append(json.loads(first.removeprefix(_HEADER)) if _HEADER in first else {})
    return _result(job, results, headers)


def _result(
    job: QuantCloudJob, results: list[Result], headers: Sequence[Mapping[str, Any]]
) -> QiskitResult:
    return QiskitResult(
        backend_name=results[0].backend,
        job_id=job.job_id(),
        success=True,
        results=[_experiment(*each) for each in zip(results, headers, strict=True)],
    )


def _experiment(result: Result, header: Mapping[str, Any]) -> ExperimentResult:
    slots = header.get("memory_slots")

    def hexadecimal(outcome: str) -> str:
        # Without the bit that is measured if a circuit measures nothing.
        return hex(int(outcome if slots is None else outcome[-slots:] if slots else "0", 2))

    counts: dict[str, int] = {}
    for outcome, count in result.counts.items():
        key = hexadecimal(outcome)
        counts[key] = counts.get(key, 0) + count
    found: dict[str, Any] = {"counts": counts}
    if result.memory is not None:
        found["memory"] = [*map(hexadecimal, result.memory)]
    if result.statevector is not None:
        found["statevector"] = result.statevector
    data = ExperimentResultData(**found)
    metadata = result.metadata
    return ExperimentResult(
        shots=result.shots,
        success=True,
        data=data,
        header=dict(header),
        seed=metadata.get("seed"),
        metadata=metadata,
    )
