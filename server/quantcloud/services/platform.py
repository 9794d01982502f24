"""The platform itself: its backends and its health."""

from collections.abc import Callable, Sequence
from datetime import datetime

from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.domain.backend import BackendInfo, BackendStatus
from quantcloud.domain.errors import DomainError, NotFound
from quantcloud.domain.value_object import value_object
from quantcloud.services.health import Health
from quantcloud.storage import Store


@value_object
class BackendReport:
    """A backend with its status and queue."""

    info: BackendInfo
    status: BackendStatus
    queue_depth: int
    mean_queue_seconds: float
    widest_circuit: int


@value_object
class PlatformReport:
    """The status of each backend by name, and the number of jobs that have not ended."""

    backends: dict[str, BackendStatus]
    active_jobs: int
    at: datetime

    @property
    def operational(self) -> bool:
        return BackendStatus.ONLINE in self.backends.values()


class PlatformUseCases:
    """What callers may ask without credentials."""

    def __init__(
        self, store: Store, fleet: Fleet, health: Health, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._health = health
        self._fleet = fleet
        self._clock = clock

    def health(self) -> tuple[DomainError | None, datetime]:
        """Return why the server cannot take jobs now, or None if it can; and the time."""
        return self._health.problem, self._clock()

    async def report(self) -> PlatformReport:
        return PlatformReport(
            {info.name: self._fleet.status(info.name) for info in self._fleet.infos},
            await self._store.jobs.active_count(),
            self._clock(),
        )

    async def backends(self) -> Sequence[BackendReport]:
        """Return all backends, sorted by name."""
        figures = await QueueFigures.read(self._store.jobs)
        return [self._backend(info, figures) for info in self._fleet.infos]

    async def backend(self, name: str) -> BackendReport:
        """Return one backend. Raises `NotFound`."""
        info = self._fleet.info(name)
        if info is None:
            raise NotFound("backend", name)
        return self._backend(info, await QueueFigures.read(self._store.jobs))

    def _backend(self, info: BackendInfo, figures: QueueFigures) -> BackendReport:
        return BackendReport(
            info,
            self._fleet.status(info.name),
            figures.depth.get(info.name, 0),
            figures.mean_wait_seconds.get(info.name, 0.0),
            self._fleet.widest_circuit(info.name),
        )
