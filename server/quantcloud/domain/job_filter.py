"""Selects jobs of an account for a listing."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from quantcloud.domain.job import JobStatus
from quantcloud.domain.value_object import value_object


@value_object
class JobFilter:
    """Selects the jobs that meet all given conditions.

    They were submitted at `submitted_after` or later, and before `submitted_before`.
    """

    statuses: AbstractSet[JobStatus] = frozenset()
    backend: str | None = None
    tag: str | None = None
    name_prefix: str | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None

    @property
    def has_index(self) -> bool:
        """Whether one index has exactly the selected jobs, in the order of the listing."""
        by_index = (self.tag is not None) + len(self.statuses)
        return by_index <= 1 and self.backend is None and self.name_prefix is None


ALL_JOBS = JobFilter()
