"""The composition root: the only module that knows all others below it."""

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from quantcloud.api.access import AccessControl
from quantcloud.api.server import GrpcServer, UseCases
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.issuer import issuer
from quantcloud.auth.jwt import JwtVerifier
from quantcloud.auth.open_streams import OpenStreams
from quantcloud.auth.rate_limits import Counter, RequestLimits
from quantcloud.backends.fleet import Fleet
from quantcloud.domain.errors import Damaged, DomainError, explained
from quantcloud.endpoints import Endpoints, bracketed
from quantcloud.engine.base import Engine, EngineError
from quantcloud.engine.start import Started, start_engine
from quantcloud.process import allow_open_files, spare_garbage_collection
from quantcloud.proxy.admin import admin_socket, drain
from quantcloud.proxy.process import EnvoyError, EnvoyProcess, envoy_settings
from quantcloud.routing.cost_model import CostModel
from quantcloud.scheduling.housekeeping import Housekeeping
from quantcloud.scheduling.lease_keeper import LeaseKeeper
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.services.accounts import AccountUseCases
from quantcloud.services.admission import Admission
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.health import Health
from quantcloud.services.jobs import JobUseCases
from quantcloud.services.model_keeper import ModelKeeper, calibrate_command
from quantcloud.services.platform import PlatformUseCases
from quantcloud.services.short_runs import ShortRuns
from quantcloud.settings import Settings, forget_environment
from quantcloud.storage import DataDirLockedError, Store, StoreError, lock_data_dir
from quantcloud.storage.model_files import ModelFiles
from quantcloud.telemetry import logs
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor

log = structlog.stdlib.get_logger(__name__)

_CALL_GRACE_SECONDS = 1.0
# For how long answers are on their way through Envoy.
_ON_THEIR_WAY_SECONDS = 0.1
_NOTICE_SECONDS = 3.0
# How long a thread keeps the interpreter while others wait: the event loop waits for as many turns
# as there are large results being converted.
_TURN_SECONDS = 0.001

_CANNOT_START = (
    OSError, ValueError, StoreError, DataDirLockedError, EnvoyError, EngineError, DomainError,
)  # fmt: skip


def utc_now() -> datetime:
    """The clock of a server in service."""
    return datetime.now(UTC)


