"""A library at home gives the counts of a result, from what the result's metadata says."""

import re
from pathlib import Path

import cirq
import numpy as np
import pennylane as qml
import pytest
import qiskit_aer
import qsimcirq
from pennylane.devices import ExecutionConfig, MCMConfig
from qiskit import qasm2, transpile
from qiskit_aer import AerSimulator

from quantcloud.backends.aer.noise import noise_model
from quantcloud.backends.reproduction import library_circuit
from quantcloud.domain.execution import Noise, RunOptions
from unit.backends.exact import read, run

HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
SHOTS, SEED = 500, 2**40 + 7
# Cirq takes some milliseconds for each shot with noise and mid-circuit measurements.
FEW = 60
NOISE = Noise(0.02, 0.05, 0.03, 2.0, 3.1, 0.1, 0.3)

TERMINAL = """
    qreg a[2]; qreg b[3]; creg k[2]; creg l[1]; creg m[4];
    ry(0.4) a[0]; rz(1.9) a[1]; sx a[1]; ry(1.3) b[0]; u(1.9,0.2,0.1) b[1]; barrier a; h b[2];
    cx a[0],b[2]; measure b[2] -> k[0]; cswap b[1],a[1],b[0]; ccx a[0],b[0],b[1];
    measure a[0] -> m[3]; measure b[0] -> l[0]; measure a[1] -> m[1];
"""
DECOMPOSED = """
    qreg q[4]; creg c[3]; ry(0.4) q[0]; h q[1]; rccx q[0],q[1],q[3]; ch q[1],q[2]; dcx q[3],q[0];
    c3sqrtx q[0],q[1],q[2],q[3]; u2(0.3,0.8) q[2];
    measure q[0] -> c[1]; measure q[2] -> c[0]; measure q[3] -> c[2];
"""
CLIFFORD = """
    qreg q[3]; creg c[3]; h q[0]; cx q[0],q[1]; s q[1]; cy q[1],q[2]; h q[2]; measure q -> c;
"""
MIDWAY = """
    qreg q[3]; creg a[1]; creg b[1]; creg out[1];
    u3(0.9,0.4,1.3) q[0]; h q[1]; cx q[1],q[2]; cx q[0],q[1]; h q[0];
    measure q[0] -> a[0]; measure q[1] -> b[0];
    if (b==1) x q[2]; if (a==1) z q[2];
    rx(0.5) q[2]; measure q[2] -> out[0];
"""
RESET = """
    qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q[0] -> c[0]; reset q[0]; ry(0.4) q[0];
    cx q[0],q[1]; measure q[1] -> c[1];
"""
CERTAIN = """
    qreg q[2]; creg c[3]; creg d[1];
    x q[1]; measure q[1] -> c[2]; reset q[1]; h q[1]; measure q[1] -> c[0]; cx q[1],q[0]; h q[1];
    measure q[0] -> d[0]; measure q[1] -> c[1];
"""
SOURCES = {
    "terminal": TERMINAL,
    "decomposed": DECOMPOSED,
    "clifford": CLIFFORD,
    "midway": MIDWAY,
    "reset": RESET,
    "certain": CERTAIN,
}


def job(executors, backend, method, source, shots=SHOTS, **options):
    """Return the counts of a job, and how its metadata names the library's circuit and call."""
    outcome = run(executors[backend], method, read(source), shots, SEED, **options)
    return outcome.counts, outcome.metadata["simulator"]


def with_certain_bits(counts, simulator):
    """Write the bits that the library's circuit does not measure into its outcomes."""
    result = {}
    for key, count in counts.items():
        bits = list(key.replace(" ", ""))
        for bit, value in simulator.get("certain_bits", {}).items():
            bits[-1 - int(bit)] = str(value)
        text = "".join(bits)
        result[text] = result.get(text, 0) + count
    return result


def aer_counts(circuit, simulator, **options):
    library = AerSimulator(**simulator["options"], **options)
    return library.run(circuit, shots=SHOTS, seed_simulator=simulator["seed"]).result().get_counts()


@pytest.mark.parametrize("name", SOURCES)
def test_aer_gives_the_counts_of_the_circuit_that_qiskit_reads(executors, name):
    counts, simulator = job(executors, "aer", "statevector", SOURCES[name])
    is_prepared = name in ("certain", "decomposed")
    assert simulator["circuit"] == ("prepared" if is_prepared else "submitted")
    if is_prepared:
        return
    circuit = qasm2.loads(
        HEADER + SOURCES[name], custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS
    )
    circuit = transpile(circuit, AerSimulator(**simulator["options"]), optimization_level=0)
    found = aer_counts(circuit, simulator)
    assert {key.replace(" ", ""): count for key, count in found.items()} == counts


AER = [
    *(("statevector", name, None) for name in SOURCES),
    ("stabilizer", "clifford", None),
    ("matrix_product_state", "terminal", None),
    ("matrix_product_state", "midway", None),
    ("density_matrix", "terminal", None),
    *((method, name, NOISE) for method in ("density_matrix", "statevector") for name in SOURCES),
]


@pytest.mark.parametrize(("method", "name", "noise"), AER)
def test_aer_gives_the_counts_of_its_circuit(executors, method, name, noise):
    counts, simulator = job(executors, "aer", method, SOURCES[name], noise=noise)
    options = RunOptions(noise=noise)
    circuit = library_circuit("aer_simulator", method, HEADER + SOURCES[name], options=options)
    extra = {"noise_model": noise_model(noise, circuit, method)} if noise else {}
    assert with_certain_bits(aer_counts(circuit, simulator, **extra), simulator) == counts
    assert simulator["library"] == "qiskit-aer"


