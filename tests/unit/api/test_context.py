"""The caller of a call."""

from typing import Any, cast

from quantcloud.api.context import Caller


class Counted:
    """A context that counts how often gRPC decodes the headers."""

    decoded = 0

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        self.decoded += 1
        return ("authorization", "Bearer x"), ("trace-bin", b"\x00")


def test_the_headers_are_decoded_once():
    context = Counted()
    caller = Caller(cast("Any", context))
    assert [caller.headers for _ in range(3)] == [{"authorization": "Bearer x"}] * 3
    assert context.decoded == 1


def test_freed_headers_are_decoded_again_only_if_one_is_needed():
    context = Counted()
    caller = Caller(cast("Any", context))
    caller.free_headers({"authorization"})
    assert caller.headers == {"authorization": "Bearer x"}
    assert context.decoded == 2
    caller.free_headers({"peer"})
    assert caller.headers == {}
    assert context.decoded == 2
