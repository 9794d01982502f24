import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.backends.simulation.sampling import (
    bitstrings,
    draw,
    draw_bits_from_state,
    shots_in_order,
)
from unit.backends.exact import distance, tolerance


@pytest.mark.parametrize("size", [2, 32, 33, 64, 1000, 1024, 4096])
@pytest.mark.parametrize("shots", [1, 500, 60_000])
def test_draws_follow_the_weights(size, shots):
    rng = np.random.default_rng(size + shots)
    weights = rng.exponential(size=size) * (rng.random(size) < 0.3)
    weights[size // 2] = 3.0
    indices, drawn = draw(weights, shots, rng)
    assert drawn.sum() == shots
    assert (np.diff(indices) > 0).all()
    assert (weights[indices] > 0).all()
    exact = dict(enumerate((weights / weights.sum()).tolist()))
    counts = dict(zip(indices.tolist(), drawn.tolist(), strict=True))
    assert distance(counts, exact) <= tolerance(exact, shots)


def test_a_single_outcome_among_a_million_is_found():
    weights = np.zeros(1 << 20)
    weights[777_777] = 1e-30
    indices, drawn = draw(weights, 100_000, np.random.default_rng(0))
    assert indices.tolist() == [777_777]
    assert drawn.tolist() == [100_000]


def test_some_bits_are_drawn_in_another_order():
    weights = np.zeros(16)
    weights[0b0110] = 1
    weights[0b1110] = 1
    patterns, drawn = draw_bits_from_state(
        np.sqrt(weights).astype(complex), [2, 0, 1], 1000, np.random.default_rng(0)
    )
    assert (patterns.tolist(), drawn.tolist()) == ([0b101], [1000])
    patterns, drawn = draw_bits_from_state(
        np.sqrt(weights).astype(complex), [3], 1000, np.random.default_rng(0)
    )
    assert patterns.tolist() == [0, 1]
    assert drawn.sum() == 1000


@given(data=st.data())
def test_bitstrings_put_each_bit_in_its_place(data):
    num_clbits = data.draw(st.integers(1, 80))
    clbits = data.draw(
        st.lists(st.integers(0, num_clbits - 1), unique=True, max_size=20, min_size=1)
    )
    fixed = data.draw(st.integers(0, 2**num_clbits - 1))
    count = data.draw(st.sampled_from([1, 3, 40]))
    patterns = np.random.default_rng(0).integers(0, 2 ** len(clbits), count)
    rows = (patterns[:, None] >> np.arange(len(clbits))) & 1
    expected = []
    for row in rows.tolist():
        characters = list(format(fixed, f"0{num_clbits}b"))
        for clbit, bit in zip(clbits, row, strict=True):
            characters[num_clbits - 1 - clbit] = str(bit)
        expected.append("".join(characters))
    assert bitstrings(patterns, clbits, num_clbits, fixed) == expected
    assert bitstrings(rows.astype(bool), clbits, num_clbits, fixed) == expected


def test_shots_in_order_are_the_counts_shuffled():
    counts = {"00": 50, "11": 50}
    memory = shots_in_order(counts, np.random.default_rng(0))
    assert sorted(memory) == ["00"] * 50 + ["11"] * 50
    assert memory[:50] != ("00",) * 50
