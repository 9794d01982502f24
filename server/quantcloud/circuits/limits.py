"""Limits of the size of a circuit, so that no short text can cause endless work."""

MAX_QUBITS = 10_000
MAX_CLBITS = 100_000

MAX_OPERATIONS = 2_000_000
"""The most operations after broadcast and expansion of gate definitions.

The limit bounds the work that a circuit causes, not only its length. So a barrier counts once per
qubit, a condition adds one per classical bit that it compares, and an operation in a gate
definition counts a little more if its angles must be computed at each call.
"""

MAX_INPUT_VALUES = 100_000
"""The most values of all inputs of a circuit together; an array has as many as elements."""

MAX_REMEMBERED = 1 << 17
"""The most entries of a cache that saves time; without room, values are computed again."""
