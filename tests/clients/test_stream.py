"""Watches that reconnect and resume."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from quantcloud.cli import stream
from quantcloud.cli.failure import Failure
from thequantcloud.v1 import job_pb2


class Broken(grpc.RpcError, grpc.Call):
    """The error of a broken stream."""

    def __init__(self, code, details, trailers=()):
        self._code, self._details, self._trailers = code, details, trailers

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._trailers

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
        # Envoy resets a stream like this if its server died.
        Broken(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
def test_a_broken_stream_is_resumed(monkeypatch, broken):
    monkeypatch.setattr(stream, "_FIRST_PAUSE", 0.0)
    events = stream._resumed(parts([1, 2, broken], [3]))
    assert [event.sequence for event in events] == [1, 2, 3]


def test_the_server_says_how_long_to_wait(monkeypatch):
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromSeconds(3)
    status = status_pb2.Status(code=14)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="BUSY"))
    status.details.add().Pack(retry)
    trailers = (("date", "now"), ("grpc-status-details-bin", status.SerializeToString()))
    broken = Broken(grpc.StatusCode.UNAVAILABLE, "busy", trailers)
    pauses = []
    monkeypatch.setattr(stream.time, "sleep", pauses.append)
    assert len([*stream._resumed(parts([1, broken], [2]))]) == 2
    assert pauses == [3.0]


def test_an_error_of_the_server_is_raised(monkeypatch):
    broken = Broken(grpc.StatusCode.INTERNAL, "internal error; request id 1")
    with pytest.raises(Failure, match="request id 1"):
        list(stream._resumed(parts([1, broken], [2])))
