"""The cache for watches that begin soon: it never differs from the log."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.job import Job, JobEvent, JobResult, JobStatus, OptimizationTarget
from quantcloud.watching import recent
from quantcloud.watching.recent import RecentEvents

AT = datetime(2025, 3, 31, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def event_of(job_id: str, sequence: int, result: JobResult | None = None) -> JobEvent:
    job = Job(
        id=job_id, account_id="ada", status=JobStatus.RUNNING, shots=1, submitted_at=AT,
        changed_at=AT, seed=1, optimize_for=OptimizationTarget.BALANCED, sequence=sequence,
    )  # fmt: skip
    return JobEvent(sequence, sequence, AT, job, result)


def sequences(events) -> list[int] | None:
    return None if events is None else [event.sequence for event in events]


@pytest.mark.parametrize(
    ("after", "found"),
    [(None, [5]), (1, None), (2, [3, 4, 5]), (4, [5]), (5, None), (6, None)],
)
def test_events_after_a_sequence_are_complete_or_unknown(
    after: int | None, found: list[int] | None
):
    events = RecentEvents()
    for sequence in (3, 4, 5):
        events.add(event_of("j", sequence))
    assert sequences(events.after("ada", "j", after)) == found


def test_an_event_that_is_published_twice_is_cached_once():
    events = RecentEvents()
    for sequence in (1, 2, 1, 2, 3):
        events.add(event_of("j", sequence))
    assert sequences(events.after("ada", "j", 0)) == [1, 2, 3]


@given(
    st.lists(
        st.tuples(st.sampled_from("jk"), st.lists(st.integers(1, 8), min_size=1, max_size=6)),
        max_size=6,
    )
)
def test_events_added_together_are_cached_like_single_events(
    groups: list[tuple[str, list[int]]],
):
    together, alone = RecentEvents(), RecentEvents()
    for job_id, numbers in groups:
        group = [event_of(job_id, number) for number in sorted(set(numbers))]
        together.add(*group)
        for event in group:
            alone.add(event)
    for job_id in "jk":
        for after in (None, *range(9)):
            assert together.after("ada", job_id, after) == alone.after("ada", job_id, after)
    assert together._weight == alone._weight


def test_after_a_gap_only_later_events_are_cached():
    events = RecentEvents()
    for sequence in (1, 2, 4):
        events.add(event_of("j", sequence))
    assert events.after("ada", "j", 0) is None
    assert sequences(events.after("ada", "j", 3)) == [4]
    assert sequences(events.after("ada", "j", None)) == [4]


def test_another_account_gets_nothing():
    events = RecentEvents()
    events.add(event_of("j", 1))
    assert events.after("bob", "j", None) is None


def test_events_expire_soon():
    clock = Clock()
    events = RecentEvents(clock)
    events.add(event_of("j", 1))
    clock.seconds = recent._SECONDS
    assert sequences(events.after("ada", "j", None)) == [1]
    clock.seconds += 1
    assert events.after("ada", "j", None) is None


def test_the_cache_is_bounded_and_results_count():
    events = RecentEvents()
    result = JobResult("j", "b", {f"{n:010b}": 1 for n in range(256)}, 1.0)
    for number in range(500):
        events.add(event_of(f"job-{number}", 1, result))
        events.add(event_of(f"job-{number}", 2))
    assert events._weight <= recent._MAX_WEIGHT
    assert events._weight == sum(cached.weight for cached in events._by_job.values())
    assert 0 < len(events._by_job) < 200
    assert events.after("ada", "job-0", None) is None
    assert sequences(events.after("ada", "job-499", 0)) == [1, 2]
