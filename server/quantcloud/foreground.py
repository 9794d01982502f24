"""Runs a server, or Envoy alone, in the foreground of this process until a signal."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from quantcloud.app import Application, http_url
from quantcloud.domain.errors import DomainError, explained
from quantcloud.endpoints import Endpoints
from quantcloud.engine.base import EngineError
from quantcloud.private import private_socket
from quantcloud.process import (
    allow_open_files,
    most_connections,
    notify_service_manager,
    tune_garbage_collection,
)
from quantcloud.proxy.process import EnvoyError, EnvoyProcess, Upstream
from quantcloud.settings import Settings, forget_environment
from quantcloud.storage import DataDirLockedError, StoreError
from quantcloud.telemetry import logs
from quantcloud.telemetry.admin import AdminListener

log = structlog.stdlib.get_logger(__name__)

_ENVOY_ADMIN_PORT = 9465
# How long a thread keeps the GIL while others wait. Each thread that converts a large result delays
# the event loop by this time.
_SWITCH_INTERVAL_SECONDS = 0.001

_CANNOT_START = (
    OSError, ValueError, StoreError, DataDirLockedError, EnvoyError, EngineError, DomainError,
)  # fmt: skip


def _stop_signal() -> asyncio.Future[signal.Signals]:
    """Return a future of the first SIGINT or SIGTERM. A second signal ends the process."""
    loop = asyncio.get_running_loop()
    received: asyncio.Future[signal.Signals] = loop.create_future()

    def receive(number: signal.Signals) -> None:
        if received.done():
            os._exit(128 + number)
        received.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, receive, number)
    return received


async def _front(settings: Settings, servers: Sequence[str]) -> None:
    """Run Envoy in front of several servers until SIGINT (stop at once) or SIGTERM (drain)."""
    # It imports Rich, which a server does not need.
    from quantcloud.proxy.admin import drain, prometheus  # noqa: PLC0415

    stop_signal = _stop_signal()
    given = settings.proxy_secret
    if given is None:
        log.warning(
            "QUANTCLOUD_PROXY_SECRET is not set: the servers count all requests through this Envoy "
            "as one client's; set the same secret for Envoy and for its servers"
        )
    secret = given.get_secret_value() if given else secrets.token_urlsafe(32)
    with private_socket(settings.data_dir, "envoy.admin") as admin:
        envoy = EnvoyProcess(settings, Upstream(secret, addresses=servers), admin)
        await envoy.start()
        listener = AdminListener(dict, metrics=lambda: prometheus(admin))
        try:
            listener.start(settings.admin_host, settings.admin_port, _ENVOY_ADMIN_PORT)
            endpoints = Endpoints(
                http_url(settings, envoy.http_port),
                ", ".join(servers),
                listener.url,
            )
            print(endpoints.announcement(), flush=True)  # noqa: T201  # for the parent process
            notify_service_manager("READY=1")
            if await stop_signal is signal.SIGTERM:
                await drain(admin, settings.drain_seconds)
        finally:
            await listener.stop()
            await envoy.stop()


async def _serve(settings: Settings) -> None:
    """Serve until SIGINT (stop at once) or SIGTERM (drain). A second signal ends the process."""
    stop_signal = _stop_signal()
    application = Application(settings)
    starting = asyncio.ensure_future(application.start())
    await asyncio.wait([starting, stop_signal], return_when=asyncio.FIRST_COMPLETED)
    if stop_signal.done():
        starting.cancel()
        await asyncio.wait([starting])
        await application.stop(0.0)
        return
    tune_garbage_collection()
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    print(starting.result().announcement(), flush=True)  # noqa: T201  # for the parent process
    notify_service_manager("READY=1")
    number = await stop_signal
    notify_service_manager("STOPPING=1")
    await application.stop(settings.drain_seconds if number is signal.SIGTERM else 0.0)


def serve(settings: Settings) -> int:
    """Run a server in the foreground and return the exit code."""
    return _run(settings, _serve)


def front(settings: Settings, servers: Sequence[str]) -> int:
    """Run Envoy in the foreground, in front of `servers`, and return the exit code."""
    return _run(settings, lambda usable: _front(usable, servers))


def _within_open_files(settings: Settings) -> Settings:
    """Return settings with no more connections than the limit of open files allows."""
    wanted, most = settings.max_connections, most_connections()
    if wanted <= most:
        return settings
    given = "max_connections" in settings.model_fields_set
    (log.warning if given else log.info)(
        "the limit of open files allows fewer connections than max_connections; raise it "
        "(ulimit -n, LimitNOFILE) to twice that number",
        max_connections=wanted, allowed=most,
    )  # fmt: skip
    return settings.model_copy(update={"max_connections": most})


def _run(settings: Settings, work: Callable[[Settings], Coroutine[Any, Any, None]]) -> int:
    try:
        logs.configure(settings.log_level)
        forget_environment()
        allow_open_files()
        asyncio.run(work(_within_open_files(settings)))
    except _CANNOT_START as error:
        print(f"quantcloud: {explained(error)}", file=sys.stderr)  # noqa: T201  # a line for the user
        return 1
    return 0
