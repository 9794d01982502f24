"""The caller of a call."""

import gc
from typing import Any, cast

from quantcloud.api.context import Caller, headers_of

SECRET = "Bearer a-secret"
METADATA = (
    ("authorization", SECRET),
    ("idempotency-key", "first"),
    ("idempotency-key", "first"),
    ("idempotency-key", "second"),
    ("last-event-id", "7"),
    ("trace-bin", b"\x00"),
    ("x-envoy-original-path", "/v1/jobs"),
)


class Call:
    """The context of a call with headers."""

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple((name, value) for name, value in METADATA)


def test_a_caller_has_what_its_headers_say_and_holds_no_headers():
    context = cast("Any", Call())
    caller = Caller(context)
    headers = headers_of(context)
    assert headers["authorization"] == SECRET
    assert "trace-bin" not in headers
    caller.read(headers)
    assert caller.idempotency_keys == {"first", "second"}
    assert caller.last_event_id == "7"
    assert (caller.over_rest, caller.only_headers) == (True, False)
    held = gc.get_referents(caller)
    assert headers not in held
    assert SECRET not in held
    # gRPC still has them.
    assert headers_of(context) == headers


def test_a_caller_without_headers_gives_nothing():
    caller = Caller(cast("Any", Call()))
    caller.read({})
    assert not caller.idempotency_keys
    assert caller.last_event_id is None
    assert (caller.over_rest, caller.only_headers) == (False, False)
