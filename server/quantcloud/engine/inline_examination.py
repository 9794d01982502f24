"""Decides which circuits are analysed on the event loop: those that take almost no time."""

import re

from quantcloud.openqasm import work_bound

# A circuit is analysed on the event loop if its text is at most this long, in characters, has no
# gate definitions, and can contain at most this many operations.
_MAX_INLINE_LENGTH = 2048
_MAX_INLINE_OPERATIONS = 1000
_WORDS = ("gate", "opaque", "def")
_DEFINITION = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")
_REAL = re.compile(r"\d*\.\d+(?:[eE][+-]?\d+)?")


def is_small(source: str) -> bool:
    """Return whether the text of a circuit shows that its analysis takes a few milliseconds."""
    if len(source) > _MAX_INLINE_LENGTH:
        return False
    # Few texts contain these letters, so this avoids most regular expression searches.
    if any(word in source for word in _WORDS) and _DEFINITION.search(source):
        return False
    # Angles say nothing about the number of operations, but the bound would count their digits.
    return work_bound(_REAL.sub("", source)) <= _MAX_INLINE_OPERATIONS
