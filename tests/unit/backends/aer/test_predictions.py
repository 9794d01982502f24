"""The method that Aer is predicted to run a circuit by fastest, where measurements are clear."""

import pytest

from quantcloud.backends.aer.backend import CPU
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
def test_the_method_measured_fastest_comes_first(source, shots, options, method):
    offered = CPU.methods(analyse(parse(with_header(source))), shots, options)
    assert offered[0].name == method
