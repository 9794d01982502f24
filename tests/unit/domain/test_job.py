"""Changes of a job."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.job import (
    LEASED,
    TRANSITIONS,
    Change,
    InvalidTransitionError,
    Job,
    JobStatus,
    OptimizationTarget,
)

BEFORE, AT = datetime(2025, 3, 31, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)


def job_in(status: JobStatus, at: datetime | None = None) -> Job:
    return Job(
        id="j", account_id="ada", status=status, shots=4, submitted_at=BEFORE,
        changed_at=BEFORE, seed=1, optimize_for=OptimizationTarget.SPEED, backend="a",
        method="m", batch_id="b", queued_at=at, started_at=at, completed_at=at,
        metadata={"a": 1}, attempt=2, sequence=5,
    )  # fmt: skip


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize("times", [None, BEFORE])
@pytest.mark.parametrize("present", JobStatus)
def test_a_change_sets_only_its_own_fields(
    present: JobStatus, status: JobStatus, times: datetime | None
):
    job = job_in(present, times)
    if status not in TRANSITIONS[present]:
        with pytest.raises(InvalidTransitionError):
            job.advance(Change(status, AT))
        return
    after = replace(job, status=status, sequence=6, changed_at=AT)
    if status is JobStatus.QUEUED and present in LEASED:
        after = replace(after, started_at=None)
    elif status is JobStatus.QUEUED:
        after = replace(after, queued_at=AT)
    elif status is JobStatus.DISPATCHED:
        after = replace(after, attempt=3)
    elif status is JobStatus.RUNNING:
        after = replace(after, started_at=AT)
    elif status.is_terminal:
        after = replace(after, completed_at=AT)
    assert job.advance(Change(status, AT)) == after
    told = {"backend": "z", "method": "s", "error_message": "why", "metadata": {}}
    assert job.advance(Change(status, AT, **told)) == replace(after, **told)
    assert job == job_in(present, times)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-60, 60)), max_size=20))
def test_the_times_of_events_never_go_back(steps: list[tuple[int, int]]):
    job = replace(job_in(JobStatus.SUBMITTED), attempt=0, sequence=1)
    latest = [job.changed_at]
    for choice, seconds in steps:
        if not (possible := sorted(TRANSITIONS[job.status])):
            break
        job = job.advance(
            Change(possible[choice % len(possible)], BEFORE + timedelta(seconds=seconds))
        )
        latest.append(job.changed_at)
    assert latest == sorted(latest)
    times = [job.submitted_at, job.queued_at, job.started_at, job.completed_at]
    reached = [time for time in times if time is not None]
    assert reached == sorted(reached)


def test_a_later_change_keeps_its_own_time():
    job = job_in(JobStatus.SUBMITTED)
    assert job.advance(Change(JobStatus.ANALYZING, AT)).changed_at == AT