class Application:
    """A whole server. `start` makes and starts its parts in order; `stop` ends them in reverse."""

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        # Of our Envoy, which alone may say whom a call comes from.
        self._proxy_secret = _proxy_secret(settings)
        self._streams = OpenStreams(settings.max_watches)
        self._parts = AsyncExitStack()
        self._grace = 0.0

    async def start(self) -> Endpoints:
        """Serve; returns where, once health answers.

        Raises `OSError`, `StoreError`, `DataDirLockedError`, `EngineError` or `EnvoyError` where
        something that it needs is not to be had; what had been started is stopped.
        """
        try:
            return await self._start()
        except BaseException:
            await self._parts.aclose()
            raise

    async def stop(self, grace: float) -> None:
        """Drain: end watches, let runs finish for `grace` seconds, then end everything."""
        self._grace = grace
        await self._parts.aclose()

    async def _start(self) -> Endpoints:
        settings, parts = self._settings, self._parts
        self._parts.enter_context(lock_data_dir(settings.data_dir))
        store = await Store.open(
            settings.database,
            connections=settings.database_connections,
            poll_seconds=settings.database_poll_seconds,
        )
        parts.push_async_callback(store.close)
        files = ModelFiles(settings.data_dir, settings.router_model)
        model = files.load()
        started = await start_engine(settings, model)
        engine, fleet = started.engine, started.fleet
        parts.push_async_callback(engine.stop)
        queues = QueueMonitor(store.jobs, settings.watch_position_seconds)
        feed = EventFeed(store.events, queues, settings.watch_checkpoint_seconds)
        store.subscribe(feed.publish)
        store.subscribe_loss(feed.interrupt)
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        lease_keeper = LeaseKeeper(
            store,
            owner=owner,
            clock=self._clock,
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            sweep_seconds=settings.sweep_seconds,
        )
        await lease_keeper.start()
        parts.push_async_callback(lease_keeper.stop)
        keep = settings.retention_days
        housekeeping = Housekeeping(store, self._clock, None if keep is None else timedelta(keep))
        housekeeping.start()
        parts.push_async_callback(housekeeping.stop)
        scheduler = Scheduler(
            store,
            engine,
            fleet,
            owner=owner,
            clock=self._clock,
            limits=settings.limits,
        )
        health = Health(store, engine, probe=lease_keeper.beat, claims=lambda: _damage(scheduler))
        platform = PlatformUseCases(store, fleet, health, self._clock)
        server = GrpcServer(
            self._use_cases(platform, store, started, feed),
            self._access(store),
            max_body_bytes=settings.max_body_bytes,
            max_header_kib=settings.max_header_kib,
            recheck_seconds=settings.watch_recheck_seconds,
            max_requests=settings.max_requests,
        )
        # Before the engine, whose end would look like the loss of every worker.
        parts.push_async_callback(scheduler.stop, 0.0)
        await scheduler.start()
        grpc_port = await server.start(settings.grpc_host, settings.grpc_port)
        # Should it never come to the drain, which stops it too.
        parts.push_async_callback(server.stop, _CALL_GRACE_SECONDS)
        health.subscribe(server.tell)
        health.start()
        parts.push_async_callback(health.stop)
        http = await self._start_envoy(grpc_port) if settings.envoy else ""
        keeper = self._model_keeper(files, model, engine, fleet)
        parts.push_async_callback(keeper.stop)
        keeper.start()

        async def drain() -> None:
            health.drain()
            feed.close()
            # Whoever stands in front, if it is not our own Envoy, has to notice first.
            notice = 0.0 if settings.envoy else min(_NOTICE_SECONDS, self._grace)
            await asyncio.gather(scheduler.stop(self._grace), asyncio.sleep(notice))
            # Before Envoy, which ends with all that it has in hand: calls that are under way are
            # answered, and it passes the answers on.
            await server.stop(_CALL_GRACE_SECONDS)
            if settings.envoy:
                await asyncio.sleep(_ON_THEIR_WAY_SECONDS)

        parts.push_async_callback(drain)
        store.log_faults()
        return Endpoints(http, f"{bracketed(settings.grpc_host)}:{grpc_port}")

    def _model_keeper(
        self, files: ModelFiles, model: CostModel, engine: Engine, fleet: Fleet
    ) -> ModelKeeper:
        settings = self._settings
        # A model that somebody gave is theirs to measure, and a cluster's nodes are other machines.
        own = settings.router_model is None and settings.engine == "local"
        wanted = settings.router_calibrate and own
        online = [info.name for info in fleet.infos if not fleet.offline_reason(info.name)]
        return ModelKeeper(
            files,
            model,
            calibrate=calibrate_command("--data-dir", str(settings.data_dir.absolute()))
            if wanted
            else None,
            is_idle=lambda: all(map(engine.is_ready, online)),
        )

    async def _start_envoy(self, grpc_port: int) -> str:
        settings = self._settings
        secret = self._proxy_secret or ""
        envoy = EnvoyProcess(envoy_settings(settings, secret, grpc_port=grpc_port))
        await envoy.start()
        self._parts.push_async_callback(envoy.stop)
        return f"http://{bracketed(settings.http_host)}:{envoy.http_port}"

    def _access(self, store: Store) -> AccessControl:
        settings, clock = self._settings, self._clock
        url = settings.rate_limit_url
        counter = Counter(clock, url.get_secret_value() if url else None)
        self._parts.push_async_callback(counter.close)
        return AccessControl(
            Authenticator(JwtVerifier(issuer(settings)), store.accounts, store.api_keys, clock),
            RequestLimits(
                counter,
                settings.limits,
                anonymous=settings.anonymous_requests_per_minute,
                failed_logins=settings.failed_logins_per_minute,
            ),
            self._streams,
            self._proxy_secret,
        )

    def _use_cases(
        self,
        platform: PlatformUseCases,
        store: Store,
        started: Started,
        feed: EventFeed,
    ) -> UseCases:
        limits, clock = self._settings.limits, self._clock
        engine, fleet, at_once = started
        return UseCases(
            platform=platform,
            accounts=AccountUseCases(store, clock, limits),
            circuits=CircuitUseCases(
                store,
                engine,
                Admission(store, engine, fleet, clock, limits),
                ShortRuns(at_once, fleet, clock),
                clock=clock,
                limits=limits,
            ),
            jobs=JobUseCases(store, feed, self._streams, clock, limits),
        )


