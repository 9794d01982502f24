"""`quantcloud account`: for the operator. Servers may be running."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.failure import Failure
from quantcloud.cli.host.command import User, on_host
from quantcloud.domain.account import Account, MonthlyUsage, Tier

if TYPE_CHECKING:
    from quantcloud.settings import Settings
    from quantcloud.storage import Store

app = typer.Typer(
    help="Show, export and delete accounts, and revoke their keys.", no_args_is_help=True
)


@on_host(app, "set-tier")
def set_tier(settings: "Settings", user: User, tier: Annotated[Tier, typer.Argument()]) -> str:
    """Put an account on a tier, from its next request on."""
    from quantcloud.cli.host.store import known, with_store
    from quantcloud.telemetry import audit

    async def change(store: "Store") -> Account:
        before = await known(store, user)
        changed = await store.accounts.set_tier(user, tier)
        if before.tier != changed.tier:
            audit.by_operator(
                "tier_changed", account_id=changed.id, tier=changed.tier, before=before.tier
            )
        return changed

    account = with_store(settings, change)
    return f"{account.id} is on the {account.tier} tier"


@on_host(app, "show")
def show(settings: "Settings", user: User) -> None:
    """Show an account and its usage this month."""
    from quantcloud.cli.host.store import known, with_store
    from quantcloud.cli.tables import details, stdout, used_of

    async def read(store: "Store") -> tuple[Account, MonthlyUsage]:
        return await known(store, user), await store.accounts.usage(user, datetime.now(UTC).date())

    account, used = with_store(settings, read)
    limits = settings.limits(account.tier)
    rows = {
        "tier": account.tier,
        "email": account.email or "-",
        "name": account.name or "-",
        "since": f"{account.created_at:%Y-%m-%d}",
        "jobs this month": used.total_jobs,
        "simulator minutes": used_of(used.simulator_seconds / 60, limits.simulator_minutes),
        "QPU tasks": used_of(used.qpu_tasks, limits.qpu_tasks),
        "credits in US dollars": used_of(used.total_cost_usd, limits.credits_usd),
    }
    stdout().print(details(rows))


@on_host(app, "list")
def list_accounts(settings: "Settings") -> None:
    """List all accounts: tier, number of jobs, since when, e-mail address."""
    from quantcloud.cli.host.store import with_store
    from quantcloud.cli.tables import stdout, table

    shown = table("account", "tier", "jobs", "since", "email")

    async def read(store: "Store") -> None:
        after = ""
        while found := await store.account_data.list(after):
            for each in found:
                own = each.account
                since = f"{own.created_at:%Y-%m-%d}"
                shown.add(own.id, own.tier, each.submitted, since, own.email or "-")
            after = found[-1].account.id

    with_store(settings, read)
    stdout().print(shown)


@on_host(app, "export")
def export(
    settings: "Settings",
    user: User,
    file: Annotated[Path, typer.Argument(help="A new file, for JSON lines.")],
) -> str:
    """Write all data of an account to a file: usage, keys, circuits, jobs and results."""
    from quantcloud.cli.host.export import export

    return f"{file} has {_counted(export(settings, user, file))}"


@on_host(app, "delete")
def delete(
    settings: "Settings",
    user: User,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002  # a flag, given by name
) -> str:
    """Delete an account with its jobs, results, circuits and keys. Runs are cancelled."""
    from quantcloud.cli.host.store import known, with_store
    from quantcloud.domain.errors import FailedPrecondition
    from quantcloud.telemetry import audit

    if not yes:
        typer.confirm(f"Delete {user} and all its data?", abort=True)

    async def remove(store: "Store") -> Counter[str]:
        await known(store, user)
        while active := await store.account_data.active_jobs(user):
            for job_id in active:
                with suppress(FailedPrecondition):  # it has ended meanwhile
                    await store.jobs.cancel(user, job_id, datetime.now(UTC))
        deleted: Counter[str] = Counter()
        while found := await store.account_data.delete_jobs(user):
            deleted.update(found)
        deleted.update(await store.account_data.delete(user))
        return deleted

    deleted = with_store(settings, remove)
    del deleted["accounts"]
    audit.by_operator("account_deleted", account_id=user, deleted=deleted)
    return f"{user} is deleted, with {_counted(deleted)}"


@on_host(app, "revoke-key")
def revoke_key(
    settings: "Settings",
    key: Annotated[str, typer.Argument(help="The key's id, or the key itself.")],
) -> str:
    """Revoke an API key of any account, such as one that leaked."""
    from quantcloud.auth.api_keys import digest
    from quantcloud.cli.host.store import with_store
    from quantcloud.domain.errors import NotFound
    from quantcloud.telemetry import audit

    async def revoke(store: "Store") -> str:
        try:
            revoked = await store.api_keys.revoke_any(key, digest(key), datetime.now(UTC))
        except NotFound:
            raise Failure("no valid API key has this id or text") from None
        audit.by_operator("key_revoked", account_id=revoked.account_id, key_id=revoked.id)
        return f"the API key {revoked.name!r} ({revoked.id}) of {revoked.account_id} is revoked"

    return with_store(settings, revoke)


def _counted(numbers: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in numbers.items()) or "nothing else"
