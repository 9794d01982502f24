"""Submitting jobs, and reading them back."""

import threading
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from quantcloud.domain.account import MonthlyUsage
from quantcloud.domain.errors import NotFound, QuotaExceeded
from quantcloud.domain.execution import GateNoise, Noise, QubitNoise, RunOptions, Statevector
from quantcloud.domain.job import JobStatus, OptimizationTarget
from quantcloud.domain.job_filter import ALL_JOBS
from quantcloud.domain.page import Place
from quantcloud.storage import Room
from quantcloud.storage.database import codec
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    UNLIMITED,
    at,
    claim_one,
    complete,
    create,
    finish,
    logged,
    new_job,
    queue,
    result_of,
    routed,
    start,
    stored_circuit,
    submit,
    to,
    with_status,
)

FULL = {
    "optimize_for": OptimizationTarget.ACCURACY,
    "seed": 2**63 - 1,
    "requested_backend": "aer_simulator",
    "max_cost_usd": 0.1,
    "min_fidelity": 0.99,
    "name": "Bell, é",
    "tags": ("a", 'with "quotes"', "é"),
    "options": RunOptions(
        seed=3,
        statevector=True,
        memory=True,
        noise=Noise(
            depolarizing_1q=0.1,
            t1_us=50.0,
            gates=(("cx", GateNoise(0.1, (("XI", 0.1), ("ZZ", 0.2)), 0.05)), ("h", GateNoise())),
            qubits=((0, QubitNoise(readout=((0.9, 0.1), (0.0, 1.0)))), (7, QubitNoise(5.0))),
        ),
        timeout_seconds=2.5,
    ),
    "metadata": {"nested": {"list": [1, None, "ö\ud800"]}, "number": 0.1},
}


@pytest.mark.parametrize("fields", [{}, FULL], ids=["bare", "full"])
async def test_a_new_job_is_read_back_unchanged(store, fields):
    await store.accounts.ensure("alice", at=T0)
    job = new_job(**fields)
    (event,) = await create(store, job, QASM, ANALYSIS, max_waiting=1)
    assert (event.sequence, event.occurred_at, event.job) == (1, job.submitted_at, job)
    assert await store.jobs.get("alice", job.id) == job
    assert await store.events.latest("alice", job.id) == event
    assert await stored_circuit(store, job.id) == (QASM, ANALYSIS)
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(total_jobs=1)


async def test_every_field_of_a_finished_job_is_read_back(store):
    queued = await queue(store, seconds=1, **FULL)
    claim = await start(store, seconds=2)
    await finish(store, claim, seconds=3)
    assert await store.jobs.get("alice", queued.id) == replace(
        queued,
        status=JobStatus.COMPLETED,
        attempt=1,
        started_at=at(2),
        completed_at=at(3),
        changed_at=at(3),
        sequence=7,
    )


@pytest.fixture
def packers(monkeypatch):
    """Record the threads that pack and unpack large data, in order."""
    threads = []

    def recorded(work):
        def run(data):
            result = work(data)
            if max(len(data), len(result)) >= 64 * 1024:
                threads.append((work.__name__, threading.current_thread()))
            return result

        return run

    monkeypatch.setattr(codec, "pack", recorded(codec.pack))
    monkeypatch.setattr(codec, "unpack", recorded(codec.unpack))
    return threads


def assert_in_threads(packers, *works):
    assert [work for work, _ in packers] == [*works]
    assert threading.current_thread() not in {thread for _, thread in packers}


async def test_a_circuit_of_8_mb_is_packed_in_a_thread(store, packers):
    await store.accounts.ensure("alice", at=T0)
    text = QASM + "h q[0];\n" * 1_000_000
    await create(store, new_job(), text, ANALYSIS, routed(), max_waiting=None)
    claim = await claim_one(store)
    assert (await store.jobs.input_of(claim))[0] == text
    assert_in_threads(packers, "pack", "unpack")


async def test_a_second_job_with_the_same_id_changes_nothing(store):
    job = await submit(store)
    with pytest.raises(IntegrityError):
        await create(store, job, "other", ANALYSIS, max_waiting=None)
    assert (await stored_circuit(store, job.id))[0] == QASM
    assert (await store.accounts.usage("alice", T0)).total_jobs == 1
    assert len(await store.events.after("alice", job.id, 0, 10)) == 1


async def test_a_new_job_must_have_the_status_submitted(store):
    with pytest.raises(ValueError, match="submitted"):
        await create(store, new_job(status=JobStatus.QUEUED), QASM, ANALYSIS, max_waiting=None)


