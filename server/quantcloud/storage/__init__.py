"""Tables, migrations and the store."""

from quantcloud.storage.circuits import CircuitPatch
from quantcloud.storage.data_dir import DataDirLockedError, lock_data_dir
from quantcloud.storage.database.errors import StoreError
from quantcloud.storage.job_record import JobRecord, NewJob
from quantcloud.storage.jobs.claims import Claim, ClaimedJobs
from quantcloud.storage.jobs.documents import Input
from quantcloud.storage.jobs.idempotency import IdempotencyKey
from quantcloud.storage.jobs.room import Fit, Room
from quantcloud.storage.jobs.writes import MAX_LOSSES, PackedResult
from quantcloud.storage.store import Store

__all__ = [
    "MAX_LOSSES",
    "CircuitPatch",
    "Claim",
    "ClaimedJobs",
    "DataDirLockedError",
    "Fit",
    "IdempotencyKey",
    "Input",
    "JobRecord",
    "NewJob",
    "PackedResult",
    "Room",
    "Store",
    "StoreError",
    "lock_data_dir",
]
