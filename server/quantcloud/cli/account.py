"""`quantcloud account`: show and change accounts. A server may be running."""

from datetime import UTC, datetime

from quantcloud.cli.failure import Failure
from quantcloud.cli.store import with_store
from quantcloud.domain.account import Account, MonthlyUsage, Tier
from quantcloud.settings import Settings
from quantcloud.storage import Store


def set_tier(settings: Settings, user: str, tier: Tier) -> str:
    """Put an account on `tier` and return a line about it. Raises `Failure`."""

    async def change(store: Store) -> Account:
        await _known(store, user)
        return await store.accounts.set_tier(user, tier)

    account = with_store(settings, change)
    return f"{account.id} is on the {account.tier} tier"


def show(settings: Settings, user: str) -> str:
    """Return readable lines about an account and its usage this month. Raises `Failure`."""

    async def read(store: Store) -> tuple[Account, MonthlyUsage]:
        account = await _known(store, user)
        return account, await store.usage.month(user, datetime.now(UTC).date())

    account, used = with_store(settings, read)
    limits = settings.limits(account.tier)
    rows = (
        ("tier", account.tier),
        ("email", account.email or "-"),
        ("name", account.name or "-"),
        ("since", f"{account.created_at:%Y-%m-%d}"),
        ("jobs this month", f"{used.total_jobs}"),
        ("simulator minutes", _of(used.simulator_seconds / 60, limits.simulator_minutes)),
        ("QPU tasks", _of(used.qpu_tasks, limits.qpu_tasks)),
        ("credits in US dollars", _of(used.total_cost_usd, limits.credits_usd)),
    )
    return "\n".join(f"{name:<22}{value}" for name, value in rows)


def _of(used: float, limit: float | None) -> str:
    return f"{used:.6g} of {'any number' if limit is None else f'{limit:g}'}"


async def _known(store: Store, user: str) -> Account:
    account = await store.accounts.get(user)
    if account is None:
        raise Failure(
            f"there is no account {user!r}: its owner's first request creates it, "
            f"or `quantcloud token --user {user}`"
        )
    return account
