"""Envoy's configuration: the template in `envoy/` with the values of the settings."""

import importlib.util
import ipaddress
import json
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from string import Template
from textwrap import indent
from typing import Any

from quantcloud.certificates import Certificates
from quantcloud.domain.value_object import value_object
from quantcloud.engine.sandbox.memory import usable_memory
from quantcloud.proxy import console, tls
from quantcloud.settings import Settings

# A value of the template, and the place of a part that it does not have.
_VALUE = re.compile(r"(?P<indent> +)(?P<name>\w+): &(?P=name) .+")
_PART = re.compile(r"(?P<indent> +)# serve puts (?P<name>\w+)\.yaml here")
_LAST_PORT = 65535
_PRIVATE = 0o600
_MAX_HEAP = 2 << 30
# Envoy's transcoder holds about five times the body of a watched request until the watch ends.
_WATCHED_BODY_BYTES = 1 << 20
# After how much silence the kernel asks whether a client is there. And how long a client may
# acknowledge nothing: HTTP/1.1 has no pings, and without this limit Linux tries for 15 minutes.
_KEEPALIVE_SECONDS, _VANISHED_SECONDS = 20, 60

_HEALTH_CHECK = {
    "timeout": "1s",
    "interval": "1s",
    "no_traffic_interval": "1s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 1,
    "grpc_health_check": {"service_name": "readiness"},
}


class EnvoyError(Exception):
    """Envoy cannot run. The message gives the cause and the last lines of its log."""


@value_object
class Upstream:
    """The servers behind an Envoy.

    `secret` proves to them that a request's client address comes from this Envoy. Without
    `addresses`, each HOST:PORT, there is one server on this machine: at `socket` or else at `port`
    of the setting `grpc_host`. Envoy balances the requests between several.
    """

    secret: str = field(repr=False)
    port: int = 0
    socket: Path | None = None
    addresses: Sequence[str] = ()


@value_object
class EnvoyFiles:
    """The template; the folders of the Lua files, of what `make gen` wrote, and of the console."""

    template: Path
    folder: Path
    contract: Path
    console: Path

    @property
    def descriptor(self) -> Path:
        """What the transcoder reads."""
        return self.contract / "transcoder.binpb"

    @property
    def tables(self) -> Path:
        """What the Lua files know about the contract."""
        return self.contract / "contract.lua"

    @property
    def reference(self) -> Mapping[str, Path]:
        """The files that Envoy serves by itself, by their names in the template."""
        return {
            "openapi": self.contract / "openapi.json",
            "descriptor_set": self.contract / "contract.binpb",
            "docs_page": self.folder / "docs" / "index.html",
            "docs_style": self.folder / "docs" / "docs.css",
            "docs_script": self.folder / "docs" / "docs.js",
        }

    @classmethod
    def find(cls) -> "EnvoyFiles":
        """Return the files of the package or checkout. Raises `EnvoyError` if one is missing."""
        package = Path(__file__).resolve().parent.parent
        installed, checkout = package / "envoy", package.parent.parent / "envoy"
        folder = installed if installed.is_dir() else checkout
        generated = importlib.util.find_spec("thequantcloud")
        if generated is None or not generated.submodule_search_locations:
            raise EnvoyError("the package thequantcloud is not installed: run `make setup`")
        contract = Path(next(iter(generated.submodule_search_locations))).resolve()
        files = cls(folder / "envoy.yaml", folder, contract, package / "console")
        needed = (files.template, files.tables, files.descriptor, *files.reference.values())
        for file in (*needed, files.console / console.PAGE):
            if not file.is_file():
                raise EnvoyError(f"{file} is missing: the installation is incomplete")
        return files


