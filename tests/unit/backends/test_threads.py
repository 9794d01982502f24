"""Runs with several threads: they use them, and a seed gives the same counts."""

import os
import threading
import time

import pytest

from quantcloud.circuits import expanded, with_measurements
from quantcloud.domain.execution import Execution, Noise, RunOptions
from quantcloud.engine.pool import threads
from quantcloud.engine.pool.threads import with_threads
from quantcloud.openqasm import parse

PLAIN, NOISY = RunOptions(), RunOptions(noise=Noise(0.01, 0.02, 0.01))
SEED, SHOTS = 11, 200


def layers(width, depth):
    turns = "".join(
        f"rx({0.1 + place / 7}) q[{place % width}]; cx q[{place % width}],q[{(place + 1) % width}];"
        for place in range(width * depth)
    )
    return f"qreg q[{width}]; creg c[{width}]; {turns} measure q -> c;"


def execution(backend, method, qasm, threads, options=PLAIN):
    return Execution("job", backend, method, qasm, SHOTS, SEED, options=options, threads=threads)


def ran(executor, asked):
    source = f'OPENQASM 2.0; include "qelib1.inc"; {asked.qasm}'
    circuit = expanded(with_measurements(parse(source)))
    return with_threads(asked.threads, asked.backend, lambda: executor.run(circuit, asked))


@pytest.mark.parametrize(
    ("backend", "method", "width", "options"),
    [
        ("aer", "statevector", 16, PLAIN), ("aer", "statevector", 8, NOISY),
        ("aer", "density_matrix", 7, NOISY), ("cirq", "statevector", 18, PLAIN),
        ("cirq", "trajectories", 8, NOISY), ("pennylane", "statevector", 16, PLAIN),
        ("local", "statevector", 16, PLAIN),
    ],
)  # fmt: skip
def test_a_seed_gives_the_same_counts_with_any_number_of_threads(
    executors, backend, method, width, options
):
    qasm = layers(width, 3)
    counts = [
        ran(executors[backend], execution(backend, method, qasm, threads, options)).counts
        for threads in (1, 2, 3)
    ]
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize(("backend", "width"), [("aer", 18), ("cirq", 21)])
def test_a_simulator_uses_its_threads(executors, backend, width):
    """Processor time of other threads counts, so other programs do not matter."""
    asked = execution(backend, "statevector", layers(width, 8), 2)
    own = 0.0

    def timed():
        nonlocal own
        began = time.thread_time()
        found = executors[backend].run(
            expanded(with_measurements(parse(f'OPENQASM 2.0; include "qelib1.inc"; {asked.qasm}'))),
            asked,
        )
        own = time.thread_time() - began
        return found

    began = time.process_time()
    outcome = with_threads(asked.threads, backend, timed)
    everything = time.process_time() - began
    assert everything > 1.2 * own
    assert 2 in outcome.metadata["simulator"]["options"].values()


def test_threads_have_the_lowest_priority_and_end():
    def priority():
        return os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)

    before = priority(), threading.active_count()
    # Others take the core of such a thread at once. One of nice 19 alone keeps it for milliseconds.
    assert with_threads(2, "none", priority) == (os.SCHED_IDLE, 19)
    assert (priority(), threading.active_count()) == before


def test_later_runs_do_not_look_for_libraries_again(executors, monkeypatch):
    asked = execution("aer", "statevector", layers(4, 1), 2)
    ran(executors["aer"], asked)
    monkeypatch.setattr(threads, "ThreadpoolController", None)
    ran(executors["aer"], asked)


def test_an_error_in_a_thread_reaches_the_caller():
    def fail():
        raise MemoryError("too wide")

    with pytest.raises(MemoryError, match="too wide"):
        with_threads(2, "none", fail)
