"""Messages arrive over a worker's socket as they were sent, and invalid ones are refused."""

import contextlib
import math
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import CircuitError, InvalidArgument
from quantcloud.domain.execution import Outcome, Statevector
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.failure import describe, is_about_memory
from quantcloud.engine.pool.messages import MalformedAnswer

bitstrings = st.integers(0, 5).flatmap(
    lambda length: st.lists(st.text("01", min_size=length, max_size=length), max_size=8)
)
reals = st.floats(allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | reals | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def outcomes(draw):
    amplitudes = draw(st.none() | st.lists(st.tuples(reals, reals), max_size=8))
    state = None
    if amplitudes is not None:
        state = Statevector(tuple(a for a, _ in amplitudes), tuple(b for _, b in amplitudes))
    memory = draw(st.none() | bitstrings)
    return Outcome(
        counts={bits: draw(st.integers(1, 2**40)) for bits in draw(bitstrings)},
        execution_time_ms=draw(st.floats(0, 1e9)),
        statevector=state,
        memory=None if memory is None else tuple(memory),
        metadata=draw(st.dictionaries(st.text(), json_values, max_size=3)),
    )


@given(outcomes())
def test_outcome_arrives_as_sent(outcome):
    assert messages.decode_outcome(messages.encode_outcome(outcome)) == outcome


def test_large_outcome_arrives_as_sent():
    counts = {f"{number:030b}": 1 + number % 7 for number in range(50_000)}
    outcome = Outcome(counts, 1.5, memory=tuple(counts))
    arrived = messages.decode_outcome(messages.encode_outcome(outcome))
    assert arrived == outcome
    assert list(arrived.counts) == list(counts)


@given(outcomes(), st.data())
def test_a_damaged_outcome_is_refused_or_decodes_to_an_outcome(outcome, data):
    payload = bytearray(messages.encode_outcome(outcome))
    position = data.draw(st.integers(0, len(payload) - 1))
    payload[position] ^= data.draw(st.integers(1, 255))
    del payload[data.draw(st.integers(0, len(payload))) :]
    with contextlib.suppress(MalformedAnswer):
        assert isinstance(messages.decode_outcome(bytes(payload)), Outcome)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(payload):
    for decode in (
        messages.decode_outcome,
        messages.decode_analysis,
        messages.decode_invalid,
        messages.decode_failure,
    ):
        with pytest.raises(MalformedAnswer):
            decode(payload)


def test_a_pickle_is_never_loaded():
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a worker's pickle was loaded",))

    payload = pickle.dumps(Bomb())
    with pytest.raises(MalformedAnswer):
        messages.decode_outcome(payload)
    with pytest.raises(MalformedAnswer):
        messages.decode_analysis(payload)


def test_deeply_nested_answer_is_refused():
    with pytest.raises(MalformedAnswer):
        messages.decode_analysis(struct.pack("!Q", 100_000) + b"[" * 100_000)


def test_json_that_would_take_long_to_read_is_refused():
    much = b"[" + b"0," * messages.MAX_JSON + b"0]"
    for decode in (
        messages.decode_analysis,
        messages.decode_invalid,
        messages.decode_failure,
        lambda payload: messages.decode_outcome(struct.pack("!Q", len(payload)) + payload),
    ):
        # An analysis may be longer, because it has the names of a long circuit's gates.
        with pytest.raises(MalformedAnswer, match="the JSON is too long"):
            decode(much * 12)
    with pytest.raises(ValueError, match="metadata is longer than 256 KiB"):
        messages.encode_outcome(Outcome({"0": 1}, 0.0, metadata={"much": "x" * messages.MAX_JSON}))


def test_few_outcomes_may_be_long():
    counts = {f"{number:0100000b}": 1 for number in range(3)}
    assert messages.decode_outcome(messages.encode_outcome(Outcome(counts, 0.0))).counts == counts


@pytest.mark.parametrize("outcomes", [1, 1000])
def test_a_negative_count_is_refused(outcomes):
    counts = {f"{number:010b}": -1 for number in range(outcomes)}
    with pytest.raises(MalformedAnswer):
        messages.decode_outcome(messages.encode_outcome(Outcome(counts, 0.0)))


def test_analysis_arrives_as_sent():
    analysis = Analysis(3, 2, 5, 7, 9, 4, {"h": 3, "cx": 4}, True, False, True)  # noqa: FBT003 (its fields)
    assert messages.decode_analysis(messages.encode_analysis(analysis)) == analysis


@pytest.mark.parametrize(
    "error",
    [
        CircuitError("gate 'cs' takes 2 qubits, got 3", 4, 7),
        CircuitError("line 4, column 7: twice", 4, 7, field="code"),
        InvalidArgument("qasm", "too large", reason="TOO_LARGE", metadata={"limit": "8"}),
    ],
)
def test_error_arrives_as_raised(error):
    received = messages.decode_invalid(messages.encode_invalid(error))
    assert type(received) is type(error)
    assert received.__dict__ == error.__dict__
    assert str(received) == str(error)


@given(st.text(max_size=2000))
def test_description_is_one_short_clean_line(text):
    for error in (ValueError(text), KeyError(text), OSError(5, text, "/etc/shadow")):
        line = describe(error)
        assert 0 < len(line) <= 500
        assert line.isprintable() or all(
            ord(letter) > 0x9F for letter in line if not letter.isprintable()
        )
        assert "/etc/" not in line or "/etc/" in text
        line.encode()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a ratio of 1/2 and 3 / 4"), "a ratio of 1/2 and 3 / 4"),
        (RuntimeError(), "RuntimeError"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError("see /usr/lib/x/y.so: no"), "see y.so: no"),
        (RuntimeError("see https://example.org/a/b"), "see https://example.org/a/b"),
        (CircuitError("bad", 1, 2), "qasm: line 1, column 2: bad"),
    ],
)
def test_description(error, line):
    assert describe(error) == line


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError(
            "ERROR: Insufficient memory to run circuit x using the statevector simulator."
        ),
    ],
)
def test_memory_errors(error):
    assert is_about_memory(error)
    assert not is_about_memory(ValueError("a memory of better days"))


@pytest.mark.parametrize("milliseconds", [-1.0, math.nan, math.inf])
def test_an_impossible_duration_is_refused(milliseconds: float):
    """An account would be charged for it."""
    outcome = Outcome({"0": 1}, milliseconds)
    with pytest.raises(MalformedAnswer):
        messages.decode_outcome(messages.encode_outcome(outcome))
