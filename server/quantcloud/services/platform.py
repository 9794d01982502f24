"""The platform itself: its backends and how it is doing."""

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
    """A backend with its live figures."""

    info: BackendInfo
    status: BackendStatus
    queue_depth: int
    mean_queue_seconds: float


@value_object
class PlatformReport:
    """Every backend's status by name, and how many jobs have not ended."""

    backends: dict[str, BackendStatus]
    active_jobs: int
    at: datetime

    @property
    def operational(self) -> bool:
        return BackendStatus.ONLINE in self.backends.values()


@value_object
class HealthReport:
    """What keeps the server from taking jobs; None where nothing does."""

    problem: DomainError | None
    at: datetime


class PlatformUseCases:
    """What anyone may ask."""

    def __init__(
        self, store: Store, fleet: Fleet, health: Health, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._health = health
        self._fleet = fleet
        self._clock = clock

    def health(self) -> HealthReport:
        """Whether the server can take jobs."""
        return HealthReport(self._health.problem, self._clock())

    async def report(self) -> PlatformReport:
        return PlatformReport(
            {info.name: self._fleet.status(info.name) for info in self._fleet.infos},
            await self._store.jobs.active_count(),
            self._clock(),
        )

    async def backends(self) -> Sequence[BackendReport]:
        """Every backend, in the order of their names."""
        figures = await QueueFigures.read(self._store.jobs)
        return [self._backend(info, figures) for info in self._fleet.infos]

    async def backend(self, name: str) -> BackendReport:
        """One backend. Raises `NotFound`."""
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
        )
