"""Counts, logs and traces what happens to jobs, from the events that this server commits."""

from collections.abc import Sequence
from datetime import UTC, datetime

from quantcloud.domain.job import Job, JobEvent
from quantcloud.telemetry import logs, metrics, tracing


def observe(events: Sequence[JobEvent]) -> None:
    """Count committed events. Events of other servers must be left out: those count them."""
    if not events:
        return
    lag = datetime.now(UTC) - events[0].occurred_at
    metrics.EVENT_LAG_SECONDS.observe(max(0.0, lag.total_seconds()))
    for event in events:
        if event.job.status.is_terminal:
            _ended(event.job)
    if tracing.is_on:
        tracing.observe(events)


def _ended(job: Job) -> None:
    backend, ended = job.backend or "none", job.completed_at
    metrics.JOBS_ENDED.labels(job.status.value, backend).inc()
    fields: dict[str, object] = {
        "job_id": job.id,
        "account_id": job.account_id,
        "status": job.status.value,
        "backend": backend,
        "attempt": job.attempt,
    }
    if ended is not None:
        total = (ended - job.submitted_at).total_seconds()
        metrics.JOB_SECONDS.labels(backend).observe(total)
        fields["ms"] = round(total * 1000, 1)
        if job.started_at is not None:
            running = (ended - job.started_at).total_seconds()
            metrics.JOB_RUNNING_SECONDS.labels(backend).observe(running)
            fields["running_ms"] = round(running * 1000, 1)
            if job.queued_at is not None:
                queued = max(0.0, (job.started_at - job.queued_at).total_seconds())
                metrics.JOB_QUEUED_SECONDS.labels(backend).observe(queued)
                fields["queued_ms"] = round(queued * 1000, 1)
    # The error may quote the circuit, so it is not in the line.
    logs.info("job ended", "jobs", fields)
