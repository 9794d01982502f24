"""Algorithms on the primitives of `quantcloud.qiskit` end where they do on Qiskit's own."""

import itertools
import math

import numpy as np
import pytest
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import efficient_su2, qaoa_ansatz, zz_feature_map
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from quantcloud.qiskit import EstimatorV2, SamplerV2

pytestmark = pytest.mark.usefixtures("configured")


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
