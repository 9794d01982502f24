"""Saved circuits."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.sql.dml import Update

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.errors import NotFound
from quantcloud.domain.page import Page, Place, Window, page_of
from quantcloud.domain.value_object import value_object
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow, Connection, Database
from quantcloud.storage.database.queries import identifier, listings, page_parameters
from quantcloud.storage.database.tables import saved_circuits
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

_OWN = (
    saved_circuits.c.id == bindparam("circuit_id"),
    saved_circuits.c.account_id == bindparam("of_account"),
)
_OF_ACCOUNT = saved_circuits.c.account_id == bindparam("of_account")

_GET = select(saved_circuits).where(*_OWN)
_LIST, _LIST_AFTER = listings(
    select(saved_circuits).where(_OF_ACCOUNT), saved_circuits.c.created_at, saved_circuits.c.id
)
_COUNT = select(func.count()).select_from(saved_circuits).where(_OF_ACCOUNT)
_INSERT = insert(saved_circuits)
_DELETE = delete(saved_circuits).where(*_OWN)


@value_object
class CircuitPatch:
    """New values for the fields of a saved circuit; None leaves a field unchanged."""

    name: str | None = None
    code: str | None = None
    qasm: str | None = None
    num_qubits: int | None = None
    metadata: Mapping[str, object] | None = None


class Circuits:
    """Saved circuits. Raises `NotFound` for a circuit of another account."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def create(self, circuit: SavedCircuit) -> SavedCircuit:
        row = await _pack({f.name: getattr(circuit, f.name) for f in fields(circuit)})

        def unit(tx: Transaction) -> None:
            tx.write(_INSERT, row)

        await self._writer.run(unit)
        return circuit

    async def get(self, account_id: str, circuit_id: str) -> SavedCircuit:
        identifier("circuit", circuit_id)
        values = {"of_account": account_id, "circuit_id": circuit_id}
        row = await self._database.read(lambda c: c.execute(_GET, values).one_or_none())
        if row is None:
            raise NotFound("circuit", circuit_id)
        (circuit,) = await _unpack([row])
        return circuit

    async def list(
        self, account_id: str, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> Page[SavedCircuit]:
        """Return a page of the account's circuits, newest first."""
        window = Window(limit, offset, after)
        values = {"of_account": account_id}
        statement = _LIST if window.after is None else _LIST_AFTER

        def read(connection: Connection) -> tuple[list[AnyRow], int]:
            rows = connection.execute(statement, {**values, **page_parameters(window)}).all()
            return list(rows), connection.execute(_COUNT, values).scalar_one()

        rows, total = await self._database.read(read)
        return page_of(await _unpack(rows), total, window, _place)

    async def update(
        self, account_id: str, circuit_id: str, patch: CircuitPatch, at: datetime
    ) -> SavedCircuit:
        """Apply `patch` and return the circuit. Raises `NotFound`."""
        identifier("circuit", circuit_id)
        given = {f.name: getattr(patch, f.name) for f in fields(patch)}
        given = {name: value for name, value in given.items() if value is not None}
        row = {**await _pack(given), "updated_at": at}
        values = {"of_account": account_id, "circuit_id": circuit_id}

        def unit(tx: Transaction) -> AnyRow:
            if tx.write(_update(*row), {**row, **values}).rowcount == 0:
                raise NotFound("circuit", circuit_id)
            return tx.read(_GET, values).one()

        (circuit,) = await _unpack([await self._writer.run(unit)])
        return circuit

    async def delete(self, account_id: str, circuit_id: str) -> None:
        identifier("circuit", circuit_id)

        def unit(tx: Transaction) -> None:
            values = {"of_account": account_id, "circuit_id": circuit_id}
            if tx.write(_DELETE, values).rowcount == 0:
                raise NotFound("circuit", circuit_id)

        await self._writer.run(unit)


def _place(circuit: SavedCircuit) -> Place:
    return Place(circuit.created_at, circuit.id)


async def _pack(values: dict[str, Any]) -> dict[str, Any]:
    texts = {name: text for name in ("code", "qasm") if (text := values.get(name)) is not None}

    def pack() -> dict[str, Any]:
        return values | {name: codec.pack_text(text) for name, text in texts.items()}

    return await offload.run(Work.PACK_TEXT.cost(sum(map(len, texts.values()))), pack)


async def _unpack(rows: list[AnyRow]) -> list[SavedCircuit]:
    def unpack() -> list[SavedCircuit]:
        return [_circuit_of(row) for row in rows]

    size = sum(codec.most_bytes(row.code) + codec.most_bytes(row.qasm) for row in rows)
    return await offload.run(Work.UNPACK_TEXT.cost(size), unpack)


def _circuit_of(row: AnyRow) -> SavedCircuit:
    circuit = SavedCircuit(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        created_at=row.created_at,
        updated_at=row.updated_at,
        num_qubits=row.num_qubits,
        metadata=row.metadata,
    )
    return replace(
        circuit,
        code=None if row.code is None else codec.unpack_text(row.code),
        qasm=None if row.qasm is None else codec.unpack_text(row.qasm),
    )


@cache
def _update(*names: str) -> Update:
    """Return the statement that updates the columns `names`."""
    return update(saved_circuits).where(*_OWN).values({name: bindparam(name) for name in names})
