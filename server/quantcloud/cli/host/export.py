"""`quantcloud account export`: everything that an account owns, as JSON lines."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from quantcloud.api.convert.jobs import small_result
from quantcloud.api.convert.sweeps import sweep_request
from quantcloud.cli.failure import Failure
from quantcloud.cli.host.store import known, with_store
from quantcloud.domain.account import Account
from quantcloud.domain.job import Job
from quantcloud.domain.page import Page, Place
from quantcloud.settings import Settings
from quantcloud.storage import Store

T = TypeVar("T")
_PAGE = 100


def export(settings: Settings, user: str, target: Path) -> Counter[str]:
    """Write all data of an account as JSON lines. Return the number of each kind.

    Each line is an object whose `kind` is account, usage, api_key, circuit, job or points. A job
    has its circuit and result, unless they were removed. The points of a sweep are in lines after
    it, in the form of the API. Raises `Failure`.
    """

    async def write(store: Store, file: TextIO) -> Counter[str]:
        written: Counter[str] = Counter()
        async for kind, document in _documents(store, await known(store, user)):
            json.dump({"kind": kind, **document}, file, default=_json)
            file.write("\n")
            written[kind] += 1
        return written

    try:
        with target.open("x", encoding="utf-8") as file:
            target.chmod(0o600)
            return with_store(settings, lambda store: write(store, file))
    except FileExistsError as error:
        raise Failure(f"{target} already exists; name a new file") from error
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror}") from error
    except Failure:
        target.unlink()
        raise


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
