"""Envoy's configuration: the template in `envoy/`, and what is filled in on its marked lines."""

import hashlib
import importlib.util
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quantcloud.domain.value_object import value_object

_MARKER = re.compile(r"^(?P<code>.*\S)(?P<gap> +)# set by serve: (?P<name>\w+)$")
_LAST_PORT = 65535
_PRIVATE = 0o600
_ETAG_DIGITS = 16
# Of a request that is watched Envoy's transcoder keeps about five times its body until its end.
_WATCHED_BODY_BYTES = 1024 * 1024
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./-]*")


class EnvoyError(Exception):
    """Envoy cannot be run; the message says why, with what it said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoySettings:
    """What `envoy/envoy.yaml` leaves open, and how to run it.

    `http_port` and `probe_port` 0 mean any that is free. `access_log` is a file, `access.log` in
    the data folder unless given, or `STANDARD_OUTPUT`. `trusted_proxies` counts the proxies in
    front whose X-Forwarded-For is believed. A body of `max_body_bytes` passes, a longer one is 413,
    and so do headers of `max_header_kib` KiB in all. By `proxy_secret` the server knows that it is
    this Envoy which says where a request comes from. `servers`, as HOST:PORT, are those that take
    turns instead of the one at `grpc_host`. `admin_socket` is where its admin interface is to be,
    if any.
    Raises `ValueError` where a host is not an IP address, and for a server that is not HOST:PORT;
    that host may have a name.
    """

    data_dir: Path
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    probe_host: str = "127.0.0.1"
    probe_port: int = 0
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 50051
    servers: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ("*",)
    trusted_proxies: int = 0
    access_log: Path | None = None
    admin_socket: Path | None = None
    proxy_secret: str = field(default="unset", repr=False)
    max_body_bytes: int = 8 * 1024 * 1024
    max_header_kib: int = 12
    max_response_bytes: int = 128 * 1024 * 1024
    max_requests: int = 20_000
    max_connections: int = 10_000
    max_connections_per_address: int = 1_000
    connection_idle_seconds: float = 50.0
    max_heap_bytes: int = 2 * 1024 * 1024 * 1024
    concurrency: int = 2

    def __post_init__(self) -> None:
        for name in ("http_host", "probe_host", "grpc_host"):
            host = getattr(self, name)
            try:
                ipaddress.ip_address(host)
            except ValueError as error:
                raise ValueError(
                    f"{name}: must be an IP address, such as 127.0.0.1, got {host!r}"
                ) from error

        for server in self.servers:
            _parse_server(server)

    @property
    def endpoints(self) -> list[tuple[str, int]]:
        """Host and port of each server."""
        if not self.servers:
            return [(self.grpc_host, self.grpc_port)]
        return [_parse_server(server) for server in self.servers]

    @property
    def connection_idle(self) -> str:
        """How long a connection may be without a request, as a duration in protobuf's JSON."""
        return f"{self.connection_idle_seconds:.3f}".rstrip("0").rstrip(".") + "s"

    @property
    def max_watched_body_bytes(self) -> int:
        """The longest body of a request over HTTP whose answer is a watch."""
        return min(self.max_body_bytes, _WATCHED_BODY_BYTES)

    @property
    def access_log_path(self) -> Path:
        return self.access_log or self.data_dir / "access.log"


@value_object
class EnvoyFiles:
    """Where the template, the Lua filter, the transcoder's descriptor and the reference are."""

    template: Path
    lua: Path
    descriptor: Path
    openapi: Path
    docs_page: Path
    docs_style: Path
    docs_script: Path

    @property
    def reference(self) -> tuple[Path, ...]:
        """The files that Envoy serves by itself."""
        return self.openapi, self.docs_page, self.docs_style, self.docs_script

    @classmethod
    def find(cls) -> "EnvoyFiles":
        """Those of the installed package, or of the checkout that the package is imported from."""
        package = Path(__file__).resolve().parent.parent
        installed, checkout = package / "envoy", package.parent.parent / "envoy"
        folder = installed if installed.is_dir() else checkout
        generated = importlib.util.find_spec("thequantcloud")
        if generated is None or not generated.submodule_search_locations:
            raise EnvoyError("the package thequantcloud is not installed: run `make setup`")
        contract = Path(next(iter(generated.submodule_search_locations))).resolve()
        files = cls(
            template=folder / "envoy.yaml",
            lua=folder / "rest.lua",
            descriptor=contract / "transcoder.binpb",
            openapi=contract / "openapi.json",
            docs_page=folder / "docs" / "index.html",
            docs_style=folder / "docs" / "docs.css",
            docs_script=folder / "docs" / "docs.js",
        )
        for file in (files.template, files.lua, files.descriptor, *files.reference):
            if not file.is_file():
                raise EnvoyError(f"{file} is missing: the installation is incomplete")
        return files