async def test_waiting_jobs_are_limited_and_running_ones_do_not_count(store):
    await queue(store)
    await submit(store)
    await submit(store, "bob")
    with pytest.raises(QuotaExceeded) as caught:
        await create(store, new_job(), QASM, ANALYSIS, max_waiting=2)
    assert caught.value.metadata == {
        "limit": "max_waiting_jobs", "maximum": "2", "used": "2", "requested": "1",
    }  # fmt: skip
    assert caught.value.subject == "alice"
    assert (await store.accounts.usage("alice", T0)).total_jobs == 2
    await claim_one(store)
    await create(store, new_job(), QASM, ANALYSIS, max_waiting=2)


async def test_list_is_newest_first_by_page_and_status(store):
    jobs = [await submit(store, seconds=n) for n in range(5)]
    await submit(store, "bob")
    await store.jobs.advance(jobs[1].id, [to(JobStatus.FAILED)])
    await store.jobs.advance(jobs[3].id, [to(JobStatus.FAILED)])

    async def listed(**options):
        page = await store.jobs.list("alice", **{"limit": 20, "offset": 0, **options})
        assert (page.limit, page.offset) == (options.get("limit", 20), options.get("offset", 0))
        return [jobs.index(next(j for j in jobs if j.id == it.id)) for it in page.items], page.total

    assert await listed() == ([4, 3, 2, 1, 0], 5)
    assert await listed(limit=2, offset=1) == ([3, 2], 5)
    assert await listed(offset=5) == ([], 5)
    assert await listed(wanted=with_status(JobStatus.FAILED)) == ([3, 1], 2)
    assert await listed(wanted=with_status(JobStatus.FAILED), limit=1, offset=1) == ([1], 2)
    assert await listed(wanted=with_status(JobStatus.RUNNING)) == ([], 0)


async def test_jobs_with_the_same_time_are_paged_without_gaps(store):
    ids = {(await submit(store)).id for _ in range(6)}
    pages = [await store.jobs.list("alice", limit=2, offset=n) for n in (0, 2, 4)]
    assert {job.id for page in pages for job in page.items} == ids


@pytest.mark.parametrize("wanted", [ALL_JOBS, with_status(JobStatus.SUBMITTED)])
async def test_pages_after_a_place_omit_later_jobs(store, wanted):
    """Some jobs have the same time, and new ones are submitted meanwhile."""
    for seconds in (0, 1, 1, 1, 2):
        await submit(store, seconds=seconds)
    present = (await store.jobs.list("alice", limit=9, offset=0, wanted=wanted)).items
    found, place = [], None
    while len(found) < 5:
        page = await store.jobs.list("alice", limit=2, after=place, wanted=wanted)
        found += page.items
        await submit(store, seconds=9)
        place = page.last
    assert found == list(present)
    assert page.last is None
    end = Place(found[-1].submitted_at, found[-1].id)
    assert (await store.jobs.list("alice", limit=5, after=end)).items == []


@pytest.mark.parametrize("job_id", ["", "x", "é", "\x00", "\ud800", "A" * 9999, "%", None])
async def test_unknown_ids_are_not_found(store, job_id):
    if job_id is None:
        job_id = str(uuid.uuid4())
    for call in (store.jobs.get, store.jobs.result, store.events.latest):
        with pytest.raises(NotFound):
            await call("alice", job_id)
    with pytest.raises(NotFound):
        await store.jobs.cancel("alice", job_id, T0)
    with pytest.raises(NotFound):
        await store.events.after("alice", job_id, 0, 1)


async def test_jobs_of_other_accounts_are_not_found(store):
    job = await queue(store)
    await finish(store, await start(store))
    for call in (store.jobs.get, store.jobs.result, store.events.latest):
        with pytest.raises(NotFound, match=job.id):
            await call("bob", job.id)
    with pytest.raises(NotFound):
        await store.jobs.cancel("bob", job.id, T0)
    with pytest.raises(NotFound):
        await store.events.after("bob", job.id, 0, 1)
    assert await logged(store, "bob") == []


async def test_a_result_is_read_back_unchanged(store):
    job = await queue(store)
    assert await store.jobs.result("alice", job.id) is None
    claim = await start(store)
    assert await store.jobs.result("alice", job.id) is None
    result = result_of(
        job,
        counts={"0110": 1000, "1111": 24},
        statevector=Statevector((0.6, 0.0), (0.0, -0.8)),
        metadata={"seed": 7, "memory": ["0110", "1111"]},
    )
    await complete(store, job.id, claim.lease, result, [to(JobStatus.COMPLETED)])
    assert await store.jobs.result("alice", job.id) == result


