"""The run of a job: its execution, and the result and change that follow from its outcome."""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version

from quantcloud import DISTRIBUTION
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.job import (
    SERVER_VERSION,
    Change,
    Job,
    JobResult,
    JobStatus,
    SweepPage,
)
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.explanation import with_actual

_VERSION = version(DISTRIBUTION)


def execution_of(
    job: Job,
    backend: str | None,
    method: str | None,
    qasm: str,
    sweep: Sweep | None = None,
    *,
    threads: int = 1,
    memory: int = 0,
) -> Execution:
    """Return the execution of a job that was routed to a method of a backend."""
    if backend is None or method is None:
        raise AssertionError(f"job {job.id} was queued without a backend")
    return Execution(
        job_id=job.id,
        backend=backend,
        method=method,
        qasm=qasm,
        shots=job.shots,
        seed=job.seed,
        options=job.options,
        predicted_seconds=job.predicted_seconds,
        sweep=sweep,
        threads=threads,
        memory_bytes=memory,
    )


def completed(
    execution: Execution,
    analysis: Analysis,
    outcome: Outcome,
    metadata: Mapping[str, object],
    at: datetime,
    *,
    earlier_seconds: float = 0.0,
) -> tuple[JobResult, Change]:
    """Return the result of a run and the change of its job to completed.

    `metadata` is the job's; the change adds the actual time to it. `earlier_seconds` is the time of
    the points of a sweep that are already written.
    """
    milliseconds = outcome.execution_time_ms + earlier_seconds * 1000
    result = JobResult(
        job_id=execution.job_id,
        backend=execution.backend,
        counts=outcome.counts,
        execution_time_ms=milliseconds,
        statevector=outcome.statevector,
        metadata=_result_metadata(execution, analysis, outcome),
        sweep=_last_page(execution, outcome),
    )
    updated = with_actual(metadata, milliseconds / 1000, execution.threads)
    if execution.sweep is not None:
        total = execution.sweep.points
        updated = {**updated, **progress_of(total, total)}
    return result, Change(JobStatus.COMPLETED, at, metadata=updated)


def progress_of(points: int, done: int) -> Mapping[str, object]:
    """Return what the metadata of a job says about its points."""
    return {"sweep": {"points": points, "points_done": done}}


def _last_page(execution: Execution, outcome: Outcome) -> SweepPage | None:
    """Return the last points of a job."""
    sweep, points = execution.sweep, outcome.points
    if sweep is None or points is None:
        return None
    return SweepPage(sweep.points, sweep.points, points, outcome.execution_time_ms / 1000)


def _result_metadata(
    execution: Execution, analysis: Analysis, outcome: Outcome
) -> Mapping[str, object]:
    metadata: dict[str, object] = {
        "num_qubits": analysis.num_qubits,
        "circuit_depth": analysis.circuit_depth,
        "gate_count": analysis.gate_count,
        "method": execution.method,
        "seed": execution.seed,
        "measured_all": analysis.measures_all,
        SERVER_VERSION: _VERSION,
        **outcome.metadata,
    }
    if outcome.memory is not None:
        metadata["memory"] = list(outcome.memory)
    return metadata
