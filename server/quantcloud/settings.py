"""Every setting of the server, from `QUANTCLOUD_...` environment variables or the command line."""

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
    """One frozen object. A port of 0 means any that is free; None means the stated default."""

    # Set to nothing, as by `${NAME:-}` of a compose file, is not set.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Path(".quantcloud")
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    # /health alone, for probes: it answers when the other port has no connection left.
    probe_host: str = "127.0.0.1"
    probe_port: Port = 0
    grpc_host: str = "127.0.0.1"
    grpc_port: Port = 50051
    envoy: bool = True
    # What Envoy lets in; None: what envoy/envoy.yaml says.
    cors_origins: tuple[str, ...] = ("*",)
    max_body_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 8 * 1024 * 1024
    max_header_kib: Annotated[int, Field(ge=1, le=96)] = 12
    max_connections: Annotated[int, Field(ge=1)] = 10_000
    # Of one IPv4 address or IPv6 /64 network; all of them where trusted proxies stand in front.
    max_connections_per_address: Annotated[int, Field(ge=1)] = 1_000
    # How long a connection may be without a request. One that has had any ends up to 6 s later.
    connection_idle_seconds: Annotated[float, Field(ge=0.1, le=3600, allow_inf_nan=False)] = 50.0
    # Requests that are not answered yet; each open watch is one.
    max_requests: Annotated[int, Field(ge=1)] = 20_000
    # Of an account, at each server. Those of all accounts are bounded by `max_requests`.
    max_watches: Annotated[int, Field(ge=1)] = 1_000
    # Proxies in front of Envoy whose X-Forwarded-For is believed.
    trusted_proxies: Annotated[int, Field(ge=0)] = 0
    # None: access.log in the data folder.
    access_log: Path | None = None
    # What an Envoy that somebody else starts sends along, so that the client's address that it
    # states is believed; None: a random one for the Envoy that `serve` starts.
    proxy_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    engine: Literal["local", "ray"] = "local"
    # HOST:PORT of the cluster's head; `auto` is the cluster of this machine. The engine `ray` only.
    ray_address: str = "auto"
    # None: one for each core. The engine `local` only.
    workers: Annotated[int, Field(ge=1)] | None = None
    # Bytes that a run may take; None: an equal share of the machine's memory.
    worker_memory: Annotated[int, Field(ge=1)] | None = None
    # Whether circuits that take less time than to hand them to a worker run in the serving process.
    run_at_once: bool = True
    log_level: str = "info"

    # None: a SQLite file in the data folder.
    database_url: str | None = None
    # Connections that read from PostgreSQL at once; one more writes, and one listens.
    database_connections: Annotated[int, Field(ge=1)] = 10
    # How often PostgreSQL is asked what other servers wrote, should no notification come.
    database_poll_seconds: Annotated[float, Field(gt=0)] = 1.0

    # How long a run is another's no more after its server's last sign of life.
    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 10.0
    sweep_seconds: Annotated[float, Field(gt=0)] = 5.0
    # Results, circuits and events of jobs that ended earlier are removed; None: never.
    retention_days: Annotated[float, Field(ge=1)] | None = None

    # None: a random secret, kept in the data folder.
    jwt_secret: SecretStr | None = None
    jwks_url: str | None = None
    jwt_audience: str = "authenticated"
    jwt_issuer: str | None = None
    # Whether an account's tier is what its token's `app_metadata.tier` says.
    jwt_tier_claim: bool = False

    # A Redis that counts requests for several servers; None: each counts its own.
    rate_limit_url: SecretStr | None = None
    # Of one client address; 0 is no limit.
    anonymous_requests_per_minute: Annotated[int, Field(ge=0)] = 600
    failed_logins_per_minute: Annotated[int, Field(ge=0)] = 60

    watch_checkpoint_seconds: Annotated[float, Field(gt=0)] = 15.0
    watch_recheck_seconds: Annotated[float, Field(gt=0)] = 10.0
    watch_position_seconds: Annotated[float, Field(gt=0)] = 0.5
    # What each score counts for in `balanced`, and what a minute of simulator time is worth in
    # `cost`.
    router_speed_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    router_accuracy_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.3
    router_cost_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    router_minute_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    # Measured run times of this machine; None: calibration.json in the data folder.
    router_model: Path | None = None
    # Whether they are measured in the background where that file is not there.
    router_calibrate: bool = True
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0
    # What a tier's limits leave out is as in `DEFAULT_TIERS`.
    tiers: Mapping[Tier, TierLimits] = DEFAULT_TIERS

    @field_validator("ray_address")
    @classmethod
    def _check_address(cls, given: str) -> str:
        if given != "auto" and not _HOST_AND_PORT.fullmatch(given):
            raise ValueError(
                f"{given!r} is not HOST:PORT of the cluster's head, such as 10.0.0.1:6379, nor "
                "'auto'; ray://HOST:PORT is of Ray Client, which is not used"
            )
        return given

    @field_validator("tiers", mode="before")
    @classmethod
    def _fill_in(cls, given: object) -> object:
        """Put what was given of a tier over its defaults, and refuse what no limit is called."""
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
                    f"there are {', '.join(known)}"
                )
            filled[name] = {**asdict(DEFAULT_TIERS[tier]), **changes}
        return filled

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if not self.router_speed_weight + self.router_accuracy_weight + self.router_cost_weight:
            raise ValueError("router weights: one of speed, accuracy and cost must be above 0")
        return self

    @model_validator(mode="after")
    def _several_signs_of_life(self) -> Self:
        if 2 * self.heartbeat_seconds > self.lease_seconds:
            raise ValueError(
                "heartbeat_seconds: must be at most half of lease_seconds, or one sign of life "
                "that is late ends every run"
            )
        return self

    @property
    def database(self) -> str | Path:
        """The database's URL, or the path of the SQLite file."""
        return self.database_url or self.data_dir / "quantcloud.db"

    def limits(self, tier: Tier) -> TierLimits:
        return self.tiers.get(tier) or DEFAULT_TIERS[tier]


def forget_environment() -> None:
    """Take every setting out of the environment, so that no process started later inherits one."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
