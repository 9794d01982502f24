"""A circuit has an outcome even if none of its measurements can happen."""

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.circuits import expanded, with_measurements
from quantcloud.domain.execution import Execution
from quantcloud.openqasm import parse

SOURCE = """OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg a[1];
h q[0]; reset q[0]; if (a == 1) measure q[0] -> a[0];"""


@pytest.mark.parametrize(
    "method", ["statevector", "density_matrix", "stabilizer", "matrix_product_state"]
)
def test_on_aer_all_bits_are_0(method: str):
    executor = installed_backends()["aer_simulator"].executor()
    execution = Execution("job", "aer_simulator", method, SOURCE, 100, 1)
    circuit = expanded(with_measurements(parse(SOURCE)))
    assert executor.run(circuit, execution).counts == {"0": 100}
