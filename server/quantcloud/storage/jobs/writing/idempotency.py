"""Idempotency keys: a repeated submission with the same key returns the same jobs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select

from quantcloud.domain.errors import AlreadyExists
from quantcloud.domain.job import JobEvent
from quantcloud.domain.value_object import value_object
from quantcloud.storage.database.tables import idempotency_keys, job_events
from quantcloud.storage.jobs.rows.event_rows import EVENTS, events_of
from quantcloud.storage.unit_of_work.transaction import Transaction

# How long a key is stored.
LIFETIME = timedelta(hours=24)
# The most keys that one transaction removes.
BATCH = 500

_FIND = select(
    *(idempotency_keys.c[name] for name in ("digest", "job_id", "first_cursor", "number"))
).where(
    idempotency_keys.c.account_id == bindparam("account_id"),
    idempotency_keys.c.key == bindparam("key"),
    idempotency_keys.c.created_at > bindparam("since", type_=idempotency_keys.c.created_at.type),
)
# The events of one transaction are adjacent in the log, so the submissions are in the first rows
# from the cursor on that may contain one.
_SUBMISSIONS = (
    EVENTS.where(
        job_events.c.account_id == bindparam("account_id"),
        job_events.c.cursor >= bindparam("first_cursor"),
        (job_events.c.sequence == 1) | job_events.c.earlier.is_not(None),
    )
    .order_by(job_events.c.cursor)
    .limit(bindparam("number"))
)
_OLD = (
    select(idempotency_keys.c.account_id, idempotency_keys.c.key)
    .where(
        idempotency_keys.c.created_at
        <= bindparam("since", type_=idempotency_keys.c.created_at.type)
    )
    .order_by(idempotency_keys.c.created_at)
    .limit(BATCH)
)
_FORGET = delete(idempotency_keys).where(
    idempotency_keys.c.account_id == bindparam("account_id"),
    idempotency_keys.c.key == bindparam("key"),
)


@value_object
class IdempotencyKey:
    """A caller's name for a submission, and the digest of the request."""

    key: str
    digest: bytes


def find(
    tx: Transaction, account_id: str, key: IdempotencyKey, at: datetime
) -> Sequence[JobEvent] | None:
    """Like `Jobs.of_key`, within a transaction."""
    since = at - LIFETIME
    if tx.pending.expect_new_key(account_id, key.key, since):
        return None
    values = {"account_id": account_id, "key": key.key, "since": since}
    row = tx.read(_FIND, values).one_or_none()
    if row is None:
        return None
    if row.digest != key.digest:
        raise AlreadyExists(
            f"the idempotency key {key.key!r} was used for another request, that of job "
            f"{row.job_id}; repeat that request, or use another key",
            reason="IDEMPOTENCY_KEY_REUSED",
            metadata={"job_id": row.job_id, "idempotency_key": key.key},
        )
    within = {
        "account_id": account_id, "first_cursor": row.first_cursor, "number": row.number,
    }  # fmt: skip
    return [event for event in events_of(tx.read(_SUBMISSIONS, within)) if event.sequence == 1]


def keep(tx: Transaction, key: IdempotencyKey, submitted: Sequence[JobEvent]) -> None:
    """Store `key`, in the transaction that creates its jobs."""
    first = submitted[0]
    account_id = first.job.account_id
    tx.add(
        idempotency_keys,
        {
            "account_id": account_id,
            "key": key.key,
            "digest": key.digest,
            "job_id": first.job.id,
            "first_cursor": first.cursor,
            "number": len(submitted),
            "created_at": first.occurred_at,
        },
    )


def forget_old(tx: Transaction, at: datetime) -> int:
    """Remove up to `BATCH` expired keys; return how many."""
    old = [{"account_id": a, "key": key} for a, key in tx.read(_OLD, {"since": at - LIFETIME})]
    if old:
        tx.write(_FORGET, old)
    return len(old)
