"""Every backend samples the exact distribution, in the same bit order, by every method."""

from dataclasses import replace

import numpy as np
import pytest

from quantcloud.backends.aer import executor as aer_executor
from quantcloud.backends.base import installed_backends
from quantcloud.circuits import analyse
from quantcloud.domain.execution import NO_OPTIONS, Noise
from quantcloud.routing.method import Refusal
from unit.backends.exact import (
    assert_agrees,
    distribution,
    every_gate,
    gate_matrix,
    read,
    run,
    statevector,
)

pytestmark = pytest.mark.slow

# Aer, Cirq and qsim run circuits with mid-circuit measurements shot by shot. The time of all other
# methods hardly depends on the shots, so they get more.
FEW, SHOTS, MANY = 3_000, 6_000, 400_000

PURE = [
    ("local", "statevector"),
    ("aer", "statevector"),
    ("aer", "density_matrix"),
    ("aer", "matrix_product_state"),
    ("cirq", "statevector"),
    ("pennylane", "statevector"),
]
CLIFFORD = [*PURE, ("local", "stabilizer"), ("aer", "stabilizer")]
NOISY = [
    ("aer", "density_matrix"),
    ("aer", "statevector"),
    ("cirq", "density_matrix"),
    ("cirq", "trajectories"),
]


def shots_of(backend, method):
    if backend == "cirq":
        return FEW
    return SHOTS if backend == "aer" else MANY


CIRCUITS = {
    "asymmetric": """
        qreg q[3]; creg c[3];
        ry(0.4) q[0]; ry(1.1) q[1]; cx q[0],q[2]; rx(0.3) q[2]; measure q -> c;
    """,
    "measures nothing": "qreg q[3]; ry(0.5) q[0]; x q[1];",
    "several registers": """
        qreg a[2]; qreg b[3]; creg x[2]; creg y[1]; creg z[4];
        ry(0.4) a[0]; ry(0.9) a[1]; ry(1.3) b[0]; ry(1.9) b[1]; ry(2.4) b[2];
        cx a[0],b[2]; cswap b[1],a[1],b[0];
        measure b[2] -> x[0]; measure a[0] -> z[3]; measure b[0] -> y[0]; measure a[1] -> z[1];
    """,
    "two bits of one qubit": """
        qreg q[2]; creg c[4];
        ry(0.7) q[0]; ry(2.2) q[1];
        measure q[0] -> c[3]; measure q[0] -> c[1]; measure q[1] -> c[0];
    """,
    "the last write wins": """
        qreg q[2]; creg c[2];
        ry(0.7) q[0]; ry(2.2) q[1];
        measure q[0] -> c[0]; measure q[1] -> c[0]; measure q[0] -> c[1];
    """,
    "the last write wins, midway": """
        qreg q[2]; creg c[2];
        ry(0.7) q[0]; ry(2.2) q[1]; measure q[0] -> c[0]; h q[0]; measure q[1] -> c[0];
        if (c==1) x q[0]; measure q[0] -> c[1];
    """,
    "the last write wins, and its qubit goes on": """
        qreg q[2]; creg c[2];
        ry(1.2) q[0]; ry(2.2) q[1]; measure q[0] -> c[0]; measure q[1] -> c[0];
        h q[1]; measure q[1] -> c[1];
    """,
    "an early final measurement is overwritten by a later one that is read": """
        qreg q[3]; creg c[2];
        ry(0.7) q[0]; ry(2.2) q[1]; measure q[0] -> c[0]; measure q[1] -> c[0];
        if (c==1) ry(0.8) q[2]; measure q[2] -> c[1];
    """,
    "measured midway": """
        qreg q[2]; creg c[3];
        ry(0.8) q[0]; cx q[0],q[1]; measure q[0] -> c[0]; ry(0.5) q[0]; ch q[0],q[1];
        measure q[0] -> c[1]; ry(1.9) q[1]; measure q[1] -> c[2];
    """,
    "reset midway": """
        qreg q[3]; creg c[3];
        reset q[0]; ry(0.8) q[0]; ry(1.4) q[1]; cx q[0],q[2]; cx q[1],q[2]; reset q[0];
        ry(0.4) q[0]; cx q[2],q[0]; reset q[1]; measure q -> c;
    """,
    "teleported": """
        qreg q[3]; creg a[1]; creg b[1]; creg out[1];
        u3(0.9,0.4,1.3) q[0]; h q[1]; cx q[1],q[2]; cx q[0],q[1]; h q[0];
        measure q[0] -> a[0]; measure q[1] -> b[0];
        if (b==1) x q[2]; if (a==1) z q[2];
        rx(0.5) q[2]; measure q[2] -> out[0];
    """,
    "conditions on registers": """
        qreg q[3]; creg a[2]; creg b[3];
        ry(1.0) q[0]; ry(1.7) q[1]; measure q[0] -> a[0]; measure q[1] -> a[1];
        if (a==2) ry(0.6) q[2]; if (a==1) x q[2]; if (a==3) reset q[0]; if (a==3) h q[1];
        if (a==0) measure q[2] -> b[2]; if (a==5) x q[0]; if (b==0) ry(0.3) q[0];
        measure q[0] -> b[0]; measure q[1] -> b[1];
    """,
    "a condition that its own measurement changes": """
        qreg q[3]; creg c[2];
        ry(1.3) q[0]; ry(0.9) q[1]; ry(2.0) q[2]; measure q[0] -> c[0];
        if (c==1) measure q[1] -> c[1]; if (c==1) measure q[2] -> c[0]; if (c==3) x q[0];
        measure q[0] -> c[0];
    """,
    "conditional gates that no result depends on": """
        qreg q[5]; creg a[1]; creg c[1];
        ry(0.7) q; measure q[1] -> a[0]; if (a==1) measure q[3] -> c[0]; if (c==1) ry(0.7) q;
    """,
    "a wide condition": """
        qreg q[2]; creg c[70]; creg d[1];
        ry(1.0) q[0]; measure q[0] -> c[69]; measure q[0] -> c[3];
        if (c==590295810358705651720) ry(0.7) q[1]; if (c==8) x q[1]; measure q[1] -> d[0];
    """,
    "defined gates": """
        gate pair(t) a,b { ry(t/2) a; cx a,b; barrier a,b; rz(-t) b; }
        gate twice(t) a,b { pair(t) a,b; h b; pair(2*t) b,a; }
        qreg q[2]; creg c[2];
        twice(0.7) q[1],q[0]; measure q[0] -> c[0]; if (c==1) twice(1.1) q[0],q[1];
        measure q[1] -> c[1];
    """,
}

