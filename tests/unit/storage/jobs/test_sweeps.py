"""What a sweep asks for and the points that are done are stored, paged and removed."""

import json
import math
import pickle
import struct
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import Job, JobResult, JobStatus, StaleLeaseError, SweepPage
from quantcloud.domain.points import PAGE_BYTES, SIZES, Points, joined
from quantcloud.domain.sweep import Observable, Parameter, Register, Sweep, Term
from quantcloud.storage import NewJob, Room, Store
from quantcloud.storage.database import codec
from quantcloud.storage.jobs.rows.sweeps import pack_sweep, unpack_sweep
from unit.storage.builders import ANALYSIS, QASM, T0, UNLIMITED, at, new_job, routed, to

VALUES = array("d", [0.1, -2.5, math.pi]).tobytes()
SWEEP = Sweep(
    points=3,
    last=3,
    parameters=(Parameter("theta", 1, VALUES), Parameter("w\n", 3, VALUES)),
    observables=(Observable((Term(0.5, ((0, "X"), (3, "Z"))), Term(-1.0, ()))),),
    precision=0.125,
    gradient=True,
)


def points(first: int, entries: Sequence[bytes], shot_bytes: int = 0) -> Points:
    data = b"".join(bytes([first + place]) * shot_bytes for place in range(len(entries)))
    registers = (Register("c", 8, data),) if shot_bytes else ()
    return Points(first, array(SIZES, map(len, entries)), b"".join(entries), registers)


@given(st.sampled_from(["zipped", "exact", "gradient", "variances", "probabilities", "packed"]))
def test_what_was_asked_for_is_read_as_it_was_written(flag):
    sweep = Sweep(points=1, last=1, **{flag: True})
    assert unpack_sweep(pack_sweep(sweep)) == sweep
    assert unpack_sweep(pack_sweep(SWEEP)) == SWEEP


@pytest.mark.parametrize("last", [math.pi, 0.0])
@pytest.mark.parametrize("terms", [1, 200], ids=["short", "compressed"])
def test_the_former_format_is_read(terms: int, last: float):
    values = array("d", [0.1, last]).tobytes()
    head = {
        "points": 2, "parameters": [["theta", 1, 16]], "precision": None, "exact": True,
        "observables": [[[0.5, [[0, "X"], [3, "Z"]]]] * terms, [[-1.0, []]]],
    }  # fmt: skip
    written = codec.pack(json.dumps(head, separators=(",", ":")).encode() + b"\n" + values)
    assert codec.is_compressed(written) == (terms > 1)
    sums = (Term(0.5, ((0, "X"), (3, "Z"))),) * terms, (Term(-1.0, ()),)
    assert unpack_sweep(written) == Sweep(
        points=2, last=2, parameters=(Parameter("theta", 1, values),),
        observables=tuple(map(Observable, sums)), exact=True,
    )  # fmt: skip


def test_a_process_reads_equal_observables_once():
    (written,) = SWEEP.observables
    data = pickle.dumps(written)
    first, second = (pickle.loads(data) for _ in range(2))  # noqa: S301 (of this test)
    assert first is second
    assert first == written
    assert hash(first) == hash(written)
    assert unpack_sweep(pack_sweep(SWEEP)).observables == (first,)
    assert first != Observable(written.terms[:1])


@given(st.data(), st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=12))
def test_pages_follow_each_other_without_gap_or_overlap(data, entries):
    shot_bytes = data.draw(st.integers(0, 3))
    first = data.draw(st.integers(0, 50))
    whole = points(first, entries, shot_bytes)
    assert Points.from_bytes(whole.to_bytes()) == whole
    pages: list[Points] = []
    at_point, most = whole.first, data.draw(st.integers(1, 30))
    while at_point < whole.last:
        page = whole.page(at_point, whole.last, most)
        assert len(page.sizes) >= 1
        assert page.size <= most or len(page.sizes) == 1
        pages.append(page)
        at_point = page.last
    assert joined(pages) == whole


