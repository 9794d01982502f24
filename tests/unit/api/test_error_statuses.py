"""The documented status of a reason is the one that the server sends."""

import json
from pathlib import Path

import grpc
import pytest

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
