"""Runs take no more memory than predicted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.cirq import backend as cirq
from quantcloud.backends.local import backend as local
from quantcloud.backends.pennylane import backend as pennylane
from quantcloud.domain.execution import Noise, RunOptions
from unit.backends.offers import methods, wide

TESTS = Path(__file__).parents[2]


# Prints how many bytes more a circuit with the given number of gates takes than a small one. Each
# gate has a different angle.
TAKEN = """
import sys
from quantcloud.backends.base import installed_backends
from unit.backends.exact import read, run, with_header
from unit.backends import test_predicted_memory
from unit.backends.test_predicted_memory import EVERY_NOISE, peak

backend, method, gates, noisy = sys.argv[1], sys.argv[2], int(sys.argv[3]), bool(sys.argv[4])
source = getattr(test_predicted_memory, sys.argv[5])
executor = installed_backends()[backend].executor()
noise = EVERY_NOISE if noisy else None
run(executor, method, read(source(4)), 20, noise=noise)
before = peak()
run(executor, method, read(source(gates)), 20, noise=noise)
print(peak() - before)
"""


EVERY_NOISE = Noise(1e-4, 1e-4, 1e-3, 50.0, 30.0)


def peak():
    """The peak memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


def rotations(gates):
    turned = "".join(f"rzz({0.1 + place / gates}) q[0],q[1];" for place in range(gates))
    return f"qreg q[2]; creg c[2]; {turned} measure q -> c;"


def rounds(number):
    return (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit[1] c; '
        f"for int i in [1:{number}] {{ ry(0.001) q[0]; c[0] = measure q[0]; "
        "if (c[0]) { break; } }"
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status")
@pytest.mark.parametrize(
    ("backend", "method", "gates", "noise"),
    [
        (aer.CPU, "statevector", 30_000, None),
        (aer.CPU, "statevector", 5_000, EVERY_NOISE),
        (aer.CPU, "density_matrix", 5_000, EVERY_NOISE),
        (cirq.BACKEND, "statevector", 30_000, None),
        (cirq.BACKEND, "trajectories", 2_000, EVERY_NOISE),
        (cirq.BACKEND, "density_matrix", 2_000, EVERY_NOISE),
        (pennylane.BACKEND, "statevector", 30_000, None),
        (local.BACKEND, "statevector", 30_000, None),
    ],
)
def test_gates_take_no_more_memory_than_predicted(backend, method, gates, noise):
    assert_predicted(backend, method, gates, noise, rotations)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status")
def test_rounds_of_a_loop_take_no_more_memory_than_predicted():
    assert_predicted(aer.CPU, "statevector", 1_000, None, rounds)


def assert_predicted(backend, method, gates, noise, source):
    """Assert that the run of `source(gates)` needs as much memory as predicted."""
    offer = methods(backend, source(gates), RunOptions(noise=noise), shots=20)
    (predicted,) = (each.memory_bytes for each in offer if each.name == method)
    arguments = [backend.info.name, method, str(gates), "noisy" if noise else "", source.__name__]
    result = subprocess.run(
        [sys.executable, "-c", TAKEN, *arguments],
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert predicted / 4 < int(result.stdout) < predicted


WIDE_TAKEN = """
import sys
from quantcloud.backends.base import installed_backends
from unit.backends.exact import read, run, with_header
from unit.backends.offers import wide
from unit.backends.test_predicted_memory import peak

backend, width, shots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
executor = installed_backends()[backend].executor()
run(executor, "statevector", read(wide(14)), shots)
before = peak()
run(executor, "statevector", read(wide(width, rounds=1)), shots)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status")
@pytest.mark.parametrize("shots", [1, 1000])
@pytest.mark.parametrize("backend", [aer.CPU, cirq.BACKEND])
def test_a_wide_state_takes_no_more_memory_than_predicted(backend, shots):
    width = 22
    (method,) = methods(backend, wide(width, rounds=1), shots=shots)
    result = subprocess.run(
        [sys.executable, "-c", WIDE_TAKEN, backend.info.name, str(width), str(shots)],
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert method.memory_bytes / 4 < int(result.stdout) < 1.05 * method.memory_bytes
