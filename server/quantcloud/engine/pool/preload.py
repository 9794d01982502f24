"""The modules that the fork server imports for each backend, so that workers need not.

The fork server only imports. If it ran a simulation, OpenMP would start threads, which a fork does
not copy, and every worker would hang in its first parallel loop.
"""

from collections.abc import Mapping
from types import MappingProxyType

from quantcloud.backends.base import installed_backends

# Backend: modules, which import its simulator in turn. Cheap ones come first, since the backends
# become ready in this order. Each worker imports a backend that is not listed here when it first
# runs a circuit on it.
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
            # PennyLane imports a device by its name when the device is first made.
            "pennylane_lightning.lightning_qubit",
        ),
    }
)


def known_modules() -> dict[str, tuple[str, ...]]:
    """Return the modules of each installed backend that can run here and is listed."""
    backends = installed_backends()
    return {
        name: modules
        for name, modules in MODULES.items()
        if name in backends and backends[name].offline_reason() is None
    }
