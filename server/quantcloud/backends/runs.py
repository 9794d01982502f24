"""A job's run: what is handed over for it, and what its outcome makes of the job."""

from collections.abc import Mapping
from datetime import datetime

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.job import Change, Job, JobResult, JobStatus
from quantcloud.routing.explanation import with_actual


def execution_of(job: Job, qasm: str) -> Execution:
    """The run of a routed job."""
    if job.backend is None or job.method is None:
        raise AssertionError(f"job {job.id} was queued without a backend")
    return Execution(
        job_id=job.id,
        backend=job.backend,
        method=job.method,
        qasm=qasm,
        shots=job.shots,
        seed=job.seed,
        options=job.options,
        predicted_seconds=job.predicted_seconds,
    )


def completed(
    job: Job, analysis: Analysis, outcome: Outcome, at: datetime
) -> tuple[JobResult, Change]:
    """The result of a routed job, and the change to completed."""
    result = JobResult(
        job_id=job.id,
        backend=job.backend or "",
        counts=outcome.counts,
        execution_time_ms=outcome.execution_time_ms,
        statevector=outcome.statevector,
        metadata=_result_metadata(job, analysis, outcome),
    )
    metadata = with_actual(job.metadata, outcome.execution_time_ms / 1000)
    return result, Change(JobStatus.COMPLETED, at, metadata=metadata)


def _result_metadata(job: Job, analysis: Analysis, outcome: Outcome) -> Mapping[str, object]:
    metadata: dict[str, object] = {
        "num_qubits": analysis.num_qubits,
        "circuit_depth": analysis.circuit_depth,
        "gate_count": analysis.gate_count,
        "method": job.method,
        "seed": job.seed,
        "measured_all": analysis.measures_all,
        **outcome.metadata,
    }
    if outcome.memory is not None:
        metadata["memory"] = list(outcome.memory)
    return metadata
