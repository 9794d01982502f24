"""Counts, logs and traces what happens to jobs, from the events that this server commits."""

import time
from collections.abc import Sequence
from datetime import datetime

from quantcloud.domain.job import OUT_OF_MEMORY, WORKER_LOST, Job, JobEvent, JobStatus
from quantcloud.telemetry import later, logs, metrics, tracing

_REASONS = (OUT_OF_MEMORY, WORKER_LOST)


def observe(events: Sequence[JobEvent], units: int) -> None:
    """Count a transaction of some units of work, and its events.

    Events of other servers must be left out: those count them.
    """
    # Not the events: they hold results.
    ended = [event.job for event in events if event.job.status.is_terminal]
    later.do(_count, units, events[0].occurred_at if events else None, time.time(), ended)
    if tracing.is_on:
        tracing.observe(events)


def _count(units: int, occurred: datetime | None, at: float, ended: Sequence[Job]) -> None:
    metrics.COMMIT_UNITS.observe(units)
    if occurred is not None:
        metrics.EVENT_LAG_SECONDS.observe(max(0.0, at - occurred.timestamp()))
    for job in ended:
        _ended(job, at)


def _ended(job: Job, at: float) -> None:
    backend = job.backend or "none"
    total = running = queued = None
    reason = _reason(job)
    metrics.JOBS_ENDED.labels(job.status.value, reason, backend).inc()
    if (ended := job.completed_at) is not None:
        total = (ended - job.submitted_at).total_seconds()
        metrics.JOB_SECONDS.labels(backend).observe(total)
        if (started := job.started_at) is not None:
            running = (ended - started).total_seconds()
            metrics.JOB_RUNNING_SECONDS.labels(backend).observe(running)
            if job.queued_at is not None:
                queued = max(0.0, (started - job.queued_at).total_seconds())
                metrics.JOB_QUEUED_SECONDS.labels(backend).observe(queued)
    if not logs.is_on:
        return
    # The error may quote the circuit, so it is not in the line.
    fields: dict[str, object] = {
        "job_id": job.id,
        "account_id": job.account_id,
        "status": job.status.value,
        "backend": backend,
        "attempt": job.attempt,
    }
    for name, seconds in (("ms", total), ("running_ms", running), ("queued_ms", queued)):
        if seconds is not None:
            fields[name] = round(seconds * 1000, 1)
    if reason:
        fields["reason"] = reason
    logs.info("job ended", "jobs", fields, at)


def _reason(job: Job) -> str:
    """Return why a job failed, if there is a word for it."""
    if job.status is not JobStatus.FAILED:
        return ""
    return next((each for each in _REASONS if job.metadata.get("reason") == each), "RUN_FAILED")
