"""Saved circuits as bytes of messages."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from quantcloud.aio import cooperative
from quantcloud.api.convert import circuits as convert
from quantcloud.api.json_nulls import add_json_nulls, json_nulls
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.page import Page
from thequantcloud.v1 import circuit_pb2

AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


def circuit(number: int, **fields: Any) -> SavedCircuit:
    return SavedCircuit(
        id=f"c{number}", account_id="ada", name="n", created_at=AT, updated_at=AT, **fields
    )


def by_protobuf(saved: SavedCircuit) -> circuit_pb2.Circuit:
    message = circuit_pb2.Circuit(
        id=saved.id, user_id="ada", name="n", code=saved.code, qasm=saved.qasm,
        num_qubits=saved.num_qubits, created_at=AT, updated_at=AT,
    )  # fmt: skip
    message.metadata.SetInParent()
    message.metadata.update(saved.metadata)
    add_json_nulls(message)
    return message


FIELDS: list[dict[str, Any]] = [
    {"qasm": "h", "num_qubits": 3, "metadata": {"a": [1, {"b": None}]}},
    {"code": "x" * 300, "metadata": {}},
    {},
]


@pytest.mark.parametrize("cursor", [None, "c"])
def test_a_listing_equals_protobufs_own_encoding(cursor: str | None):
    saved = [circuit(number, **fields) for number, fields in enumerate(FIELDS)]
    answer = asyncio.run(convert.circuits(Page(saved, 9, 20, 6), cursor))
    expected = circuit_pb2.ListCircuitsResponse(
        circuits=map(by_protobuf, saved), count=3, total=9, limit=20, offset=6, cursor=cursor
    )
    expected.MergeFromString(json_nulls(expected))
    # A parsed message keeps its unknown fields, the JSON nulls, in another order.
    read = circuit_pb2.ListCircuitsResponse.FromString(answer)
    assert len(answer) == expected.ByteSize()
    assert read == circuit_pb2.ListCircuitsResponse.FromString(expected.SerializeToString())
    assert all(each.HasField("metadata") for each in read.circuits)


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
