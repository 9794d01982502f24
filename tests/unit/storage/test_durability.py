"""Acknowledged jobs survive a kill, and several processes share one file."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quantcloud.storage import Store
from unit.storage.builders import QASM, logged, stored_circuit, submit

TESTS = Path(__file__).parents[2]

_SUBMIT_FOREVER = """
import asyncio, sys
from quantcloud.storage import Store
from unit.storage.builders import submit, queue

async def main(path, account, number, method):
    store = await Store.open(path)
    for _ in range(int(number)):
        job = await {"submit": submit, "queue": queue}[method](store, account)
        print(job.id, flush=True)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def _submitter(path, account: str, number: int, method: str = "submit") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SUBMIT_FOREVER, path, account, str(number), method],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def _line(process) -> str:
    return (await asyncio.to_thread(process.stdout.readline)).strip()


@pytest.mark.parametrize("acknowledged", [1, 23])
async def test_acknowledged_jobs_survive_a_kill(path, acknowledged):
    with _submitter(path, "alice", 100_000) as process:
        ids = [await _line(process) for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        ids += [line for line in process.stdout.read().split("\n") if len(line) == 36]
    store = await Store.open(path)
    for job_id in ids:
        job = await store.jobs.get("alice", job_id)
        (event,) = await store.events.after("alice", job_id, 0, 10)
        assert event.job == job
        assert (await stored_circuit(store, job_id))[0] == QASM
    total = (await store.jobs.list("alice", limit=1, offset=0)).total
    assert total in {len(ids), len(ids) + 1}
    assert (await store.accounts.usage("alice", event.occurred_at)).total_jobs == total
    await store.close()


async def test_two_processes_write_concurrently(path):
    number = 60
    store = await Store.open(path)
    with _submitter(path, "alice", number, "queue") as other:
        ids = [await _line(other)]
        while (await store.jobs.list("bob", limit=1, offset=0)).total < number:
            await submit(store, "bob")
        ids += [await _line(other) for _ in range(number - 1)]
        assert await asyncio.to_thread(other.wait, 30) == 0
    events = await logged(store, "alice")
    assert [event.job.id for event in events if event.sequence == 1] == ids
    assert [event.sequence for event in events] == [1, 2, 3, 4] * number
    both = [*events, *await logged(store, "bob")]
    assert len({event.cursor for event in both}) == 5 * number
    await store.close()
