"""What circuits of Qiskit may contain: control flow, gates, parameters and bits of any kind."""

import itertools
import math

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Clbit, Gate, Parameter, Qubit
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import HGate, QFTGate, UnitaryGate, efficient_su2
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary

from quantcloud.qiskit import EstimatorV2, Provider, SamplerV2

pytestmark = pytest.mark.usefixtures("configured")


def flow() -> QuantumCircuit:
    """Return a circuit with all kinds of control flow and one outcome."""
    c, d = ClassicalRegister(2, "c"), ClassicalRegister(3, "d")
    circuit = QuantumCircuit([Qubit() for _ in range(4)], c, d, [Clbit()])
    circuit.x(0)
    circuit.measure(0, c[0])
    with circuit.if_test((c, 1)) as otherwise:
        circuit.x([1, 2])
    with otherwise:
        circuit.x(3)
    circuit.measure(1, d[1])
    with circuit.if_test(expr.logic_and(c[0], expr.less(d, 3))):
        circuit.x(3)
        with circuit.if_test((d[1], 0)):
            circuit.x(3)
    with circuit.for_loop(range(0, 5, 2)) as step:
        circuit.ry(step * math.pi, 2)
        circuit.x(2)
    circuit.reset(0)
    with circuit.while_loop(expr.bit_not(d[2])):
        circuit.x(0)
        circuit.measure(0, d[2])
    with circuit.for_loop(range(3)):
        circuit.x(0)
        with circuit.if_test((d[2], 1)):
            circuit.x(0)
            circuit.break_loop()
    with circuit.switch(d[2]) as case:
        with case(0):
            circuit.x(3)
        with case(1):
            circuit.id(3)
    with circuit.switch(expr.logic_not(d[0])) as case, case(1):
        circuit.id(3)
    with circuit.switch(d) as case:
        with case(0, 1):
            circuit.x(1)
        with case(6):
            circuit.x([0, 1])
        with case(case.DEFAULT):
            circuit.x(3)
    count = circuit.add_var("count", expr.lift(2, types.Uint(4)))
    circuit.store(count, expr.bit_xor(count, expr.cast(d, types.Uint(4))))
    with circuit.if_test(expr.equal(count, 4)):
        circuit.x(1)
    circuit.measure([0, 1], c)
    circuit.measure([2, 3], d[:2])
    circuit.measure(3, circuit.clbits[-1])
    return circuit


def test_control_flow_and_variables_reach_the_server():
    for backend in ("aer_simulator", "local_simulator"):
        found = SamplerV2(backend=backend).run([flow()], shots=5).result()[0].data
        assert (found.c.get_counts(), found.d.get_counts()) == ({"10": 5}, {"110": 5})


def test_gates_that_the_server_does_not_know_are_decomposed():
    inner = QuantumCircuit(1)
    inner.x(0)
    liar = Gate("h", 1, [])
    liar.definition = inner
    circuit = QuantumCircuit(3)
    circuit.initialize([0.6, 0.8j], 1)
    circuit.append(liar, [0])
    circuit.append(HGate().control(1, ctrl_state=0), [0, 2])
    circuit.append(UnitaryGate(random_unitary(4, seed=1)), [2, 0])
    circuit.barrier()
    circuit.append(QFTGate(3).inverse(), [0, 2, 1])
    circuit.rx(Parameter("a"), 0)
    circuit.append(efficient_su2(2, reps=1).to_gate(), [1, 2])
    values = np.linspace(0.1, 1, circuit.num_parameters)
    pub = (circuit, ["ZIX", "IYZ", "XXI"], values)
    ours = EstimatorV2().run([pub]).result()[0].data.evs
    reference = QuantumCircuit(3)
    reference.compose(circuit.assign_parameters(values), inplace=True)
    theirs = [Statevector(reference).expectation_value(SparsePauliOp(each)).real for each in pub[1]]
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_parameters_may_have_the_names_of_inputs():
    circuit = QuantumCircuit(1)
    # As texts, p10 comes before p2, so p10 is the third input.
    parameters = [Parameter(f"p{place}") for place in range(1, 13)]
    for one, other in itertools.pairwise(parameters):
        circuit.rx(one - 2 * other, 0)
        circuit.ry(one * other, 0)
    circuit.global_phase = sum(parameters)
    pub = (circuit, "Z", np.linspace(0.1, 2, 12))
    ours, theirs = (each.run([pub]).result()[0] for each in (EstimatorV2(), StatevectorEstimator()))
    assert ours.data.evs == pytest.approx(theirs.data.evs, abs=1e-9)


def test_a_gate_named_like_a_standard_gate_is_not_taken_for_it():
    inner = QuantumCircuit(2)
    inner.x([0, 1])
    circuit = QuantumCircuit(3, 3)
    circuit.u(math.pi, 0, math.pi, 2)
    with circuit.if_test((0, False)):
        circuit.append(inner.to_gate(label="u"), [0, 1])
        for name in ("u", "swap"):
            liar = inner.to_gate()
            liar.name = name
            circuit.append(liar, [0, 2])
    circuit.measure(range(3), range(3))
    assert SamplerV2().run([circuit], shots=3).result()[0].data.c.get_counts() == {"111": 3}


def test_loops_that_count_down_run_as_often_as_at_home():
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(2, -2, -1)) as turn, circuit.for_loop(range(5, 0, -2)) as inner:
        circuit.rx(0.1 * turn, 0)
        circuit.ry(0.05 * inner + 0.1 * turn, 1)
    with circuit.for_loop(range(3, 0, -1)):
        circuit.rx(0.2, 0)
        circuit.break_loop()
    with circuit.for_loop(range(0, 3, -1)):
        circuit.rx(0.3, 0)
    state = QuantumCircuit(2)
    for turn, inner in itertools.product(range(2, -2, -1), range(5, 0, -2)):
        state.rx(0.1 * turn, 0)
        state.ry(0.05 * inner + 0.1 * turn, 1)
    state.rx(0.2, 0)
    labels = ["IZ", "ZI", "IY", "XI"]
    ours = EstimatorV2().run([(circuit, labels)]).result()[0].data.evs
    theirs = StatevectorEstimator().run([(state, labels)]).result()[0].data.evs
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_bits_without_a_register_have_their_places():
    circuit = QuantumCircuit([Qubit() for _ in range(4)], [Clbit()], ClassicalRegister(2, "c"))
    circuit.add_bits([Clbit()])
    circuit.x([0, 2])
    circuit.measure(range(4), [0, 1, 2, 3])
    backend = Provider().backend("local_simulator")
    job = backend.run(circuit, shots=3, memory=True)
    for found in (job.result(), backend.retrieve_job(job.job_id()).result()):
        assert found.results[0].data.counts == {"0x5": 3}
        assert found.results[0].data.memory == ["0x5"] * 3
    assert SamplerV2().run([circuit], shots=3).result()[0].data.c.get_counts() == {"10": 3}


def test_angles_have_all_their_digits():
    circuit = QuantumCircuit(1)
    circuit.rx(math.pi / 2 + 1e-10, 0)
    found = EstimatorV2().run([(circuit, "Z")]).result()[0].data.evs
    assert found == pytest.approx(-1e-10, rel=1e-4)
