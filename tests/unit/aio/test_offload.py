"""One table of costs decides between the event loop and a thread."""

import re
import threading
from pathlib import Path

import pytest

import quantcloud
from benchmarks.suite import costs
from quantcloud.aio import offload
from quantcloud.aio.offload import Work

PACKAGE = Path(quantcloud.__file__).parent
# A connection of SQLite belongs to its own thread. The sandbox probes, and a wide run computes, in
# a process without an event loop. Cirq's sampler is a client.
OWN_THREADS = {
    "storage/database/sqlite.py",
    "engine/sandbox/confinement.py",
    "engine/pool/threads.py",
    "cirq/sampler.py",
}


@pytest.mark.parametrize(("size", "here"), [(0, True), (1, True), (1.001, False)])
async def test_the_cost_decides_where_work_runs(size: float, *, here: bool):
    used = await offload.run(size * offload.BUDGET, threading.current_thread)
    assert (used is threading.current_thread()) is here


async def test_a_wait_never_holds_the_event_loop():
    assert await offload.run(offload.UNKNOWN, threading.get_ident) != threading.get_ident()


@pytest.mark.parametrize("work", Work)
def test_the_largest_work_of_each_kind_uses_up_the_budget(work: Work):
    assert work.cost(work.most) <= offload.BUDGET < work.cost(work.most + 1)


def test_the_benchmark_measures_each_cost():
    assert set(costs.MEASURED) == set(Work)


def test_no_other_module_decides():
    deciding = re.compile(
        r"to_thread|run_in_executor|ThreadPoolExecutor|in_thread|BRIEF_[BJS]|_INLINE"
        r"|\bis_(large|quick|small)\b|\b_?LARGE\b"
    )
    found = {
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if str(path.relative_to(PACKAGE)) not in {*OWN_THREADS, "aio/offload.py"}
        for line in path.read_text().splitlines()
        if deciding.search(line)
    }
    assert not found
