"""Noise by gate and by qubit, compared with exact density matrices."""

import cirq
import numpy as np
import pytest
from qiskit_aer import AerSimulator

from quantcloud.backends.aer.noise import noise_model
from quantcloud.backends.aer.translation import translated as aer_translated
from quantcloud.backends.cirq.translation import translated as cirq_translated
from quantcloud.backends.simulation.programs import program
from quantcloud.domain.execution import GateNoise, Noise, QubitNoise
from unit.backends.exact import assert_agrees, density_matrix, distribution, read, run

GATES = """
    qreg q[3]; creg c[3]; opaque delay(t) a;
    ry(2.1) q[0]; sx q[1]; cx q[0],q[1]; CX q[2],q[0]; id q[2]; delay(300) q[1]; iswap q[1],q[2];
    U(0.4,1.2,2.0) q[0]; u0(1) q[1]; rzx(0.9) q[2],q[0]; h q[1]; cx q[1],q[0]; rx(0.7) q[2];
"""
MEASURED = GATES + "measure q[2] -> c[0]; measure q[0] -> c[2]; measure q[1] -> c[1];"
MIDWAY = """
    qreg q[3]; creg c[4]; ry(2.1) q[0]; cx q[0],q[1]; measure q[0] -> c[0];
    if (c==1) cx q[1],q[2]; h q[0];
    measure q[0] -> c[1]; measure q[1] -> c[2]; measure q[2] -> c[3];
"""
SKEWED = ((0.98, 0.02), (0.11, 0.89))
NOISES = {
    "depolarizing of a gate": Noise(0.02, 0.05, gates=(("cx", GateNoise(depolarizing=0.2)),)),
    "no depolarizing of a gate": Noise(0.02, 0.05, gates=(("cx", GateNoise(depolarizing=0.0)),)),
    "single Pauli errors": Noise(
        gates=(
            ("cx", GateNoise(pauli=(("X", 0.05), ("Z", 0.1)))),
            ("h", GateNoise(pauli=(("Y", 0.2),))),
        )
    ),
    "Pauli errors of pairs": Noise(
        gates=(("cx", GateNoise(pauli=(("IZ", 0.05), ("XI", 0.15), ("YX", 0.1)))),)
    ),
    "amplitude damping": Noise(
        gates=(("cx", GateNoise(amplitude_damping=0.1)), ("u", GateNoise(amplitude_damping=0.3)))
    ),
    "times of a gate": Noise(t1_us=2.0, t2_us=1.5, gates=(("cx", GateNoise(gate_time_us=0.9)),)),
    "times of qubits": Noise(
        t1_us=2.0, qubits=((0, QubitNoise(t1_us=0.5, t2_us=0.7)), (2, QubitNoise(t2_us=1.1)))
    ),
    "one qubit": Noise(qubits=((1, QubitNoise(t1_us=0.8, readout=SKEWED)),)),
    "readout of qubits": Noise(
        readout=0.04,
        qubits=((0, QubitNoise(readout=SKEWED)), (1, QubitNoise(readout=((1.0, 0.0), (0.0, 1.0))))),
    ),
    "all": Noise(
        0.01, 0.02, 0.03, 5.0, 4.0, 0.1, 0.2,
        gates=(
            ("cx", GateNoise(0.04, (("XX", 0.02), ("ZI", 0.03)), 0.05, 0.4)),
            ("id", GateNoise(pauli=(("Z", 0.25),))),
            ("iswap", GateNoise(amplitude_damping=0.2)),
        ),
        qubits=((0, QubitNoise(t1_us=3.0, t2_us=2.0, readout=SKEWED)), (2, QubitNoise(t1_us=9.0))),
    ),
}  # fmt: skip
EVERY = pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)


def divided():
    return program(read(MEASURED), noisy=True)


@EVERY
@pytest.mark.parametrize("as_kraus", [False, True])
def test_aers_density_matrix_is_exact(noise, as_kraus):
    circuit = aer_translated(divided(), "density_matrix").circuit
    model = noise_model(noise, circuit, "density_matrix" if as_kraus else "statevector")
    bare = circuit.remove_final_measurements(inplace=False)
    bare.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    found = np.asarray(simulator.run(bare).result().data(0)["density_matrix"])
    assert np.allclose(found, density_matrix(read(MEASURED), noise), atol=1e-8)


