"""Which errors are failures of the database, and what callers get."""

import errno
import logging
import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError, StatementError

from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.storage.database.errors import Failure, failure_of
from quantcloud.storage.database.faults import Faults

FILE = "/a folder/store.db"


def of_postgres(state: str) -> DBAPIError:
    """Return SQLAlchemy's error for an error of PostgreSQL's driver."""
    error = Exception("what PostgreSQL says")
    error.sqlstate = state  # type: ignore[attr-defined]
    return DBAPIError("SELECT 1", {}, error)


def of_sqlite(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> Exception:
    error = kind("what SQLite says")
    error.sqlite_errorcode = code
    return DBAPIError.instance("SELECT 1", {}, error, sqlite3.Error)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(), Failure.AWAY),
        (TimeoutError(), Failure.AWAY),
        # The connection was lost, and a new one was refused.
        (StatementError("refused", "SELECT 1", {}, ConnectionRefusedError()), Failure.AWAY),
        (of_postgres("57P01"), Failure.AWAY),
        (of_sqlite(sqlite3.SQLITE_BUSY), Failure.AWAY),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), Failure.AWAY),
        (of_postgres("53100"), Failure.FULL),
        (of_sqlite(sqlite3.SQLITE_FULL), Failure.FULL),
        (OSError(errno.ENOSPC, "No space left on device"), Failure.FULL),
        (of_postgres("58030"), Failure.IO_ERROR),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), Failure.IO_ERROR),
        (of_postgres("XX001"), Failure.DAMAGED),
        (of_postgres("XX002"), Failure.DAMAGED),
        (of_sqlite(sqlite3.SQLITE_CORRUPT_INDEX, sqlite3.DatabaseError), Failure.DAMAGED),
        (of_sqlite(sqlite3.SQLITE_NOTADB, sqlite3.DatabaseError), Failure.DAMAGED),
        # The disk cannot read a page back.
        (of_sqlite(sqlite3.SQLITE_IOERR | 33 << 8), Failure.DAMAGED),
    ],
)
def test_a_failure_of_the_database_is_translated(error, failure):
    assert failure_of(error) is failure
    translated = Faults(FILE).translate(error)
    assert isinstance(translated, Damaged if failure is Failure.DAMAGED else Unavailable)
    assert translated.reason == failure.value
    assert translated.__cause__ is error
    (note,) = translated.__notes__
    assert note.startswith(f"{FILE}: ")
    # Callers see the message, so it must not name the file or quote the driver.
    assert FILE not in translated.message
    assert "says" not in translated.message


def test_invalid_utf8_in_a_page_is_damage(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()
    connection.close()
    error = DBAPIError.instance("SELECT 1", {}, caught.value, sqlite3.Error)
    assert failure_of(error) is Failure.DAMAGED


@pytest.mark.parametrize(
    "error",
    [
        ValueError("an error of the server"),
        StatementError("no value for a parameter", "SELECT :a", {}, KeyError("a")),
        InterfaceError("SELECT 1", {}, Exception("a value of a type that is not supported")),
        of_sqlite(sqlite3.SQLITE_ERROR),
        of_postgres("XX000"),
    ],
)
def test_other_errors_are_not_translated(error):
    assert failure_of(error) is None
    assert Faults(FILE).translate(error) is error


def test_a_lasting_failure_is_logged_once(caplog):
    faults = Faults(FILE)
    full, damaged = of_sqlite(sqlite3.SQLITE_FULL), of_postgres("XX001")
    faults.translate(full)
    assert not caplog.records
    faults.logged = True
    for _ in range(100):
        faults.translate(full)
    faults.translate(damaged)
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    for record, cause in zip(
        caplog.records, ("what SQLite says", "what PostgreSQL says"), strict=True
    ):
        assert cause in record.getMessage()
        assert FILE in record.getMessage()


def test_a_new_cause_of_a_lasting_failure_is_logged_at_once(caplog):
    faults = Faults(FILE)
    faults.logged = True
    for cause in ("connection refused", "too many clients", "connection refused"):
        faults.translate(ConnectionRefusedError(cause))
    first, second = (record.getMessage() for record in caplog.records)
    assert "connection refused" in first
    assert "too many clients" in second
