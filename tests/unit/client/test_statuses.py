"""The typed errors of statuses."""

import pytest
from google.rpc import error_details_pb2, status_pb2

from quantcloud.client.network.statuses import from_status


@pytest.mark.parametrize(
    ("reason", "message", "hint"),
    [
        ("DISK_FULL", "the disk is full; try again later", ""),
        ("STORE_UNAVAILABLE", "it does not answer; try again", "Resume a watch at its last event."),
        ("STORE_GONE", "the file was removed", "Try again. Another server may answer."),
        ("RATE_LIMITED", "the limit is 30 a minute; try again in 9 s", ""),
        ("QUOTA_EXCEEDED", "shots: 11 requested, the tier allows 10", ""),
        ("INVALID_ARGUMENT", "shots: must be 1 or more", ""),
        ("JOB_NOT_FOUND", "job 'x' not found", "List your jobs to find its id."),
        ("A_NEWER_REASON", "something else", ""),
        ("", "", ""),
    ],
)
def test_a_hint_does_not_repeat_the_message(reason: str, message: str, hint: str):
    status = status_pb2.Status(code=14, message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    assert from_status(status).hint == hint
