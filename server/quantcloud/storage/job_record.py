"""A job with the fields that only the store uses, and a job that is to be stored."""

from collections.abc import Sequence

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.job import Change, Job, JobResult, Lease, StaleLeaseError
from quantcloud.domain.sweep import Sweep
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method

_NO_METHOD = Method("", 0, 0.0)


@value_object
class NewJob:
    """A job at its submission, its circuit, and its changes since then.

    `sweep` is what it asks for beyond counts at one point. `method` is what was predicted of its
    run. If the last change is to completed, the job has a `result`, and `simulator_seconds` count
    in its account's month.
    """

    job: Job
    qasm: str
    analysis: Analysis
    changes: Sequence[Change] = ()
    result: JobResult | None = None
    simulator_seconds: float = 0.0
    method: Method = _NO_METHOD
    sweep: Sweep | None = None


@value_object
class JobRecord:
    """A job's row: the job, its lease, how many leases it lost, and whether its usage is counted.

    `metadata_sequence` is the sequence of the event row that has the job's metadata.
    `unknown_options` are options that a newer server accepted and this one does not support.
    """

    job: Job
    lease: Lease | None = None
    losses: int = 0
    metered: bool = False
    metadata_sequence: int = 1
    unknown_options: tuple[str, ...] = ()

    @property
    def held(self) -> Lease:
        """The lease of a job that is dispatched or running."""
        assert self.lease is not None  # noqa: S101  # these statuses have a lease
        return self.lease

    def fence(self, lease: Lease | None) -> None:
        """Raise `StaleLeaseError` unless `lease` equals the job's lease; both may be None."""
        if self.lease != lease:
            held = f"attempt {self.lease.attempt}" if self.lease else "none"
            raise StaleLeaseError(f"job {self.job.id} has another lease ({held})")
