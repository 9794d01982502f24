"""`quantcloud account` and `quantcloud keys`: for the operator. Servers may be running."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, TypeVar

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from quantcloud.api.convert.jobs import small_result
from quantcloud.api.convert.sweeps import sweep_request
from quantcloud.auth.api_keys import digest
from quantcloud.cli.failure import Failure
from quantcloud.cli.session import used_of
from quantcloud.cli.store import with_store
from quantcloud.domain.account import Account, MonthlyUsage, Tier
from quantcloud.domain.errors import FailedPrecondition, NotFound
from quantcloud.domain.job import Job
from quantcloud.domain.page import Page, Place
from quantcloud.settings import Settings
from quantcloud.storage import Store
from quantcloud.telemetry import audit

T = TypeVar("T")
_PAGE = 100


def list_accounts(settings: Settings) -> str:
    """Return a line for each account: id, tier, jobs ever submitted, date, e-mail address."""

    async def read(store: Store) -> list[str]:
        lines: list[str] = []
        after = ""
        while found := await store.account_data.list(after):
            for each in found:
                account = each.account
                lines.append(
                    f"{account.id:<36}  {account.tier:<10}  {each.submitted:>9}  "
                    f"{account.created_at:%Y-%m-%d}  {account.email or '-'}"
                )
            after = found[-1].account.id
        return lines

    heading = f"{'account':<36}  {'tier':<10}  {'jobs':>9}  {'since':<10}  email"
    return "\n".join([heading, *with_store(settings, read)])


def set_tier(settings: Settings, user: str, tier: Tier) -> str:
    """Put an account on `tier` and return a line about it. Raises `Failure`."""

    async def change(store: Store) -> Account:
        before = await _known(store, user)
        changed = await store.accounts.set_tier(user, tier)
        if before.tier != changed.tier:
            audit.by_operator(
                "tier_changed", account_id=changed.id, tier=changed.tier, before=before.tier
            )
        return changed

    account = with_store(settings, change)
    return f"{account.id} is on the {account.tier} tier"


def show(settings: Settings, user: str) -> str:
    """Return readable lines about an account and its usage this month. Raises `Failure`."""

    async def read(store: Store) -> tuple[Account, MonthlyUsage]:
        account = await _known(store, user)
        return account, await store.accounts.usage(user, datetime.now(UTC).date())

    account, used = with_store(settings, read)
    limits = settings.limits(account.tier)
    rows = (
        ("tier", account.tier),
        ("email", account.email or "-"),
        ("name", account.name or "-"),
        ("since", f"{account.created_at:%Y-%m-%d}"),
        ("jobs this month", f"{used.total_jobs}"),
        ("simulator minutes", used_of(used.simulator_seconds / 60, limits.simulator_minutes)),
        ("QPU tasks", used_of(used.qpu_tasks, limits.qpu_tasks)),
        ("credits in US dollars", used_of(used.total_cost_usd, limits.credits_usd)),
    )
    return "\n".join(f"{name:<22}{value}" for name, value in rows)


def export(settings: Settings, user: str, target: Path) -> str:
    """Write all data of an account as JSON lines, and return a line about it. Raises `Failure`.

    Each line is an object whose `kind` is account, usage, api_key, circuit, job or points. A job
    has its circuit and result, unless they were removed. The points of a sweep are in lines after
    it, in the form of the API.
    """

    async def write(store: Store, file: TextIO) -> Counter[str]:
        written: Counter[str] = Counter()
        async for kind, document in _documents(store, await _known(store, user)):
            json.dump({"kind": kind, **document}, file, default=_json)
            file.write("\n")
            written[kind] += 1
        return written

    try:
        with target.open("x", encoding="utf-8") as file:
            target.chmod(0o600)
            written = with_store(settings, lambda store: write(store, file))
    except FileExistsError as error:
        raise Failure(f"{target} already exists; name a new file") from error
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror}") from error
    except Failure:
        target.unlink()
        raise
    return f"{target} has {_counted(written)}"


def delete(settings: Settings, user: str, *, ask: bool) -> str:
    """Delete an account with all its data, and return a line about it. Raises `Failure`."""
    if ask:
        typer.confirm(f"Delete {user} and all its data?", abort=True)

    async def remove(store: Store) -> Counter[str]:
        await _known(store, user)
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


def revoke_key(settings: Settings, key: str) -> str:
    """Revoke an API key, given as its id or its text, and return a line. Raises `Failure`."""

    async def revoke(store: Store) -> str:
        try:
            revoked = await store.api_keys.revoke_any(key, digest(key), datetime.now(UTC))
        except NotFound:
            raise Failure("no valid API key has this id or text") from None
        audit.by_operator("key_revoked", account_id=revoked.account_id, key_id=revoked.id)
        return f"the API key {revoked.name!r} ({revoked.id}) of {revoked.account_id} is revoked"

    return with_store(settings, revoke)


async def _documents(store: Store, account: Account) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield the kind and content of everything that the account owns."""
    yield "account", asdict(account)
    for month, used in (await store.account_data.usage(account.id)).items():
        yield "usage", {"month": month, **asdict(used)}
    for key in await store.api_keys.list(account.id):
        yield "api_key", asdict(key)
    async for circuit in _all(
        lambda after: store.circuits.list(account.id, limit=_PAGE, after=after)
    ):
        yield "circuit", asdict(circuit)
    async for job in _all(lambda after: store.jobs.list(account.id, limit=_PAGE, after=after)):
        circuit = await store.jobs.circuit(job)
        result = await store.jobs.result(account.id, job.id)
        document = {
            **asdict(job),
            "qasm": circuit and circuit.qasm,
            "result": None if result is None else asdict(replace(result, sweep=None)),
        }
        if circuit is not None and circuit.sweep is not None:
            document["sweep"] = _message(sweep_request(circuit.sweep))
        yield "job", document
        if job.points is not None:
            async for page in _points(store, job):
                yield "points", {"job_id": job.id, **page}


async def _points(store: Store, job: Job) -> AsyncIterator[dict[str, Any]]:
    """Yield the points of a sweep that are done, page by page."""
    offset = 0
    while (result := await store.jobs.sweep_so_far(job, offset, None)) is not None:
        if result.sweep is None or not result.sweep.points.sizes:
            return
        yield _message(small_result(result).sweep)
        offset = result.sweep.points.last


def _message(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


async def _all(page: Callable[[Place | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    """Yield the items of all pages."""
    after: Place | None = None
    while True:
        found = await page(after)
        for item in found.items:
            yield item
        if found.last is None:
            return
        after = found.last


def _json(value: object) -> object:
    """Return a value in a form that JSON has."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, Sequence):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return str(value)


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in numbers.items()) or "nothing else"


async def _known(store: Store, user: str) -> Account:
    account = await store.accounts.get(user)
    if account is None:
        raise Failure(
            f"there is no account {user!r}: its owner's first request creates it, "
            f"or `quantcloud token --user {user}`"
        )
    return account
