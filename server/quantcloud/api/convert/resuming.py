"""Where a watch resumes: as the request says, or after the last event that an `EventSource` saw."""

import re
from typing import Final

from quantcloud.api.convert.values import given
from quantcloud.domain.errors import InvalidArgument
from thequantcloud.v1 import job_pb2

_LARGEST_SEQUENCE: Final = 2**31 - 1
_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def after_sequence(request: job_pb2.WatchJobRequest, last_event_id: str | None) -> int | None:
    """Return the sequence to resume after. Raises `InvalidArgument` if the header has none."""
    if not last_event_id:
        return given(request, "after_sequence")
    if not _NUMBER.fullmatch(last_event_id) or int(last_event_id) > _LARGEST_SEQUENCE:
        raise InvalidArgument(
            "Last-Event-ID", "must be the id of an event of this job, which is its sequence"
        )
    return int(last_event_id)


def after_cursor(request: job_pb2.WatchJobsRequest, last_event_id: str | None) -> str | None:
    """Return the cursor to resume after."""
    return last_event_id or given(request, "after_cursor")
