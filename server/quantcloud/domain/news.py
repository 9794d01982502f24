"""What another server has written about a job, in brief."""

from typing import NamedTuple

from quantcloud.domain.job import JobStatus


class News(NamedTuple):
    """A job that another server has changed: its status and backend after the change."""

    job_id: str
    account_id: str
    status: JobStatus
    backend: str | None
