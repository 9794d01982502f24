"""Starts the engines that the settings select, and the backends that run on them."""

import math
from typing import NamedTuple

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.engine.base import WorkerEngine
from quantcloud.engine.inline import InlineEngine
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.ray.engine import RayEngine
from quantcloud.engine.sandbox.control_groups import usable_cores
from quantcloud.engine.sandbox.memory import default_memory_limit
from quantcloud.routing.cost_model import CostModel
from quantcloud.routing.scores import Weights
from quantcloud.settings import Settings


class Started(NamedTuple):
    """The engine with workers, the one in this process, and the backends that run on them.

    All runs in workers together may take `memory_bytes`.
    """

    engine: WorkerEngine
    inline: InlineEngine
    fleet: Fleet
    memory_bytes: float


async def start_engine(settings: Settings, model: CostModel) -> Started:
    """Start the engines. The caller must stop `engine`. Raises `EngineError` if it cannot start."""
    backends = installed_backends()
    limit, hidden = settings.worker_memory, [settings.data_dir]
    weights = Weights(
        settings.router_speed_weight,
        settings.router_accuracy_weight,
        settings.router_cost_weight,
        settings.router_minute_usd,
    )
    cluster: RayEngine | None = None
    engine: LocalEngine | RayEngine
    # Ray itself reserves the memory of each run on its node.
    memory_bytes = math.inf
    if settings.engine == "ray":
        engine = cluster = RayEngine(
            settings.ray_address, backends, memory_limit=limit, hidden=hidden
        )
    else:
        workers = settings.workers or usable_cores()
        engine = LocalEngine(workers=workers, memory_limit=limit, hidden=hidden)
        # A limit of the operator may exceed what the machine has for all workers.
        memory_bytes = max(default_memory_limit(workers=1), engine.memory_limit)
    await engine.start()
    # Make these while the workers still import.
    inline = InlineEngine(backends if settings.run_inline else {})
    fleet = Fleet(
        backends,
        memory_limit=engine.memory_limit,
        weights=weights,
        model=model,
        memory_limits=cluster.memory_limits if cluster else None,
        offline_reason=cluster.offline_reason if cluster else None,
        inline=inline.backends,
    )
    return Started(engine, inline, fleet, memory_bytes)
