"""The settings, from `QUANTCLOUD_...` environment variables, a file, or the command line."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from quantcloud.certificates import Certificates
from quantcloud.domain.account import Tier, TierLimits
from quantcloud.environment import CONFIG_FILE, PREFIX
from quantcloud.settings.contradictions import contradictions
from quantcloud.settings.tiers import DEFAULT_TIERS, from_json, with_defaults
from quantcloud.settings.units import Bytes, Days, Kib, Seconds
from quantcloud.settings.values import Count, Host, Period, Port, Weight

_URL = re.compile(r"https?://[^\s/?#@]+/?")
_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")

SECTIONS = {
    "data_dir": "Where it serves",
    "tls_cert": "Encryption",
    "max_body_bytes": "What it lets in",
    "jwt_secret": "Who may sign in",
    "engine": "Where circuits run",
    "database_url": "What is kept",
    "watch_checkpoint_seconds": "Watches",
}
"""The headings of the settings, each with the first below it."""


def setting(default: Any, stated: str) -> Any:
    """Return a field; `stated` says for people what its default comes to."""
    return Field(default, json_schema_extra={"is": stated})


class Settings(BaseSettings):
    """The server's settings. A port of 0 means any free one; None means the stated default.

    A value of the command line goes before one of the environment, and that before one of the file
    that `QUANTCLOUD_CONFIG` names.
    """

    # An empty variable, as `${NAME:-}` in a compose file gives, counts as not set.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        enable_decoding=False,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Path(".quantcloud")
    """The folder of everything that is kept."""
    http_host: Host = "127.0.0.1"
    """Envoy's address."""
    http_port: Port = 8080
    """Envoy's port; 0 is any free one."""
    grpc_host: Host = "127.0.0.1"
    """The gRPC server's address."""
    grpc_port: Port = 50051
    """The gRPC server's port; 0 is any free one."""
    grpc_connection_age_seconds: Annotated[Seconds, Field(ge=1)] = 3600.0
    """After how long a gRPC connection is told to end, so that clients spread over servers. Calls
    that are open go on.
    """
    envoy: bool = True
    """Whether the server starts Envoy."""
    envoy_threads: Annotated[int, Field(ge=1, le=256)] | None = setting(
        None, "one for each core, at most 4"
    )
    """Envoy's threads."""
    envoy_memory: Annotated[Bytes, Field(ge=64 << 20)] | None = setting(
        None, "2 GiB, or a quarter of memory if that is less"
    )
    """The most memory that Envoy's heap may take; near it, Envoy refuses requests."""
    console: bool = True
    """Whether Envoy serves the [web console](console.md) at `/`."""
    probe_host: Host = "127.0.0.1"
    """Where Envoy answers only `GET /health`, also if its port has no connection left."""
    probe_port: Port = 0
    """The port of that; 0 is any free one."""
    admin_host: Host = "127.0.0.1"
    """Where an operator reads `/metrics`, `/livez` and `/readyz`."""
    admin_port: Port | None = setting(
        None, "9464, with `quantcloud envoy` 9465; a free one if it is taken"
    )
    """The port of that; 0 is any free one."""
    drain_seconds: Annotated[Seconds, Field(ge=0)] = 30.0
    """How long runs may go on after SIGTERM."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug`, `info`, `warning` or `error`."""
    access_log: Path | None = setting(None, "`access.log` in the data folder")
    """Where Envoy logs requests; a new file has mode 0600."""
    audit_log: Path | None = setting(None, "`audit.log` in the data folder")
    """Where servers and commands log changes of keys, tiers and accounts, and failed logins."""
    otlp_endpoint: str | None = setting(None, "no traces")
    """Where traces of calls and jobs go, as `http://HOST:4317` of an OpenTelemetry collector (OTLP
    by gRPC).
    """
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of calls that are traced if the client does not decide."""

    tls_cert: Path | None = setting(None, "no TLS")
    """A file with Envoy's certificate and those up to its root, in PEM."""
    tls_key: Path | None = setting(None, "none")
    """The file of its key, in PEM."""
    tls_client_ca: Path | None = setting(None, "they need none")
    """Clients must show a certificate that a CA in this file signed."""
    http_redirect_port: Port | None = setting(None, "none")
    """A port for plain HTTP that redirects to HTTPS."""
    hsts_seconds: Annotated[Seconds, Field(ge=0)] = 31_536_000.0
    """With TLS, how long browsers refuse plain HTTP (`Strict-Transport-Security`); 0 is off."""
    grpc_tls_cert: Path | None = setting(None, "no TLS")
    """The certificate of the gRPC port, as `tls_cert`."""
    grpc_tls_key: Path | None = setting(None, "none")
    """The file of its key, in PEM."""
    grpc_tls_client_ca: Path | None = setting(None, "they need none")
    """Clients of the gRPC port, Envoys too, must show a certificate that a CA in this file signed.
    """
    upstream_tls_ca: Path | None = setting(None, "no TLS")
    """For `quantcloud envoy`: servers must show a certificate that a CA in this file signed."""
    upstream_tls_cert: Path | None = setting(None, "none")
    """For `quantcloud envoy`: the certificate that it shows to servers."""
    upstream_tls_key: Path | None = setting(None, "none")
    """The file of its key, in PEM."""

    max_body_bytes: Annotated[Bytes, Field(ge=1, le=1 << 30)] = 8 << 20
    """The largest body of a request."""
    max_header_kib: Annotated[Kib, Field(ge=1, le=96)] = 12
    """The headers of a request together, in KiB."""
    max_connections: Count = 10_000
    """Connections at once, of Envoy's port and of the gRPC port each. There are never more than
    half of the files that a process may open (`ulimit -n`).
    """
    max_connections_per_address: Count = 1_000
    """Connections of one IPv4 address or IPv6 /64 network, which may share them with a sixteenth of
    the others. With trusted proxies it is `max_connections`.
    """
    connection_idle_seconds: Annotated[Seconds, Field(ge=0.1, le=3600)] = 50.0
    """After how long a connection without a request ends; one that had requests gets 6 seconds
    more.
    """
    max_requests: Count = 20_000
    """Requests at once; an open watch is a request. REST calls are counted apart from streams and
    gRPC. More are 503 with `Retry-After`.
    """
    max_watches: Count = 1_000
    """Watches and waits that an account may have open at each server."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(from_json)] = ("*",)
    """Origins that browsers may call from, as JSON."""
    trusted_proxies: Annotated[int, Field(ge=0)] = 0
    """The number of proxies in front whose `X-Forwarded-For` is trusted."""
    proxy_secret: Annotated[SecretStr, Field(min_length=32)] | None = setting(None, "random")
    """The secret by which the server knows your own Envoy, 32 bytes or more."""
    anonymous_requests_per_minute: Annotated[int, Field(ge=0)] = 600
    """Requests of one address without credentials; 0 is no limit."""
    failed_logins_per_minute: Annotated[int, Field(ge=0)] = 60
    """Failed logins of one address; 0 is no limit."""
    rate_limit_url: SecretStr | None = setting(None, "each server counts its own")
    """A Redis in which several servers count requests together."""

    jwt_secret: SecretStr | None = setting(None, "random, in the data folder")
    """The issuer's HS256 secret, 32 bytes or more."""
    jwks_url: str | None = setting(None, "none")
    """The URL of the issuer's public keys (ES256, RS256)."""
    jwt_audience: str = "authenticated"
    """The audience that a token must name."""
    jwt_issuer: str | None = setting(None, "any")
    """The issuer that a token must name."""
    jwt_tier_claim: bool = False
    """Whether a token's `app_metadata.tier` sets its account's tier."""
    tiers: Annotated[Mapping[Tier, TierLimits], BeforeValidator(with_defaults)] = setting(
        DEFAULT_TIERS, "the published limits"
    )
    """Limits of each tier, as JSON; those left out keep their default."""

    engine: Literal["local", "ray"] = "local"
    """`local`, or `ray` for a [Ray cluster](operate.md)."""
    ray_address: str = "auto"
    """HOST:PORT of the cluster's head; `auto` is this machine's."""
    workers: Count | None = setting(None, "one for each core")
    """Worker processes of the engine `local`."""
    worker_memory: Annotated[Bytes, Field(ge=1)] | None = setting(
        None, "80 % of memory; with Ray, of a core's share"
    )
    """The most memory that a run may take. A run waits while others hold the memory that it needs.
    """
    threads_per_run: Count | None = setting(None, "one for each core")
    """The most threads of a run, on cores that are idle when it starts. They have the lowest
    priority. The engine `ray` gives a run as many threads as its backend states `cpus`.
    """
    run_inline: bool = True
    """Whether very small circuits run in the serving process; see
    [ADR 0012](adr/0012-inline-runs.md).
    """
    router_speed_weight: Weight = 0.6
    """What speed counts in `balanced`."""
    router_accuracy_weight: Weight = 0.3
    """What accuracy counts in `balanced`."""
    router_cost_weight: Weight = 0.1
    """What cost counts in `balanced`."""
    router_minute_usd: Weight = 0.1
    """Dollars that a minute of simulator time is worth in `cost`."""
    router_model: Path | None = setting(None, "`calibration.json` in the data folder")
    """A file of run times measured on this machine."""
    router_calibrate: bool = True
    """Whether the server measures them in the background if there are none."""

    database_url: str | None = setting(None, "`quantcloud.db` in the data folder")
    """`postgresql://...`, or another SQLite file as `sqlite:///PATH`."""
    database_connections: Count = 10
    """Connections that read from PostgreSQL; one more writes, and one listens."""
    database_poll_seconds: Period = 1.0
    """How soon the server sees other servers' changes without a notification."""
    retention_days: Annotated[Days, Field(ge=1)] | None = setting(None, "never")
    """After how many days the server removes results, circuits and events of ended jobs."""
    job_retention_days: Annotated[Days, Field(ge=1)] | None = setting(None, "never")
    """After how many days the server removes ended jobs wholly, so that they are no longer listed.
    Usage keeps counting them.
    """
    lease_seconds: Period = 30.0
    """After how long a silent server's runs go to others."""
    heartbeat_seconds: Period = 10.0
    """How often a server renews its leases."""
    lease_check_seconds: Period = 5.0
    """How often a server looks for leases that ended."""

    watch_checkpoint_seconds: Period = 15.0
    """How often a quiet watch shows that it lives."""
    watch_idle_seconds: Annotated[Seconds, Field(ge=1, le=86_400)] = 300.0
    """After how long without any message Envoy ends a watch."""
    watch_recheck_seconds: Period = 10.0
    """How often a watch's credentials are checked again."""
    watch_position_seconds: Period = 0.5
    """The shortest time between two messages about a job's place in the queue."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first."""
        del dotenv_settings, file_secret_settings
        sources = [init_settings, env_settings]
        if path := os.environ.get(CONFIG_FILE):
            sources.append(TomlConfigSettingsSource(settings_cls, Path(path)))
        return tuple(sources)

    @field_validator("ray_address")
    @classmethod
    def _check_address(cls, given: str) -> str:
        if given != "auto" and not _HOST_AND_PORT.fullmatch(given):
            raise ValueError(
                f"{given!r} is not HOST:PORT of the cluster's head, such as 10.0.0.1:6379, nor "
                "'auto'; ray://HOST:PORT needs Ray Client, which is not supported"
            )
        return given

    @field_validator("otlp_endpoint")
    @classmethod
    def _check_collector(cls, given: str | None) -> str | None:
        if given is not None and not _URL.fullmatch(given):
            raise ValueError(f"{given!r} is not the URL of a collector, as http://127.0.0.1:4317")
        return given

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, given: object) -> object:
        return given.lower() if isinstance(given, str) else given

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse settings that contradict each other, with one line for each contradiction."""
        if found := contradictions(self):
            raise ValueError("\n".join(found))
        return self

    @property
    def database(self) -> str | Path:
        """The URL of the database, or the path of the SQLite file."""
        return self.database_url or self.data_dir / "quantcloud.db"

    @property
    def tls(self) -> Certificates:
        """What the port for clients shows them."""
        return Certificates(self.tls_cert, self.tls_key, self.tls_client_ca)

    @property
    def grpc_tls(self) -> Certificates:
        """What the gRPC port shows to clients."""
        return Certificates(self.grpc_tls_cert, self.grpc_tls_key, self.grpc_tls_client_ca)

    @property
    def upstream_tls(self) -> Certificates:
        """What `quantcloud envoy` shows to servers, and verifies them with."""
        return Certificates(self.upstream_tls_cert, self.upstream_tls_key, self.upstream_tls_ca)

    @property
    def http_scheme(self) -> str:
        """The scheme of the URL at which Envoy serves."""
        return "http" if self.tls_cert is None else "https"

    @property
    def access_log_path(self) -> Path:
        return self.access_log or self.data_dir / "access.log"

    @property
    def audit_log_path(self) -> Path:
        return self.audit_log or self.data_dir / "audit.log"

    def limits(self, tier: Tier) -> TierLimits:
        return self.tiers.get(tier) or DEFAULT_TIERS[tier]


def forget_environment() -> None:
    """Remove all settings from the environment, so that child processes do not inherit them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
