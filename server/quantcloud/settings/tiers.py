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


def from_json(given: object) -> object:
    """Read a value that is a text, as in a variable. In a file or a program it is none."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from error


def with_defaults(given: object) -> object:
    """Complete the given tiers with their default limits, and refuse unknown limits."""
    tiers = from_json(given)
    if not isinstance(tiers, Mapping):
        return tiers
    filled: dict[Any, object] = {}
    known = [field.name for field in fields(TierLimits)]
    for name, limits in cast("Mapping[Any, object]", tiers).items():
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


def changed_limits(tiers: Mapping[Tier, TierLimits]) -> dict[str, dict[str, Any]]:
    """Return the limits that differ from the published ones."""
    changed: dict[str, dict[str, Any]] = {}
    for tier, limits in tiers.items():
        published = asdict(DEFAULT_TIERS[tier])
        differ = {name: each for name, each in asdict(limits).items() if each != published[name]}
        if differ:
            changed[tier.value] = differ
    return changed
