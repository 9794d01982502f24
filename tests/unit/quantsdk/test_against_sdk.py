"""Programs give the circuit that the SDK itself builds from them, gate by gate."""

import inspect
import re
from importlib import metadata

import numpy as np
import pytest
from quantsdk.circuit import Circuit

from quantcloud.backends.local.executor import LocalExecutor
from quantcloud.circuits import expanded, with_measurements
from quantcloud.domain.execution import Execution, RunOptions
from quantcloud.openqasm import parse
from quantcloud.quantsdk import read
from quantcloud.quantsdk.expressions import NotUnderstood
from unit.backends.exact import embedded, gate_matrix
from unit.quantsdk.programs import PROGRAMS
from unit.quantsdk.reference import build

BACKENDS = {"aer": "aer_simulator", "local": "local_simulator"}
FOREIGN = {"to_qiskit", "to_cirq", "to_pennylane", "from_qiskit", "from_cirq", "from_pennylane"}
ANGLES = {"theta": 0.3, "phi": 1.1, "lam": -0.7}


def same_as_the_sdk(source):
    circuit, settings = build(source)
    program = read(source)
    assert program.qasm == circuit.to_openqasm()
    assert program.name == circuit.name
    backend = settings.get("backend")
    wanted = {**settings, "backend": BACKENDS.get(backend, backend)}
    got = program.settings._asdict()
    assert got == {**dict.fromkeys(got), **wanted}
    return program


@pytest.mark.parametrize("name", PROGRAMS)
def test_documented_kinds_of_programs(name):
    same_as_the_sdk(PROGRAMS[name])


def readme_blocks():
    text = metadata.metadata("thequantsdk").get_payload() or ""
    return re.findall(r"```python\n(.*?)```", str(text), re.DOTALL)


def test_what_the_sdk_s_own_page_shows():
    quick_start, hardware, interop, _, inspection = readme_blocks()
    assert same_as_the_sdk(quick_start).settings.shots == 1000
    before = "import quantsdk as qs\ncircuit = qs.Circuit(2).h(0).cx(0, 1).measure_all()\n"
    assert same_as_the_sdk(before + hardware).settings.backend == "ibm_brisbane"
    *_, smart = hardware.split("# Smart")
    routed = same_as_the_sdk(before + "#" + smart).settings
    assert (routed.optimize_for, routed.max_cost_usd) == ("quality", 0.5)
    without_qiskit = "\n".join(interop.split("\n")[6:])
    assert "qiskit" not in without_qiskit
    same_as_the_sdk(before + without_qiskit)
    # The SDK has no `reset_circuit`, whatever its page says.
    same_as_the_sdk(before + inspection.replace("circuit.reset_circuit()", "#"))


def public(kind):
    return [name for name in dir(kind) if not name.startswith("_")]


def test_every_public_name_of_the_sdk_s_circuit_is_known():
    for name in public(Circuit):
        source = f"import quantsdk as qs\nqs.Circuit(3).{name}"
        if name in FOREIGN:
            with pytest.raises(NotUnderstood, match="another library"):
                read(source + "()")
        else:
            assert read(source).qasm


def gates():
    for name in public(Circuit):
        member = getattr(Circuit, name)
        if not callable(member):
            continue
        _, *names = inspect.signature(member).parameters
        qubits = [each for each in names if each not in ANGLES]
        if qubits and set(qubits) <= {
            *("qubit", "qubit1", "qubit2", "control", "target", "control1", "control2"),
            *("target1", "target2"),
        }:
            yield name, qubits, [each for each in names if each in ANGLES]


GATES = {name: (qubits, angles) for name, qubits, angles in gates() if name != "reset"}
MATRICES = {"i": "id", "cnot": "cx", "toffoli": "ccx", "fredkin": "cswap"}
PREPARED = [(q, 0.3 + q, 0.7 * q, 0.2) for q in range(3)]


def test_there_are_as_many_gates_as_the_sdk_has_methods():
    assert len(GATES) == 46


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 1, 2)])
@pytest.mark.parametrize("name", GATES)
def test_each_gate_is_qiskit_s(name, order):
    qubits, angles = GATES[name]
    at, params = order[: len(qubits)], [ANGLES[angle] for angle in angles]
    given = [*zip(qubits, at, strict=True), *zip(angles, params, strict=True)]
    source = (
        f"import quantsdk as qs\nc = qs.Circuit(3)\nfor each in {PREPARED}:\n"
        "    q, theta, phi, lam = each\n    c.u3(q, theta, phi, lam)\n"
        f"c.{name}({', '.join(f'{key}={value}' for key, value in given)})"
    )
    wanted = np.eye(1, 8, dtype=complex)[0]
    for qubit, *preparing in PREPARED:
        wanted = embedded(gate_matrix("u3", preparing), [qubit], 3) @ wanted
    wanted = embedded(gate_matrix(MATRICES.get(name, name), params), at, 3) @ wanted
    circuit = expanded(with_measurements(parse(same_as_the_sdk(source).qasm)))
    run = Execution("j", "local_simulator", "statevector", "", 1, 1, RunOptions(statevector=True))
    state = LocalExecutor().run(circuit, run).statevector
    assert state is not None
    amplitudes = np.array(state.real) + 1j * np.array(state.imag)
    assert abs(np.vdot(wanted, amplitudes)) == pytest.approx(1)
