"""What an error of the client shows, and how it comes back from another process."""

import copy
import pickle
import traceback

import pytest

from quantcloud import Client
from quantcloud.client import InvalidRequest, JobCancelled, QuantCloudError, WaitTimeout


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("wrong", reason="R", field="shots", hint="ask less", metadata={"line": "3"}),
        JobCancelled("id", "cancelled", "by you", "R"),
        WaitTimeout("id", 2),
    ],
)
def test_an_error_can_be_pickled_and_copied(error: QuantCloudError):
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # our own
        assert type(again) is type(error)
        assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_traceback_says_what_to_do():
    lines = traceback.format_exception_only(InvalidRequest("wrong", hint="ask for less"))
    assert lines[-1] == "ask for less\n"


def test_a_client_that_is_pickled_says_what_to_do():
    with pytest.raises(TypeError, match="make a client in each process"):
        pickle.dumps(Client(token="x"))
