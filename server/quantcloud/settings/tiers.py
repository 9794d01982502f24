"""The limits of each tier: the published ones, and those of the settings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, cast

from quantcloud.domain.account import Tier, TierLimits

DEFAULT_TIERS: Mapping[Tier, TierLimits] = {
    Tier.EXPLORER: TierLimits(
        max_shots=10_000,
        max_points=100,
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
        max_points=1_000,
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
        max_points=10_000,
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
_LIMITS = [field.name for field in fields(TierLimits)]
_EXAMPLE = '{"explorer": {"max_shots": 1000}}'


def from_json(given: object) -> object:
    """Read a value that is a text, as in a variable. In a file or a program it is none."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from error


def with_defaults(given: object) -> object:
    """Complete the given tiers with their default limits.

    Raises `ValueError` with a line for each tier or limit that does not exist.
    """
    tiers = from_json(given)
    if not isinstance(tiers, Mapping):
        raise ValueError(f"must be an object such as {_EXAMPLE}")  # noqa: TRY004  # for pydantic
    filled: dict[Any, object] = {}
    wrong: list[str] = []
    for name, limits in cast("Mapping[Any, object]", tiers).items():
        if name not in DEFAULT_TIERS:
            wrong.append(f"no tier is called {name}; there are {', '.join(DEFAULT_TIERS)}")
        elif isinstance(limits, TierLimits):
            filled[name] = limits
        elif not isinstance(limits, Mapping):
            wrong.append(f"{name} must be an object, as in {_EXAMPLE}")
        else:
            changes = cast("Mapping[str, object]", limits)
            if unknown := sorted(changes.keys() - _LIMITS):
                called = f"{name} has no limit called {', '.join(unknown)}"
                wrong.append(f"{called}; there are {', '.join(_LIMITS)}")
            filled[name] = {**asdict(DEFAULT_TIERS[Tier(name)]), **changes}
    if wrong:
        raise ValueError("\n".join(wrong))
    return filled


def changed_limits(tiers: Mapping[Tier, TierLimits]) -> dict[str, dict[str, Any]]:
    """Return the limits that differ from the published ones."""
    changed: dict[str, dict[str, Any]] = {}
    for tier, limits in tiers.items():
        published = asdict(DEFAULT_TIERS[tier])
        differ = {name: each for name, each in asdict(limits).items() if each != published[name]}
        if differ:
            changed[tier.value] = differ
    return changed
