"""All settings of the server, from `QUANTCLOUD_...` environment variables or the command line."""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quantcloud.domain.account import Tier, TierLimits
from quantcloud.environment import PREFIX

DEFAULT_TIERS: Mapping[Tier, TierLimits] = {
    Tier.EXPLORER: TierLimits(
        max_shots=10_000,
        max_qubits=25,
        max_concurrent_jobs=3,
        max_waiting_jobs=100,
        api_keys=5,
        simulator_minutes=60.0,
        qpu_tasks=10,
        credits_usd=50.0,
        job_seconds=60.0,
        requests_per_minute=30,
    ),
    Tier.DEVELOPER: TierLimits(
        max_shots=100_000,
        max_qubits=30,
        max_concurrent_jobs=10,
        max_waiting_jobs=1_000,
        api_keys=20,
        simulator_minutes=600.0,
        qpu_tasks=100,
        credits_usd=500.0,
        job_seconds=600.0,
        requests_per_minute=120,
    ),
    Tier.ENTERPRISE: TierLimits(
        max_shots=1_000_000,
        max_qubits=1_000,
        max_concurrent_jobs=100,
        max_waiting_jobs=10_000,
        api_keys=100,
        simulator_minutes=None,
        qpu_tasks=None,
        credits_usd=10_000.0,
        job_seconds=3_600.0,
        requests_per_minute=None,
    ),
}

