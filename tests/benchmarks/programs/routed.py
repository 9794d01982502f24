"""The router's choice of backend and method, as in a service with empty queues."""

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.domain.job import OptimizationTarget
from quantcloud.engine.sandbox.memory import default_memory_limit
from quantcloud.openqasm import examine
from support.jobs import unrouted


def chosen(qasm: str, shots: int, target: OptimizationTarget) -> tuple[str, str]:
    """Return the names of backend and method. Raises `LookupError` if none can run the circuit."""
    fleet = Fleet(installed_backends(), memory_limit=default_memory_limit(2))
    decision = fleet.decide(unrouted(target, shots=shots), examine(qasm), QueueFigures())
    if decision.chosen is None or decision.chosen.method is None:
        raise LookupError(decision.reason)
    return decision.chosen.backend, decision.chosen.method.name
