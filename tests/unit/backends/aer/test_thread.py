"""Aer runs in the thread of its caller, with the priority and the number of threads set there."""

import threading

from quantcloud.backends.aer.executor import AerExecutor
from quantcloud.circuits import expanded, with_measurements
from quantcloud.domain.execution import Execution
from quantcloud.openqasm import parse
from support.circuits import BELL


def test_a_run_starts_no_thread():
    executor = AerExecutor("CPU")
    before = {thread.ident for thread in threading.enumerate()}
    circuit = expanded(with_measurements(parse(BELL)))
    outcome = executor.run(circuit, Execution("job", "aer_simulator", "statevector", BELL, 10, 7))
    assert sum(outcome.counts.values()) == 10
    assert {thread.ident for thread in threading.enumerate()} <= before
