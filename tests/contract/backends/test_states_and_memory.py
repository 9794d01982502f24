"""The options `statevector` and `memory` on each backend, over gRPC and REST."""

import math
from collections import Counter

import pytest

from support.api import Api
from support.circuits import BELL, HEADER
from support.options import BACKENDS, MIDWAY, SPREAD, assert_refused, rest_result, result

WIDE = HEADER + "qreg q[17];\ncreg c[17];\nh q;\nmeasure q -> c;"


def expected_state() -> list[complex]:
    """The amplitudes of `STATE`. Bit q of the index is qubit q, as in Qiskit."""
    a, b = 0.4, 1.1
    ry = (math.cos(a / 2), math.sin(a / 2))
    rx = (math.cos(b / 2), -1j * math.sin(b / 2))
    state = [0j] * 8
    for first in (0, 1):
        for second in (0, 1):
            # Qubit 2 is a copy of qubit 0, made by the cx.
            state[first | second << 1 | first << 2] = ry[first] * rx[second]
    return state


STATE = HEADER + "qreg q[3];\ncreg c[3];\nry(0.4) q[0];\nrx(1.1) q[1];\ncx q[0],q[2];\n"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("measured", ["", "measure q -> c;"], ids=["bare", "measured"])
@pytest.mark.parametrize("protocol", ["gRPC", "REST"])
def test_the_statevector_has_qiskits_order(ada: Api, backend: str, measured: str, protocol: str):
    if protocol == "gRPC":
        found = result(ada, STATE + measured, backend, statevector=True)
    else:
        found = rest_result(ada, STATE + measured, backend, 100, statevector=True)
    vector = found["statevector"]
    state = [complex(*parts) for parts in zip(vector["real"], vector["imag"], strict=True)]
    expected = expected_state()
    assert len(state) == 8
    overlap = sum(x.conjugate() * y for x, y in zip(expected, state, strict=True))
    assert abs(overlap) == pytest.approx(1, abs=1e-5)
    for mine, theirs in zip(expected, state, strict=True):
        assert theirs / (overlap / abs(overlap)) == pytest.approx(mine, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_statevector_may_have_sixteen_qubits(ada: Api, backend: str):
    qasm = HEADER + "qreg q[16];\nx q[15];\n"
    vector = result(ada, qasm, backend, shots=10, statevector=True)["statevector"]
    assert len(vector["real"]) == len(vector["imag"]) == 1 << 16
    norms = [math.hypot(*parts) for parts in zip(vector["real"], vector["imag"], strict=True)]
    assert norms[1 << 15] == pytest.approx(1, abs=1e-6)
    assert sum(norms) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("backend", [*BACKENDS, None])
def test_a_statevector_that_does_not_exist_is_refused(ada: Api, backend: str | None):
    says = "options.statevector: is not available for a circuit with mid-circuit measurement"
    assert_refused(ada, says, MIDWAY, backend, statevector=True)
    says = "options.statevector: is returned for up to 16 qubits, the circuit has 17"
    assert_refused(ada, says, WIDE, backend, statevector=True)


def test_no_statevector_unless_requested(ada: Api):
    job = ada.run(BELL)
    assert not ada.finish(job).result.HasField("statevector")
    assert ada.rest("GET", f"/v1/jobs/{job}/result").json()["statevector"] is None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("qasm", [SPREAD, BELL, MIDWAY], ids=["spread", "Clifford", "midway"])
def test_memory_has_one_outcome_per_shot(ada: Api, backend: str, qasm: str):
    with_memory = result(ada, qasm, backend, shots=700, seed=11, memory=True)
    memory = with_memory["metadata"]["memory"]
    assert len(memory) == 700
    assert Counter(memory) == with_memory["counts"]
    # Memory is in the order of the shots, not sorted.
    assert memory != sorted(memory)
    without = result(ada, qasm, backend, shots=700, seed=11)
    assert "memory" not in without["metadata"]
    assert without["counts"] == with_memory["counts"]


def test_memory_over_rest(ada: Api):
    found = rest_result(ada, SPREAD, "local_simulator", 50, memory=True)
    assert Counter(found["metadata"]["memory"]) == found["counts"]
