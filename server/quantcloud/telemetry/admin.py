"""The operator's listener: `/metrics`, `/livez` and `/readyz`.

It runs in threads of its own, so it answers while the event loop is busy. That is also how
`/livez` can tell that the loop is stuck.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from socket import SHUT_RDWR, socket
from socketserver import ThreadingMixIn
from typing import Any, Final, TypeVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from quantcloud.aio import offload
from quantcloud.endpoints import bracketed
from quantcloud.telemetry import later

T = TypeVar("T")

_ANSWER_SECONDS: Final = 2.0
_IDLE_SECONDS: Final = 10.0
_CONNECTION_SECONDS: Final = 30.0
_CONNECTIONS: Final = 32
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"

log = structlog.stdlib.get_logger(__name__)


class _Handler(WSGIRequestHandler):
    # A connection that sends nothing ends.
    timeout = _IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Log no scrapes."""


class _Server(ThreadingMixIn, WSGIServer):
    """Ends old connections to make room for new ones, so that idle peers keep no operator out."""

    daemon_threads = True
    request_queue_size = _CONNECTIONS

    def __init__(self, *arguments: Any) -> None:
        # The open connections in the order in which they began, each with that time.
        self._began: dict[socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._began[request] = time.monotonic()
            self._end(list(self._began)[:-_CONNECTIONS])
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._began.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End connections that last too long. The server calls this twice a second."""
        with self._lock:
            limit = time.monotonic() - _CONNECTION_SECONDS
            self._end([each for each, began in self._began.items() if began < limit])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log no peers that vanish or send nothing."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def _end(self, requests: Iterable[socket]) -> None:
        """Make the threads of connections end; they read the end of the connection."""
        for request in requests:
            del self._began[request]
            with suppress(OSError):
                request.shutdown(SHUT_RDWR)


class AdminListener:
    """Serves an operator at `host`. `start` sets `port` and `url`.

    `parts` returns the state of each part of the server: None if it works, or else what is wrong.
    `metrics` returns the metrics in Prometheus' text format; `refresh` runs on the event loop
    before that.
    """

    def __init__(
        self,
        parts: Callable[[], Mapping[str, str | None]],
        *,
        refresh: Callable[[], Awaitable[None]] | None = None,
        metrics: Callable[[], bytes] = generate_latest,
    ) -> None:
        self._parts = parts
        self._refresh = refresh
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._server: WSGIServer | None = None
        self.port = 0
        self.url = ""

    def start(self, host: str, port: int | None, default: int) -> None:
        """Listen at `port`; if it is None, at `default` or, if that is taken, at any free one.

        Raises `OSError` if the port that was asked for cannot be used.
        """
        try:
            server = self._bound(host, default if port is None else port)
        except OSError:
            if port is not None:
                raise
            server = self._bound(host, 0)
            log.warning("the port of metrics is taken", port=default, instead=server.server_port)
        self._server, self.port = server, server.server_port
        self.url = f"http://{bracketed(host)}:{self.port}"
        threading.Thread(target=server.serve_forever, name="admin", daemon=True).start()

    async def stop(self) -> None:
        """Stop to listen. Safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            await offload.run(offload.UNKNOWN, server.shutdown)
            server.server_close()

    def _bound(self, host: str, port: int) -> WSGIServer:
        try:
            return make_server(host, port, self._answer, _Server, _Handler)
        except OSError as error:
            # With a number, its text would begin with "[Errno 98]".
            problem = f"cannot serve metrics at {host}:{port}: {error.strerror}"
            raise OSError(f"{problem}; choose another admin port") from error

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        page = {"/metrics": self._scrape, "/livez": self._live, "/readyz": self._ready}.get(path)
        if page is None:
            status, kind, body = "404 Not Found", _TEXT, b"see /metrics, /livez, /readyz\n"
        elif method not in {"GET", "HEAD"}:
            status, kind, body = "405 Method Not Allowed", _TEXT, b"only GET and HEAD\n"
        else:
            try:
                status, kind, body = page()
            except TimeoutError:
                status, kind, body = "503 Service Unavailable", _TEXT, b"the event loop is busy\n"
            except OSError as error:
                status, kind, body = "503 Service Unavailable", _TEXT, f"{error}\n".encode()
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [] if method == "HEAD" else [body]

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the event loop. Raises `TimeoutError` if that takes too long."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_ANSWER_SECONDS)
        finally:
            future.cancel()

    def _scrape(self) -> tuple[str, str, bytes]:
        self._on_loop(self._up_to_date())
        return "200 OK", CONTENT_TYPE_LATEST, self._metrics()

    async def _up_to_date(self) -> None:
        later.run()
        if self._refresh is not None:
            await self._refresh()

    def _live(self) -> tuple[str, str, bytes]:
        self._on_loop(asyncio.sleep(0))
        return "200 OK", _TEXT, b"the event loop runs\n"

    def _ready(self) -> tuple[str, str, bytes]:
        async def read() -> Mapping[str, str | None]:
            return self._parts()

        parts = self._on_loop(read())
        ready = not any(parts.values())
        body = {
            "ready": ready,
            "parts": {name: wrong or "ok" for name, wrong in parts.items()},
        }
        status = "200 OK" if ready else "503 Service Unavailable"
        return status, _JSON, json.dumps(body).encode() + b"\n"
