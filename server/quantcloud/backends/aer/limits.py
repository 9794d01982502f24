"""Limits that the Aer backend uses for predictions and that its executor enforces."""

MAX_BRANCHES_BYTES = 1 << 29
"""Memory for the states of all histories that Aer keeps for mid-circuit measurements."""

MAX_MPS_RANK_BITS = 6
"""log2 of the largest Schmidt rank of a matrix product state, which is never truncated. While Aer
brings the qubits of a gate together, the bond dimension may be twice that rank."""
