"""Saved circuits as messages."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet

from quantcloud.aio import cooperative
from quantcloud.api.convert import circuits as convert
from quantcloud.api.json_nulls import add_json_nulls
from quantcloud.api.large import LargeMessage, encoded
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.page import Page
from thequantcloud.v1 import circuit_pb2

AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


def circuit(number: int, **fields: Any) -> SavedCircuit:
    return SavedCircuit(
        id=f"c{number}", account_id="ada", name="n", created_at=AT, updated_at=AT, **fields
    )


def by_name(saved: SavedCircuit) -> dict[str, Any]:
    message = convert.circuit(saved)
    return {field.name: value for field, value in message.ListFields()}


def test_a_circuit_has_its_metadata_and_only_the_fields_that_it_has():
    full = by_name(circuit(1, qasm="h", num_qubits=3, metadata={"a": [1, {"b": None}]}))
    assert (full["qasm"], full["num_qubits"]) == ("h", 3)
    assert dict(full["metadata"]) == {"a": [1, {"b": None}]}
    empty = by_name(circuit(2))
    assert dict(empty["metadata"]) == {}
    assert not {"code", "qasm", "num_qubits"} & set(empty)


# Of a listing of 2 MB, each circuit is serialised by itself.
@pytest.mark.parametrize("length", [300, 60_000])
@pytest.mark.parametrize("token", [None, "c"])
async def test_a_listing_has_all_circuits_with_their_json_nulls(token: str | None, length: int):
    saved = [circuit(number, metadata={"a": "x" * length}) for number in range(35)]
    answer = await convert.circuits(Page(saved, 9, 20, 6), token)
    assert isinstance(answer, LargeMessage) == (length == 60_000)
    expected = circuit_pb2.ListCircuitsResponse(
        circuits=map(convert.circuit, saved),
        count=35,
        total=9,
        limit=20,
        offset=6,
        next_page_token=token,
    )
    read = circuit_pb2.ListCircuitsResponse.FromString(await encoded(answer))
    add_json_nulls(expected)
    assert read == circuit_pb2.ListCircuitsResponse.FromString(expected.SerializeToString())
    assert len(UnknownFieldSet(read)) == (token is None)
    assert len(UnknownFieldSet(read.circuits[0])) == 3


async def test_other_tasks_run_while_a_long_listing_is_converted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cooperative, "_SECONDS", 0.0)
    number = 0

    async def other() -> None:
        nonlocal number
        while True:
            number += 1
            await asyncio.sleep(0)

    saved = [circuit(each, metadata={"a": [None] * 100}) for each in range(100)]
    task = asyncio.ensure_future(other())
    await convert.circuits(Page(saved, 100, 100, 0), None)
    task.cancel()
    assert number >= 90
