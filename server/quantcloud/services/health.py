"""Whether this server can take jobs at present, and if not, why."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from quantcloud.domain.errors import DomainError, Unavailable
from quantcloud.engine.base import Engine
from quantcloud.storage import Store

# A failure is noticed within the sum of the two: the load balancers of a service that must not lose
# submissions are to know within three seconds.
_EVERY_SECONDS = 1.0
_PROBE_SECONDS = 1.5

log = structlog.stdlib.get_logger(__name__)


class Health:
    """Looks at the database and at the engine once a second.

    `probe` writes a little. It is called only where no other write was committed within the last
    second, so it costs a busy server nothing. `claims` says why no job can be dispatched, if so.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
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
        """What keeps this server from taking jobs; its message is fit for anyone."""
        if self._draining:
            return Unavailable("the server is shutting down", reason="SERVER_DRAINING")
        return self._found

    def subscribe(self, listener: Callable[[bool], None]) -> None:
        """Call `listener` now and with each change: whether this server can take jobs."""
        self._listeners.append(listener)
        listener(self.problem is None)

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_forever(), name="health")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def drain(self) -> None:
        """Take no more jobs, for good."""
        self._draining = True
        self._tell()

    async def _look_forever(self) -> None:
        while True:
            self._note(await self._look())
            await asyncio.sleep(_EVERY_SECONDS)

    async def _look(self) -> DomainError | None:
        if (problem := await self._look_at_database()) is not None:
            return problem
        if (damage := self._store.jobs.damage or self._claims()) is not None:
            return damage
        if (trouble := self._engine.trouble) is not None:
            return Unavailable(trouble, reason="ENGINE_UNAVAILABLE")
        return None

    async def _look_at_database(self) -> DomainError | None:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._store.check_file()
                if not self._store.wrote_since(began - _EVERY_SECONDS):
                    await self._probe()
        except TimeoutError:
            if self._store.wrote_since(began):
                return None
            return Unavailable("the database does not answer", reason="STORE_UNAVAILABLE")
        except DomainError as error:
            return error
        except Exception:
            if self._found is None:
                log.exception("the database cannot be written, for a reason that nobody foresaw")
            return Unavailable("the database cannot be written", reason="STORE_UNAVAILABLE")
        return None

    def _note(self, found: DomainError | None) -> None:
        before, self._found = self._found, found
        if found is not None and (before is None or before.reason != found.reason):
            log.error("this server cannot take jobs", reason=found.reason, error=found.message)
        elif found is None and before is not None:
            log.info("this server can take jobs again")
        if (found is None) is not (before is None):
            self._tell()

    def _tell(self) -> None:
        ready = self.problem is None
        for listener in self._listeners:
            listener(ready)
