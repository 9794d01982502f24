"""Lists of jobs by filters, page by page."""

import random
from collections.abc import Iterable

import pytest

from quantcloud.domain.job import Job, JobStatus
from quantcloud.domain.job_filter import ALL_JOBS, JobFilter
from quantcloud.domain.page import Page
from quantcloud.storage import Store
from quantcloud.storage.jobs.reading import listing
from unit.storage.builders import at, queue, submit, to

BACKENDS = ("aer_simulator", "cirq_simulator")
FILTERS = [
    ALL_JOBS,
    JobFilter({JobStatus.FAILED}),
    JobFilter({JobStatus.FAILED, JobStatus.QUEUED}),
    JobFilter(backend="aer_simulator"),
    JobFilter(tag="even"),
    JobFilter(tag="never"),
    JobFilter(tag="even", statuses={JobStatus.FAILED}),
    JobFilter(name_prefix="run_1"),
    JobFilter(name_prefix="RUN"),
    JobFilter(name_prefix="run", statuses={JobStatus.SUBMITTED}),
    JobFilter(submitted_after=at(3), submitted_before=at(7)),
    JobFilter(
        statuses={JobStatus.QUEUED, JobStatus.SUBMITTED},
        backend="cirq_simulator",
        tag="third",
        name_prefix="r",
        submitted_after=at(2),
        submitted_before=at(15),
    ),
]


def fits(job: Job, wanted: JobFilter) -> bool:
    return (
        (not wanted.statuses or job.status in wanted.statuses)
        and wanted.backend in (None, job.backend)
        and (wanted.tag is None or wanted.tag in job.tags)
        and (job.name or "").startswith(wanted.name_prefix or "")
        and (wanted.submitted_after is None or wanted.submitted_after <= job.submitted_at)
        and (wanted.submitted_before is None or job.submitted_at < wanted.submitted_before)
    )


async def crowd(store: Store) -> list[Job]:
    """Submit jobs of all kinds, and return them newest first."""
    rng = random.Random(5)
    for number in range(20):
        tags = tuple(tag for tag, every in (("even", 2), ("third", 3)) if number % every == 0)
        fields = {
            "name": f"run_{number}" if number % 4 else None, "tags": tags,
            "seconds": number // 2,  # two at the same time
        }  # fmt: skip
        if rng.random() < 0.3:
            await submit(store, **fields)
            continue
        job = await queue(store, backend=rng.choice(BACKENDS), **fields)
        if rng.random() < 0.4:
            await store.jobs.advance(job.id, [to(JobStatus.FAILED, 20)])
    await submit(store, "bob", name="run_1", tags=("even", "third"))
    return list((await store.jobs.list("alice", limit=100)).items)


async def pages(store: Store, limit: int, wanted: JobFilter) -> list[Page[Job]]:
    found = [await store.jobs.list("alice", limit=limit, wanted=wanted)]
    while found[-1].last is not None:
        after = found[-1].last
        found.append(await store.jobs.list("alice", limit=limit, after=after, wanted=wanted))
    return found


def items(pages: Iterable[Page[Job]]) -> list[Job]:
    return [job for page in pages for job in page.items]


async def test_each_filter_selects_its_jobs_on_every_page(store: Store):
    jobs = await crowd(store)
    for wanted in FILTERS:
        expected = [job for job in jobs if fits(job, wanted)]
        for limit in (3, 100):
            found = await pages(store, limit, wanted)
            assert items(found) == expected, wanted
            assert {page.total for page in found} == {len(expected)}
            full, rest = divmod(len(expected), limit)
            assert len(found) == max(full + bool(rest), 1)  # no page after the last job
    numbers = {sum(fits(job, wanted) for job in jobs) for wanted in FILTERS}
    assert len(numbers) > 5


@pytest.fixture
def looks_at_three_jobs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "LOOK_AT", 3)
    listing._statements.cache_clear()
    yield
    listing._statements.cache_clear()


@pytest.mark.usefixtures("looks_at_three_jobs")
async def test_a_page_looks_at_a_few_jobs_and_the_next_one_goes_on(store: Store):
    jobs = await crowd(store)
    for wanted in FILTERS:
        expected = [job for job in jobs if fits(job, wanted)]
        found = await pages(store, 2, wanted)
        assert items(found) == expected, wanted
        totals = {len(expected)} if wanted.has_index else {None, len(expected)}
        assert {page.total for page in found} <= totals
    some = await pages(store, 2, JobFilter(name_prefix="run_1"))
    assert any(not page.items for page in some)
    assert {page.total for page in some} == {None}
