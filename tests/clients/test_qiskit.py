"""`quantcloud.qiskit` against Qiskit's own simulators, on a real server."""

import itertools
import math

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Clbit, Gate, Parameter, ParameterVector, Qubit
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import (
    HGate,
    QFTGate,
    UnitaryGate,
    efficient_su2,
    qaoa_ansatz,
    zz_feature_map,
)
from qiskit.circuit.random import random_circuit
from qiskit.primitives import (
    BackendSamplerV2,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.providers import JobStatus
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary
from qiskit.transpiler import generate_preset_pass_manager
from scipy.optimize import minimize

from quantcloud import Client
from quantcloud.client import CircuitError, InvalidRequest, JobCancelled
from quantcloud.qiskit import EstimatorV2, Provider, SamplerV2
from support.circuits import slow
from support.server import Server

# A seed repeats on the same backend.
LOCAL = "local_simulator"


@pytest.fixture(scope="module", autouse=True)
def configured(server: Server):
    """Set the variables by which the adapters find the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTCLOUD_SERVER", server.endpoints.grpc)
        patch.setenv("QUANTCLOUD_TOKEN", server.token(tier="enterprise"))
        yield


def distance(ours: dict[str, int], exact: dict[str, float]) -> float:
    """Return the total variation distance of counts from probabilities."""
    shots = sum(ours.values())
    return sum(abs(ours.get(k, 0) / shots - exact.get(k, 0)) for k in ours.keys() | exact) / 2


def parametrised(seed: int, parameters: list[Parameter]) -> QuantumCircuit:
    """Return a random circuit on 3 qubits with expressions of parameters in its angles."""
    rng = np.random.default_rng(seed)
    circuit = random_circuit(3, 3, max_operands=3, seed=seed)
    for place, parameter in enumerate(parameters):
        other = parameters[place - 1]
        circuit.ry(parameter, int(rng.integers(3)))
        circuit.rx((0.1 + 0.2) * parameter - other**2 / 3, int(rng.integers(3)))
        circuit.rzx(parameter.sin() + other.exp() * 1e-3, *map(int, rng.permutation(3)[:2]))
        circuit.compose(random_circuit(3, 1, max_operands=3, seed=seed + place), inplace=True)
    return circuit


@pytest.mark.parametrize("seed", range(6))
def test_exact_values_are_those_of_the_statevector_estimator(seed: int):
    vector = ParameterVector("w", 2)
    circuit = parametrised(seed, [Parameter("θ and a space"), *vector, Parameter("pi")])
    rng = np.random.default_rng(seed)
    names = ["".join(each) for each in rng.choice([*"IXYZ"], (4, 3))]
    sums = SparsePauliOp(names, rng.normal(size=4))
    point = rng.normal(size=4)
    pubs = [
        (circuit, sums, point),
        (circuit, names[:3], rng.normal(size=(3, 4))),
        (circuit, [[names[0]], [sums]], rng.normal(size=(5, 4))),
        (circuit, names, dict(zip(circuit.parameters, point, strict=True))),
        (circuit, [[names[:2]], [names[2:]]], rng.normal(size=(2, 3, 1, 4))),
        (circuit.assign_parameters(point), {"XYZ": 2.0, "ZII": -1.0}),
    ]
    ours = EstimatorV2().run(pubs).result()
    theirs = StatevectorEstimator().run(pubs).result()
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.data.evs.shape == reference.data.evs.shape
        assert mine.data.evs == pytest.approx(reference.data.evs, abs=1e-9)
        assert not mine.data.stds.any()


def test_projectors_are_observables():
    circuit = QuantumCircuit(2)
    circuit.ry(0.3, 0)
    circuit.rx(0.4, 1)
    state = Statevector(circuit).data
    found = EstimatorV2().run([(circuit, ["01", "I0", "+I", "rZ"])]).result()[0].data.evs
    plus = np.kron([1, 1], np.eye(2)).reshape(2, 4) / math.sqrt(2)
    right = np.kron(np.array([1, 1j]) / math.sqrt(2), np.eye(2)).conj() @ state
    assert found == pytest.approx([
        abs(state[1]) ** 2,
        abs(state[0]) ** 2 + abs(state[2]) ** 2,
        np.linalg.norm(plus @ state) ** 2,
        abs(right[0]) ** 2 - abs(right[1]) ** 2,
    ])  # fmt: skip


def test_precision_is_the_standard_error_and_a_seed_repeats():
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    points = np.linspace(0, 3, 40)
    pub = (circuit, SparsePauliOp(["ZZ", "XX"], [0.5, 1]), points)
    exact = EstimatorV2().run([pub]).result()[0].data.evs
    first, second = (
        EstimatorV2(LOCAL, seed=5).run([pub], precision=0.02).result()[0] for _ in range(2)
    )
    assert (first.data.evs == second.data.evs).all()
    assert first.metadata["target_precision"] == 0.02
    assert (first.data.stds < 0.025).all()
    assert 0 < np.std(first.data.evs - exact) < 0.03
    estimator = EstimatorV2(shots=100)
    assert estimator.run([pub]).result()[0].data.stds.max() > 0.05
    assert estimator.run([pub], precision=0.02).result()[0].data.stds.max() < 0.025


@pytest.mark.parametrize("seed", range(4))
def test_samples_of_several_registers_have_qiskits_order(seed: int):
    registers = [
        ClassicalRegister(size, name) for size, name in ((1, "x-1"), (2, "if"), (9, "wide"))
    ]
    circuit = QuantumCircuit(QuantumRegister(4, "input"), *registers)
    circuit.compose(random_circuit(4, 4, max_operands=4, seed=seed), inplace=True)
    places = np.random.default_rng(seed).permutation(12)[:4]
    exact: dict[str, float] = {}
    for outcome, probability in Statevector(circuit).probabilities_dict().items():
        bits = ["0"] * 12
        for qubit, place in enumerate(places):
            bits[11 - place] = outcome[3 - qubit]
        exact["".join([*bits[:9], " ", *bits[9:11], " ", bits[11]])] = probability
    circuit.measure(range(4), places)
    (found,) = SamplerV2(seed=seed).run([circuit], shots=4000).result()
    names = [register.name for register in registers]
    assert [found.data[name].num_bits for name in names] == [1, 2, 9]
    joined = found.join_data(names).get_counts()
    assert distance({f"{k[:9]} {k[9:11]} {k[11]}": n for k, n in joined.items()}, exact) < 0.1
    result = Provider().backend("aer_simulator").run(circuit, shots=4000, memory=True).result()
    assert distance(result.get_counts(), exact) < 0.1
    memory = result.get_memory()
    assert {each: memory.count(each) for each in memory} == result.get_counts()


def test_points_of_a_sampler_pub_are_reshaped():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(a, 0)
    circuit.rx(b, 1)
    circuit.measure([0, 1], [0, 1])
    values = np.array(list(itertools.product([0, math.pi], repeat=2))).reshape(2, 2, 2)
    pubs = [(circuit, values, 5), (circuit, {"b": values[..., 0], "a": math.pi * np.ones((2, 2))})]
    first, second = SamplerV2().run(pubs, shots=7).result()
    assert (first.data.c.shape, first.data.c.num_shots) == ((2, 2), 5)
    assert first.data.c.array[..., 0, 0].tolist() == [[0, 2], [1, 3]]
    assert second.data.c.array[..., 0, 0].tolist() == [[1, 1], [3, 3]]
    assert second.metadata["shots"] == 7
    theirs = StatevectorSampler().run(pubs, shots=7).result()
    assert (theirs[0].data.c.array == first.data.c.array).all()


def test_a_seed_repeats_and_pubs_have_samples_of_their_own():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    one, other = (each.data.meas for each in SamplerV2(LOCAL, seed=3).run([circuit] * 2).result())
    again = SamplerV2(LOCAL, seed=3).run([circuit]).result()[0].data.meas
    assert one == again
    assert one != other
    numpys = SamplerV2(LOCAL, seed=np.int64(3)).run([circuit] * 2).result()
    assert [each.data.meas for each in numpys] == [one, other]


def test_a_circuit_without_measurement_gives_zeros_or_nothing():
    silent = QuantumCircuit(1, 2)
    silent.x(0)
    assert SamplerV2().run([silent], shots=3).result()[0].data.c.get_counts() == {"00": 3}
    with pytest.warns(UserWarning, match="no output classical registers"):
        job = SamplerV2().run([QuantumCircuit(1)], shots=3)
    assert not [*job.result()[0].data]
    assert Provider().backend("local_simulator").run(silent).result().get_counts() == {"00": 1024}


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
    backend = Provider().backend(LOCAL)
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


def vqe(estimator) -> float:
    hamiltonian = SparsePauliOp.from_list([
        ("II", -1.052373245772859), ("IZ", 0.39793742484318045), ("ZI", -0.39793742484318045),
        ("ZZ", -0.01128010425623538), ("XX", 0.18093119978423156),
    ])  # fmt: skip
    ansatz = efficient_su2(2, reps=1)

    def cost(values):
        return float(estimator.run([(ansatz, hamiltonian, values)]).result()[0].data.evs)

    start = np.linspace(-1, 1, ansatz.num_parameters)
    return minimize(cost, start, method="COBYLA", options={"maxiter": 60}).fun


def test_vqe_ends_where_it_does_at_home():
    assert vqe(EstimatorV2()) == pytest.approx(vqe(StatevectorEstimator()), abs=1e-6)


def qaoa(sampler) -> tuple[float, dict[str, int]]:
    """Return the best mean cut of a ring of four nodes on a grid of angles, and its counts."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 0)]
    cost = SparsePauliOp.from_sparse_list([("ZZ", edge, 1.0) for edge in edges], num_qubits=4)
    circuit = qaoa_ansatz(cost, reps=1)
    circuit.measure_all()
    grid = np.stack(np.meshgrid(*[np.linspace(0, math.pi, 9)] * 2), axis=-1)
    measured = sampler.run([(circuit, grid)], shots=400).result()[0].data.meas

    def mean_cut(at):
        counts = measured.get_counts(at)
        cuts = (n * sum(each[a] != each[b] for a, b in edges) for each, n in counts.items())
        return sum(cuts) / 400

    best = max(np.ndindex(measured.shape), key=mean_cut)
    return mean_cut(best), measured.get_counts(best)


def test_qaoa_finds_the_cut():
    best, counts = qaoa(SamplerV2(seed=1))
    assert best == pytest.approx(qaoa(StatevectorSampler(seed=1))[0], abs=0.15)
    assert best == pytest.approx(3, abs=0.2)
    assert counts["0101"] + counts["1010"] > 120


def kernel(sampler, points) -> np.ndarray:
    pairs = [*itertools.product(points, repeat=2)]
    feature_map = zz_feature_map(2, reps=1)
    overlap = feature_map.compose(feature_map.assign_parameters(ParameterVector("y", 2)).inverse())
    overlap.measure_all()
    values = [np.concatenate(pair) for pair in pairs]
    result = sampler.run([(overlap, values)], shots=4000).result()[0].data.meas
    zeros = [result.get_counts(place).get("00", 0) / 4000 for place in range(len(pairs))]
    return np.reshape(zeros, (len(points), -1))


def test_a_kernel_matrix_is_that_at_home():
    points = np.random.default_rng(3).uniform(0, 2, (4, 2))
    ours, theirs = kernel(SamplerV2(), points), kernel(StatevectorSampler(), points)
    assert np.diag(ours) == pytest.approx(1)
    assert ours == pytest.approx(theirs, abs=0.05)


def test_a_backend_is_one_of_qiskits():
    provider = Provider()
    backend = provider.backend("aer_simulator")
    assert backend in provider.backends()
    assert provider.get_backend("aer_simulator") is backend
    assert backend.num_qubits >= 25
    assert {"cx", "u", "measure", "if_else", "c3sx"} <= {*backend.operation_names}
    with pytest.raises(ValueError, match="there is no backend 'nope'; there are aer"):
        provider.backend("nope")
    manager = generate_preset_pass_manager(optimization_level=1, backend=backend)
    circuit = manager.run(QFTGate(3).definition)
    assert circuit.num_qubits == 3
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    found = BackendSamplerV2(backend=backend).run([transpile(bell, backend)]).result()
    assert {*found[0].data.meas.get_counts()} == {"00", "11"}


def test_a_job_is_found_by_its_id():
    circuits = []
    for number in range(3):
        circuit = QuantumCircuit(2, name=f"n{number}", metadata={"number": number})
        if number:
            circuit.x(number - 1)
        circuit.measure_all()
        circuits.append(circuit)
    provider = Provider()
    backend = provider.backend("local_simulator")
    job = backend.run(circuits, shots=11, seed_simulator=1)
    first = job.result(timeout=60)
    assert [first.get_counts(place) for place in range(3)] == [{"00": 11}, {"01": 11}, {"10": 11}]
    assert (job.status(), job.done(), job.backend()) == (JobStatus.DONE, True, backend)
    again = provider.job(job.job_id())
    assert again.result().get_counts("n2") == {"10": 11}
    assert again.result().results[1].header["metadata"] == {"number": 1}
    assert backend.retrieve_job(job.job_id()).backend() is backend


def test_a_job_is_cancelled():
    client = Client()
    job = SamplerV2(backend="aer_simulator").run([QuantumCircuit.from_qasm_str(slow())])
    assert not job.in_final_state()
    job.cancel()
    assert job.cancelled()
    with pytest.raises(JobCancelled):
        job.result()
    assert client.job(job.job_id()).status == "cancelled"


def test_errors_say_what_is_wrong():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    backend = Provider().backend("local_simulator")
    with pytest.raises(ValueError, match="assign values to a"):
        backend.run(circuit)
    with pytest.raises(TypeError, match="is given str"):
        backend.run("OPENQASM 2.0;")
    with pytest.raises(ValueError, match="shots"):
        SamplerV2().run([flow()], shots=0)
    with pytest.raises(TypeError, match="did you mean 'shots'"):
        backend.run(QuantumCircuit(1), shot=3)
    with pytest.raises(InvalidRequest) as wrong:
        SamplerV2(backend="nope").run([flow()])
    assert wrong.value.field == "circuits[0].backend"
    with pytest.raises(InvalidRequest) as wrong:
        backend.run(QuantumCircuit(1), seed="one")
    assert wrong.value.field == "seed"
    circuit = QuantumCircuit(1)
    circuit.append(Gate("nobody_knows", 1, []), [0])
    with pytest.raises(ValueError, match=r'no form of the circuit: .* "nobody_knows"'):
        backend.run(circuit)
    assert not backend.run([]).result().results
    bits = [Clbit(), Clbit()]
    shared = QuantumCircuit(
        [Qubit()], bits, ClassicalRegister(bits=bits), ClassicalRegister(bits=bits)
    )
    with pytest.raises(ValueError, match="registers in this circuit overlap"):
        backend.run(shared)
    circuit = QuantumCircuit(1)
    circuit.rx(abs(Parameter("a")), 0)
    with pytest.raises(CircuitError, match="'abs' is no function"):
        EstimatorV2().run([(circuit, "Z", [1])])