CLIFFORD_CIRCUITS = {
    "terminal": """
        qreg q[5]; creg c[5];
        h q[0]; cx q[0],q[1]; sdg q[1]; h q[1]; cy q[1],q[2]; sx q[3]; iswap q[3],q[0];
        ecr q[2],q[3]; dcx q[0],q[4]; rz(pi/2) q[1]; rx(3*pi/2) q[2]; u3(pi/2,0,pi) q[4];
        rzz(pi/2) q[0],q[4]; swap q[1],q[3]; sxdg q[2]; cp(pi) q[0],q[1]; x q[4];
        measure q -> c;
    """,
    "midway": """
        qreg q[4]; creg c[5];
        h q[0]; cx q[0],q[1]; s q[1]; h q[1]; measure q[1] -> c[1]; h q[1]; reset q[0];
        h q[2]; cx q[2],q[0]; measure q[1] -> c[0]; cz q[2],q[3]; h q[3]; measure q[3] -> c[4];
        measure q[0] -> c[2];
    """,
    "certain midway": """
        qreg q[4]; creg c[5];
        x q[1]; measure q[1] -> c[3]; reset q[1]; h q[0]; measure q[0] -> c[0]; h q[0];
        measure q[2] -> c[0]; cx q[0],q[2]; cx q[0],q[2]; reset q[2]; measure q[0] -> c[1];
        if (c==8) x q[3]; if (c==16) h q[3]; measure q[3] -> c[2]; h q[1]; x q[2];
        measure q[2] -> c[4];
    """,
    "all that is measured is certain": """
        qreg q[2]; creg c[2];
        h q[0]; x q[1]; measure q[1] -> c[1]; reset q[1]; h q[1];
    """,
    "conditions": """
        qreg q[4]; creg c[2]; creg d[3];
        h q[0]; cx q[0],q[1]; h q[2]; cx q[2],q[3]; measure q[0] -> c[0]; measure q[2] -> c[1];
        if (c==3) h q[1]; if (c==1) x q[3]; if (c==2) cx q[3],q[1]; if (c==0) reset q[1];
        measure q[1] -> d[0]; if (d==1) h q[3]; h q[0]; cx q[0],q[3];
        measure q[3] -> d[1]; measure q[0] -> d[2];
    """,
}


def without_conditional_resets(circuit):
    kept = [each for each in circuit.operations if not (each.condition and each.name == "reset")]
    return replace(circuit, operations=tuple(kept))


def measures_or_resets_under_a_condition(circuit):
    return any(each.condition and each.name in ("measure", "reset") for each in circuit.operations)


