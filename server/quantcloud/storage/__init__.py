"""Tables, migrations and the store."""

from quantcloud.storage.circuits import CircuitPatch
from quantcloud.storage.data_dir import DataDirLock, DataDirLockedError, lock_data_dir
from quantcloud.storage.errors import StoreError
from quantcloud.storage.idempotency import IdempotencyKey
from quantcloud.storage.job_claims import Claim, Claims
from quantcloud.storage.jobs import NewJob
from quantcloud.storage.store import Store

__all__ = [
    "CircuitPatch",
    "Claim",
    "Claims",
    "DataDirLock",
    "DataDirLockedError",
    "IdempotencyKey",
    "NewJob",
    "Store",
    "StoreError",
    "lock_data_dir",
]
