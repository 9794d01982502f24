"""Accounts, keys, saved circuits and usage."""

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError

from quantcloud.domain.account import Account, MonthlyUsage, Tier
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.errors import NotFound, QuotaExceeded, Unavailable
from quantcloud.storage import CircuitPatch, NewJob
from unit.storage.builders import ANALYSIS, QASM, T0, at, finish, new_job, queue, start, submit


async def test_an_account_is_created_on_first_use_and_updated(store):
    assert await store.accounts.get("alice") is None
    made = await store.accounts.ensure("alice", email="a@example.com", name=None, at=T0)
    assert made == Account("alice", Tier.EXPLORER, T0, "a@example.com", None)
    for changed, account in (
        ({}, made),
        ({"name": "Alice"}, Account("alice", Tier.EXPLORER, T0, "a@example.com", "Alice")),
        ({"email": "b@example.com"}, Account("alice", Tier.EXPLORER, T0, "b@example.com", "Alice")),
        ({"tier": Tier.DEVELOPER}, Account("alice", Tier.DEVELOPER, T0, "b@example.com", "Alice")),
    ):
        assert await store.accounts.ensure("alice", at=at(9), **changed) == account
        assert await store.accounts.get("alice") == account


async def test_concurrent_first_uses_create_one_account(store):
    accounts = await asyncio.gather(*(store.accounts.ensure("alice", at=at(n)) for n in range(50)))
    assert set(accounts) == {await store.accounts.get("alice")}


async def test_set_tier(store):
    await store.accounts.ensure("alice", name="Alice", at=T0)
    account = await store.accounts.set_tier("alice", Tier.ENTERPRISE)
    assert account == Account("alice", Tier.ENTERPRISE, T0, None, "Alice")
    assert await store.accounts.get("alice") == account
    with pytest.raises(NotFound):
        await store.accounts.set_tier("bob", Tier.ENTERPRISE)


async def _key(store, account="alice", *, seconds=0, digest=b"d" * 32, limit=5):
    await store.accounts.ensure(account, at=T0)
    return await store.api_keys.create(
        account, "laptop", "qc_live_ab", digest, at(seconds), limit=limit
    )


async def test_a_key_is_found_by_its_digest_until_it_is_revoked(store):
    key = await _key(store)
    assert (key.account_id, key.name, key.prefix) == ("alice", "laptop", "qc_live_ab")
    assert await store.api_keys.find(b"d" * 32) == (key, await store.accounts.get("alice"))
    assert await store.api_keys.find(b"e" * 32) is None
    assert await store.api_keys.list("alice") == [key]
    with pytest.raises(NotFound):
        await store.api_keys.revoke("bob", key.id, T0)
    await store.api_keys.revoke("alice", key.id, T0)
    assert await store.api_keys.find(b"d" * 32) is None
    assert await store.api_keys.list("alice") == []
    for key_id in (key.id, str(uuid.uuid4()), "nonsense"):
        with pytest.raises(NotFound):
            await store.api_keys.revoke("alice", key_id, T0)


async def test_keys_are_listed_newest_first_for_their_account(store):
    keys = [await _key(store, seconds=n, digest=bytes([n]) * 32) for n in (2, 1, 3)]
    await _key(store, "bob", digest=b"b" * 32)
    assert await store.api_keys.list("alice") == [keys[2], keys[0], keys[1]]


async def test_the_limit_on_keys_holds_for_concurrent_creations(store):
    await store.accounts.ensure("alice", at=T0)
    outcomes = await asyncio.gather(
        *(_key(store, digest=bytes([n]) * 32, limit=3) for n in range(10)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, QuotaExceeded)]
    assert len(refused) == 7
    assert refused[0].metadata == {
        "limit": "api_keys_limit", "maximum": "3", "used": "3", "requested": "1",
    }  # fmt: skip
    (key, *_) = await store.api_keys.list("alice")
    await store.api_keys.revoke("alice", key.id, T0)
    await _key(store, digest=b"x" * 32, limit=3)


async def test_a_write_for_an_account_that_was_just_deleted_can_be_tried_again(store):
    with pytest.raises(Unavailable, match="was just deleted; try again"):
        await store.api_keys.create("gone", "laptop", "qc_live_ab", b"d" * 32, T0, limit=5)
    await store.accounts.ensure("alice", at=T0)
    gone, fine = new_job(account_id="gone"), new_job()
    outcomes = await asyncio.gather(
        *(
            store.jobs.create_all([NewJob(job, QASM, ANALYSIS)], max_waiting=None)
            for job in (gone, fine)
        ),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], Unavailable)
    assert [job.id for job in (await store.jobs.list("alice", limit=9, offset=0)).items] == [
        fine.id
    ]


async def test_two_keys_never_share_a_digest(store):
    await _key(store)
    with pytest.raises(IntegrityError):
        await _key(store, "bob")


