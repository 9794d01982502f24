"""Whether this server can take jobs now, and if not, why."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from quantcloud.domain.errors import DomainError, Unavailable
from quantcloud.engine.base import WorkerEngine
from quantcloud.storage import Store

# A failure is noticed within the sum of the two. Load balancers must know within three seconds.
_INTERVAL_SECONDS = 1.0
_PROBE_TIMEOUT_SECONDS = 1.5

log = structlog.stdlib.get_logger(__name__)


class Health:
    """Checks the database and the engine once a second.

    `probe` writes a little to the database. It is called only if nothing else was committed within
    the last second, so it costs a busy server nothing. `claims` returns why no job can be
    dispatched, or None.
    """

    def __init__(
        self,
        store: Store,
        engine: WorkerEngine,
        *,
        probe: Callable[[], Awaitable[None]],
        claims: Callable[[], DomainError | None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._probe = probe
        self._claims = claims
        self._found: DomainError | None = None
        self._draining = False
        self._listeners: list[Callable[[bool], None]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def problem(self) -> DomainError | None:
        """Why this server cannot take jobs, or None; anyone may read the message."""
        if self._draining:
            return Unavailable("the server is shutting down", reason="SERVER_DRAINING")
        return self._found

    def parts(self) -> Mapping[str, str | None]:
        """Return what is wrong with each part of the server, or None for a part that works."""
        found = self._found
        reason = found and found.reason
        store = found.message if found and reason != "ENGINE_UNAVAILABLE" else None
        return {
            "database": store,
            "engine": self._engine.trouble,
            "serving": "the server is shutting down" if self._draining else None,
        }

    def subscribe(self, listener: Callable[[bool], None]) -> None:
        """Call `listener` now and after each change with whether this server can take jobs."""
        self._listeners.append(listener)
        listener(self.problem is None)

    def start(self) -> None:
        self._task = asyncio.create_task(self._check_forever(), name="health")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def drain(self) -> None:
        """Report from now on that this server takes no more jobs."""
        self._draining = True
        self._notify()

    async def _check_forever(self) -> None:
        while True:
            self._record(await self._check())
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def _check(self) -> DomainError | None:
        if (problem := await self._check_database()) is not None:
            return problem
        if (damage := self._store.jobs.damage or self._claims()) is not None:
            return damage
        if (trouble := self._engine.trouble) is not None:
            return Unavailable(trouble, reason="ENGINE_UNAVAILABLE")
        return None

    async def _check_database(self) -> DomainError | None:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
                await self._store.check_file()
                if not self._store.wrote_since(began - _INTERVAL_SECONDS):
                    await self._probe()
        except TimeoutError:
            if self._store.wrote_since(began):
                return None
            return Unavailable("the database does not answer", reason="STORE_UNAVAILABLE")
        except DomainError as error:
            return error
        except Exception:
            if self._found is None:
                log.exception("unexpected error: the database cannot be written")
            return Unavailable("the database cannot be written", reason="STORE_UNAVAILABLE")
        return None

    def _record(self, found: DomainError | None) -> None:
        before, self._found = self._found, found
        if found is not None and (before is None or before.reason != found.reason):
            log.error("this server cannot take jobs", reason=found.reason, error=found.message)
        elif found is None and before is not None:
            log.info("this server can take jobs again")
        if (found is None) is not (before is None):
            self._notify()

    def _notify(self) -> None:
        ready = self.problem is None
        for listener in self._listeners:
            listener(ready)