# What stands in the template on each line that is marked with the name, as it stands there.
TEMPLATE_VALUES: Mapping[str, str] = {
    "admin": "{}",
    "http_host": "127.0.0.1",
    "http_port": "8080",
    "probe_host": "127.0.0.1",
    "probe_port": "0",
    "discovery": "STATIC",
    "servers": "[{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 50051}}}}]",
    "health_checks": "[]",
    "cors_origins": '[{exact: "*"}]',
    "trusted_proxies": "0",
    "access_log": "/dev/stdout",
    "proxy_secret": "unset",
    "max_body_bytes": "8388608",
    "max_watched_body_bytes": "1048576",
    "max_header_kib": "12",
    "max_response_bytes": "134217728",
    "max_requests": "20000",
    "max_connections": "10000",
    "max_connections_per_address": "1000",
    "connection_idle": "50s",
    "max_heap_bytes": "2147483648",
    "descriptor": "gen/thequantcloud/transcoder.binpb",
    "lua": "envoy/rest.lua",
    "openapi": "gen/thequantcloud/openapi.json",
    "docs_page": "envoy/docs/index.html",
    "docs_style": "envoy/docs/docs.css",
    "docs_script": "envoy/docs/docs.js",
    "reference_etag": "unset",
}


def _scalar(text: str) -> str:
    """The text as a YAML scalar, quoted where it has to be."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


_HEALTH_CHECKS = (
    "[{timeout: 1s, interval: 1s, no_traffic_interval: 1s, unhealthy_threshold: 2, "
    "healthy_threshold: 1, grpc_health_check: {service_name: readiness}}]"
)


def _parse_server(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not bare or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise ValueError(f"grpc: must be HOST:PORT, such as 10.0.0.5:50051, got {text!r}")
    return bare, int(port)


def _endpoint(host: str, port: int) -> str:
    address = f"{{address: {_scalar(host)}, port_value: {port}}}"
    return f"{{endpoint: {{address: {{socket_address: {address}}}}}}}"


def _admin(socket: Path | None) -> str:
    if socket is None:
        return "{}"
    return f"{{address: {{pipe: {{path: {_scalar(str(socket))}, mode: {_PRIVATE}}}}}}}"


def _etag(files: Iterable[Path]) -> str:
    """A digest of the files' content."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return digest.hexdigest()[:_ETAG_DIGITS]


def template_values(settings: EnvoySettings, files: EnvoyFiles) -> dict[str, str]:
    """What to put on the template's marked lines, as YAML."""
    paths = ("descriptor", "lua", "openapi", "docs_page", "docs_style", "docs_script")
    made = {"admin", "cors_origins", "access_log", "discovery", "servers", *paths}
    names = TEMPLATE_VALUES.keys() - made - {"health_checks", "reference_etag"}
    endpoints = settings.endpoints
    origins = ", ".join(f"{{exact: {json.dumps(origin)}}}" for origin in settings.cors_origins)
    return {
        **{name: _scalar(str(getattr(settings, name))) for name in names},
        "admin": _admin(settings.admin_socket),
        "discovery": "STRICT_DNS" if settings.servers else "STATIC",
        "servers": f"[{', '.join(_endpoint(host, port) for host, port in endpoints)}]",
        # The only server is asked in any case.
        "health_checks": _HEALTH_CHECKS if len(endpoints) > 1 else "[]",
        "cors_origins": f"[{origins}]",
        "access_log": _scalar(str(settings.access_log_path.absolute())),
        "reference_etag": _etag(files.reference),
        **{name: _scalar(str(getattr(files, name).absolute())) for name in paths},
    }


def render(template: str, values: Mapping[str, str]) -> str:
    """The template with the value on every line that is marked `# set by serve: NAME`.

    Raises `ValueError` where template, `TEMPLATE_VALUES` and `values` do not name the same, and
    where a marked line does not hold the template's value once.
    """
    lines: list[str] = []
    marked: set[str] = set()
    for number, line in enumerate(template.splitlines(), 1):
        match = _MARKER.match(line)
        if match is None:
            lines.append(line)
            continue
        code, gap, name = match["code"], match["gap"], match["name"]
        if name not in values or name not in TEMPLATE_VALUES:
            raise ValueError(f"line {number}: no setting is called {name!r}")
        if code.count(TEMPLATE_VALUES[name]) != 1:
            raise ValueError(f"line {number}: does not hold {TEMPLATE_VALUES[name]} of {name} once")
        marked.add(name)
        code = code.replace(TEMPLATE_VALUES[name], values[name])
        lines.append(f"{code}{gap}# set by serve: {name}")
    if missing := (values.keys() | TEMPLATE_VALUES.keys()) - marked:
        raise ValueError(f"no line is marked for {', '.join(sorted(missing))}")
    return "\n".join(lines) + "\n"
