"""The composition root: the only module that knows all parts of the server."""

import asyncio
import math
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from pathlib import Path

import grpc

from quantcloud import DISTRIBUTION
from quantcloud.aio import offload
from quantcloud.api.access import AccessControl
from quantcloud.api.server import GrpcServer, UseCases
from quantcloud.api.tls import grpc_tls
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.auth.limits.rate_limits import Counter, RequestLimits
from quantcloud.auth.limits.turns import Turns
from quantcloud.auth.tokens.issuer import issuer, sign_in_codes, tickets
from quantcloud.auth.tokens.jwt import JwtVerifier
from quantcloud.auth.tokens.sign_in import OPERATOR
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.domain.errors import Damaged
from quantcloud.endpoints import Endpoints, bracketed, sign_in_link
from quantcloud.engine.start import Started, start_engine
from quantcloud.private import keep_private, private_socket
from quantcloud.proxy.process import EnvoyProcess, Upstream
from quantcloud.renewal import renew_forever
from quantcloud.routing.cost_model import CostModel
from quantcloud.scheduling.housekeeping import Housekeeping
from quantcloud.scheduling.lease_keeper import LeaseKeeper
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.services.accounts import AccountUseCases
from quantcloud.services.admission import Admission
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.early_runs import EarlyRuns
from quantcloud.services.health import Health
from quantcloud.services.jobs import JobUseCases
from quantcloud.services.model_keeper import ModelKeeper, calibrate_command
from quantcloud.services.platform import PlatformUseCases
from quantcloud.services.queues import Waits, measure_queues
from quantcloud.services.saved_circuits import SavedCircuitUseCases
from quantcloud.settings import Settings
from quantcloud.storage import Store, lock_data_dir
from quantcloud.storage.database.migrations import HEAD
from quantcloud.storage.model_files import ModelFiles
from quantcloud.telemetry import audit, metrics, tracing
from quantcloud.telemetry.admin import AdminListener
from quantcloud.telemetry.loop_lag import measure_forever
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor

_CALL_GRACE_SECONDS = 1.0
_ADMIN_PORT = 9464
# How long responses take through Envoy.
_ENVOY_TRANSIT_SECONDS = 0.1
# How long a server has had no jobs before it goes on with its calibration.
_QUIET_SECONDS = 1.0
# How long a load balancer takes to notice that the server is not ready.
_NOTICE_SECONDS = 3.0

_utc_now = partial(datetime.now, UTC)


