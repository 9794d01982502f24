"""Compares the parser and the analysis with Qiskit on the same sources."""

import math

import pytest
import qiskit.qasm2
import qiskit.qasm3
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import library
from qiskit.circuit.random import random_circuit
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford, Operator
from qiskit.transpiler import CouplingMap

from quantcloud.circuits import analyse, expanded
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES, is_clifford
from quantcloud.circuits.ir import Circuit, Operation
from quantcloud.openqasm import lowered, parse

HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'

GATES = {
    "U": library.UGate,
    "u": library.UGate,
    "u3": library.U3Gate,
    "u2": library.U2Gate,
    "u1": library.U1Gate,
    "p": library.PhaseGate,
    "r": library.RGate,
    "rx": library.RXGate,
    "ry": library.RYGate,
    "rz": library.RZGate,
    "id": library.IGate,
    "x": library.XGate,
    "y": library.YGate,
    "z": library.ZGate,
    "h": library.HGate,
    "s": library.SGate,
    "sdg": library.SdgGate,
    "sx": library.SXGate,
    "sxdg": library.SXdgGate,
    "t": library.TGate,
    "tdg": library.TdgGate,
    "CX": library.CXGate,
    "cx": library.CXGate,
    "cy": library.CYGate,
    "cz": library.CZGate,
    "ch": library.CHGate,
    "cs": library.CSGate,
    "csdg": library.CSdgGate,
    "csx": library.CSXGate,
    "swap": library.SwapGate,
    "iswap": library.iSwapGate,
    "dcx": library.DCXGate,
    "ecr": library.ECRGate,
    "cp": library.CPhaseGate,
    "cu1": library.CU1Gate,
    "crx": library.CRXGate,
    "cry": library.CRYGate,
    "crz": library.CRZGate,
    "cu3": library.CU3Gate,
    "cu": library.CUGate,
    "rxx": library.RXXGate,
    "ryy": library.RYYGate,
    "rzz": library.RZZGate,
    "rzx": library.RZXGate,
    "ccx": library.CCXGate,
    "ccz": library.CCZGate,
    "cswap": library.CSwapGate,
    "rccx": library.RCCXGate,
    "rc3x": library.RC3XGate,
    "c3x": library.C3XGate,
    "c3sqrtx": library.C3SXGate,
    "c4x": library.C4XGate,
}


def to_qiskit(circuit: Circuit) -> QuantumCircuit:
    """Build the same circuit from Qiskit's gates; it must have no conditions."""
    built = QuantumCircuit(circuit.num_qubits, circuit.num_clbits)
    for name, qubits, params, clbits, condition in expanded(circuit).operations:
        assert condition is None
        if name == "measure":
            built.measure(qubits, clbits)
        elif name == "barrier":
            built.barrier(qubits)
        elif name == "reset":
            built.reset(qubits)
        elif name == "u0":
            built.id(qubits)
        else:
            built.append(GATES[name](*params), qubits)
    return built


def same_unitary(first: QuantumCircuit, second: QuantumCircuit) -> bool:
    return Operator(first).equiv(Operator(second))


def placed(circuit: QuantumCircuit) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    return [
        (
            instruction.operation.name,
            tuple(circuit.find_bit(bit).index for bit in instruction.qubits),
            tuple(circuit.find_bit(bit).index for bit in instruction.clbits),
        )
        for instruction in circuit.data
    ]


def qiskit_reads(source: str) -> QuantumCircuit:
    return qiskit.qasm2.loads(
        source, custom_instructions=qiskit.qasm2.LEGACY_CUSTOM_INSTRUCTIONS, include_path=()
    )


def assert_same_figures(analysis: Analysis, theirs: QuantumCircuit) -> None:
    if analysis.measures_all:
        gates = QuantumCircuit(theirs.num_qubits)
        for instruction in theirs.data:
            gates.append(
                instruction.operation, [theirs.find_bit(bit).index for bit in instruction.qubits]
            )
        gates.measure_all()
        theirs = gates
    counts = dict(theirs.count_ops())
    counts.pop("barrier", None)
    assert analysis.num_qubits == theirs.num_qubits
    assert analysis.num_clbits == theirs.num_clbits
    assert analysis.circuit_depth == theirs.depth()
    assert analysis.gate_count == theirs.size()
    assert analysis.gate_counts == counts


def test_the_table_has_every_standard_gate():
    assert set(GATES) | {"u0"} == set(STANDARD_GATES)


ANGLES = (0.3, -1.1, 2.7, 0.8)


def call(name: str, angles: tuple[float, ...] = ANGLES) -> str:
    gate = STANDARD_GATES[name]
    params = f"({','.join(map(repr, angles[: gate.num_params]))})" if gate.num_params else ""
    qubits = ",".join(f"q[{qubit}]" for qubit in range(gate.num_qubits))
    return f"{name}{params} {qubits};"


