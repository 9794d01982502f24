"""Predictions that decide between methods and backends, where measurements are clear."""

import pytest

from quantcloud.backends.aer.backend import CPU
from quantcloud.backends.pennylane.backend import BACKEND as PENNYLANE
from quantcloud.circuits import analyse
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.openqasm import parse
from unit.backends.exact import with_header

PLAIN = RunOptions()
NOISY = RunOptions(noise=Noise(0.001, 0.01, 0.01))
MEASURED_TWICE = "measure q[0] -> c[0]; h q[0]; measure q -> c;"


def chain(num_qubits, end="measure q -> c;"):
    pairs = "".join(f"cx q[{i}],q[{i + 1}];" for i in range(num_qubits - 1))
    return f"qreg q[{num_qubits}]; creg c[{num_qubits}]; h q[0]; {pairs} {end}"


@pytest.mark.parametrize(
    ("source", "shots", "options", "method"),
    [
        # A tableau is measured for each shot; a statevector is measured once.
        (chain(2), 1024, PLAIN, "statevector"),
        (chain(10), 10_000, PLAIN, "statevector"),
        (chain(18), 1024, PLAIN, "stabilizer"),
        (chain(18), 10_000, PLAIN, "statevector"),
        (chain(20), 1024, PLAIN, "stabilizer"),
        # Tableaus start anew for each shot, statevectors for each history.
        (chain(2, MEASURED_TWICE), 1024, PLAIN, "statevector"),
        (chain(16, MEASURED_TWICE), 100, PLAIN, "stabilizer"),
        # A density matrix takes long to begin, and then all shots.
        (chain(2), 1, NOISY, "statevector"),
        (chain(2), 1024, NOISY, "density_matrix"),
        (chain(8), 10_000, NOISY, "density_matrix"),
        (chain(10), 100, NOISY, "statevector"),
    ],
)
def test_the_method_that_is_fastest_on_aer_comes_first(source, shots, options, method):
    offered = CPU.methods(analyse(parse(with_header(source))), shots, options)
    assert offered[0].name == method


def test_pennylane_takes_longer_for_wide_gates_that_lightning_has_no_kernel_for():
    head = "qreg q[16]; creg c[16]; h q;"
    seconds = {}
    for gate in ("ccx", "cswap", "rccx"):
        source = with_header(head + 14 * f"{gate} q[3],q[9],q[12];" + "measure q -> c;")
        (method,) = PENNYLANE.methods(analyse(parse(source)), 1024, PLAIN)
        seconds[gate] = method.seconds
    assert seconds["ccx"] == seconds["cswap"]
    # Measured: 2.2 ms and 9 ms.
    assert seconds["rccx"] > 2 * seconds["ccx"]
