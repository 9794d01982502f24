"""Limits that the Aer backend uses for predictions and that its executor enforces."""

from quantcloud.domain.execution import RunOptions

MAX_BARE_QUBITS = 12
"""The most qubits of a circuit without mid-circuit measurements that runs on Aer's bare state. For
more qubits, Aer's controller is as fast: it starts more slowly but fuses gates."""

MAX_BARE_BRANCHING_QUBITS = 20
"""The same for a circuit with mid-circuit measurements. The controller takes longer for each branch
and each shot, but with more qubits it takes less memory."""

MAX_SAVED_QUBITS = 20
"""The most qubits of a circuit that is sampled from its final state, which Aer copies out."""

MAX_BRANCHES_BYTES = 1 << 29
"""Memory for the states of all histories that Aer keeps for mid-circuit measurements."""

MAX_MPS_RANK_BITS = 6
"""log2 of the largest Schmidt rank of a matrix product state, which is never truncated. While Aer
brings the qubits of a gate together, the bond dimension may be twice that rank."""


def is_bare(device: str, num_qubits: int, options: RunOptions, *, branches: bool) -> bool:
    """Return whether a run by `statevector` bypasses Aer's controller.

    `branches` says whether the circuit has mid-circuit measurements, resets or conditions.
    """
    most = MAX_BARE_BRANCHING_QUBITS if branches else MAX_BARE_QUBITS
    return device == "CPU" and num_qubits <= most and options.noise is None