class Application:
    """A whole server. `start` starts its parts in order; `stop` stops them in reverse order."""

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._settings = settings
        self._clock = clock
        # Only our Envoy knows it. It proves that the client addresses in headers are true.
        self._proxy_secret = _proxy_secret(settings)
        self._streams = OpenStreams(settings.max_watches)
        self._parts = AsyncExitStack()
        self._grace = 0.0
        self._sign_in = ""

    async def start(self) -> Endpoints:
        """Start to serve, and return the addresses once the health check answers.

        Raises `OSError`, `StoreError`, `DataDirLockedError`, `EngineError` or `EnvoyError` if
        something that the server needs is missing. Parts that were started are then stopped.
        """
        try:
            return await self._start()
        except BaseException:
            await self._parts.aclose()
            raise

    async def stop(self, grace: float) -> None:
        """Drain: end watches, let runs finish for up to `grace` seconds, then stop everything."""
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
        store.subscribe(feed.publish, feed.wants)
        store.subscribe_loss(feed.interrupt)
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        lease_keeper = LeaseKeeper(
            store,
            owner=owner,
            clock=self._clock,
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            lease_check_seconds=settings.lease_check_seconds,
        )
        await lease_keeper.start()
        parts.push_async_callback(lease_keeper.stop)
        housekeeping = Housekeeping(
            store,
            self._clock,
            _days(settings.retention_days),
            _days(settings.job_retention_days),
        )
        housekeeping.start()
        parts.push_async_callback(housekeeping.stop)
        scheduler = Scheduler(
            store,
            engine,
            fleet,
            owner=owner,
            clock=self._clock,
            limits=settings.limits,
            memory_bytes=started.memory_bytes,
            threads_per_run=settings.threads_per_run or math.inf,
        )
        health = Health(store, engine, probe=lease_keeper.beat, claims=lambda: _damage(scheduler))
        platform = PlatformUseCases(store, fleet, health, self._clock)
        watch_tickets = tickets(settings, self._clock)
        use_cases = self._use_cases(
            platform, store, started, scheduler, feed, watch_tickets=watch_tickets
        )
        server = GrpcServer(
            use_cases,
            self._access(store, Turns(use_cases.jobs.is_unfinished), watch_tickets),
            max_body_bytes=settings.max_body_bytes,
            max_header_kib=settings.max_header_kib,
            recheck_seconds=settings.watch_recheck_seconds,
            max_requests=settings.max_requests,
            max_connections=settings.max_connections,
            connection_age_seconds=settings.grpc_connection_age_seconds,
        )
        # The scheduler stops before the engine, whose stop would look like a loss of all workers.
        parts.push_async_callback(scheduler.stop, 0.0)
        await scheduler.start()
        admin = self._serve_operator(health, store)
        inside = self._inside_socket()
        grpc_port = await server.start(
            settings.grpc_host,
            settings.grpc_port,
            credentials=self._grpc_credentials(),
            socket=inside,
        )
        # In case the drain, which also stops it, is never reached.
        parts.push_async_callback(server.stop, _CALL_GRACE_SECONDS)
        health.subscribe(server.set_ready)
        health.start()
        parts.push_async_callback(health.stop)
        http = await self._start_envoy(grpc_port, inside) if settings.envoy else ""
        keeper = self._model_keeper(files, model, started, scheduler)
        parts.push_async_callback(keeper.stop)
        keeper.start()

        async def drain() -> None:
            health.drain()
            feed.close()
            # A load balancer in front, other than our own Envoy, must notice first.
            notice = 0.0 if settings.envoy else min(_NOTICE_SECONDS, self._grace)
            await asyncio.gather(scheduler.stop(self._grace), asyncio.sleep(notice))
            # Before Envoy, which drops its open calls when it stops: it can still pass on the
            # responses to calls in progress.
            await server.stop(_CALL_GRACE_SECONDS)
            if settings.envoy:
                await asyncio.sleep(_ENVOY_TRANSIT_SECONDS)

        parts.push_async_callback(drain)
        store.log_faults()
        return Endpoints(
            http,
            f"{bracketed(settings.grpc_host)}:{grpc_port}",
            admin,
            self._sign_in,
        )

    def _serve_operator(self, health: Health, store: Store) -> str:
        """Serve metrics and the state of each part; return their URL. Raises `OSError`."""
        settings, parts = self._settings, self._parts
        if settings.audit_log is None:
            keep_private(settings.audit_log_path, "it tells who uses this service")
        audit.configure(settings.audit_log_path)
        if settings.otlp_endpoint is not None:
            version = metadata.version(DISTRIBUTION)
            tracing.configure(settings.otlp_endpoint, ratio=settings.trace_ratio, version=version)
            parts.push_async_callback(offload.run, offload.UNKNOWN, tracing.stop)
        metrics.BUILD.info({"version": metadata.version(DISTRIBUTION), "revision": HEAD})
        health.subscribe(metrics.READY.set)
        lag = asyncio.create_task(measure_forever(), name="event loop lag")
        parts.callback(lag.cancel)
        admin = AdminListener(health.parts, refresh=lambda: measure_queues(store, self._clock))
        admin.start(settings.admin_host, settings.admin_port, _ADMIN_PORT)
        parts.push_async_callback(admin.stop)
        return admin.url

    def _model_keeper(
        self, files: ModelFiles, model: CostModel, started: Started, scheduler: Scheduler
    ) -> ModelKeeper:
        settings, engine, fleet = self._settings, started.engine, started.fleet
        # A model file in the settings is the operator's, and a cluster's nodes are other machines.
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
            is_quiet=lambda: (
                scheduler.is_idle and time.monotonic() - fleet.decided_at > _QUIET_SECONDS
            ),
        )

    def _grpc_credentials(self) -> grpc.ServerCredentials | None:
        tls = grpc_tls(self._settings.grpc_tls)
        if tls is None:
            return None
        renewing = asyncio.create_task(renew_forever([tls.renewal]), name="gRPC certificates")
        self._parts.callback(renewing.cancel)
        return tls.credentials

    def _inside_socket(self) -> Path | None:
        """Return the socket by which our own Envoy reaches the server, faster than by TCP."""
        if not self._settings.envoy:
            return None
        return self._parts.enter_context(private_socket(self._settings.data_dir, "grpc.socket"))

    async def _start_envoy(self, grpc_port: int, inside: Path | None) -> str:
        settings = self._settings
        envoy = EnvoyProcess(settings, Upstream(self._proxy_secret or "", grpc_port, inside))
        await envoy.start()
        self._parts.push_async_callback(envoy.stop)
        code = self._codes.issue(OPERATOR) if settings.console else None
        if code is not None:
            scheme = settings.http_scheme
            self._sign_in = sign_in_link(scheme, settings.http_host, envoy.http_port, code)
        return http_url(settings, envoy.http_port)

    def _access(self, store: Store, turns: Turns, watch_tickets: Tickets) -> AccessControl:
        settings, clock = self._settings, self._clock
        url = settings.rate_limit_url
        counter = Counter(clock, url.get_secret_value() if url else None)
        self._parts.push_async_callback(counter.close)
        return AccessControl(
            Authenticator(
                JwtVerifier(issuer(settings)),
                store.accounts,
                store.api_keys,
                watch_tickets,
                clock,
            ),
            RequestLimits(
                counter,
                settings.limits,
                anonymous=settings.anonymous_requests_per_minute,
                failed_logins=settings.failed_logins_per_minute,
            ),
            self._streams,
            self._proxy_secret,
            turns,
        )

    def _use_cases(
        self,
        platform: PlatformUseCases,
        store: Store,
        started: Started,
        scheduler: Scheduler,
        feed: EventFeed,
        *,
        watch_tickets: Tickets,
    ) -> UseCases:
        limits, clock = self._settings.limits, self._clock
        engine, inline, fleet, _ = started
        self._codes = sign_in_codes(self._settings, clock)
        return UseCases(
            platform=platform,
            accounts=AccountUseCases(store, clock, limits, self._codes),
            circuits=CircuitUseCases(
                store,
                engine,
                scheduler,
                Admission(store, engine, fleet, clock, limits, idle_threads=scheduler.idle_threads),
                EarlyRuns(inline, scheduler, fleet, clock),
                clock=clock,
                limits=limits,
            ),
            saved_circuits=SavedCircuitUseCases(store, engine, clock),
            jobs=JobUseCases(
                store,
                feed,
                self._streams,
                clock,
                limits,
                tickets=watch_tickets,
                waits=Waits(store, engine, scheduler, clock, limits),
            ),
        )


def _days(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(number)


def http_url(settings: Settings, port: int) -> str:
    """Return the URL at which Envoy serves."""
    return f"{settings.http_scheme}://{bracketed(settings.http_host)}:{port}"


def _damage(scheduler: Scheduler) -> Damaged | None:
    """Return what keeps all jobs from being dispatched. Only damage lasts until a repair."""
    return scheduler.failure if isinstance(scheduler.failure, Damaged) else None


def _proxy_secret(settings: Settings) -> str | None:
    """Return the secret of the settings, or a random one for our own Envoy, or None."""
    if settings.proxy_secret:
        return settings.proxy_secret.get_secret_value()
    return secrets.token_urlsafe(32) if settings.envoy else None