@pytest.mark.parametrize("name", GATES)
def test_the_definition_of_a_standard_gate_equals_qiskits_gate(name: str):
    source = f"{HEADER}qreg q[{STANDARD_GATES[name].num_qubits}]; {call(name)}"
    circuit = lowered(parse(source), {"u", "cx"})
    assert {operation.name for operation in circuit.operations} <= {"u", "cx"}
    assert same_unitary(to_qiskit(parse(source)), to_qiskit(circuit))


@pytest.mark.parametrize("name", GATES)
def test_the_clifford_predicate_agrees_with_qiskit(name: str):
    gate = STANDARD_GATES[name]
    steps = [quarter * math.pi / 2 for quarter in range(-1, 4)] + [0.4, math.pi / 4]
    choices = [()]
    for _ in range(gate.num_params):
        choices = [(*chosen, step) for chosen in choices for step in steps]
    for angles in choices[:: max(1, len(choices) // 60)]:
        circuit = QuantumCircuit(gate.num_qubits)
        circuit.append(GATES[name](*angles), range(gate.num_qubits))
        try:
            Clifford.from_operator(Operator(circuit))
            theirs = True
        except QiskitError:
            theirs = False
        ours = is_clifford(name, angles)
        # Ours may be false if not every angle is a multiple of pi/2. It is never wrongly true.
        multiples = all(abs(math.remainder(angle, math.pi / 2)) < 1e-9 for angle in angles)
        assert ours == (theirs and multiples), angles


def test_definitions_of_clifford_gates_are_clifford():
    for name, gate in STANDARD_GATES.items():
        for quarters in range(4**gate.num_params):
            angles = tuple(
                (quarters >> 2 * index & 3) * math.pi / 2 for index in range(gate.num_params)
            )
            if is_clifford(name, angles):
                source = f"{HEADER}qreg q[{gate.num_qubits}]; {call(name, angles)}"
                for operation in lowered(parse(source), {"u", "cx"}).operations:
                    assert is_clifford(operation.name, operation.params)


# Sources that Qiskit also reads.
CORPUS = {
    "bell": "qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;",
    "registers": (
        "qreg a[2]; qreg b[3]; creg m[3]; creg n[2]; h a; cx a[1],b; barrier a,b[0]; "
        "cz b[2],a[0]; measure a -> n; measure b -> m;"
    ),
    "unmeasured": "qreg q[3]; creg c[5]; h q; cx q[0],q[2]; t q[1];",
    "broadcast": "qreg q[3]; qreg r[3]; cx q,r; ccx q[0],q[1],r; swap r[0],q; barrier q,r; x r;",
    "definitions": (
        "gate a(x,y) p,q { rz(x*y/2) p; cx p,q; barrier p,q; u3(-x^2,sin(y),y-1) q; } "
        "gate b(z) p,q,r { a(z,2*z) p,r; a(-z,pi/3) q,r; h p; } gate nothing p {} "
        "qreg q[4]; creg c[4]; b(0.3) q[0],q[1],q[2]; b(1/7) q[3],q[2],q[0]; nothing q; "
        "measure q->c;"
    ),
    "builtins": "qreg q[2]; U(0.1,0.2,0.3) q; CX q[1],q[0]; u(1,2,3) q[0];",
    "opaque": "opaque magic(a,b) p,q; opaque other p; qreg q[2]; h q;",
    "middle": (
        "qreg q[3]; creg c[3]; creg d[1]; h q; measure q[0]->c[0]; x q[0]; reset q[1]; "
        "measure q[0]->d[0]; cx q[0],q[1]; measure q->c;"
    ),
    "every gate of qelib1": "qreg q[5]; u0(1) q[0]; "
    + " ".join(
        call(name)
        for name in STANDARD_GATES
        if name
        not in {"U", "CX", "u", "u0", "r", "cs", "csdg", "iswap", "dcx", "ecr", "ryy", "rzx", "ccz"}
    ),
    "functions": (
        "qreg q[1]; rx(sin(pi/3)+cos(2)*tan(0.5)) q[0]; ry(exp(-1)/ln(3)) q[0]; "
        "rz(sqrt(2)^3^0.5) q[0]; u1(-2^2) q[0]; u1(2^-1) q[0]; u2(-(1+2)*3,+4-5-6) q[0]; "
        "u3(1e-07,.5,1.) q[0]; rx(8/4/2) q[0]; rx(--3) q[0];"
    ),
    "layout": (
        "// a comment; h q[0];\r\n\tqreg\n q [ 2 ] ;// more\r\n\r\n  h   q\n[0]\n;cx q[0] , q[1];"
    ),
    "levels": (
        "qreg q[4]; h q[0]; barrier q; x q[3]; barrier q[0],q[1]; y q[1]; z q[1]; cx q[2],q[1];"
    ),
    "own gate beside the include": (
        "gate ryy(t) a,b { rx(pi/2) a; rx(pi/2) b; cx a,b; rz(t) b; cx a,b; rx(-pi/2) a; "
        "rx(-pi/2) b; } qreg q[2]; ryy(0.7) q[1],q[0];"
    ),
    "bits into registers of one": "qreg q[1]; creg c[1]; x q; measure q -> c;",
    "no parameters in parentheses": "gate g() a { h() a; } qreg q[1]; g() q[0]; x() q;",
    "empty registers": "qreg e[0]; creg f[0]; qreg q[1]; h e; measure e->f; barrier e; h q;",
}


@pytest.mark.parametrize("name", CORPUS)
def test_a_source_is_read_as_qiskit_reads_it(name: str):
    source = HEADER + CORPUS[name]
    circuit = parse(source)
    theirs = qiskit_reads(source)
    assert_same_figures(analyse(circuit), theirs)
    if analyse(circuit).has_mid_circuit:
        assert placed(to_qiskit(circuit)) == placed(theirs)
    else:
        ours = to_qiskit(circuit)
        ours.remove_final_measurements()
        theirs.remove_final_measurements()
        assert same_unitary(ours, theirs)


def test_conditional_operations_have_qiskits_depth():
    source = HEADER + (
        "qreg q[3]; creg c[2]; creg d[2]; h q; measure q[0]->c[0]; if(c==1) x q[1]; "
        "if (d==0) measure q[2]->d[1]; if(c==2) reset q[0]; if(d==3) cx q[1],q[2];"
    )
    analysis = analyse(parse(source))
    theirs = qiskit_reads(source)
    assert analysis.circuit_depth == theirs.depth()
    assert analysis.gate_count == theirs.size()
    # Qiskit counts conditional operations as "if_else".
    assert analysis.gate_counts == {"h": 3, "measure": 2, "x": 1, "reset": 1, "cx": 1}


@pytest.mark.parametrize("seed", range(12))
def test_round_trip_through_qiskits_exporters(seed: int):
    original = random_circuit(4, 8, max_operands=4, measure=False, seed=seed)
    for source in (qiskit.qasm2.dumps(original), qiskit.qasm3.dumps(original)):
        circuit = parse(source)
        assert same_unitary(to_qiskit(circuit), original)
        measured = original.copy()
        measured.measure_all()
        analysis = analyse(circuit)
        assert analysis.circuit_depth == measured.depth()
        assert analysis.gate_count == measured.size()


@pytest.mark.parametrize("seed", range(12))
def test_round_trip_of_an_export_without_includes(seed: int):
    """Such an export defines each gate that it uses, first cx as `ctrl @ U(pi, 0, pi)`."""
    original = random_circuit(4, 8, max_operands=4, measure=False, seed=seed)
    # The exporter has no definition of `id`.
    original.data = [each for each in original.data if each.operation.name != "id"]
    source = qiskit.qasm3.dumps(original, includes=())
    assert same_unitary(to_qiskit(parse(source)), original)


@pytest.mark.parametrize("seed", range(6))
def test_round_trip_with_measurements_and_resets(seed: int):
    original = random_circuit(4, 8, max_operands=3, measure=True, reset=True, seed=seed)
    for source in (qiskit.qasm2.dumps(original), qiskit.qasm3.dumps(original)):
        circuit = parse(source)
        assert [(qubits, clbits) for _, qubits, _, clbits, _ in circuit.operations] == [
            (qubits, clbits) for _, qubits, clbits in placed(original)
        ]
        assert analyse(circuit).circuit_depth == original.depth()


def test_conditions_of_qiskits_qasm3_exporter_are_read():
    original = QuantumCircuit(3, 3)
    with original.if_test((original.clbits[1], 1)):
        original.x(0)
        original.measure(1, 2)
    with original.if_test((original.clbits[0], 0)) as otherwise:
        original.rz(0.5, 0)
    with otherwise:
        original.y(0)
    with original.if_test((original.cregs[0], 3)):
        original.cx(0, 2)
    circuit = parse(qiskit.qasm3.dumps(original))
    assert circuit.operations == (
        Operation("x", (0,), (), (), (1, 1, 1)),
        Operation("measure", (1,), (), (2,), (1, 1, 1)),
        Operation("rz", (0,), (0.5,), (), (0, 1, 0)),
        Operation("y", (0,), (), (), (0, 1, 1)),
        Operation("cx", (0, 2), (), (), (0, 3, 3)),
    )


def test_physical_qubits_of_qiskits_qasm3_exporter_are_read():
    original = QuantumCircuit(3, 3)
    original.h(0)
    original.cx(0, 2)
    original.measure(range(3), range(3))
    compiled = transpile(
        original,
        coupling_map=CouplingMap.from_line(5),
        basis_gates=["rz", "sx", "cx"],
        seed_transpiler=1,
    )
    source = qiskit.qasm3.dumps(compiled)
    assert "$" in source
    circuit = parse(source)
    assert analyse(circuit).circuit_depth == compiled.depth()
    assert [operation.name for operation in circuit.operations] == [
        instruction.operation.name for instruction in compiled.data
    ]


def test_global_phases_are_ignored():
    source = (
        'OPENQASM 3.0; include "stdgates.inc"; gphase(pi/8); qubit q; '
        "gate inner(a) p { gphase(a/2); x p; } inner(0.3) q;"
    )
    expected = QuantumCircuit(1)
    expected.x(0)
    assert same_unitary(to_qiskit(parse(source)), expected)
