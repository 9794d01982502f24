"""Limits that the Aer backend predicts with and its executor keeps."""

from quantcloud.domain.execution import RunOptions

MAX_BARE_QUBITS = 12
"""How many qubits a circuit that measures at its end may have to run on Aer's bare state. With more
its controller, which takes longer to begin but puts gates together, is as fast."""

MAX_BARE_BRANCHING_QUBITS = 20
"""The same for one that measures midway. The controller takes longer for each history and each
shot; with more qubits it takes less memory."""

MAX_SAVED_QUBITS = 20
"""How many qubits a circuit may have to be sampled from its final state, which Aer copies out."""

MAX_BRANCHES_BYTES = 1 << 29
"""Memory for the states that Aer keeps, one for each history, when a circuit measures midway."""

MAX_MPS_RANK_BITS = 6
"""log2 of the Schmidt rank up to which a matrix product state is kept, never truncated. While the
qubits of a gate are brought together, its bond dimension may be twice that."""


def is_bare(device: str, num_qubits: int, options: RunOptions, *, branches: bool) -> bool:
    """Whether a run by `statevector` goes without Aer's controller.

    `branches` says whether it measures, resets or asks a condition midway.
    """
    most = MAX_BARE_BRANCHING_QUBITS if branches else MAX_BARE_QUBITS
    return device == "CPU" and num_qubits <= most and options.noise is None
