"""Envoy's configuration: fills in the marked lines of the template in `envoy/`."""

import hashlib
import importlib.util
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quantcloud.certificates import Certificates
from quantcloud.domain.value_object import value_object
from quantcloud.proxy import console, tls

_MARKER = re.compile(r"^(?P<code>.*\S)(?P<gap> +)# set by serve: (?P<name>\w+)$")
_LAST_PORT = 65535
_PRIVATE = 0o600
_ETAG_DIGITS = 16
# Envoy's transcoder holds about five times the body of a watched request until the watch ends.
_WATCHED_BODY_BYTES = 1024 * 1024
# The Lua files that are filters.
SCRIPTS = ("rest", "bodies")
_CONTRACT = "gen/thequantcloud/contract.lua"
_PLAIN_BYTES = frozenset(range(ord(" "), 0x7F)) - frozenset(b'"\\')
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./-]*")


class EnvoyError(Exception):
    """Envoy cannot run. The message gives the cause and the last lines of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoySettings:
    """The settings of `envoy/envoy.yaml` and of the Envoy process.

    If `http_port` or `probe_port` is 0, any free port is used. `access_log` is a file (by default
    `access.log` in the data folder) or `STANDARD_OUTPUT`. `trusted_proxies` is the number of
    proxies in front whose X-Forwarded-For is trusted. Bodies of up to `max_body_bytes` and headers
    of up to `max_header_kib` KiB in all are accepted; larger ones are 413 and 431. With `console`,
    the web console is at `/`. `proxy_secret`
    proves to the server that a request's client address comes from this Envoy. `servers`, as
    HOST:PORT, replace the server at `grpc_host`; requests are balanced between them. `admin_socket`
    is the socket of the admin interface, if any.
    Raises `ValueError` if a host is not an IP address, or if a server is not HOST:PORT; a server's
    host may be a name.
    """

    data_dir: Path
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    probe_host: str = "127.0.0.1"
    probe_port: int = 0
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 50051
    # The socket of the server that is on this machine, in place of its address.
    grpc_socket: Path | None = None
    servers: tuple[str, ...] = ()
    tls: Certificates = field(default_factory=Certificates)
    upstream_tls: Certificates = field(default_factory=Certificates)
    redirect_port: int | None = None
    hsts_seconds: float = 0.0
    console: bool = True
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
    watch_idle_seconds: float = 300.0
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
        """The host and port of each server."""
        if not self.servers:
            return [(self.grpc_host, self.grpc_port)]
        return [_parse_server(server) for server in self.servers]

    @property
    def connection_idle(self) -> str:
        """How long a connection may stay without a request."""
        return _duration(self.connection_idle_seconds)

    @property
    def watch_idle(self) -> str:
        """How long a watch may be silent."""
        return _duration(self.watch_idle_seconds)

    @property
    def max_watched_body_bytes(self) -> int:
        """The longest body of an HTTP request whose answer is a watch."""
        return min(self.max_body_bytes, _WATCHED_BODY_BYTES)

    @property
    def access_log_path(self) -> Path:
        return self.access_log or self.data_dir / "access.log"


@value_object
class EnvoyFiles:
    """The paths of the template, of the folder of the Lua files, of what `make gen` wrote for them
    and for the transcoder, of the reference, and of the folder of the web console.
    """

    template: Path
    folder: Path
    contract: Path
    descriptor: Path
    openapi: Path
    descriptor_set: Path
    docs_page: Path
    docs_style: Path
    docs_script: Path
    console: Path

    @property
    def reference(self) -> tuple[Path, ...]:
        """The files that Envoy serves by itself."""
        return self.openapi, self.descriptor_set, self.docs_page, self.docs_style, self.docs_script

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
        files = cls(
            template=folder / "envoy.yaml",
            folder=folder,
            contract=contract / "contract.lua",
            descriptor=contract / "transcoder.binpb",
            openapi=contract / "openapi.json",
            descriptor_set=contract / "contract.binpb",
            docs_page=folder / "docs" / "index.html",
            docs_style=folder / "docs" / "docs.css",
            docs_script=folder / "docs" / "docs.js",
            console=package / "console",
        )
        for file in (
            files.template,
            files.contract,
            files.descriptor,
            *files.reference,
            files.console / console.PAGE,
        ):
            if not file.is_file():
                raise EnvoyError(f"{file} is missing: the installation is incomplete")
        return files


def _quoted(path: str) -> str:
    """A path as a text in Lua."""
    escaped = [chr(b) if b in _PLAIN_BYTES else f"\\{b:03d}" for b in path.encode()]
    return f'"{"".join(escaped)}"'


def _lua(name: str, folder: str = "envoy", contract: str = _CONTRACT) -> str:
    """The Lua code that runs a file with the globals that it needs."""
    tables = f"FOLDER = {_quoted(folder)} CONTRACT = dofile({_quoted(contract)})"
    return f'{tables} dofile(FOLDER .. "/{name}")'


# The template's text on each marked line, by the name in the mark.
TEMPLATE_VALUES: Mapping[str, str] = {
    "transport": tls.RAW,
    "upstream_transport": tls.RAW,
    "hsts": "[]",
    "redirect": "# no redirect",
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
    "watch_idle": "300s",
    "max_heap_bytes": "2147483648",
    "descriptor": "gen/thequantcloud/transcoder.binpb",
    "rest": _lua("rest.lua"),
    "bodies": _lua("bodies.lua"),
    "openapi": "gen/thequantcloud/openapi.json",
    "descriptor_set": "gen/thequantcloud/contract.binpb",
    "docs_page": "envoy/docs/index.html",
    "docs_style": "envoy/docs/docs.css",
    "docs_script": "envoy/docs/docs.js",
    "reference_etag": "unset",
    "console": console.NONE,
}


def _duration(seconds: float) -> str:
    """Return a duration in protobuf's JSON."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _scalar(text: str) -> str:
    """Return the text as a YAML scalar, quoted if necessary."""
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


