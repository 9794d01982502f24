"""`quantcloud.cirq` against Cirq's own simulator, on a real server."""

import asyncio
import itertools
import math
from collections import Counter

import cirq
import duet
import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from quantcloud import Client
from quantcloud.cirq import Sampler
from quantcloud.cirq.circuits import export
from quantcloud.client import InvalidRequest

pytestmark = pytest.mark.usefixtures("configured")

A, B = sympy.symbols("a b")


GATES = {
    cirq.X**0.3: 1, cirq.Y**-1.2: 1, cirq.Z**0.7: 1, cirq.H**0.4: 1, cirq.H: 1, cirq.S: 1,
    cirq.T: 1,
    cirq.X: 1, cirq.Y: 1, cirq.Z: 1, cirq.rx(0.3): 1, cirq.ry(1): 1, cirq.rz(2): 1,
    cirq.PhasedXPowGate(phase_exponent=0.3, exponent=0.8): 1,
    cirq.PhasedXZGate(x_exponent=0.1, z_exponent=0.2, axis_phase_exponent=0.7): 1,
    cirq.MatrixGate(cirq.testing.random_unitary(2, random_state=1)): 1,
    cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=1)): 2,
    cirq.CZ: 2, cirq.CZ**0.3: 2, cirq.CX: 2, cirq.CX**0.4: 2, cirq.SWAP: 2, cirq.SWAP**0.5: 2,
    cirq.ISWAP: 2, cirq.ISWAP**0.5: 2, cirq.XX**0.4: 2, cirq.YY**0.3: 2, cirq.ZZ**0.2: 2,
    cirq.ZZ: 2, cirq.FSimGate(0.3, 0.4): 2, cirq.CCX: 3, cirq.CCZ: 3, cirq.CCZ**0.4: 3,
    cirq.CSWAP: 3, cirq.ControlledGate(cirq.Y**0.4): 2,
    cirq.ControlledGate(cirq.Z**0.3, control_values=cirq.SumOfProducts([[0, 1], [1, 0]])): 3,
    cirq.MatrixGate(cirq.testing.random_unitary(16, random_state=1)): 4,
    cirq.QuantumFourierTransformGate(3): 3,
}  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_the_state_of_a_random_circuit_is_that_of_cirq(seed: int):
    qubits = cirq.LineQubit.range(4)
    circuit = cirq.testing.random_circuit(qubits, 12, 0.8, GATES, random_state=seed)
    circuit = cirq.Circuit(map(cirq.I, qubits), circuit)
    wanted = cirq.Simulator(dtype=np.complex128).simulate(circuit).final_state_vector
    program = export(circuit + cirq.measure(*qubits))
    with Client() as client:
        state = client.run(program.qasm.replace("input float[64] point;", ""), statevector=True)
    found = state.statevector.reshape([2] * 4).T.ravel()
    assert abs(np.vdot(found, wanted)) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_samples_have_cirqs_order_of_bits_and_keys(seed: int):
    qubits = [cirq.NamedQubit("x"), cirq.GridQubit(0, 3), cirq.LineQubit(7), cirq.NamedQubit("a")]
    circuit = cirq.Circuit(map(cirq.I, qubits))
    circuit += cirq.testing.random_circuit(qubits, 10, 0.8, GATES, random_state=seed)
    state = cirq.Simulator().simulate(circuit, qubit_order=qubits).final_state_vector
    exact = (abs(state) ** 2).reshape([2] * 4)
    order = np.random.default_rng(seed).permutation(4)
    circuit += cirq.measure(
        qubits[order[0]], qubits[order[1]], key="two", invert_mask=(False, True)
    )
    circuit += cirq.measure(qubits[order[2]], key="if")
    circuit += cirq.measure(qubits[order[3]], qubits[order[0]], key="again x")
    result = Sampler(seed=seed).run(circuit, repetitions=4000)
    two, one, again = (result.measurements[each] for each in ("two", "if", "again x"))
    assert (again[:, 1] == two[:, 0]).all()
    bits = np.stack([two[:, 0], 1 - two[:, 1], one[:, 0], again[:, 0]])
    counts = Counter(map(tuple, bits.T))
    probabilities = exact.transpose(order)
    distance = sum(abs(counts[at] / 4000 - probabilities[at]) for at in np.ndindex(2, 2, 2, 2)) / 2
    assert distance < 0.08


