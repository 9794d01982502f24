"""Watches that resume by themselves."""

import grpc
import pytest

from quantcloud.cli import stream
from quantcloud.cli.failure import Failure
from thequantcloud.v1 import job_pb2


class Broken(grpc.RpcError, grpc.Call):
    """The end of a stream that broke off."""

    def __init__(self, code, details):
        self._code, self._details = code, details

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return ()

    def add_callback(self, callback):
        raise NotImplementedError

    def cancel(self):
        raise NotImplementedError

    def initial_metadata(self):
        return ()

    def is_active(self):
        return False

    def time_remaining(self):
        return None


def parts(*given):
    """A `connect` that opens one given stream after another."""
    streams = iter(given)

    def connect():
        for part in next(streams):
            if isinstance(part, Exception):
                raise part
            yield job_pb2.JobEvent(sequence=part)

    return connect


@pytest.mark.parametrize(
    "broken",
    [
        Broken(grpc.StatusCode.UNAVAILABLE, "Socket closed"),
        # What Envoy does to a stream whose server died.
        Broken(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
def test_a_stream_that_broke_is_taken_up_again(monkeypatch, broken):
    monkeypatch.setattr(stream, "_FIRST_PAUSE", 0.0)
    events = stream._resumed(parts([1, 2, broken], [3]))
    assert [event.sequence for event in events] == [1, 2, 3]


def test_an_error_of_the_servers_is_told(monkeypatch):
    broken = Broken(grpc.StatusCode.INTERNAL, "internal error; request id 1")
    with pytest.raises(Failure, match="request id 1"):
        list(stream._resumed(parts([1, broken], [2])))
