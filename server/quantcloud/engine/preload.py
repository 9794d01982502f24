"""Which modules the fork server imports for a backend, so that no worker has to.

Only imports: a simulation that ran here would leave OpenMP with threads that a fork does not
copy, and every worker would hang in its first parallel loop.
"""

from collections.abc import Mapping
from types import MappingProxyType

# Backend: modules. Cheap ones first, since the backends become ready in this order. A backend
# that is not named here is imported by the worker that first runs a circuit on it.
MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "local_simulator": ("numpy",),
        "aer_simulator": ("qiskit", "qiskit_aer", "stim"),
        "cirq_simulator": ("cirq", "qsimcirq"),
        "pennylane_simulator": ("pennylane", "pennylane_lightning.lightning_qubit"),
    }
)
