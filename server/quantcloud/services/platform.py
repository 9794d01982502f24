"""The platform itself: its backends and how it is doing."""

from collections.abc import Callable, Sequence
from datetime import datetime

from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.domain.backend import BackendInfo, BackendStatus
from quantcloud.domain.errors import NotFound, Unavailable
from quantcloud.domain.immutable import immutable
from quantcloud.storage import Store


@immutable
class BackendReport:
    """A backend with its live figures."""

    info: BackendInfo
    status: BackendStatus
    queue_depth: int
    mean_queue_seconds: float


@immutable
class PlatformReport:
    """Every backend's status by name, and how many jobs have not ended."""

    backends: dict[str, BackendStatus]
    active_jobs: int
    at: datetime

    @property
    def operational(self) -> bool:
        return BackendStatus.ONLINE in self.backends.values()


class PlatformUseCases:
    """What anyone may ask."""

    def __init__(self, store: Store, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self.draining = False

    def healthy_at(self) -> datetime:
        """The time. Raises `Unavailable` while the server drains."""
        if self.draining:
            raise Unavailable("the server is shutting down", reason="SERVER_DRAINING")
        return self._clock()

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
