"""The least size of a result, which is known before the run."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.backends import result_sizes
from quantcloud.backends.result_sizes import check_result_size
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import Outcome, RunOptions, Statevector
from quantcloud.engine.pool import messages
from quantcloud.openqasm import examine


def wide(num_qubits):
    return examine(f"qreg q[{num_qubits}]; creg c[{num_qubits}]; measure q -> c;")


@given(st.integers(1, 6), st.integers(1, 50), st.booleans(), st.booleans(), st.data())
def test_no_result_is_smaller_than_its_bound(num_qubits, shots, memory, statevector, data):
    bits = st.text("01", min_size=num_qubits, max_size=num_qubits)
    drawn = data.draw(st.lists(bits, min_size=shots, max_size=shots))
    state = Statevector((0.5,) * 2**num_qubits, (0.5,) * 2**num_qubits) if statevector else None
    counts = {key: drawn.count(key) for key in drawn}
    outcome = Outcome(counts, 1.0, state, tuple(drawn) if memory else None)
    options = RunOptions(memory=memory, statevector=statevector)
    size = len(messages.encode_outcome(outcome))
    # Without the further lines of the counts, the result is not much larger than its bound.
    below = size - (len(counts) - 1) * (num_qubits + 9) - 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result_sizes, "MAX_RESULT_BYTES", size)
        check_result_size(wide(num_qubits), shots, options)
        patch.setattr(result_sizes, "MAX_RESULT_BYTES", below)
        if memory and below > 0:
            with pytest.raises(InvalidArgument):
                check_result_size(wide(num_qubits), shots, options)


@pytest.mark.parametrize(
    ("num_qubits", "shots", "options"),
    [
        (900, 1_000_000, RunOptions()),
        (20, 400_000, RunOptions(memory=True)),
        (16, 1_000_000, RunOptions(statevector=True)),
        (16, 1_000_000, RunOptions(statevector=True, memory=True)),
    ],
)
def test_a_result_that_may_fit_is_accepted(num_qubits, shots, options):
    check_result_size(wide(num_qubits), shots, options)


@pytest.mark.parametrize("statevector", [False, True])
@pytest.mark.parametrize("num_qubits", [1, 16])
def test_memory_that_cannot_fit_is_refused_with_the_shots_that_would(num_qubits, statevector):
    analysis, options = wide(num_qubits), RunOptions(memory=True, statevector=statevector)
    with pytest.raises(InvalidArgument) as caught:
        check_result_size(analysis, 40_000_000, options)
    assert caught.value.field == "options.memory"
    assert caught.value.reason == "RESULT_TOO_LARGE"
    (most,) = map(int, re.findall(r"send at most (\d+) shots", caught.value.message))
    check_result_size(analysis, most, options)
    with pytest.raises(InvalidArgument):
        check_result_size(analysis, most + 1, options)


def test_the_error_states_the_size_and_the_limit():
    with pytest.raises(InvalidArgument) as caught:
        check_result_size(wide(900), 40_000, RunOptions(memory=True))
    assert caught.value.message == (
        "options.memory: makes a result of 34.37 MiB from 40000 shots of 900 bits; the limit is "
        "32 MiB; send at most 37240 shots, or leave it out"
    )
