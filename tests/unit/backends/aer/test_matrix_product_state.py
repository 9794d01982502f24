"""Aer's matrix product state: its actual bond dimensions stay within the predicted bound."""

import math
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit_aer import AerSimulator

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.aer.translation import translated
from quantcloud.backends.simulation.noise import narrowed
from quantcloud.backends.simulation.programs import program
from quantcloud.circuits import analyse
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.execution import RunOptions
from unit.backends.exact import FALSE_ALARM, distribution, read, run

pytestmark = pytest.mark.slow

_DIMENSIONS = re.compile(r"BD=\[([\d ]*)\]")
_GATES = sorted(name for name, gate in STANDARD_GATES.items() if 2 <= gate.num_qubits <= 3)


def bond_dimensions(circuit):
    """Return the bond dimensions after each two-qubit gate that Aer applies, including swaps."""
    # Aer's log accumulates over runs.
    before = _log(read("qreg q[2]; creg c[1]; measure q[0] -> c[0];"))
    log = _log(circuit)[len(before) - 1 :]
    assert "internal_swap" not in log, "Aer moved qubits by itself"
    return [tuple(map(int, found.split())) for found in _DIMENSIONS.findall(log)]


def _log(circuit):
    divided = program(narrowed(circuit))
    simulator = AerSimulator(
        method="matrix_product_state",
        max_parallel_threads=1,
        mps_log_data=True,
        # This exceeds every bound here, so the test ends even if a bound is wrong.
        matrix_product_state_max_bond_dimension=4 << aer.MAX_MPS_RANK_BITS,
    )
    translation = translated(divided, "matrix_product_state")
    result = simulator.run(translation.circuit, shots=1, seed_simulator=7).result()
    # A circuit without gates has none.
    return result.results[0].metadata.get("MPS_log_data", "")


def gate(rng, num_qubits, reach, angle):
    name = rng.choice([name for name in _GATES if STANDARD_GATES[name].num_qubits <= num_qubits])
    known = STANDARD_GATES[name]
    low = rng.randrange(num_qubits)
    near = range(max(0, low - reach), min(num_qubits, low + reach + 1))
    qubits = rng.sample(near, known.num_qubits) if len(near) >= known.num_qubits else None
    if qubits is None:
        return ""
    angles = ",".join(f"{angle * rng.uniform(0.3, 1)}" for _ in range(known.num_params))
    turns = "".join(f"u3({angle},{rng.random()},0.2) q[{qubit}];" for qubit in qubits)
    return f"{turns} {name}({angles}) {','.join(f'q[{qubit}]' for qubit in qubits)};"


@st.composite
def circuits(draw, most_qubits=14, most_gates=14):
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    width = draw(st.integers(3, most_qubits))
    reach = draw(st.integers(2, width))
    # With tiny rotations, ranks are hard to tell from lower ones.
    angle = draw(st.sampled_from([1.3, 1.3, 1e-3, 1e-7]))
    gates = "".join(gate(rng, width, reach, angle) for _ in range(draw(st.integers(0, most_gates))))
    midway = draw(
        st.sampled_from(["", "reset q[1];", "measure q[0]->c[0]; if(c==1) cx q[2],q[0];"])
    )
    measured = draw(st.sampled_from(["measure q -> c;", "measure q[1] -> c[0];"]))
    return f"qreg q[{width}]; creg c[{width}]; {gates} {midway} {gates} {measured}"


@settings(max_examples=80)
@given(circuits())
def test_no_bond_dimension_exceeds_the_bound(source):
    circuit = read(source)
    most = 1 << analyse(circuit).chain_rank_bits
    for dimensions in bond_dimensions(circuit):
        assert max(dimensions) <= most


@settings(max_examples=40)
@given(circuits(most_qubits=5, most_gates=5))
def test_accepted_circuits_have_the_exact_distribution(executors, source):
    circuit = read(source)
    if analyse(circuit).entanglement_bits > aer.MAX_MPS_RANK_BITS:
        return
    shots = 2000
    counts = run(executors["aer"], "matrix_product_state", circuit, shots).counts
    exact = distribution(circuit)
    assert sum(counts.values()) == shots
    assert all(exact.get(key, 0) > 1e-12 for key in counts)
    # Hoeffding's bound for each outcome.
    most = math.sqrt(math.log(2 * len(exact) / FALSE_ALARM) / (2 * shots))
    assert all(abs(counts.get(key, 0) / shots - share) < most for key, share in exact.items())


def scattered(width, seed):
    """Return a wide circuit of gates on qubits up to five apart, with the most entanglement."""
    rng = random.Random(seed)
    crossing, gates = [0] * (width + 1), ""
    for _ in range(width * 40):
        low = rng.randrange(width)
        high = low + rng.choice([1, 2, 3, 5])
        cuts = range(low + 1, min(high, width - 1) + 1)
        if high >= width or any(crossing[cut] >= aer.MAX_MPS_RANK_BITS for cut in cuts):
            continue
        for cut in cuts:
            crossing[cut] += 1
        gates += "".join(f"ry({rng.uniform(0.3, 2.8)}) q[{q}];" for q in (low, high))
        gates += f"cx q[{low}],q[{high}];"
    return f"qreg q[{width}]; creg c[{width}]; {gates} measure q -> c;"


@pytest.mark.parametrize("seed", [1, 3])
def test_gates_between_distant_qubits_stay_within_memory(executors, seed):
    """In Aer's own order of qubits, the bond dimensions would be many thousands."""
    circuit = read(scattered(40, seed))
    (method,) = aer.CPU.methods(analyse(circuit), 100, RunOptions())
    assert method.name == "matrix_product_state"
    dimensions = bond_dimensions(circuit)
    assert max(map(max, dimensions)) <= 2 << aer.MAX_MPS_RANK_BITS
    tensors = max(32 * int(np.sum(np.multiply((1, *each), (*each, 1)))) for each in dimensions)
    assert method.memory_bytes > tensors
    outcome = run(executors["aer"], "matrix_product_state", circuit, 100)
    assert sum(outcome.counts.values()) == 100


def test_predictions_follow_the_bond_dimension():
    def needs(rounds, reach=1):
        gates = "".join(
            f"ry(0.4) q[{low}]; cx q[{low}],q[{low + reach}];"
            for low in range(0, 40 - reach, reach)
        )
        source = f"qreg q[40]; creg c[40]; {gates * rounds} measure q -> c;"
        (method,) = aer.CPU.methods(analyse(read(source)), 1, RunOptions())
        return method.seconds, method.memory_bytes

    shallow, deep, far = needs(1), needs(6), needs(6, reach=4)
    assert deep[0] > 5 * shallow[0]
    assert deep[1] > 30 * shallow[1]
    assert far[1] > 3 * deep[1]