CIRQ = [
    *(("statevector", name, None) for name in SOURCES),
    *((method, name, NOISE) for method in ("density_matrix", "trajectories") for name in SOURCES),
]


@pytest.mark.parametrize(("method", "name", "noise"), CIRQ)
def test_cirq_gives_the_counts_of_its_circuit(executors, method, name, noise):
    shots = FEW if noise else SHOTS
    counts, simulator = job(executors, "cirq", method, SOURCES[name], shots, noise=noise)
    options = RunOptions(noise=noise)
    circuit = library_circuit("cirq_simulator", method, HEADER + SOURCES[name], options=options)
    kind, arguments = simulator["simulator"], simulator["options"]
    if kind == "QSimSimulator":
        library = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(**arguments), seed=simulator["seed"])
    else:
        dtype = {key: np.dtype(value).type for key, value in arguments.items()}
        library = getattr(cirq, kind)(seed=simulator["seed"], **dtype)
    records = library.run(circuit, repetitions=shots).records
    # The key of a measurement tells its bit, or else its qubit.
    final = {f"q[{qubit}]": bit for bit, qubit in measured_at_the_end(SOURCES[name]).items()}
    width = read(SOURCES[name]).num_clbits
    rows = np.zeros((shots, width), dtype=int)
    for key, record in sorted(records.items()):
        bit = final[key] if key in final else int(key.split("[")[1][:-1])
        rows[:, bit] = record[:, -1, 0]
    found = {}
    for row in rows:
        text = "".join(map(str, reversed(row.tolist())))
        found[text] = found.get(text, 0) + 1
    assert with_certain_bits(found, simulator) == counts


def measured_at_the_end(source):
    """Return the qubit of the last measurement into each bit."""
    return {
        each.clbits[0]: each.qubits[0] for each in read(source).operations if each.name == "measure"
    }


@pytest.mark.parametrize("name", SOURCES)
def test_lightning_gives_the_counts_of_its_circuit(executors, name):
    counts, simulator = job(executors, "pennylane", "statevector", SOURCES[name])
    script = library_circuit("pennylane_simulator", "statevector", HEADER + SOURCES[name], SHOTS)
    wires = read(SOURCES[name]).num_qubits
    device = qml.device(simulator["simulator"], wires=wires, seed=simulator["seed"])
    config = ExecutionConfig(mcm_config=MCMConfig(**simulator["options"]))
    result = device.execute(script, config)
    rows = np.concatenate(result, axis=1) if isinstance(result, tuple) else result
    assert sorted(np.unique(rows, axis=0, return_counts=True)[1]) == sorted(counts.values())


def test_the_recipe_of_the_documentation_gives_the_counts_of_a_job(executors):
    page = (Path(__file__).parents[3] / "docs/backends.md").read_text(encoding="utf-8")
    shown = {}
    exec(re.search(r"```python\n(from qiskit .*?)```", page, re.DOTALL)[1], shown)  # noqa: S102 - our own page
    outcome = run(executors["aer"], "statevector", read_whole(shown["qasm"]), 1024, 7)
    assert outcome.metadata["simulator"] == shown["ran"] | {"version": qiskit_aer.__version__}
    assert outcome.counts == shown["counts"]


def read_whole(qasm):
    return read(qasm.removeprefix("OPENQASM 2.0;").replace('include "qelib1.inc";', ""))


def test_stim_gives_the_counts_of_its_circuit(executors):
    counts, simulator = job(executors, "local", "stabilizer", CLIFFORD)
    circuit = library_circuit("local_simulator", "stabilizer", HEADER + CLIFFORD)
    rows = circuit.compile_sampler(seed=simulator["seed"]).sample(SHOTS)
    found = {}
    for row in rows:
        text = "".join("1" if bit else "0" for bit in reversed(row))
        found[text] = found.get(text, 0) + 1
    assert found == counts
    assert simulator["library"] == "stim"


def test_a_circuit_written_for_a_library_gives_the_same_counts_there(executors):
    """Bell circuits as users of each library write them."""
    source = "qreg q[2]; creg c[2]; ry(0.7) q[0]; cx q[0],q[1]; measure q -> c;"
    counts, simulator = job(executors, "cirq", "statevector", source)
    low, high = cirq.LineQubit.range(2)
    measured = cirq.measure(high, low, key="c")
    circuit = cirq.Circuit(cirq.ry(0.7)(low), cirq.CNOT(low, high), measured)
    options = qsimcirq.QSimOptions(**simulator["options"])
    home = qsimcirq.QSimSimulator(options, seed=simulator["seed"]).run(circuit, repetitions=SHOTS)
    assert simulator["circuit"] == "submitted"
    assert home.histogram(key="c") == {int(key, 2): count for key, count in counts.items()}

    counts, simulator = job(executors, "pennylane", "statevector", source)

    @qml.set_shots(SHOTS)
    @qml.qnode(qml.device("lightning.qubit", wires=2, seed=simulator["seed"]))
    def bell():
        qml.RY(0.7, 0)
        qml.CNOT([0, 1])
        return qml.counts(wires=[1, 0])

    assert simulator["circuit"] == "submitted"
    assert bell() == counts


def test_a_circuit_that_the_backend_refuses_has_no_library_circuit():
    with pytest.raises(ValueError, match="a statevector of"):
        library_circuit("cirq_simulator", "statevector", f"{HEADER} qreg q[40]; h q;")