def _damage(scheduler: Scheduler) -> Damaged | None:
    """What keeps every job from being dispatched. What passes shows in other ways, too."""
    return scheduler.failure if isinstance(scheduler.failure, Damaged) else None


def _proxy_secret(settings: Settings) -> str | None:
    """The secret that was given, or one for the Envoy that we start; else there is none."""
    if settings.proxy_secret:
        return settings.proxy_secret.get_secret_value()
    return secrets.token_urlsafe(32) if settings.envoy else None


def _told() -> asyncio.Future[signal.Signals]:
    """The first SIGINT or SIGTERM; a second one ends the process."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def tell(number: signal.Signals) -> None:
        if told.done():
            os._exit(128 + number)
        told.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell, number)
    return told


async def _front(settings: Settings, servers: Sequence[str]) -> None:
    """Run Envoy in front of several servers until SIGINT (stop at once) or SIGTERM (drain)."""
    told = _told()
    given = settings.proxy_secret
    if given is None:
        log.warning(
            "without QUANTCLOUD_PROXY_SECRET, the same for Envoy and its servers, these take all "
            "that comes through Envoy for one client"
        )
    secret = given.get_secret_value() if given else secrets.token_urlsafe(32)
    with admin_socket(settings.data_dir) as admin:
        envoy = EnvoyProcess(envoy_settings(settings, secret, servers=servers, admin_socket=admin))
        await envoy.start()
        try:
            http = f"http://{bracketed(settings.http_host)}:{envoy.http_port}"
            print(Endpoints(http, ", ".join(servers)).announcement(), flush=True)  # noqa: T201  # for whoever started us
            if await told is signal.SIGTERM:
                await drain(admin, settings.drain_seconds)
        finally:
            await envoy.stop()


async def _serve(settings: Settings) -> None:
    """Serve until SIGINT (stop at once) or SIGTERM (drain); a second signal ends the process."""
    told = _told()
    application = Application(settings)
    starting = asyncio.ensure_future(application.start())
    await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        starting.cancel()
        await asyncio.wait([starting])
        await application.stop(0.0)
        return
    spare_garbage_collection()
    sys.setswitchinterval(_TURN_SECONDS)
    print(starting.result().announcement(), flush=True)  # noqa: T201  # for whoever started us
    number = await told
    await application.stop(settings.drain_seconds if number is signal.SIGTERM else 0.0)


def serve(settings: Settings) -> int:
    """Run a server in the foreground; the exit code."""
    return _run(settings, lambda: _serve(settings))


def front(settings: Settings, servers: Sequence[str]) -> int:
    """Run Envoy in the foreground, in front of `servers`; the exit code."""
    return _run(settings, lambda: _front(settings, servers))


def _run(settings: Settings, work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    try:
        logs.configure(settings.log_level)
        forget_environment()
        allow_open_files()
        asyncio.run(work())
    except _CANNOT_START as error:
        print(f"quantcloud: {explained(error)}", file=sys.stderr)  # noqa: T201  # a line for a person
        return 1
    return 0
