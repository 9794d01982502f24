"""Which failures of a database pass, and which are its callers' or its own."""

import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError, StatementError

from quantcloud.domain.errors import Unavailable
from quantcloud.storage.errors import is_passing, translate


class Gone(Exception):
    """What a driver of PostgreSQL raises when an administrator ends its connection."""

    sqlstate = "57P01"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        # A connection that was lost, and the server was not there for another.
        StatementError("refused", "SELECT 1", {}, ConnectionRefusedError()),
        DBAPIError("SELECT 1", {}, Gone()),
    ],
)
def test_what_passes_is_told_as_unavailable(error):
    assert is_passing(error)
    told = translate(error)
    assert isinstance(told, Unavailable)
    assert told.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a fault of ours"),
        StatementError("no value for a parameter", "SELECT :a", {}, KeyError("a")),
        InterfaceError("SELECT 1", {}, Exception("a value of a type that is not supported")),
    ],
)
def test_what_does_not_pass_stays_what_it_is(error):
    assert not is_passing(error)
    assert translate(error) is error
