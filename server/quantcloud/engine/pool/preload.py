"""Which modules the fork server imports for a backend, so that no worker has to.

Only imports: a simulation that ran there would leave OpenMP with threads that a fork does not
copy, and every worker would hang in its first parallel loop.
"""

from collections.abc import Mapping
from types import MappingProxyType

from quantcloud.backends.base import installed_backends

# Backend: modules, which import its simulator in turn. Cheap ones first, since the backends
# become ready in this order. A backend that is not named here is imported by each worker when it
# first runs a circuit on it.
MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "local_simulator": (
            "quantcloud.backends.local.executor",
            "quantcloud.backends.local.stabilizer",
        ),
        "aer_simulator": ("quantcloud.backends.aer.executor",),
        "cirq_simulator": ("quantcloud.backends.cirq.executor",),
        "pennylane_simulator": (
            "quantcloud.backends.pennylane.executor",
            # PennyLane looks a device up by its name, when it is first made.
            "pennylane_lightning.lightning_qubit",
        ),
    }
)


def known_modules() -> dict[str, tuple[str, ...]]:
    """What is imported for each installed backend that can run here and is known."""
    backends = installed_backends()
    return {
        name: modules
        for name, modules in MODULES.items()
        if name in backends and backends[name].offline_reason() is None
    }
