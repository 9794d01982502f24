"""What answers over REST have in common: those with an error, and jobs."""

import re

from support.api import error_json

UNSET_JOB = {
    "job_id": "",
    "status": "unspecified",
    "backend": None,
    "shots": 0,
    "optimize_for": "unspecified",
    "submitted_at": None,
    "started_at": None,
    "completed_at": None,
    "error_message": None,
    "metadata": None,
    "batch_id": None,
    "name": None,
    "tags": [],
    "estimated_start_at": None,
    "wait_reason": None,
}
"""The JSON of a job with no field set."""


def check(answer, status):
    """Check what all errors have in common, and return the detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert not [name for name in answer.headers if name.startswith("grpc")]
    detail = answer.json()["detail"]
    assert list(answer.json().items())[:2] == list(error_json(detail).items())
    return detail


def invalid(detail, field, description):
    """Return the body of an INVALID_ARGUMENT, as the transcoder prints the server's."""
    prefix = "type.googleapis.com/google.rpc."
    violation = {"field": field, "description": description, "reason": "INVALID_ARGUMENT"}
    info = {"reason": "INVALID_ARGUMENT", "domain": "thequantcloud.com", "metadata": {}}
    return {
        **error_json(detail),
        "details": [
            {"@type": f"{prefix}ErrorInfo", **info},
            {"@type": f"{prefix}BadRequest", "field_violations": [violation]},
        ],
    }
