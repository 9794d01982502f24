"""Jobs for tests of the router."""

from datetime import UTC, datetime
from typing import Any

from quantcloud.domain.job import Job, JobStatus, OptimizationTarget


def unrouted(target: OptimizationTarget = OptimizationTarget.SPEED, **fields: Any) -> Job:
    """Return a job that was just submitted."""
    at = datetime(2025, 3, 31, tzinfo=UTC)
    values = {"shots": 1000, "submitted_at": at, "changed_at": at, "seed": 7, **fields}
    return Job(id="j", account_id="ada", status=JobStatus.SUBMITTED, optimize_for=target, **values)
