"""The settings, from `QUANTCLOUD_...` environment variables, a file, or the command line."""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
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

from quantcloud.domain.account import Tier, TierLimits
from quantcloud.environment import CONFIG_FILE, PREFIX
from quantcloud.settings.contradictions import contradictions
from quantcloud.settings.tiers import DEFAULT_TIERS, from_json, with_defaults
from quantcloud.settings.units import Bytes, Days, Kib, Seconds

_URL = re.compile(r"https?://[^\s/?#@]+/?")
_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")


def _ip_address(given: str) -> str:
    try:
        ipaddress.ip_address(given)
    except ValueError as error:
        raise ValueError(f"{given!r} is no IP address, such as 127.0.0.1 or 0.0.0.0") from error
    return given


Host = Annotated[str, AfterValidator(_ip_address)]
Port = Annotated[int, Field(ge=0, le=65535)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Period = Annotated[Seconds, Field(gt=0)]


def setting(default: Any, section: str, meaning: str, unset: str | None = None) -> Any:
    """Return a field. `unset` says for people what the default comes to."""
    return Field(default, description=meaning, json_schema_extra={"section": section, "is": unset})


SERVES = "Where it serves"
ENCRYPTS = "Encryption"
ADMITS = "What it lets in"
SIGN_IN = "Who may sign in"
RUNS = "Where circuits run"
KEEPS = "What is kept"
WATCHES = "Watches"


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
    )

    data_dir: Path = setting(Path(".quantcloud"), SERVES, "The folder of everything that is kept.")
    http_host: Host = setting("127.0.0.1", SERVES, "Envoy's address.")
    http_port: Port = setting(8080, SERVES, "Envoy's port; 0 is any free one.")
    grpc_host: Host = setting("127.0.0.1", SERVES, "The gRPC server's address.")
    grpc_port: Port = setting(50051, SERVES, "The gRPC server's port; 0 is any free one.")
    grpc_connection_age_seconds: Annotated[Seconds, Field(ge=1)] = setting(
        3600.0, SERVES,
        "After how long a gRPC connection is told to end, so that clients spread over servers. "
        "Calls that are open go on.",
    )  # fmt: skip
    envoy: bool = setting(True, SERVES, "Whether the server starts Envoy.")
    envoy_threads: Annotated[int, Field(ge=1, le=256)] | None = setting(
        None, SERVES, "Envoy's threads.", "one for each core, at most 4"
    )
    envoy_memory: Annotated[Bytes, Field(ge=64 << 20)] | None = setting(
        None, SERVES,
        "The most memory that Envoy's heap may take; near it, Envoy refuses requests.",
        "2 GiB, or a quarter of memory if that is less",
    )  # fmt: skip
    console: bool = setting(
        True, SERVES, "Whether Envoy serves the [web console](console.md) at `/`."
    )
    probe_host: Host = setting(
        "127.0.0.1", SERVES,
        "Where Envoy answers only `GET /health`, also if its port has no connection left.",
    )  # fmt: skip
    probe_port: Port = setting(0, SERVES, "The port of that; 0 is any free one.")
    admin_host: Host = setting(
        "127.0.0.1", SERVES, "Where an operator reads `/metrics`, `/livez` and `/readyz`."
    )
    admin_port: Port | None = setting(
        None, SERVES, "The port of that; 0 is any free one.",
        "9464, with `quantcloud envoy` 9465; a free one if it is taken",
    )  # fmt: skip
    drain_seconds: Annotated[Seconds, Field(ge=0)] = setting(
        30.0, SERVES, "How long runs may go on after SIGTERM."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", SERVES, "`debug`, `info`, `warning` or `error`."
    )
    access_log: Path | None = setting(
        None, SERVES, "Where Envoy logs requests; a new file has mode 0600.",
        "`access.log` in the data folder",
    )  # fmt: skip

    audit_log: Path | None = setting(
        None, SERVES,
        "Where servers and commands log changes of keys, tiers and accounts, and failed logins.",
        "`audit.log` in the data folder",
    )  # fmt: skip

    otlp_endpoint: str | None = setting(
        None, SERVES,
        "Where traces of calls and jobs go, as `http://HOST:4317` of an OpenTelemetry collector "
        "(OTLP by gRPC).",
        "no traces",
    )  # fmt: skip
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = setting(
        1.0, SERVES, "The share of calls that are traced if the client does not decide."
    )

    tls_cert: Path | None = setting(
        None,
        ENCRYPTS,
        "A file with Envoy's certificate and those up to its root, in PEM.",
        "no TLS",
    )
    tls_key: Path | None = setting(None, ENCRYPTS, "The file of its key, in PEM.", "none")
    tls_client_ca: Path | None = setting(
        None, ENCRYPTS, "Clients must show a certificate that a CA in this file signed.",
        "they need none",
    )  # fmt: skip
    http_redirect_port: Port | None = setting(
        None, ENCRYPTS, "A port for plain HTTP that redirects to HTTPS.", "none"
    )
    hsts_seconds: Annotated[Seconds, Field(ge=0)] = setting(
        31_536_000.0, ENCRYPTS,
        "With TLS, how long browsers refuse plain HTTP (`Strict-Transport-Security`); 0 is off.",
    )  # fmt: skip
    grpc_tls_cert: Path | None = setting(
        None, ENCRYPTS, "The certificate of the gRPC port, as `tls_cert`.", "no TLS"
    )
    grpc_tls_key: Path | None = setting(None, ENCRYPTS, "The file of its key, in PEM.", "none")
    grpc_tls_client_ca: Path | None = setting(
        None, ENCRYPTS,
        "Clients of the gRPC port, Envoys too, must show a certificate that a CA in this file "
        "signed.",
        "they need none",
    )  # fmt: skip
    upstream_tls_ca: Path | None = setting(
        None, ENCRYPTS,
        "For `quantcloud envoy`: servers must show a certificate that a CA in this file signed.",
        "no TLS",
    )  # fmt: skip
    upstream_tls_cert: Path | None = setting(
        None, ENCRYPTS, "For `quantcloud envoy`: the certificate that it shows to servers.", "none"
    )
    upstream_tls_key: Path | None = setting(None, ENCRYPTS, "The file of its key, in PEM.", "none")

    max_body_bytes: Annotated[Bytes, Field(ge=1, le=1 << 30)] = setting(
        8 << 20, ADMITS, "The largest body of a request."
    )
    max_header_kib: Annotated[Kib, Field(ge=1, le=96)] = setting(
        12, ADMITS, "The headers of a request together, in KiB."
    )
    max_connections: Count = setting(10_000, ADMITS, "Connections at once.")
    max_connections_per_address: Count = setting(
        1_000, ADMITS,
        "Connections of one IPv4 address or IPv6 /64 network, which may share them with a "
        "sixteenth of the others. With trusted proxies it is `max_connections`.",
    )  # fmt: skip
    connection_idle_seconds: Annotated[Seconds, Field(ge=0.1, le=3600)] = (
        setting(
            50.0, ADMITS,
            "After how long a connection without a request ends; one that had requests gets 6 "
            "seconds more.",
        )
    )  # fmt: skip
    max_requests: Count = setting(
        20_000, ADMITS,
        "Requests at once; an open watch is a request. REST calls are counted apart from streams "
        "and gRPC. More are 503 with `Retry-After`.",
    )  # fmt: skip
    max_watches: Count = setting(
        1_000, ADMITS, "Watches and waits that an account may have open at each server."
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(from_json)] = setting(
        ("*",), ADMITS, "Origins that browsers may call from, as JSON."
    )
    trusted_proxies: Annotated[int, Field(ge=0)] = setting(
        0, ADMITS, "The number of proxies in front whose `X-Forwarded-For` is trusted."
    )
    proxy_secret: Annotated[SecretStr, Field(min_length=32)] | None = setting(
        None, ADMITS, "The secret by which the server knows your own Envoy, 32 bytes or more.",
        "random",
    )  # fmt: skip
    anonymous_requests_per_minute: Annotated[int, Field(ge=0)] = setting(
        600, ADMITS, "Requests of one address without credentials; 0 is no limit."
    )
    failed_logins_per_minute: Annotated[int, Field(ge=0)] = setting(
        60, ADMITS, "Failed logins of one address; 0 is no limit."
    )
    rate_limit_url: SecretStr | None = setting(
        None, ADMITS, "A Redis in which several servers count requests together.",
        "each server counts its own",
    )  # fmt: skip

    jwt_secret: SecretStr | None = setting(
        None, SIGN_IN, "The issuer's HS256 secret, 32 bytes or more.",
        "random, in the data folder",
    )  # fmt: skip
    jwks_url: str | None = setting(
        None, SIGN_IN, "The URL of the issuer's public keys (ES256, RS256).", "none"
    )
    jwt_audience: str = setting("authenticated", SIGN_IN, "The audience that a token must name.")
    jwt_issuer: str | None = setting(None, SIGN_IN, "The issuer that a token must name.", "any")
    jwt_tier_claim: bool = setting(
        False, SIGN_IN, "Whether a token's `app_metadata.tier` sets its account's tier."
    )
    tiers: Annotated[Mapping[Tier, TierLimits], BeforeValidator(with_defaults)] = setting(
        DEFAULT_TIERS, SIGN_IN, "Limits of each tier, as JSON; those left out keep their default.",
        "the published limits",
    )  # fmt: skip

    engine: Literal["local", "ray"] = setting(
        "local", RUNS, "`local`, or `ray` for a [Ray cluster](operate.md)."
    )
    ray_address: str = setting(
        "auto", RUNS, "HOST:PORT of the cluster's head; `auto` is this machine's."
    )
    workers: Count | None = setting(
        None, RUNS, "Worker processes of the engine `local`.", "one for each core"
    )
    worker_memory: Annotated[Bytes, Field(ge=1)] | None = setting(
        None, RUNS,
        "The most memory that a run may take. A run waits while others hold the memory that it "
        "needs.",
        "80 % of memory; with Ray, of a core's share",
    )  # fmt: skip
    threads_per_run: Count | None = setting(
        None, RUNS,
        "The most threads of a run, on cores that are idle when it starts. They have the lowest "
        "priority. The engine `ray` gives a run as many threads as its backend states `cpus`.",
        "one for each core",
    )  # fmt: skip
    run_inline: bool = setting(
        True, RUNS,
        "Whether very small circuits run in the serving process; see "
        "[ADR 0012](adr/0012-inline-runs.md).",
    )  # fmt: skip
    router_speed_weight: Weight = setting(0.6, RUNS, "What speed counts in `balanced`.")
    router_accuracy_weight: Weight = setting(0.3, RUNS, "What accuracy counts in `balanced`.")
    router_cost_weight: Weight = setting(0.1, RUNS, "What cost counts in `balanced`.")
    router_minute_usd: Weight = setting(
        0.1, RUNS, "Dollars that a minute of simulator time is worth in `cost`."
    )
    router_model: Path | None = setting(
        None, RUNS, "A file of run times measured on this machine.",
        "`calibration.json` in the data folder",
    )  # fmt: skip
    router_calibrate: bool = setting(
        True, RUNS, "Whether the server measures them in the background if there are none."
    )

    database_url: str | None = setting(
        None, KEEPS, "`postgresql://...`, or another SQLite file as `sqlite:///PATH`.",
        "`quantcloud.db` in the data folder",
    )  # fmt: skip
    database_connections: Count = setting(
        10, KEEPS, "Connections that read from PostgreSQL; one more writes, and one listens."
    )
    database_poll_seconds: Period = setting(
        1.0, KEEPS, "How soon the server sees other servers' changes without a notification."
    )
    retention_days: Annotated[Days, Field(ge=1)] | None = setting(
        None, KEEPS,
        "After how many days the server removes results, circuits and events of ended jobs.",
        "never",
    )  # fmt: skip
    job_retention_days: Annotated[Days, Field(ge=1)] | None = setting(
        None, KEEPS,
        "After how many days the server removes ended jobs wholly, so that they are no longer "
        "listed. Usage keeps counting them.",
        "never",
    )  # fmt: skip
    lease_seconds: Period = setting(
        30.0, KEEPS, "After how long a silent server's runs go to others."
    )
    heartbeat_seconds: Period = setting(10.0, KEEPS, "How often a server renews its leases.")
    sweep_seconds: Period = setting(5.0, KEEPS, "How often a server looks for leases that ended.")

    watch_checkpoint_seconds: Period = setting(
        15.0, WATCHES, "How often a quiet watch shows that it lives."
    )
    watch_idle_seconds: Annotated[Seconds, Field(ge=1, le=86_400)] = setting(
        300.0, WATCHES, "After how long without any message Envoy ends a watch."
    )
    watch_recheck_seconds: Period = setting(
        10.0, WATCHES, "How often a watch's credentials are checked again."
    )
    watch_position_seconds: Period = setting(
        0.5, WATCHES, "The shortest time between two messages about a job's place in the queue."
    )

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