def test_mid_circuit_measurements_and_conditions_reach_the_server():
    a, b, c, d = cirq.LineQubit.range(4)
    circuit = cirq.Circuit(
        cirq.X(a),
        cirq.measure(a, b, key="first", invert_mask=(True, True)),
        cirq.X(c).with_classical_controls("first"),
        cirq.ResetChannel()(a),
        cirq.measure(a, key="again"),
        cirq.X(a).with_classical_controls(sympy.Eq(sympy.Symbol("first"), 1)),
        cirq.measure(a, key="again"),
        cirq.Y(d).with_classical_controls("again", "first"),
        cirq.CX(a, d).with_classical_controls(
            sympy.And(sympy.Symbol("first") < 1, sympy.Symbol("again") > 0)
        ),
        cirq.X(b).with_classical_controls(cirq.BitMaskKeyCondition("first", bitmask=1)),
        cirq.CircuitOperation(
            cirq.FrozenCircuit(cirq.X(c), cirq.measure(c, key="loop")), repetitions=3
        ),
        cirq.measure(a, b, c, d, key="end"),
    )
    theirs = cirq.Simulator().run(circuit, repetitions=3)
    for backend in ("local_simulator", "aer_simulator"):
        ours = Sampler(backend=backend).run(circuit, repetitions=3)
        assert ours.records.keys() == theirs.records.keys()
        for key, records in theirs.records.items():
            assert ours.records[key].tolist() == records.tolist()


def test_a_sweep_has_the_angles_of_each_point():
    q0, q1 = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(
        cirq.X(q0) ** A,
        cirq.rx(0.1 + B / 3).on(q1),
        cirq.PhasedXPowGate(phase_exponent=B, exponent=A * 0.3).on(q0),
        cirq.CX(q0, q1) ** (A - B),
        cirq.ZZ(q0, q1) ** (B**2),
        cirq.Y(q1) ** 0.3,
        cirq.measure(q1, q0, key="m"),
    )
    points = cirq.Linspace("a", 0, 1, 4) * cirq.Points("b", [0.2, -0.7])
    found = Sampler().run_sweep(circuit, points, repetitions=4000)
    assert [each.params for each in found] == [*cirq.to_resolvers(points)]
    for each in found:
        state = cirq.Simulator().simulate(circuit[:-1], each.params).final_state_vector
        counts = each.histogram(key="m")
        exact = abs(state.reshape(2, 2).T.ravel()) ** 2
        assert [counts[value] / 4000 for value in range(4)] == pytest.approx(exact, abs=0.04)


def test_points_without_parameters_have_samples_of_their_own():
    qubit = cirq.LineQubit(0)
    circuit = cirq.Circuit(cirq.H(qubit), cirq.measure(qubit, key="m"))
    sampler = Sampler(backend="local_simulator", seed=3)
    one, other = sampler.run_sweep(circuit, [{}, {}], repetitions=100)
    assert one.records["m"].tolist() != other.records["m"].tolist()
    assert sampler.run(circuit, repetitions=100) != one
    assert Sampler(backend="local_simulator", seed=3).run_sweep(
        circuit, [{}, {}], repetitions=100
    ) == [one, other]


def test_repetitions_may_be_numpys():
    qubit = cirq.LineQubit(0)
    circuit = cirq.Circuit(cirq.X(qubit), cirq.measure(qubit, key="m"))
    assert Sampler().run(circuit, repetitions=np.int64(3)).repetitions == 3
    ((result,),) = Sampler().run_batch([circuit], repetitions=np.int64(2))
    assert result.repetitions == 2


def test_a_batch_and_the_asynchronous_forms_agree():
    qubit = cirq.LineQubit(0)
    circuit = cirq.Circuit(cirq.X(qubit) ** A, cirq.measure(qubit, key="m"))
    sampler = Sampler()
    found = sampler.run_batch([circuit, circuit], [{"a": 1}, [{"a": 0}, {"a": 1}]], [2, 3])
    assert [[each.measurements["m"].T.tolist() for each in one] for one in found] == [
        [[[1, 1]]], [[[0, 0, 0]], [[1, 1, 1]]],
    ]  # fmt: skip

    async def several():
        runs = (sampler.run_sweep_async(circuit, {"a": value % 2}, 4) for value in range(5))
        return [each.measurements["m"].sum() for (each,) in await asyncio.gather(*runs)]

    assert asyncio.run(several()) == [0, 4, 0, 4, 0]
    (result,) = duet.run(sampler.run_sweep_async, circuit, {"a": 1}, 4)
    assert result.measurements["m"].sum() == 4
    (batch,) = duet.run(sampler.run_batch_async, [circuit], [{"a": 1}], 4)
    assert batch[0].measurements["m"].sum() == 4
    frame = sampler.sample(circuit, repetitions=2, params=[{"a": 0}, {"a": 1}])
    assert frame["m"].tolist() == [0, 0, 1, 1]