@pytest.mark.parametrize(("backend", "method"), PURE)
@pytest.mark.parametrize("source", CIRCUITS.values(), ids=CIRCUITS)
def test_outcomes_have_the_exact_distribution(executors, backend, method, source):
    circuit, shots = read(source), shots_of(backend, method)
    if backend in ("cirq", "pennylane") and measures_or_resets_under_a_condition(circuit):
        offered = installed_backends()[f"{backend}_simulator"].methods(
            analyse(circuit), shots, NO_OPTIONS
        )
        assert isinstance(offered, Refusal)
        assert "measures and resets no qubit under a condition" in offered.reason
        return
    outcome = run(executors[backend], method, circuit, shots)
    assert_agrees(outcome, distribution(circuit), shots)
    assert outcome.metadata["method"] == method


@pytest.mark.parametrize(("backend", "method"), CLIFFORD)
@pytest.mark.parametrize("source", CLIFFORD_CIRCUITS.values(), ids=CLIFFORD_CIRCUITS)
def test_clifford_circuits_have_the_exact_distribution(executors, backend, method, source):
    circuit, shots = read(source), shots_of(backend, method)
    if backend in ("cirq", "pennylane"):
        circuit = without_conditional_resets(circuit)
    assert_agrees(run(executors[backend], method, circuit, shots), distribution(circuit), shots)


@pytest.mark.parametrize(("backend", "method"), PURE)
@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5])
def test_every_gate_has_the_exact_distribution(executors, backend, method, num_qubits):
    circuit = read(every_gate(num_qubits, np.random.default_rng(num_qubits)))
    amplitudes = statevector(circuit)
    exact = {format(i, f"0{num_qubits}b"): p for i, p in enumerate(abs(amplitudes) ** 2)}
    shots = shots_of(backend, method)
    outcome = run(executors[backend], method, circuit, shots)
    assert_agrees(outcome, exact, shots)


@pytest.mark.parametrize("backend", ["local", "aer", "cirq", "pennylane"])
def test_every_gate_has_the_exact_amplitudes(executors, backend):
    circuit = read(every_gate(6, np.random.default_rng(6)))
    outcome = run(executors[backend], "statevector", circuit, 1, statevector=True)
    state = np.array(outcome.statevector.real) + 1j * np.array(outcome.statevector.imag)
    # The global phase too.
    tolerance = 1e-6 if outcome.metadata["precision"] == "single" else 1e-12
    assert np.allclose(state, statevector(circuit), atol=tolerance)


@pytest.mark.parametrize(("backend", "method"), NOISY)
@pytest.mark.parametrize(
    "noise",
    [
        Noise(depolarizing_1q=0.08, depolarizing_2q=0.15),
        Noise(readout=0.07),
        Noise(t1_us=1.1, t2_us=0.7, gate_time_1q_us=0.1, gate_time_2q_us=0.4),
        Noise(t1_us=0.9),
        Noise(0.02, 0.05, 0.03, 2.0, 3.1, 0.1, 0.3),
    ],
    ids=["depolarizing", "readout", "thermal", "t1 only", "all"],
)
def test_noise_has_the_exact_distribution(executors, backend, method, noise):
    circuit = read("""
        qreg q[3]; creg c[4];
        ry(2.1) q[0]; sx q[1]; cx q[0],q[1]; id q[2]; iswap q[1],q[2]; measure q[0] -> c[0];
        if (c==1) ry(0.8) q[2]; reset q[0]; h q[0]; dcx q[0],q[1]; rzx(0.9) q[2],q[0];
        measure q[0] -> c[1]; measure q[1] -> c[2]; measure q[2] -> c[3];
    """)
    # Cirq takes some milliseconds for each shot of it.
    shots = 300 if backend == "cirq" else shots_of(backend, method)
    outcome = run(executors[backend], method, circuit, shots, noise=noise)
    assert_agrees(outcome, distribution(circuit, noise), shots)
    assert outcome.metadata["noise"] is True