_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """The server's settings. A port of 0 means any free one; None means the stated default."""

    # An empty variable, as `${NAME:-}` in a compose file gives, counts as not set.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Path(".quantcloud")
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    # Serves only /health, for probes: it answers even if the other port has no connection left.
    probe_host: str = "127.0.0.1"
    probe_port: Port = 0
    grpc_host: str = "127.0.0.1"
    grpc_port: Port = 50051
    envoy: bool = True
    # Limits of what Envoy accepts.
    cors_origins: tuple[str, ...] = ("*",)
    max_body_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 8 * 1024 * 1024
    max_header_kib: Annotated[int, Field(ge=1, le=96)] = 12
    max_connections: Annotated[int, Field(ge=1)] = 10_000
    # Per IPv4 address or IPv6 /64 network; with trusted proxies it is `max_connections`.
    max_connections_per_address: Annotated[int, Field(ge=1)] = 1_000
    # How long a connection may be idle. One that has had requests is closed up to 6 s later.
    connection_idle_seconds: Annotated[float, Field(ge=0.1, le=3600, allow_inf_nan=False)] = 50.0
    # Requests in progress; each open watch is one.
    max_requests: Annotated[int, Field(ge=1)] = 20_000
    # Per account and server. `max_requests` limits those of all accounts.
    max_watches: Annotated[int, Field(ge=1)] = 1_000
    # The number of proxies in front of Envoy whose X-Forwarded-For is trusted.
    trusted_proxies: Annotated[int, Field(ge=0)] = 0
    # None: access.log in the data folder.
    access_log: Path | None = None
    # The secret with which a separately started Envoy proves that its client addresses are true;
    # None: a random one for the Envoy that `serve` starts.
    proxy_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    engine: Literal["local", "ray"] = "local"
    # For the engine `ray`: HOST:PORT of the cluster's head; `auto` means this machine's cluster.
    ray_address: str = "auto"
    # For the engine `local`. None: one per core.
    workers: Annotated[int, Field(ge=1)] | None = None
    # The most memory that a run may take, in bytes; None: an equal share of the machine's memory.
    worker_memory: Annotated[int, Field(ge=1)] | None = None
    # Whether the serving process runs circuits that take less time than to send them to a worker.
    run_inline: bool = True
    log_level: str = "info"

    # None: a SQLite file in the data folder.
    database_url: str | None = None
    # The number of PostgreSQL connections for reads; one more writes, and one listens.
    database_connections: Annotated[int, Field(ge=1)] = 10
    # How often PostgreSQL is polled for what other servers wrote, if no notification comes.
    database_poll_seconds: Annotated[float, Field(gt=0)] = 1.0

    # How long a server keeps its runs after its last heartbeat.
    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 10.0
    sweep_seconds: Annotated[float, Field(gt=0)] = 5.0
    # How long results, circuits and events of ended jobs are kept; None: forever.
    retention_days: Annotated[float, Field(ge=1)] | None = None

    # None: a random secret, stored in the data folder.
    jwt_secret: SecretStr | None = None
    jwks_url: str | None = None
    jwt_audience: str = "authenticated"
    jwt_issuer: str | None = None
    # Whether a token's `app_metadata.tier` sets the account's tier.
    jwt_tier_claim: bool = False

    # A Redis that counts requests for several servers; None: each server counts its own.
    rate_limit_url: SecretStr | None = None
    # Per client address; 0 means no limit.
    anonymous_requests_per_minute: Annotated[int, Field(ge=0)] = 600
    failed_logins_per_minute: Annotated[int, Field(ge=0)] = 60

    watch_checkpoint_seconds: Annotated[float, Field(gt=0)] = 15.0
    watch_recheck_seconds: Annotated[float, Field(gt=0)] = 10.0
    watch_position_seconds: Annotated[float, Field(gt=0)] = 0.5
    # The weight of each score in `balanced`, and the price of a simulator minute in `cost`.
    router_speed_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    router_accuracy_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.3
    router_cost_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    router_minute_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    # The file of this machine's calibration; None: calibration.json in the data folder.
    router_model: Path | None = None
    # Whether to calibrate in the background if that file is missing.
    router_calibrate: bool = True
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0
    # Limits that are left out are as in `DEFAULT_TIERS`.
    tiers: Mapping[Tier, TierLimits] = DEFAULT_TIERS

    @field_validator("ray_address")
    @classmethod
    def _check_address(cls, given: str) -> str:
        if given != "auto" and not _HOST_AND_PORT.fullmatch(given):
            raise ValueError(
                f"{given!r} is not HOST:PORT of the cluster's head, such as 10.0.0.1:6379, nor "
                "'auto'; ray://HOST:PORT needs Ray Client, which is not supported"
            )
        return given

    @field_validator("tiers", mode="before")
    @classmethod
    def _fill_in(cls, given: object) -> object:
        """Complete the given tiers with their default limits, and refuse unknown limits."""
        if not isinstance(given, Mapping):
            return given
        filled: dict[Any, object] = {}
        known = [field.name for field in fields(TierLimits)]
        for name, limits in cast("Mapping[Any, object]", given).items():
            tier = next((tier for tier in Tier if tier.value == name), None)
            if tier is None or not isinstance(limits, Mapping):
                filled[name] = limits
                continue
            changes = cast("Mapping[str, object]", limits)
            if unknown := changes.keys() - known:
                raise ValueError(
                    f"{name} has no limit called {', '.join(sorted(unknown))}; "
                    f"known are {', '.join(known)}"
                )
            filled[name] = {**asdict(DEFAULT_TIERS[tier]), **changes}
        return filled

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if not self.router_speed_weight + self.router_accuracy_weight + self.router_cost_weight:
            raise ValueError("router weights: one of speed, accuracy and cost must be above 0")
        return self

    @model_validator(mode="after")
    def _check_heartbeat(self) -> Self:
        if 2 * self.heartbeat_seconds > self.lease_seconds:
            raise ValueError(
                "heartbeat_seconds: must be at most half of lease_seconds, or one late heartbeat "
                "ends all runs"
            )
        return self

    @property
    def database(self) -> str | Path:
        """The URL of the database, or the path of the SQLite file."""
        return self.database_url or self.data_dir / "quantcloud.db"

    def limits(self, tier: Tier) -> TierLimits:
        return self.tiers.get(tier) or DEFAULT_TIERS[tier]


def forget_environment() -> None:
    """Remove all settings from the environment, so that child processes do not inherit them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
