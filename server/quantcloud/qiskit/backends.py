"""The backends and jobs of a server as Qiskit's backends and jobs."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from numbers import Integral
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import BackendV2, JobStatus, JobV1, Options
from qiskit.result import Result as QiskitResult
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import Target

from quantcloud.client import Batch, Client, Job, NotPossible, Result
from quantcloud.qiskit.export import export, target
from thequantcloud.v1 import backend_pb2

_HEADER = "// Qiskit: "


class Provider:
    """The backends of one server, found as `quantcloud.Client` finds it. Raises `NotConfigured`."""

    def __init__(
        self, server: str | None = None, token: str | None = None, *, client: Client | None = None
    ) -> None:
        self.client = client or Client(server, token)

    @cached_property
    def _backends(self) -> Mapping[str, "Backend"]:
        return {each.name: Backend(self, each) for each in self.client.backends()}

    def backends(self) -> list["Backend"]:
        """Return the backends that are online. The server is asked once."""
        online = backend_pb2.Backend.online
        return [each for each in self._backends.values() if each.message.status == online]

    def backend(self, name: str) -> "Backend":
        """Return a backend by its name. Raises `ValueError`."""
        if name not in self._backends:
            raise ValueError(f"there is no backend {name!r}; there are {', '.join(self._backends)}")
        return self._backends[name]

    get_backend = backend

    def job(self, job_id: str) -> "QuantCloudJob":
        """Return a job of `Backend.run` by its id."""
        jobs = [self.client.job(each) for each in job_id.split(",")]
        backend = self._backends.get(jobs[0].backend or "")
        return QuantCloudJob(
            backend, jobs, lambda results: _result(results, [job.circuit().qasm for job in jobs])
        )


class Backend(BackendV2):
    """A backend of the server. `message` is what the server says about it."""

    max_circuits: Any = None

    def __init__(self, provider: Provider, message: backend_pb2.Backend) -> None:
        super().__init__(provider, name=message.name, description=message.description)
        self.client = provider.client
        self.message = message
        self.retrieve_job = provider.job

    @cached_property
    def target(self) -> Target:
        message = self.message
        return target(message.native_gates, message.widest_circuit or message.num_qubits)

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, memory=False)

    def run(
        self, run_input: QuantumCircuit | Sequence[QuantumCircuit], **options: Any
    ) -> "QuantCloudJob":
        """Submit circuits, one job for each: all or none of each 1,000.

        `options` are those of a run of `quantcloud.Client`, and Qiskit's `seed_simulator`. Raises
        `ValueError` for a circuit that the server has no form of, `TypeError` for something else
        than a circuit, and `QuantCloudError`.
        """
        given: dict[str, Any] = {**vars(self.options), "backend": self.name, **options}
        given["seed"] = given.pop("seed_simulator", given.get("seed"))
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else run_input
        texts = [*map(_text, circuits)]
        jobs = submit(self.client, [{**given, "circuit": text} for text in texts])
        return QuantCloudJob(self, jobs, lambda results: _result(results, texts))


class QuantCloudJob(JobV1, BasePrimitiveJob[Any, JobStatus]):
    """The client's `jobs` of one `run`. `job_id` has their ids, with commas between them."""

    def __init__(self, backend: Any, jobs: Sequence[Job], read: Callable[[Any], Any]) -> None:
        super().__init__(backend, ",".join(job.id for job in jobs))
        self.jobs = jobs
        self._read = read
        self._result: Any = None

    def submit(self) -> None:
        """Do nothing: `run` has submitted the jobs."""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end and return Qiskit's `Result` or `PrimitiveResult`.

        Raises `JobEnded` if a job has no result, and `WaitTimeout` after `timeout` seconds.
        """
        if self._result is None:
            if isinstance(self.jobs, Batch):
                results = self.jobs.results(timeout=timeout)
            else:
                results = [job.result(timeout=timeout) for job in self.jobs]
            self._result = self._read(results)
        return self._result

    def status(self) -> JobStatus:
        """Return the status of all jobs together."""
        seen = {(job if job.is_done else job.refresh()).status for job in self.jobs}
        if seen & {"failed", "timeout"}:
            return JobStatus.ERROR
        if "cancelled" in seen:
            return JobStatus.CANCELLED
        if seen <= {"completed"}:
            return JobStatus.DONE
        return JobStatus.RUNNING if seen & {"running", "completed"} else JobStatus.QUEUED

    def cancel(self) -> None:
        """Cancel the jobs that have not ended."""
        for job in self.jobs:
            with suppress(NotPossible):
                job.cancel()


def submit(client: Client, items: list[dict[str, Any]]) -> Sequence[Job]:
    """Submit a job for each item of `Client.batch`. Seeds count up from the first, as in Aer."""
    for place, item in enumerate(items):
        if isinstance(item.get("seed"), Integral):
            item["seed"] += place
    return client.batch(items) if items else ()


def _text(circuit: QuantumCircuit) -> str:
    """Return the text of a circuit. Its first line is a comment with the header of the result."""
    if not isinstance(circuit, QuantumCircuit):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's
        kind = type(circuit).__name__
        raise TypeError(f"`run` takes a QuantumCircuit or a list of them, is given {kind}")
    if circuit.parameters:
        names = ", ".join(each.name for each in circuit.parameters)
        raise ValueError(f"assign values to {names}, or run the circuit with a primitive")
    registers = [circuit.find_bit(bit).registers for bit in circuit.clbits]
    header = {
        "name": circuit.name,
        "creg_sizes": [[each.name, each.size] for each in circuit.cregs],
        "memory_slots": circuit.num_clbits,
        "n_qubits": circuit.num_qubits,
        "metadata": circuit.metadata,
        # The numbers of the bits as the text has them: bits without a register come first.
        "bits": sorted(range(len(registers)), key=lambda place: bool(registers[place])),
    }
    return f"{_HEADER}{json.dumps(header, default=str)}\n{export(circuit)[0]}"


def _result(results: Sequence[Result], texts: Sequence[str]) -> QiskitResult:
    return QiskitResult(
        backend_name=",".join({each.backend for each in results}),
        job_id=",".join(each.job_id for each in results),
        success=True,
        results=[*map(_experiment, results, texts)],
    )


def _experiment(result: Result, text: str) -> ExperimentResult:
    first = text.partition("\n")[0]
    header = json.loads(first.removeprefix(_HEADER)) if first.startswith(_HEADER) else {}

    def hexadecimal(outcome: str) -> str:
        # A bit without a number is measured only because the circuit measures nothing.
        bits = zip(header.get("bits", range(len(outcome))), reversed(outcome), strict=False)
        return hex(sum(1 << number for number, bit in bits if bit == "1"))

    counts: Counter[str] = Counter()
    for outcome, shots in result.counts.items():
        counts[hexadecimal(outcome)] += shots
    memory = result.memory and [*map(hexadecimal, result.memory)]
    data = ExperimentResultData(dict(counts), memory=memory, statevector=result.statevector)
    about: Any = {"seed": result.metadata.get("seed"), "metadata": result.metadata}
    return ExperimentResult(result.shots, success=True, data=data, header=header, **about)
