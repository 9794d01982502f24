"""Counts what happens to jobs, from the events that this server commits."""

from collections.abc import Sequence
from datetime import UTC, datetime

from quantcloud.domain.job import Job, JobEvent
from quantcloud.telemetry import metrics


def observe(events: Sequence[JobEvent]) -> None:
    """Count committed events. Events of other servers must be left out: those count them."""
    if not events:
        return
    lag = datetime.now(UTC) - events[0].occurred_at
    metrics.EVENT_LAG_SECONDS.observe(max(0.0, lag.total_seconds()))
    for event in events:
        if event.job.status.is_terminal:
            _ended(event.job)


def _ended(job: Job) -> None:
    backend, ended = job.backend or "none", job.completed_at
    metrics.JOBS_ENDED.labels(job.status.value, backend).inc()
    if ended is None:
        return
    metrics.JOB_SECONDS.labels(backend).observe((ended - job.submitted_at).total_seconds())
    if job.started_at is None:
        return
    metrics.JOB_RUNNING_SECONDS.labels(backend).observe((ended - job.started_at).total_seconds())
    if job.queued_at is not None:
        queued = job.started_at - job.queued_at
        metrics.JOB_QUEUED_SECONDS.labels(backend).observe(max(0.0, queued.total_seconds()))