def vqe(sampler: cirq.Sampler) -> float:
    """Return the least energy of a transverse Ising chain that an optimiser finds."""
    qubits = cirq.LineQubit.range(3)
    energy = sum(-cirq.Z(a) * cirq.Z(b) for a, b in itertools.pairwise(qubits))
    energy = energy - sum(map(cirq.X, qubits))
    ansatz = cirq.Circuit(
        [cirq.ry(A).on_each(qubits), [cirq.ZZ(*pair) ** B for pair in itertools.pairwise(qubits)]],
        cirq.rx(sympy.Symbol("c")).on_each(qubits),
    )

    def cost(values):
        params = dict(zip("abc", values, strict=True))
        ((value,),) = sampler.sample_expectation_values(
            ansatz, energy, num_samples=2000, params=params
        )
        return value

    return minimize(cost, [0.8, 0.1, 0.1], method="COBYLA", options={"maxiter": 25}).fun


def test_vqe_comes_as_near_as_at_home():
    ours, theirs = vqe(Sampler()), vqe(cirq.Simulator(seed=1))
    assert ours == pytest.approx(theirs, abs=0.3)
    assert ours < -3


def qaoa(sampler: cirq.Sampler) -> tuple[float, dict[int, int]]:
    edges = [(0, 1), (1, 2), (2, 3), (3, 0)]
    qubits = cirq.LineQubit.range(4)
    circuit = cirq.Circuit(
        cirq.H.on_each(qubits),
        [cirq.ZZ(qubits[a], qubits[b]) ** A for a, b in edges],
        (cirq.X**B).on_each(qubits),
        cirq.measure(*qubits, key="m"),
    )
    sweep = cirq.Linspace("a", 0, 1, 9) * cirq.Linspace("b", 0, 1, 9)

    def mean_cut(result):
        bits = result.measurements["m"]
        return sum(np.mean(bits[:, a] != bits[:, b]) for a, b in edges)

    best = max(sampler.run_sweep(circuit, sweep, repetitions=400), key=mean_cut)
    return mean_cut(best), best.histogram(key="m")


def test_qaoa_finds_the_cut():
    best, counts = qaoa(Sampler(seed=1))
    assert best == pytest.approx(qaoa(cirq.Simulator(seed=1))[0], abs=0.2)
    assert counts[0b0101] + counts[0b1010] > 120


def kernel(sampler: cirq.Sampler, points) -> np.ndarray:
    qubits = cirq.LineQubit.range(2)

    def features(x, y):
        return [cirq.ry(x).on(qubits[0]), cirq.rz(y).on(qubits[1]), cirq.ISWAP(*qubits) ** 0.5]

    x, y = sympy.symbols("x y")
    circuit = cirq.Circuit(
        features(A, B), cirq.inverse(features(x, y)), cirq.measure(*qubits, key="m")
    )
    pairs = itertools.product(points, repeat=2)
    params = [dict(zip("abxy", (*p, *q), strict=True)) for p, q in pairs]
    results = sampler.run_sweep(circuit, params, repetitions=2000)
    return np.reshape([each.histogram(key="m")[0] / 2000 for each in results], [len(points)] * 2)


def test_a_kernel_matrix_is_that_at_home():
    points = np.random.default_rng(3).uniform(0, 3, (4, 2))
    ours, theirs = kernel(Sampler(), points), kernel(cirq.Simulator(), points)
    assert np.diag(ours) == pytest.approx(1)
    assert ours == pytest.approx(theirs, abs=0.06)


def test_errors_say_what_is_wrong():
    qubit, qutrit = cirq.LineQubit(0), cirq.LineQid(1, dimension=3)
    sampler = Sampler()
    measured = cirq.measure(qubit, key="m")
    for circuit, words in (
        (cirq.Circuit(cirq.X(qubit)), "no measurements"),
        (cirq.Circuit(measured, cirq.measure(qutrit)), "qubits only"),
        (cirq.Circuit(cirq.depolarize(0.1)(qubit), measured), "no form of .*depolarize"),
        (cirq.Circuit(cirq.X(qubit) ** A, measured), "parameter a has no value"),
        (
            cirq.Circuit(cirq.MeasurementGate(1, "m", confusion_map={(0,): np.eye(2)})(qubit)),
            "no form of .*give the sampler `noise`",
        ),
        (
            cirq.Circuit(
                cirq.CircuitOperation(
                    cirq.FrozenCircuit(cirq.H(qubit), measured),
                    use_repetition_ids=False,
                    repeat_until=cirq.KeyCondition(cirq.MeasurementKey("m")),
                )
            ),
            "no form of `repeat_until`",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            sampler.run(circuit)
    with pytest.raises(ValueError, match="repetitions must be 1 or more"):
        sampler.run(cirq.Circuit(measured), repetitions=0)
    with pytest.raises(InvalidRequest, match="unknown"):
        Sampler(backend="nope").run(cirq.Circuit(measured))


def test_half_turns_are_exact():
    qubit = cirq.LineQubit(0)
    text = export(cirq.Circuit(cirq.X(qubit) ** (1 / 3), cirq.measure(qubit))).qasm
    assert f"rx({(1 / 3) * math.pi!r}) q[0];" in text