async def test_the_last_use_of_a_key_only_moves_forward(store):
    first = await _key(store)
    second = await _key(store, digest=b"e" * 32)
    await store.api_keys.touch({})
    await store.api_keys.touch({first.id: at(60), second.id: at(30), str(uuid.uuid4()): at(1)})
    await store.api_keys.touch({first.id: at(50), second.id: at(40)})
    used = {key.id: key.last_used_at for key in await store.api_keys.list("alice")}
    assert used == {first.id: at(60), second.id: at(40)}


def _circuit(account="alice", seconds=0, **fields) -> SavedCircuit:
    values = {"name": "bell", "created_at": at(seconds), "updated_at": at(seconds), **fields}
    return SavedCircuit(id=str(uuid.uuid4()), account_id=account, **values)


async def test_a_saved_circuit_is_read_back_unchanged(store):
    await store.accounts.ensure("alice", at=T0)
    bare = _circuit()
    full = _circuit(
        seconds=1, code="print(1)\n", qasm="h q[0];\n" * 999, num_qubits=2, metadata={"a": [1]}
    )
    for circuit in (bare, full):
        assert await store.circuits.create(circuit) == circuit
        assert await store.circuits.get("alice", circuit.id) == circuit
    page = await store.circuits.list("alice", limit=1, offset=1)
    assert (list(page.items), page.total, page.limit, page.offset) == ([bare], 2, 1, 1)
    page = await store.circuits.list("alice", limit=20, offset=0)
    assert list(page.items) == [full, bare]
    page = await store.circuits.list("alice", limit=1)
    page = await store.circuits.list("alice", limit=2, after=page.last)
    assert (list(page.items), page.last) == ([bare], None)
    assert (await store.circuits.list("bob", limit=20, offset=0)).total == 0


async def test_update_changes_only_the_given_fields(store):
    await store.accounts.ensure("alice", at=T0)
    circuit = await store.circuits.create(_circuit(code="a", qasm="b", num_qubits=2))
    changed = await store.circuits.update(
        "alice", circuit.id, CircuitPatch(name="ghz", qasm="c", metadata={}), at(5)
    )
    assert changed == SavedCircuit(
        circuit.id, "alice", "ghz", at(0), at(5), code="a", qasm="c", num_qubits=2
    )
    assert await store.circuits.get("alice", circuit.id) == changed
    touched = await store.circuits.update("alice", circuit.id, CircuitPatch(), at(6))
    assert touched.updated_at == at(6)
    emptied = await store.circuits.update("alice", circuit.id, CircuitPatch(code=""), at(6))
    assert emptied.code == ""


async def test_circuits_of_other_accounts_and_deleted_circuits_are_not_found(store):
    await store.accounts.ensure("alice", at=T0)
    circuit = await store.circuits.create(_circuit())
    for account, circuit_id in (("bob", circuit.id), ("alice", "x"), ("alice", str(uuid.uuid4()))):
        with pytest.raises(NotFound):
            await store.circuits.get(account, circuit_id)
        with pytest.raises(NotFound):
            await store.circuits.update(account, circuit_id, CircuitPatch(name="x"), T0)
        with pytest.raises(NotFound):
            await store.circuits.delete(account, circuit_id)
    assert await store.circuits.get("alice", circuit.id) == circuit
    await store.circuits.delete("alice", circuit.id)
    with pytest.raises(NotFound):
        await store.circuits.get("alice", circuit.id)


async def test_usage_is_counted_by_calendar_months_in_utc(store):
    assert await store.accounts.usage("alice", T0) == MonthlyUsage()
    await submit(store, seconds=0)
    await submit(store, seconds=2)
    # It is April in UTC, but still March in New York.
    new_york = datetime(2025, 3, 31, 20, 0, tzinfo=timezone(timedelta(hours=-4)))
    await submit(store, submitted_at=new_york)
    assert (await store.accounts.usage("alice", date(2025, 3, 1))).total_jobs == 1
    assert (await store.accounts.usage("alice", date(2025, 4, 30))).total_jobs == 2
    assert (await store.accounts.usage("alice", new_york)).total_jobs == 2
    assert await store.accounts.usage("bob", T0) == MonthlyUsage()


async def test_usage_adds_up_over_runs(store):
    for _ in range(3):
        await queue(store)
        claim = await start(store)
        await finish(store, claim, simulator_seconds=0.5, qpu_tasks=1, cost_usd=0.25)
    assert await store.accounts.usage("alice", datetime(2025, 3, 1, tzinfo=UTC)) == MonthlyUsage(
        simulator_seconds=1.5, qpu_tasks=3, total_jobs=3, total_cost_usd=0.75
    )


async def test_an_account_is_deleted_with_jobs_that_came_meanwhile(store):
    await submit(store)
    await queue(store)
    await start(store)
    deleted = await store.account_data.delete("alice")
    assert (deleted["jobs"], deleted["accounts"]) == (2, 1)
    assert await store.accounts.get("alice") is None