@pytest.mark.parametrize("method", ["density_matrix", "trajectories"])
def test_cirq_has_the_exact_distribution_of_noise_without_branches(executors, method):
    noise = Noise(0.02, 0.05, 0.03, 2.0, 3.1, 0.1, 0.3)
    circuit = read("""
        qreg q[3]; creg c[3];
        ry(2.1) q[0]; sx q[1]; cx q[0],q[1]; id q[2]; iswap q[1],q[2]; h q[0]; dcx q[0],q[1];
        rzx(0.9) q[2],q[0]; measure q[0] -> c[0]; measure q[1] -> c[2]; measure q[2] -> c[1];
    """)
    outcome = run(executors["cirq"], method, circuit, MANY // 10, noise=noise)
    assert_agrees(outcome, distribution(circuit, noise), MANY // 10)


@pytest.mark.parametrize(("backend", "method"), NOISY)
def test_the_noise_of_wide_gates_equals_that_of_their_definitions(executors, backend, method):
    noise = Noise(depolarizing_1q=0.01, depolarizing_2q=0.03)
    whole = read(
        "qreg q[3]; creg c[3]; ry(1.2) q[0]; ry(2.0) q[2]; rccx q[2],q[0],q[1]; measure q->c;"
    )
    parts = read("""
        qreg q[3]; creg c[3]; ry(1.2) q[0]; ry(2.0) q[2];
        h q[1]; t q[1]; cx q[0],q[1]; tdg q[1]; cx q[2],q[1]; t q[1]; cx q[0],q[1];
        tdg q[1]; h q[1]; measure q -> c;
    """)
    shots = shots_of(backend, method)
    outcome = run(executors[backend], method, whole, shots, noise=noise)
    assert_agrees(outcome, distribution(parts, noise), shots)


@pytest.mark.parametrize("gates", ["h q;", "h q[0]; cx q[0],q[18]; x q[3];"], ids=["all", "some"])
def test_aer_runs_more_qubits_than_a_statevector_result_may_have(executors, gates):
    circuit = read(f"qreg q[19]; creg c[2]; {gates} measure q[18] -> c[0]; measure q[3] -> c[1];")
    outcome = run(executors["aer"], "statevector", circuit, MANY)
    expected = {"00": 0.25, "01": 0.25, "10": 0.25, "11": 0.25}
    assert_agrees(outcome, expected if gates == "h q;" else {"10": 0.5, "11": 0.5}, MANY)


WIDE_NOISE = [
    *((backend, "statevector", None) for backend in ("local", "aer", "cirq", "pennylane")),
    ("aer", "density_matrix", Noise(readout=0.05)),
    ("cirq", "density_matrix", Noise(readout=0.05)),
    ("cirq", "trajectories", Noise(readout=0.05)),
]


@pytest.mark.parametrize(("backend", "method", "noise"), WIDE_NOISE)
def test_more_classical_bits_than_an_integer_has_are_read(executors, backend, method, noise):
    """Two qubits are each measured into 40 bits, with independent readout errors."""
    reads = "".join(f"measure q[{bit % 2}] -> c[{bit}];" for bit in range(80))
    circuit = read(f"qreg q[2]; creg c[80]; h q[0]; {reads}")
    outcome = run(executors[backend], method, circuit, 1000, noise=noise)
    assert sum(outcome.counts.values()) == 1000
    ones = np.zeros(80)
    for key, count in outcome.counts.items():
        assert len(key) == 80
        ones += count * np.array([bit == "1" for bit in reversed(key)])
    rate = 0.0 if noise is None else noise.readout
    assert np.allclose(ones[0::2] / 1000, 0.5, atol=0.08)
    assert np.allclose(ones[1::2] / 1000, rate, atol=0.04 if rate else 0)
    if noise is None:
        assert len(outcome.counts) == 2


@pytest.mark.parametrize("shots", [1, 99, 100, 101, SHOTS])
def test_aer_runs_many_histories_in_parts(executors, monkeypatch, shots):
    """The limit stands for states that do not fit in memory together."""
    monkeypatch.setattr(aer_executor, "MAX_BRANCHES_BYTES", 100 * 16 * 2**3)
    rounds = "".join(f"ry(0.6) q[0]; cx q[0],q[1]; measure q[1] -> c[{k}];" for k in range(7))
    circuit = read(f"qreg q[3]; creg c[9]; {rounds} h q[1]; cx q[1],q[2]; measure q[2] -> c[8];")
    outcome = run(executors["aer"], "statevector", circuit, shots)
    assert_agrees(outcome, distribution(circuit), shots)
    monkeypatch.undo()
    assert outcome.counts == run(executors["aer"], "statevector", circuit, shots).counts


def test_the_reference_is_right():
    """Its matrices have the first qubit in the lowest bit, and its channels keep the trace."""
    control_low = gate_matrix("cx", ())
    assert control_low[3, 1] == control_low[1, 3] == 1
    exact = distribution(
        read("qreg q[1]; creg c[1]; x q[0]; measure q -> c;"), Noise(0.1, 0, 0.2, 1, 1, 0.5)
    )
    one = (0.9 + 0.05) * np.exp(-0.5)
    assert exact["1"] == pytest.approx(one * 0.8 + (1 - one) * 0.2)
    assert sum(exact.values()) == pytest.approx(1)
