"""What must not be lost: the store, its repositories, and the database below them.

`store` opens it all. Repositories read a `database`, SQLite or PostgreSQL, and change it by units
of work, which `unit_of_work` commits in groups. `jobs` has the largest repository.
"""

from quantcloud.storage.circuits import CircuitPatch
from quantcloud.storage.data_dir import DataDirLockedError, lock_data_dir
from quantcloud.storage.database.errors import StoreError
from quantcloud.storage.job_record import JobRecord, NewJob
from quantcloud.storage.jobs.claiming.claims import Claim, ClaimedJobs
from quantcloud.storage.jobs.claiming.room import Fit, Room
from quantcloud.storage.jobs.rows.documents import Input, PackedResult
from quantcloud.storage.jobs.writing.idempotency import IdempotencyKey
from quantcloud.storage.jobs.writing.writes import MAX_LOSSES
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
