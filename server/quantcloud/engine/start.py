"""Starts the engine that the settings ask for, and the backends that run on it."""

import os

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.engine.base import Engine
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.ray import RayEngine
from quantcloud.routing.cost_model import CostModel
from quantcloud.routing.scores import Weights
from quantcloud.settings import Settings


async def start_engine(settings: Settings, model: CostModel) -> tuple[Engine, Fleet]:
    """Give an engine that has started, which is the caller's to stop, and what it can run.

    Raises `EngineError` where it cannot start.
    """
    backends = installed_backends()
    limit, hidden = settings.worker_memory, [settings.data_dir]
    weights = Weights(
        settings.router_speed_weight,
        settings.router_accuracy_weight,
        settings.router_cost_weight,
        settings.router_minute_usd,
    )
    if settings.engine == "ray":
        cluster = RayEngine(settings.ray_address, backends, memory_limit=limit, hidden=hidden)
        await cluster.start()
        return cluster, Fleet(
            backends,
            memory_limit=cluster.memory_limit,
            weights=weights,
            model=model,
            memory_limits=cluster.memory_limits,
            offline_reason=cluster.offline_reason,
        )
    workers = settings.workers or len(os.sched_getaffinity(0))
    engine = LocalEngine(workers=workers, memory_limit=limit, hidden=hidden)
    await engine.start()
    return engine, Fleet(backends, memory_limit=engine.memory_limit, weights=weights, model=model)
