"""A job with what only the store knows of it."""

from quantcloud.domain.job import Job, Lease, StaleLeaseError
from quantcloud.domain.value_object import value_object


@value_object
class JobRecord:
    """A job's row: the job, its lease, how many were lost, and whether its usage is counted.

    `metadata_sequence` is that of the row of events which brought the job's metadata.
    `unknown_options` are those that a newer server took, and that this one cannot heed.
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
        assert self.lease is not None  # noqa: S101  # what the statuses mean
        return self.lease

    def fence(self, lease: Lease | None) -> None:
        """Raise `StaleLeaseError` unless `lease` is the one that the job has, or has not."""
        if self.lease != lease:
            held = f"attempt {self.lease.attempt}" if self.lease else "none"
            raise StaleLeaseError(f"job {self.job.id} has another lease ({held})")
