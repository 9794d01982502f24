"""Which circuits are looked at on the event loop: those that take no time."""

import re

from quantcloud.openqasm import work_bound

# A circuit is examined on the event loop if its text is no longer than this, in characters, has
# no gate definitions, and cannot say more than so many operations.
_MAX_INLINE_LENGTH = 2048
_MAX_INLINE_OPERATIONS = 1000
_WORDS = ("gate", "opaque", "def")
_DEFINITION = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")
_REAL = re.compile(r"\d*\.\d+(?:[eE][+-]?\d+)?")


def is_small(source: str) -> bool:
    """Tell whether a circuit is examined in a few milliseconds, by a look at its text."""
    if len(source) > _MAX_INLINE_LENGTH:
        return False
    # Few texts have the letters at all.
    if any(word in source for word in _WORDS) and _DEFINITION.search(source):
        return False
    # Angles say nothing about the number of operations, which the bound cannot know.
    return work_bound(_REAL.sub("", source)) <= _MAX_INLINE_OPERATIONS
