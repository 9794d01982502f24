"""Every setting of the server, from `QUANTCLOUD_...` environment variables or the command line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from quantcloud.domain.account import Tier, TierLimits

PREFIX = "QUANTCLOUD_"

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

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """One frozen object. A port of 0 means any that is free; None means the stated default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Path(".quantcloud")
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    grpc_host: str = "127.0.0.1"
    grpc_port: Port = 50051
    envoy: bool = True
    cors_origins: tuple[str, ...] = ("*",)
    # None: one for each core.
    workers: Annotated[int, Field(ge=1)] | None = None
    # Bytes that a worker may take for a run; None: an equal share of the machine's memory.
    worker_memory: Annotated[int, Field(ge=1)] | None = None
    log_level: str = "info"

    # None: a SQLite file in the data folder.
    database_url: str | None = None

    # None: a random secret, kept in the data folder.
    jwt_secret: SecretStr | None = None
    jwks_url: str | None = None
    jwt_audience: str = "authenticated"
    jwt_issuer: str | None = None

    watch_checkpoint_seconds: Annotated[float, Field(gt=0)] = 15.0
    watch_position_seconds: Annotated[float, Field(gt=0)] = 0.5
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0
    tiers: Mapping[Tier, TierLimits] = DEFAULT_TIERS

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
