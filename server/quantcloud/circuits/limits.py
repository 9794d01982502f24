"""How large a circuit may be, so that no text of a few bytes can stand for endless work."""

MAX_QUBITS = 10_000
MAX_CLBITS = 100_000

MAX_OPERATIONS = 2_000_000
"""Operations after broadcast and expansion of gate definitions.

A barrier counts once per qubit, a condition adds one per classical bit that it compares, and an
operation inside a gate definition whose angles must be computed at each call counts a little more:
what is bounded is the work that a circuit makes, not only its length.
"""

MAX_REMEMBERED = 1 << 17
"""Entries of a cache that only saves time; beyond it, things are computed again."""