def template_values(
    settings: Settings, upstream: Upstream, files: EnvoyFiles, admin_socket: Path | None = None
) -> dict[str, Any]:
    """Return the template's values by their names, and the parts that go into it.

    `admin_socket` is the socket of the admin interface, if any. Raises `ValueError` if an address
    of a server is not HOST:PORT.
    """
    server_certificates, upstream_certificates = certificates(settings, upstream)
    watched_body_bytes = min(settings.max_body_bytes, _WATCHED_BODY_BYTES)
    places = list(map(_place, upstream.addresses))
    same = (
        "http_host", "http_port", "probe_host", "probe_port", "trusted_proxies", "max_header_kib",
        "max_body_bytes", "max_requests", "max_connections",
    )  # fmt: skip
    return {
        **{name: getattr(settings, name) for name in same},
        "admin": _address(admin_socket, mode=_PRIVATE) if admin_socket else {},
        "access_log": str(settings.access_log_path.absolute()),
        "transport": tls.listener(server_certificates, settings.data_dir),
        "upstream_transport": tls.upstream(upstream_certificates, settings.data_dir),
        "hsts": _hsts(settings),
        "discovery": "STRICT_DNS" if places else "STATIC",
        "servers": [
            {"endpoint": _address(place)}
            for place in places or [upstream.socket or (settings.grpc_host, upstream.port)]
        ],
        # A single server gets all requests, healthy or not.
        "health_checks": [_HEALTH_CHECK]
        if len(places) > 1 or not all(_is_ip_address(host) for host, _ in places)
        else [],
        "proxy_secret": upstream.secret,
        "cors_origins": [{"exact": origin} for origin in settings.cors_origins],
        "max_watched_body_bytes": watched_body_bytes,
        "max_connections_per_address": _connections_per_address(settings),
        "max_heap_bytes": settings.envoy_memory or min(_MAX_HEAP, usable_memory() // 4),
        "socket_options": _socket_options(),
        "connection_idle": _duration(settings.connection_idle_seconds),
        "watch_idle": _duration(settings.watch_idle_seconds),
        "headers_too_large": f"The headers are too large: they may have {settings.max_header_kib} "
        "KiB in all, with 32 bytes more for each.",
        "body_too_large": f"The body is too large: it may have {settings.max_body_bytes} bytes.",
        "watched_body_too_large": f"The body is too large: it may have {watched_body_bytes} bytes "
        "here. Longer ones go to /v1/circuits/run.",
        "descriptor": str(files.descriptor),
        "rest": _lua(files, "rest.lua"),
        "bodies": _lua(files, "bodies.lua"),
        **{name: str(file) for name, file in files.reference.items()},
        "reference_digest": (digest := console.digest(files.reference.values())),
        "reference_etag": f'W/"{digest}"',
        "console": console.routes(files.console, files.folder) if settings.console else "",
        "redirect": _redirect(settings, files),
    }


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return the template with these values.

    Raises `ValueError` if a name is only in the template or only in `values`.
    """
    lines: list[str] = []
    places: set[str] = set()
    for line in template.splitlines():
        if match := _VALUE.fullmatch(line):
            name = match["name"]
            lines.append(f"{match['indent']}{name}: &{name} {json.dumps(values.get(name))}")
        elif match := _PART.fullmatch(line):
            name = match["name"]
            lines.append(indent(values.get(name, ""), match["indent"]))
        else:
            lines.append(line)
            continue
        places.add(name)
    if unlike := places ^ values.keys():
        raise ValueError(f"only the template or only the values have {', '.join(sorted(unlike))}")
    return "\n".join(lines) + "\n"


def certificates(settings: Settings, upstream: Upstream) -> tuple[Certificates, Certificates]:
    """Return those of the port for clients, and those of the connections to servers."""
    return settings.tls, settings.upstream_tls if upstream.addresses else Certificates()


def _connections_per_address(settings: Settings) -> int:
    # A trusted proxy's connections carry the requests of many clients.
    if settings.trusted_proxies:
        return settings.max_connections
    return settings.max_connections_per_address


def _socket_options() -> list[dict[str, int]]:
    """Return options by which the kernel ends connections to clients that vanished."""
    if sys.platform != "linux":
        return []
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_SECONDS),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_SECONDS * 1000),
    ]
    return [{"level": level, "name": name, "int_value": value} for level, name, value in options]


def _duration(seconds: float) -> str:
    """Return a duration in protobuf's JSON."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _lua(files: EnvoyFiles, name: str) -> str:
    """Return the Lua code that runs a file with the globals that it needs."""
    # A text of JSON is one of Lua, unless it has control characters.
    folder, tables = (
        json.dumps(str(path), ensure_ascii=False) for path in (files.folder, files.tables)
    )
    return f'FOLDER = {folder} CONTRACT = dofile({tables}) dofile(FOLDER .. "/{name}")'


def _place(address: str) -> tuple[str, int]:
    host, separator, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not bare or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise ValueError(f"grpc: must be HOST:PORT, such as 10.0.0.5:50051, got {address!r}")
    return bare, int(port)


def _is_ip_address(host: str) -> bool:
    """Whether a host is an IP address, and no name of perhaps several."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address(place: Path | tuple[str, int], **more: int) -> Mapping[str, Any]:
    """Return Envoy's form of the address of a socket file, or of a host and port."""
    if isinstance(place, Path):
        return {"address": {"pipe": {"path": str(place), **more}}}
    host, port = place
    return {"address": {"socket_address": {"address": host, "port_value": port}}}


def _hsts(settings: Settings) -> Sequence[Mapping[str, Any]]:
    if settings.tls_cert is None or not settings.hsts_seconds:
        return []
    value = f"max-age={settings.hsts_seconds:.0f}"
    return [{"header": {"key": "strict-transport-security", "value": value}}]


def _redirect(settings: Settings, files: EnvoyFiles) -> str:
    """Return the listener for plain HTTP, if there is a port for it."""
    if settings.http_redirect_port is None:
        return ""
    listener = (files.folder / "redirect.yaml").read_text()
    return Template(listener).substitute(port=settings.http_redirect_port)
