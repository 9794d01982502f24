"""Jobs of the server as Qiskit's jobs."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportIncompatibleMethodOverride=false

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus, JobV1
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from quantcloud.client import Batch, Client, Job, Result

T = TypeVar("T", bound=PrimitiveResult[Any])
_BATCH = 1000
_STATUSES = {
    "running": JobStatus.RUNNING,
    "completed": JobStatus.DONE,
    "failed": JobStatus.ERROR,
    "timeout": JobStatus.ERROR,
    "cancelled": JobStatus.CANCELLED,
}
# The status of several jobs is the first of these that one of them has.
_ORDER = (JobStatus.ERROR, JobStatus.CANCELLED, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.DONE)


class Jobs:
    """The jobs of one call of `run`."""

    def __init__(self, batches: Sequence[Batch | Sequence[Job]]) -> None:
        self._batches = batches
        self._results: list[Result] | None = None
        self.jobs = [job for batch in batches for job in batch]

    @classmethod
    def submitted(cls, client: Client, items: Sequence[Mapping[str, Any]]) -> "Jobs":
        """Submit one job for each item. The items are those of `Client.batch`.

        Each has its own seed, from the seed of the first and its place, as in Aer.
        """
        items = [
            {**item, "seed": item["seed"] + place} if item.get("seed") is not None else item
            for place, item in enumerate(items)
        ]
        parts = [items[first : first + _BATCH] for first in range(0, len(items), _BATCH)]
        return cls([client.batch(part) for part in parts])

    @property
    def id(self) -> str:
        """The ids of all jobs, with commas between them."""
        return ",".join(job.id for job in self.jobs)

    def results(self, timeout: float | None = None) -> list[Result]:
        """Wait for the results. Raises `JobEnded` if a job has none, and `WaitTimeout`."""
        if self._results is None:
            found: list[Result] = []
            for batch in self._batches:
                if isinstance(batch, Batch):
                    found += batch.results(timeout=timeout)
                else:
                    found += [job.result(timeout=timeout) for job in batch]
            self._results = found
        return self._results

    def status(self) -> JobStatus:
        """Return the status of all jobs together."""
        for job in self.jobs:
            if not job.is_done:
                job.refresh()
        seen = {_STATUSES.get(job.status, JobStatus.QUEUED) for job in self.jobs}
        if JobStatus.DONE in seen and JobStatus.QUEUED in seen:
            return JobStatus.RUNNING
        return next((each for each in _ORDER if each in seen), JobStatus.DONE)

    def cancel(self) -> None:
        """Cancel the jobs that have not ended."""
        for job in self.jobs:
            if not job.refresh().is_done:
                job.cancel()


class QuantCloudJob(JobV1):
    """The jobs of one `run` of a backend. `job_id` has their ids, with commas between them."""

    def __init__(
        self, backend: Any, jobs: Jobs, read: Callable[["QuantCloudJob", list[Result]], Any]
    ) -> None:
        super().__init__(backend, jobs.id)
        self.jobs = jobs.jobs
        self._jobs = jobs
        self._read = read

    def submit(self) -> None:
        """Do nothing: the backend has submitted the job."""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end and return Qiskit's `Result`.

        Raises `quantcloud.client.JobEnded` if there is none, and `WaitTimeout`.
        """
        return self._read(self, self._jobs.results(timeout))

    def status(self) -> JobStatus:
        return self._jobs.status()

    def cancel(self) -> None:
        self._jobs.cancel()


class PrimitiveJob(BasePrimitiveJob[T, JobStatus], Generic[T]):
    """The jobs of one `run` of a primitive: one for each PUB."""

    def __init__(self, jobs: Jobs, read: Callable[[list[Result]], T]) -> None:
        super().__init__(jobs.id)
        self.jobs = jobs.jobs
        self._jobs = jobs
        self._read = read

    def result(self, timeout: float | None = None) -> T:
        """Wait for the end and return the results of the PUBs.

        Raises `quantcloud.client.JobEnded` if a PUB has none, and `WaitTimeout`.
        """
        return self._read(self._jobs.results(timeout))

    def status(self) -> JobStatus:
        return self._jobs.status()

    def done(self) -> bool:
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        return self.status() in JOB_FINAL_STATES

    def cancel(self) -> None:
        self._jobs.cancel()
