"""Starts the engine that the settings select, and the backends that run on it."""

import os
from typing import NamedTuple

from quantcloud.backends.at_once import AtOnce
from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.engine.base import Engine
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.ray.engine import RayEngine
from quantcloud.routing.cost_model import CostModel
from quantcloud.routing.scores import Weights
from quantcloud.settings import Settings


class Started(NamedTuple):
    """An engine, its backends, and the backends that run small circuits without it."""

    engine: Engine
    fleet: Fleet
    at_once: AtOnce


async def start_engine(settings: Settings, model: CostModel) -> Started:
    """Start an engine. The caller must stop it. Raises `EngineError` if it cannot start."""
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
    if settings.engine == "ray":
        engine = cluster = RayEngine(
            settings.ray_address, backends, memory_limit=limit, hidden=hidden
        )
    else:
        workers = settings.workers or len(os.sched_getaffinity(0))
        engine = LocalEngine(workers=workers, memory_limit=limit, hidden=hidden)
    await engine.start()
    # Make these while the workers still import.
    at_once = AtOnce(backends if settings.run_at_once else {})
    fleet = Fleet(
        backends,
        memory_limit=engine.memory_limit,
        weights=weights,
        model=model,
        memory_limits=cluster.memory_limits if cluster else None,
        offline_reason=cluster.offline_reason if cluster else None,
        at_once=at_once.backends,
    )
    return Started(engine, fleet, at_once)
