"""Saved circuits in the store."""

import threading
from datetime import UTC, datetime

import pytest

from quantcloud.domain.circuit import SavedCircuit
from quantcloud.storage import Store
from quantcloud.storage.database import codec

AT = datetime(2025, 3, 1, tzinfo=UTC)


async def test_a_text_that_compresses_to_little_is_unpacked_in_a_thread(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
):
    unpack, threads = codec.unpack_text, set[int]()

    def recorded(packed: bytes) -> str:
        threads.add(threading.get_ident())
        return unpack(packed)

    monkeypatch.setattr(codec, "unpack_text", recorded)
    await sqlite_store.accounts.ensure("ada", at=AT)
    qasm = "h q[0];\n" * 500_000
    assert len(codec.pack_text(qasm)) < 64 * 1024
    circuit = SavedCircuit(
        id="5f0c7a3e-8f53-4c9a-9d0e-1a2b3c4d5e6f", account_id="ada", name="long", created_at=AT,
        updated_at=AT, num_qubits=1, metadata={}, code=None, qasm=qasm,
    )  # fmt: skip
    await sqlite_store.circuits.create(circuit)
    assert (await sqlite_store.circuits.get("ada", circuit.id)).qasm == qasm
    assert threading.get_ident() not in threads
    assert threads