@EVERY
def test_cirqs_density_matrix_is_exact(noise):
    circuit = cirq_translated(divided(), noise, measured=False)
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    found = simulator.simulate(circuit, qubit_order=cirq.LineQubit.range(3)[::-1])
    exact = density_matrix(read(MEASURED), noise)
    assert np.allclose(found.final_density_matrix, exact, atol=1e-8)


@EVERY
@pytest.mark.parametrize(
    ("backend", "method"),
    [
        ("aer", "density_matrix"),
        ("aer", "statevector"),
        ("cirq", "density_matrix"),
        ("cirq", "trajectories"),
    ],
)
def test_outcomes_have_the_exact_distribution(executors, backend, method, noise):
    circuit = read(MEASURED)
    outcome = run(executors[backend], method, circuit, 2000, seed=5, noise=noise)
    assert_agrees(outcome, distribution(circuit, noise), 2000)


@pytest.mark.parametrize("method", ["density_matrix", "trajectories"])
def test_cirq_misreads_qubits_that_go_on(executors, method):
    noise = NOISES["all"]
    outcome = run(executors["cirq"], method, read(MIDWAY), 100, seed=5, noise=noise)
    assert_agrees(outcome, distribution(read(MIDWAY), noise), 100)


def test_aer_misreads_qubits_that_go_on(executors):
    noise = NOISES["all"]
    outcome = run(executors["aer"], "statevector", read(MIDWAY), 6000, seed=5, noise=noise)
    assert_agrees(outcome, distribution(read(MIDWAY), noise), 6000)


def test_a_qubit_keeps_its_readout_among_conditions_that_no_result_depends_on(executors):
    noise = Noise(qubits=((0, QubitNoise(readout=SKEWED)), (1, QubitNoise(readout=SKEWED[::-1]))))
    circuit = read("""
        qreg q[3]; creg c[2]; creg d[2]; ry(1.1) q; if (d==0) swap q[0],q[2];
        measure q[0] -> c[1]; measure q[1] -> c[0]; measure q[2] -> c[0]; measure q[0] -> c[1];
        if (c==1) reset q[1]; measure q[0] -> c[0];
    """)
    outcome = run(executors["aer"], "density_matrix", circuit, 6_000, noise=noise)
    assert_agrees(outcome, distribution(circuit, noise), 6_000)


@pytest.mark.parametrize("seed", range(3))
def test_aer_runs_mixed_errors_of_two_qubits_beside_conditions_and_a_long_t2(executors, seed: int):
    noise = Noise(
        gates=(("csx", GateNoise(0.05, (("XZ", 0.2),))),), qubits=((2, QubitNoise(4.0, 5.2)),)
    )
    source = (
        "qreg q[3]; creg c[1]; measure q[2] -> c[0]; sdg q[2]; if(c==0) measure q[1] -> c[0];"
        "csx q[1],q[0]; id q[2]; csx q[2],q[1]; h q[2]; if(c==0) measure q[1] -> c[0];"
        "measure q[0] -> c[0];"
    )
    outcome = run(executors["aer"], "statevector", read(source), 150, seed, noise=noise)
    assert sum(outcome.counts.values()) == 150


def test_aer_runs_dephasing_and_depolarizing_beside_damping(executors):
    circuit = read("qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c; x q[1]; h q[1];")
    for step in range(1, 31):
        noise = Noise(
            depolarizing_2q=0.01 * step, t2_us=7.0 * step,
            gates=(("x", GateNoise(amplitude_damping=0.03 * step)),),
        )  # fmt: skip
        run(executors["aer"], "statevector", circuit, shots=1, noise=noise)


@pytest.mark.parametrize("method", ["density_matrix", "statevector"])
def test_a_qubit_keeps_its_readout_beside_gates_that_no_result_depends_on(executors, method: str):
    right = QubitNoise(readout=((1.0, 0.0), (0.0, 1.0)))
    noise = Noise(readout=0.3, qubits=((1, right),))
    source = (
        "qreg q[4]; creg c[1]; cx q[0],q[2]; x q[3]; measure q[3] -> c[0]; reset q[3]; id q[3];"
        "measure q[1] -> c[0];"
    )
    outcome = run(executors["aer"], method, read(source), 100, noise=noise)
    assert outcome.counts == {"0": 100}
