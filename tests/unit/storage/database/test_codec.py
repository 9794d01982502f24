"""Unpacking returns what was packed."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantcloud.domain.execution import Statevector
from quantcloud.storage.database import codec

finite = st.floats(allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def counts(draw):
    width = draw(st.integers(0, 300))
    keys = draw(st.lists(st.integers(0, 2**width - 1), unique=True, max_size=20))
    values = draw(st.lists(st.integers(0, 2**32 - 1), min_size=len(keys), max_size=len(keys)))
    texts = [format(key, f"0{width}b") if width else "" for key in keys]
    return dict(zip(texts, values, strict=True))


@given(counts())
@example({})
@example({"": 5})
@example({"0" * 70_000: 1, "1" * 70_000: 2})
@example({format(key, "017b"): key for key in range(9_000)})
def test_counts_are_unpacked_unchanged(counts):
    packed = codec.pack_counts(counts)
    assert list(codec.unpack_counts(packed).items()) == list(counts.items())


@pytest.mark.parametrize(
    "counts",
    [{"0": 1, "11": 2}, {"0_1": 1}, {"+1": 1}, {"0b": 3}, {"\u0660": 1}, {"00": 1, "1 ": 1}],
)
def test_keys_that_are_not_bitstrings_are_refused(counts):
    with pytest.raises(ValueError, match="bitstring"):
        codec.pack_counts(counts)


def test_packed_counts_are_small():
    assert len(codec.pack_counts({format(key, "020b"): 1 for key in range(100_000)})) < 300_000


@given(st.lists(st.tuples(finite, finite), max_size=16))
def test_a_statevector_is_unpacked_unchanged(amplitudes):
    vector = Statevector(tuple(a for a, _ in amplitudes), tuple(b for _, b in amplitudes))
    assert codec.unpack_statevector(codec.pack_statevector(vector)) == vector


@settings(max_examples=40)
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_a_document_is_unpacked_unchanged(document):
    assert codec.unpack_document(codec.pack_document(document)) == document


def test_a_document_with_long_lists_is_unpacked_unchanged():
    document = {
        "memory": [format(shot % 4, "02b") for shot in range(50_000)],
        "seed": 7,
        "lines\n": ["a\nb"] * 4097,
    }
    assert codec.unpack_document(codec.pack_document(document)) == document
    assert codec.weight(document) == 50_000 + 1 + 4097


@given(st.text())
@example("h q[0];\n" * 1000)
def test_a_text_is_unpacked_unchanged(text):
    assert codec.unpack_text(codec.pack_text(text)) == text


def test_long_texts_are_compressed():
    assert len(codec.pack_text("h q[0];\n" * 1_000_000)) < 100_000