async def test_small_results_of_several_jobs(store):
    given = {}
    for number in range(4):
        account = "bob" if number == 3 else "alice"
        job = await queue(store, account)
        counts = {format(each, "012b"): 1 for each in range(1 if number else 2000)}
        given[job.id] = result_of(job, counts=counts)
        claim = await claim_one(store)
        await complete(
            store,
            job.id,
            claim.lease,
            given[job.id],
            [to(JobStatus.RUNNING), to(JobStatus.COMPLETED)],
        )
    waiting = await queue(store)
    large, *small, of_bob = given
    found = await store.jobs.small_results("alice", [*given, waiting.id])
    assert {result.job_id: result for result in found} == {job: given[job] for job in small}
    assert await store.jobs.small_results("bob", [large, of_bob]) == [given[of_bob]]
    assert await store.jobs.small_results("alice", [waiting.id]) == []


async def test_a_large_result_is_packed_in_a_thread(store, packers):
    job = await queue(store)
    claim = await start(store)
    amplitudes = tuple(index / 3 for index in range(2**16))
    result = result_of(
        job,
        counts={format(index * 7, "020b"): 1 for index in range(100_000)},
        statevector=Statevector(amplitudes, amplitudes[::-1]),
        metadata={"memory": [format(index, "020b") for index in range(100_000)]},
    )
    await complete(store, job.id, claim.lease, result, [to(JobStatus.COMPLETED)])
    stored = await store.jobs.result("alice", job.id)
    assert stored == result
    # The counts and the metadata; a statevector is not compressed.
    assert_in_threads(packers, "pack", "pack", "unpack", "unpack")


async def test_active_count_excludes_ended_jobs(store):
    await submit(store)
    await submit(store, "bob")
    await queue(store)
    ended = await submit(store)
    await store.jobs.cancel("alice", ended.id, T0)
    assert await store.jobs.active_count() == 3


async def test_a_job_is_created_with_its_changes(store):
    await store.accounts.ensure("alice", at=T0)
    job = new_job(predicted_seconds=0.25, batch_id=str(uuid.uuid4()))
    changes = [*routed(1)[:-1], to(JobStatus.QUEUED, 2, backend="b", method="m", metadata={"a": 1})]
    events = await create(store, job, QASM, ANALYSIS, changes, max_waiting=1)
    assert [event.job.status for event in events] == ["submitted", "analyzing", "routing", "queued"]
    assert await store.events.after("alice", job.id, 0, 9) == events
    assert await store.jobs.get("alice", job.id) == events[-1].job
    assert [event.job.metadata for event in events] == [{"num_qubits": 2}] * 3 + [{"a": 1}]


async def test_short_jobs_are_claimed_beyond_the_slots_up_to_the_first_long_one(store):
    seconds = [1.0, 0.001, 0.002, 1.0, 0.001, None]
    jobs = [await queue(store, seconds=n, predicted_seconds=s) for n, s in enumerate(seconds)]
    claims = await store.jobs.claim("server-1", Room(1, 4), at(9), concurrency=UNLIMITED)
    assert [claim.job.id for claim in claims] == [job.id for job in jobs[:3]]


async def test_queue_depths_and_positions(store):
    a, b, c = [await queue(store, seconds=n, backend="aer_simulator") for n in (3, 1, 2)]
    other = await queue(store, "bob", seconds=0, backend="local_simulator")
    unqueued = await submit(store)
    assert await store.jobs.queue_depths() == {"aer_simulator": 3, "local_simulator": 1}
    positions = [await store.jobs.queue_position(job) for job in (a, b, c, other, unqueued)]
    assert positions == [3, 1, 2, 1, None]
    assert (await claim_one(store)).job.id == other.id
    assert await store.jobs.queue_depths() == {"aer_simulator": 3}


async def test_mean_queue_seconds_covers_the_last_50_started_jobs(store):
    assert await store.jobs.mean_queue_seconds() == {}
    for _ in range(3):
        await queue(store, backend="aer_simulator")
        await finish(store, await start(store, seconds=1000))
    for number in range(50):
        await queue(store, seconds=2000, backend="aer_simulator")
        await finish(store, await start(store, seconds=2001 + number % 2))
    await queue(store, backend="local_simulator")
    await start(store, seconds=0.25)
    await queue(store, backend="cirq_simulator")
    assert await store.jobs.mean_queue_seconds() == {
        "aer_simulator": 1.5,
        "local_simulator": 0.25,
    }


async def test_times_keep_their_microseconds(store):
    instant = T0.replace(year=2400, microsecond=999_999)
    job = await submit(store)
    changed = await store.jobs.advance(
        job.id, [to(JobStatus.ANALYZING), replace(to(JobStatus.FAILED), at=instant)]
    )
    stored = await store.events.after("alice", job.id, 1, 10)
    assert stored == changed
    assert stored[0].occurred_at == T0
    assert stored[1].occurred_at - instant == timedelta(0)
    assert stored[1].job.completed_at == instant
