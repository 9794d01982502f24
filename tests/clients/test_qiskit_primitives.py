"""`EstimatorV2` and `SamplerV2` against Qiskit's own simulators, on a real server."""

import itertools
import math

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.random import random_circuit
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp, Statevector

from quantcloud.qiskit import EstimatorV2, Provider, SamplerV2

pytestmark = pytest.mark.usefixtures("configured")


# A seed repeats on the same backend.
LOCAL = "local_simulator"


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
