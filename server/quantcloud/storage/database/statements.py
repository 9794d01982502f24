"""Runs statements of SQLAlchemy Core directly on sqlite3; each is compiled once.

For the store's statements, SQLAlchemy's own execution takes several times as long as SQLite does.
"""

import sqlite3
import time
from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import ClauseElement, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler

from quantcloud.storage.database.errors import PRIMARY_CODE
from quantcloud.storage.database.interface import AnyRow, Parameters

_DIALECT = sqlite.dialect(paramstyle="qmark")


class PreparedRows(list[AnyRow]):
    """All rows of a statement, as named tuples."""

    __slots__ = ("rowcount",)

    def __init__(self, rows: Iterable[AnyRow], rowcount: int) -> None:
        super().__init__(rows)
        self.rowcount = rowcount

    def all(self) -> Sequence[AnyRow]:
        return self

    def one(self) -> AnyRow:
        if len(self) != 1:
            raise MultipleResultsFound if self else NoResultFound
        return self[0]

    def one_or_none(self) -> AnyRow | None:
        return self.one() if self else None

    def scalars(self) -> Iterable[Any]:
        return [row[0] for row in self]

    def scalar_one(self) -> Any:
        return self.one()[0]


class _Prepared:
    """One statement: its SQL, and the conversion of its parameters and rows."""

    __slots__ = ("_inward", "_names", "_outward", "_own", "_row", "_take", "sql")

    def __init__(self, statement: Executable, keys: Sequence[str]) -> None:
        # Not every `Executable` can be compiled; every statement of the store can.
        clause = cast("ClauseElement", statement)
        compiled = cast("SQLCompiler", clause.compile(dialect=_DIALECT, column_keys=[*keys]))
        self.sql = str(compiled)
        self._names = compiled.positiontup or ()
        # With a single name, `itemgetter` would not return a tuple.
        self._take = itemgetter(*self._names) if len(self._names) > 1 else None
        binds = [compiled.binds[name] for name in self._names]
        # Values in the statement itself, such as a LIMIT; parameters override them.
        self._own = {
            name: bind.value
            for name, bind in zip(self._names, binds, strict=True)
            if not bind.required
        }
        self._inward = _processors(bind.type.bind_processor(_DIALECT) for bind in binds)
        # The columns of a SELECT or a RETURNING; a text has none.
        columns: list[Any] = [*getattr(statement, "exported_columns", ())]
        self._outward = _processors(each.type.result_processor(_DIALECT, None) for each in columns)
        self._row = _row_type([each.key for each in columns]) if columns else None

    def values(self, parameters: dict[str, Any]) -> list[Any]:
        if self._own:
            parameters = {**self._own, **parameters}
        take = self._take
        values = [*take(parameters)] if take else [parameters[name] for name in self._names]
        for place, process in self._inward:
            values[place] = process(values[place])
        return values

    def rows(self, cursor: sqlite3.Cursor) -> list[AnyRow]:
        found = cursor.fetchall()
        if not found:
            return found
        make = self._row or _row_type([name for name, *_ in cursor.description])
        if not self._outward:
            return [*map(make, found)]
        made: list[AnyRow] = []
        for row in found:
            values = list(row)
            for place, process in self._outward:
                values[place] = process(values[place])
            made.append(make(values))
        return made


def _processors(each: Iterable[Any]) -> Sequence[tuple[int, Callable[[Any], Any]]]:
    """Return the processors that are not None, with their places."""
    return [(place, processor) for place, processor in enumerate(each) if processor is not None]


def _row_type(names: Sequence[str]) -> Callable[[Iterable[Any]], AnyRow]:
    # The names are known only at run time.
    made: Any = namedtuple("Row", names, rename=True)  # noqa: PYI024  # pyright: ignore[reportUntypedNamedTuple]
    return made._make


class PreparedConnection:
    """A sqlite3 connection that runs statements of SQLAlchemy Core.

    `begin_with` is the SQL that begins a transaction. Errors of sqlite3 are raised as SQLAlchemy's.
    """

    def __init__(self, driver_connection: sqlite3.Connection, begin_with: str) -> None:
        self.driver_connection = driver_connection
        self._begin_with = begin_with
        self._cursor = driver_connection.cursor()
        self._prepared: dict[Any, _Prepared] = {}
        # While `busy_timeout` is 0: the value to restore, in milliseconds.
        self._busy_timeout: int | None = None

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> PreparedRows:
        """Run `statement` with values by bind name; with a list of these, once for each."""
        many = isinstance(parameters, list)
        first: dict[str, Any] = (parameters[0] if many else parameters) or {}
        # The parameters' names decide which columns an INSERT has.
        key = (statement, *first) if getattr(statement, "is_insert", False) else statement
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = _Prepared(statement, [*first])
        try:
            if many:
                rows = [prepared.values(each) for each in parameters]
                return PreparedRows((), self._cursor.executemany(prepared.sql, rows).rowcount)
            cursor = self._cursor.execute(prepared.sql, prepared.values(first))
            return PreparedRows(prepared.rows(cursor), cursor.rowcount)
        except sqlite3.Error as error:
            raise _as_raised_by_sqlalchemy(error, prepared.sql) from error

    @contextmanager
    def begin(self) -> Generator[None]:
        """Begin a transaction; commit it at the end of the block, or undo it on an error."""
        self.begin_waiting()
        try:
            yield
            self.commit()
        except BaseException:
            self.undo()
            raise

    def begin_waiting(self) -> None:
        """Begin a transaction; first wait until another process has ended its own."""
        if self._busy_timeout is not None:
            self._cursor.execute(f"PRAGMA busy_timeout={self._busy_timeout}")
            self._busy_timeout = None
        self._command(self._begin_with)

    def try_begin(self) -> bool:
        """Begin a transaction unless another process has one; return whether it began."""
        if self._busy_timeout is None:
            # This stays in force: within a transaction there is no lock to wait for.
            (self._busy_timeout,) = self._cursor.execute("PRAGMA busy_timeout").fetchone()
            self._cursor.execute("PRAGMA busy_timeout=0")
        try:
            self._cursor.execute(self._begin_with)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY:
                raise _as_raised_by_sqlalchemy(error, self._begin_with) from error
            return False
        return True

    def commit(self) -> float:
        """Commit the transaction; return how many seconds that took."""
        began = time.perf_counter()
        self._command("COMMIT")
        return time.perf_counter() - began

    def undo(self) -> None:
        # SQLite ends some transactions itself, for example when the disk is full.
        if self.driver_connection.in_transaction:
            self._command("ROLLBACK")

    @contextmanager
    def begin_nested(self) -> Generator[None]:
        """Run the block in a savepoint; undo only the block on an error."""
        self._command("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            if self.driver_connection.in_transaction:
                self._command("ROLLBACK TO nested")
                self._command("RELEASE nested")
            raise
        self._command("RELEASE nested")

    def _command(self, sql: str) -> None:
        try:
            self._cursor.execute(sql)
        except sqlite3.Error as error:
            raise _as_raised_by_sqlalchemy(error, sql) from error


def _as_raised_by_sqlalchemy(error: sqlite3.Error, sql: str) -> BaseException:
    return DBAPIError.instance(
        sql, None, error, sqlite3.Error, dialect=_DIALECT, hide_parameters=True
    )