def _is_address(host: str) -> bool:
    """Whether a host is an IP address, and no name of perhaps several."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _endpoint(host: str, port: int) -> str:
    address = f"{{address: {_scalar(host)}, port_value: {port}}}"
    return f"{{endpoint: {{address: {{socket_address: {address}}}}}}}"


def _pipe(socket: Path) -> str:
    return f"[{{endpoint: {{address: {{pipe: {{path: {_scalar(str(socket))}}}}}}}}}]"


def _hsts(settings: EnvoySettings) -> str:
    if settings.tls.cert is None or not settings.hsts_seconds:
        return "[]"
    value = f"max-age={settings.hsts_seconds:.0f}"
    return json.dumps([{"header": {"key": "strict-transport-security", "value": value}}])


def _redirect(settings: EnvoySettings) -> str:
    """Return a listener that answers plain HTTP with the HTTPS URL, as an item of a list."""
    if settings.redirect_port is None or settings.tls.cert is None:
        return TEMPLATE_VALUES["redirect"]
    routes = [
        {
            "match": {"prefix": "/"},
            # 308 keeps the method and the body.
            "redirect": {
                "https_redirect": True,
                "port_redirect": settings.http_port,
                "response_code": "PERMANENT_REDIRECT",
            },
        }
    ]
    network = "type.googleapis.com/envoy.extensions.filters.network"
    manager = {
        "@type": f"{network}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "redirect",
        "server_name": "quantcloud",
        "request_headers_timeout": "10s",
        "common_http_protocol_options": {"idle_timeout": "10s"},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    limit = {
        "@type": f"{network}.connection_limit.v3.ConnectionLimit",
        "stat_prefix": "redirect",
        "max_connections": settings.max_connections_per_address,
    }
    filters = [
        {"name": "envoy.filters.network.connection_limit", "typed_config": limit},
        {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
    ]
    address = {"address": settings.http_host, "port_value": settings.redirect_port}
    item = {
        "name": "redirect",
        "address": {"socket_address": address},
        "per_connection_buffer_limit_bytes": 32768,
        "filter_chains": [{"filters": filters}],
    }
    return f"- {json.dumps(item)}"


def _admin(socket: Path | None) -> str:
    if socket is None:
        return "{}"
    return f"{{address: {{pipe: {{path: {_scalar(str(socket))}, mode: {_PRIVATE}}}}}}}"


def _etag(files: Iterable[Path]) -> str:
    """A digest of the files' content."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return digest.hexdigest()[:_ETAG_DIGITS]


def template_values(settings: EnvoySettings, files: EnvoyFiles) -> dict[str, str]:
    """Return the values of the template's marked lines, as YAML."""
    paths = (
        "descriptor",
        "openapi",
        "descriptor_set",
        "docs_page",
        "docs_style",
        "docs_script",
    )
    scripts = {
        name: _lua(f"{name}.lua", str(files.folder), str(files.contract)) for name in SCRIPTS
    }
    made = {
        "transport",
        "upstream_transport",
        "hsts",
        "redirect",
        "console",
        "admin",
        "cors_origins",
        "access_log",
        "discovery",
        "servers",
        *paths,
        *scripts,
    }
    names = TEMPLATE_VALUES.keys() - made - {"health_checks", "reference_etag"}
    endpoints = settings.endpoints
    origins = ", ".join(f"{{exact: {json.dumps(origin)}}}" for origin in settings.cors_origins)
    return {
        **{name: _scalar(str(getattr(settings, name))) for name in names},
        "transport": tls.listener(settings.tls, settings.data_dir),
        "upstream_transport": tls.upstream(settings.upstream_tls, settings.data_dir),
        "hsts": _hsts(settings),
        "redirect": _redirect(settings),
        "console": console.routes(files.console) if settings.console else console.NONE,
        "admin": _admin(settings.admin_socket),
        "discovery": "STRICT_DNS" if settings.servers else "STATIC",
        "servers": _pipe(settings.grpc_socket)
        if settings.grpc_socket
        else f"[{', '.join(_endpoint(host, port) for host, port in endpoints)}]",
        # A single server gets all requests, healthy or not.
        "health_checks": _HEALTH_CHECKS
        if len(endpoints) > 1 or not all(_is_address(host) for host, _ in endpoints)
        else "[]",
        "cors_origins": f"[{origins}]",
        "access_log": _scalar(str(settings.access_log_path.absolute())),
        "reference_etag": _etag(files.reference),
        **{name: json.dumps(code) for name, code in scripts.items()},
        **{name: _scalar(str(getattr(files, name).absolute())) for name in paths},
    }


def render(template: str, values: Mapping[str, str]) -> str:
    """Return the template with the value on every line marked `# set by serve: NAME`.

    Raises `ValueError` if the template, `TEMPLATE_VALUES` and `values` have different names, or if
    a marked line does not contain the template's value exactly once.
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
            raise ValueError(f"line {number}: there is no setting {name!r}")
        if code.count(TEMPLATE_VALUES[name]) != 1:
            raise ValueError(f"line {number}: {name} must have {TEMPLATE_VALUES[name]} once")
        marked.add(name)
        code = code.replace(TEMPLATE_VALUES[name], values[name])
        lines.append(f"{code}{gap}# set by serve: {name}")
    if missing := (values.keys() | TEMPLATE_VALUES.keys()) - marked:
        raise ValueError(f"no line is marked for {', '.join(sorted(missing))}")
    return "\n".join(lines) + "\n"
