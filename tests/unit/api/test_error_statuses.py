"""The documented status of a reason is the one that the server sends."""

import json
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from quantcloud.api.errors import refuse
from quantcloud.domain import errors
from thequantcloud.v1.error_reason_pb2 import ErrorReason

DOCUMENT = Path(__file__).parents[3] / "gen" / "thequantcloud" / "openapi.json"
REASONS = json.loads(DOCUMENT.read_text())["x-error-reasons"]
CODES = {each["name"]: each["code"] for each in REASONS}
REFUSED = [
    errors.InvalidArgument("qasm", "is wrong"),
    errors.CircuitError("is wrong", 1, 1),
    errors.Unauthenticated("who?", reason="TOKEN_EXPIRED"),
    errors.PermissionDenied("no"),
    errors.QuotaExceeded("shots", "too many", subject="ada", maximum=1, requested=2),
    errors.NotFound("job", "x"),
    errors.TooManyStreams("watches", 1),
    errors.Unavailable("not now"),
]


def test_every_reason_is_documented_with_a_cause_and_a_remedy():
    assert {*CODES, "UNSPECIFIED"} == set(ErrorReason.Name.keys())
    assert all(each["cause"].endswith(".") and each["remedy"].endswith(".") for each in REASONS)
    assert all(each["code"] in grpc.StatusCode.__members__ for each in REASONS)


@pytest.mark.parametrize("error", REFUSED, ids=lambda error: error.reason)
def test_a_reason_has_its_documented_code(error: errors.DomainError):
    assert refuse(error).code.name == CODES[error.reason]


def test_clients_that_are_refused_together_do_not_come_back_together():
    waits: set[float] = set()
    for _ in range(50):
        refusal = refuse(errors.Unavailable("not now", retry_after=timedelta(seconds=4)))
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in refusal.status.details)
        waits.add(retry.retry_delay.ToTimedelta().total_seconds())
        assert ("retry-after", "4") in refusal.metadata
    assert len(waits) > 40
    assert 4 <= min(waits) < max(waits) <= 6