@given(st.binary(max_size=40))
def test_damaged_points_are_refused(content):
    with pytest.raises((struct.error, ValueError, TypeError, OverflowError)):
        Points.from_bytes(content)


async def stored(store: Store, total: int) -> tuple[Job, object]:
    """Store a job with `total` points and claim it."""
    await store.accounts.ensure("alice", at=T0)
    job = new_job(points=total)
    sweep = Sweep(points=total, last=total)
    new = NewJob(job, QASM, ANALYSIS, routed(), sweep=sweep)
    await store.jobs.create_all([new], max_waiting=None)
    (claim,) = await store.jobs.claim("server", Room(1), T0, concurrency=UNLIMITED)
    assert (await store.jobs.input_of(claim)).sweep == sweep
    await store.jobs.advance(job.id, [to(JobStatus.RUNNING, 1)], lease=claim.lease)
    return await store.jobs.get("alice", job.id), claim


async def test_points_are_read_page_by_page(store: Store):
    job, claim = await stored(store, 60)
    entries = [bytes([place]) * (PAGE_BYTES // 8) for place in range(60)]
    for first in range(0, 50, 10):
        block = points(first, entries[first : first + 10])
        await store.jobs.add_block(job.id, claim.lease, block, 0.5, None)
    assert await store.jobs.progress(job.id) == (50, 2.5)
    partial = await store.jobs.sweep_so_far(job, 0, None)
    assert (partial.execution_time_ms, partial.sweep.done, partial.sweep.total) == (2500, 50, 60)
    last = points(50, entries[50:])
    result = JobResult(job.id, "local_simulator", {}, 3000, sweep=SweepPage(60, 60, last, 0.5))
    packed = await store.jobs.pack(result)
    end = to(JobStatus.COMPLETED, 2)
    event = await store.jobs.end(job.id, claim.lease, [end], result=packed)
    assert event.result is None  # its first points are not in it
    seen: list[bytes] = []
    while len(seen) < 60:
        page = (await store.jobs.result("alice", job.id, offset=len(seen))).sweep.points
        assert page.first == len(seen)
        assert len(page.sizes) == min(8, 60 - len(seen))
        seen += [page.data[n : n + PAGE_BYTES // 8] for n in range(0, page.size, PAGE_BYTES // 8)]
    assert seen == entries
    few = (await store.jobs.result("alice", job.id, offset=8, limit=4)).sweep.points
    assert few == joined([points(8, entries[8:10]), points(10, entries[10:12])])
    assert not (await store.jobs.result("alice", job.id, offset=60)).sweep.points.sizes
    with pytest.raises(InvalidArgument, match="point_offset"):
        await store.jobs.result("alice", job.id, offset=61)
    assert not await store.jobs.small_results("alice", [job.id])


async def test_a_run_without_the_lease_writes_no_points(store: Store):
    job, claim = await stored(store, 2)
    await store.jobs.requeue(job.id, claim.lease, at(3), lost=True)
    with pytest.raises(StaleLeaseError):
        await store.jobs.add_block(job.id, claim.lease, points(0, [b"a"]), 0.5, None)
    assert await store.jobs.progress(job.id) == (0, 0)


async def test_a_block_that_is_written_twice_is_there_once(store: Store):
    job, claim = await stored(store, 2)
    for data in (b"a", b"b"):
        await store.jobs.add_block(job.id, claim.lease, points(0, [data]), 0.5, None)
    assert (await store.jobs.sweep_so_far(job, 0, None)).sweep.points.data == b"a"


async def test_points_are_removed_with_the_history_and_with_the_account(store: Store):
    for account_goes in (False, True):
        job, claim = await stored(store, 2)
        await store.jobs.add_block(job.id, claim.lease, points(0, [b"a"]), 0.5, None)
        await store.jobs.cancel("alice", job.id, at(5))
        if account_goes:
            assert (await store.account_data.delete_jobs("alice"))["blocks of points"] == 1
        else:
            assert await store.retention.remove(at(10)) == 1
            assert await store.jobs.sweep_so_far(job, 0, None) is None
        assert (await store.jobs.progress(job.id)).done == 0
