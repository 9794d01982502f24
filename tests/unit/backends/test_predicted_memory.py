"""Runs take no more memory than predicted."""

import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.cirq import backend as cirq
from quantcloud.backends.local import backend as local
from quantcloud.backends.pennylane import backend as pennylane
from quantcloud.domain.execution import Noise, RunOptions
from unit.backends.offers import methods, wide
from unit.backends.taken import taken

TESTS = Path(__file__).parents[2]


EVERY_NOISE = Noise(1e-4, 1e-4, 1e-3, 50.0, 30.0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status"),
]


@pytest.fixture(scope="module")
def new_process() -> Iterator[ProcessPoolExecutor]:
    """Runs each call in a new process, forked from one that has imported the libraries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(TESTS))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["unit.backends.taken", "qiskit_aer", "qsimcirq", "pennylane_lightning"]
        )
        with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as processes:
            yield processes


# Each gate has a different angle.
def rotations(gates):
    turned = "".join(f"rzz({0.1 + place / gates}) q[0],q[1];" for place in range(gates))
    return f"qreg q[2]; creg c[2]; {turned} measure q -> c;"


def rounds(number):
    return (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; '
        f"for int i in [1:{number}] {{ ry(0.001) q[0]; c[0] = measure q[0]; "
        "if (c[0]) { break; } }"
    )


@pytest.mark.parametrize(
    ("backend", "method", "gates", "noise"),
    [
        (aer.CPU, "statevector", 10_000, None),
        (aer.CPU, "statevector", 5_000, EVERY_NOISE),
        (aer.CPU, "density_matrix", 5_000, EVERY_NOISE),
        (cirq.BACKEND, "statevector", 10_000, None),
        (cirq.BACKEND, "trajectories", 2_000, EVERY_NOISE),
        (cirq.BACKEND, "density_matrix", 2_000, EVERY_NOISE),
        (pennylane.BACKEND, "statevector", 10_000, None),
        (local.BACKEND, "statevector", 30_000, None),
    ],
)
def test_gates_take_no_more_memory_than_predicted(new_process, backend, method, gates, noise):
    assert_predicted(new_process, backend, method, gates, noise=noise, source=rotations)


def test_rounds_of_a_loop_take_no_more_memory_than_predicted(new_process):
    assert_predicted(new_process, aer.CPU, "statevector", 1_000, noise=None, source=rounds)


def assert_predicted(processes, backend, method, gates, *, noise, source):
    """Assert that the run of `source(gates)` needs as much memory as predicted."""
    offer = methods(backend, source(gates), RunOptions(noise=noise), shots=20)
    (predicted,) = (each.memory_bytes for each in offer if each.name == method)
    sources = (source(4), source(gates))
    run = processes.submit(taken, backend.info.name, method, sources, 20, noise)
    assert predicted / 4 < run.result() < predicted


@pytest.mark.parametrize("shots", [1, 1000])
@pytest.mark.parametrize("backend", [aer.CPU, cirq.BACKEND])
def test_a_wide_state_takes_no_more_memory_than_predicted(new_process, backend, shots):
    sources = (wide(14), wide(22, rounds=1))
    (method,) = methods(backend, sources[1], shots=shots)
    run = new_process.submit(taken, backend.info.name, "statevector", sources, shots, None)
    assert method.memory_bytes / 4 < run.result() < 1.05 * method.memory_bytes
