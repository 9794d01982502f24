"""What a cluster has room for: how many runs, on which backends, with how much memory."""

from collections.abc import Iterable, Mapping

from quantcloud.backends.resources import Resources
from quantcloud.engine.ray.messages import Node
from quantcloud.routing.readable import binary_size


def amounts(resources: Resources) -> dict[str, float]:
    """Return what a run takes, by Ray's names, without zero amounts."""
    taken = {
        "CPU": resources.cpus,
        "GPU": resources.gpus,
        "memory": float(resources.memory_bytes or 0),
        **resources.custom,
    }
    return {name: amount for name, amount in taken.items() if amount}


def capacity(totals: Mapping[str, float], resources: Resources) -> int:
    """Return how many such runs fit on a node with these `totals` at the same time."""
    return int(min(totals.get(name, 0.0) / amount for name, amount in amounts(resources).items()))


def memory_per_core(nodes: Iterable[Node]) -> int | None:
    """Return the bytes per core of the node that has the fewest; None if no node has cores."""
    shares = [
        node.totals.get("memory", 0.0) / node.totals["CPU"]
        for node in nodes
        if node.totals.get("CPU", 0.0) >= 1
    ]
    return int(min(shares)) if shares else None


class Places:
    """Room for the runs of each backend on `nodes`.

    `demands` maps backends to what one run takes. `slots` is how many runs fit at the same time.
    """

    def __init__(self, demands: Mapping[str, Resources], nodes: Iterable[Node] = ()) -> None:
        self._demands = demands
        self._ready = [node for node in nodes if node.offline is not None]
        fits = [
            {
                name: capacity(node.totals, demand)
                for name, demand in demands.items()
                if can_run(node, name)
            }
            for node in self._ready
        ]
        self._capacities = {name: sum(fit.get(name, 0) for fit in fits) for name in demands}
        self.slots = sum(max(fit.values(), default=0) for fit in fits)

    def capacity(self, backend: str) -> int:
        """Return how many runs on a backend the cluster has room for if it runs nothing else."""
        return self._capacities.get(backend, 0)

    def offline_reason(self, backend: str) -> str | None:
        """Return why no node can run anything on a backend; None if one can."""
        if self._capacities.get(backend):
            return None
        if not self._ready:
            return "no node of the Ray cluster is ready"
        installed = [node for node in self._ready if backend in (node.offline or {})]
        if not installed or backend not in self._demands:
            return "no node of the Ray cluster has it installed"
        reasons = [(node.offline or {})[backend] for node in installed]
        stated = next((reason for reason in reasons if reason), None)
        return stated or f"no node of the Ray cluster has {_readable(self._demands[backend])}"


def can_run(node: Node, backend: str) -> bool:
    """Return whether a node is ready and has a backend that can run there."""
    offline = node.offline or {}
    return backend in offline and offline[backend] is None


def _readable(resources: Resources) -> str:
    words = [
        f"{binary_size(int(amount))} of memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in amounts(resources).items()
    ]
    return ", ".join(words)
