"""Warm-up keeps one-time work of simulators out of the measured time."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from quantcloud.backends.warm_up import FirstRuns, WarmsUp
from quantcloud.domain.execution import Execution, Noise, RunOptions

EXECUTION = Execution("job", "some", "statevector", "", 1024, 7)
NOISY = replace(EXECUTION, options=RunOptions(noise=Noise(readout=0.1)))


class Simulator(WarmsUp):
    """Records the widths of the circuits that it runs, and fails."""

    def __init__(self):
        self.widths = []

    def run(self, circuit, execution):
        assert execution.shots == 2
        self.widths.append(circuit.num_qubits)
        raise ValueError


class Hardware:
    """An executor whose runs cost money."""

    def run(self, circuit, execution):
        raise AssertionError


def test_each_method_is_warmed_up_once_with_and_without_noise():
    simulator, first_runs = Simulator(), FirstRuns(wide=True)
    runs = []
    for execution in (EXECUTION, EXECUTION, NOISY, NOISY, replace(EXECUTION, method="stabilizer")):
        first_runs.before(simulator, execution)
        runs.append(simulator.widths.copy())
        simulator.widths.clear()
    assert runs == [[2, 13], [], [2], [], [2]]


def test_the_serving_process_runs_no_wide_circuit():
    simulator = Simulator()
    FirstRuns(wide=False).before(simulator, EXECUTION)
    assert simulator.widths == [2]


def test_executors_without_a_warm_up_are_left_alone():
    FirstRuns(wide=True).before(Hardware(), EXECUTION)


# The process is like a new worker with preloaded modules. It measures processor time, because other
# processes take some of the wall clock time.
FIRST_RUN = """
import sys, time
from importlib import import_module
from quantcloud.backends.base import installed_backends
from quantcloud.backends.warm_up import FirstRuns
from quantcloud.circuits import expanded
from quantcloud.openqasm import parse
from quantcloud.domain.execution import Execution, Noise, RunOptions
from quantcloud.engine.pool.preload import MODULES

name, method, width, noisy = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "noisy"
for module in MODULES[name]:
    import_module(module)
executor = installed_backends()[name].executor()
options = RunOptions(noise=Noise(depolarizing_1q=0.1, readout=0.1) if noisy else None)
execution = Execution("job", name, method, "", 100, 7, options)
source = f"qreg q[{width}]; creg c[{width}]; h q; cx q[0],q[1]; measure q -> c;"
circuit = expanded(parse(source))
FirstRuns(wide=True).before(executor, execution)
taken = []
for _ in range(6):
    began = time.process_time()
    executor.run(circuit, execution)
    taken.append(time.process_time() - began)
print(taken[0] / min(taken[1:]))
"""


# Threads of NumPy that wait for a core take processor time.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("backend", "method", "width", "noise"),
    [
        ("aer_simulator", "density_matrix", 3, "noisy"),
        ("local_simulator", "statevector", 14, "pure"),
    ],
)
def test_the_first_run_takes_about_as_long_as_the_others(backend, method, width, noise):
    done = subprocess.run(
        [sys.executable, "-c", FIRST_RUN, backend, method, str(width), noise],
        check=True, capture_output=True, text=True, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    # Without a warm-up it takes 70 and 15 times as long.
    assert float(done.stdout) < 8
