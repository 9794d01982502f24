"""SQLAlchemy Core straight on sqlite3: statements are compiled once and run with no more between.

SQLAlchemy's own execution takes several times as long as SQLite takes for a statement of the store.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import ClauseElement, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler

from quantcloud.storage.database import AnyRow, Parameters

_DIALECT = sqlite.dialect(paramstyle="qmark")

_REQUIRED = object()


class PreparedRows(list[AnyRow]):
    """All rows of a statement, as tuples with names."""

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
    """One statement: its SQL, and how values go in and come out."""

    __slots__ = ("_inward", "_outward", "_row", "sql")

    def __init__(self, statement: Executable, keys: Sequence[str]) -> None:
        # Not every `Executable` can be compiled; every statement of the store can.
        clause = cast("ClauseElement", statement)
        compiled = cast("SQLCompiler", clause.compile(dialect=_DIALECT, column_keys=[*keys]))
        self.sql = str(compiled)
        own = compiled.params
        self._inward = [
            # What the statement itself says, such as a LIMIT, stands unless it is given.
            (
                name,
                compiled.binds[name].type.bind_processor(_DIALECT),
                _REQUIRED if compiled.binds[name].required else own[name],
            )
            for name in compiled.positiontup or ()
        ]
        columns = _columns(statement)
        processors = [(each.type.result_processor(_DIALECT, None)) for each in columns]
        self._outward = [(place, each) for place, each in enumerate(processors) if each]
        self._row = _row_type([each.key for each in columns]) if columns else None

    def values(self, parameters: dict[str, Any]) -> list[Any]:
        values: list[Any] = []
        for name, process, default in self._inward:
            value = parameters.get(name, default)
            if value is _REQUIRED:
                raise KeyError(name)
            values.append(value if process is None else process(value))
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


def _columns(statement: Executable) -> Sequence[Any]:
    for attribute in ("selected_columns", "exported_columns"):
        columns = getattr(statement, attribute, None)
        if isinstance(columns, ReadOnlyColumnCollection):
            return [*cast("ReadOnlyColumnCollection[str, Any]", columns)]
    return ()


def _row_type(names: Sequence[str]) -> Callable[[Iterable[Any]], AnyRow]:
    # The names come at run time.
    made: Any = namedtuple("Row", names, rename=True)  # noqa: PYI024  # pyright: ignore[reportUntypedNamedTuple]
    return made._make


class PreparedConnection:
    """A sqlite3 connection that takes statements of SQLAlchemy Core.

    `begin_with` begins its transactions. What sqlite3 raises is raised as SQLAlchemy's errors are.
    """

    def __init__(self, driver_connection: sqlite3.Connection, begin_with: str) -> None:
        self.driver_connection = driver_connection
        self._begin_with = begin_with
        self._cursor = driver_connection.cursor()
        self._prepared: dict[Any, _Prepared] = {}

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> PreparedRows:
        """Run `statement`, with a list of parameters once for each; a value for each bind name."""
        many = isinstance(parameters, list)
        first: dict[str, Any] = (parameters[0] if many else parameters) or {}
        # An INSERT has the columns that its parameters name.
        key = (statement, *first) if getattr(statement, "is_insert", False) else statement
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = _Prepared(statement, [*first])
        if many:
            rows = [prepared.values(each) for each in parameters]
            with _translated(prepared.sql):
                return PreparedRows((), self._cursor.executemany(prepared.sql, rows).rowcount)
        with _translated(prepared.sql):
            cursor = self._cursor.execute(prepared.sql, prepared.values(first))
            return PreparedRows(prepared.rows(cursor), cursor.rowcount)

    def exec_driver_sql(self, sql: str) -> PreparedRows:
        """Run SQL as it stands."""
        with _translated(sql):
            cursor = self._cursor.execute(sql)
            found = cursor.fetchall()
            make = _row_type([name for name, *_ in cursor.description or ()])
            return PreparedRows(map(make, found), cursor.rowcount)

    @contextmanager
    def begin(self) -> Generator[None]:
        """A transaction: committed at the end of the block, undone when it raises."""
        self._command(self._begin_with)
        try:
            yield
            self._command("COMMIT")
        except BaseException:
            # SQLite ends some transactions by itself: when the disk is full, say.
            if self.driver_connection.in_transaction:
                self._command("ROLLBACK")
            raise

    @contextmanager
    def begin_nested(self) -> Generator[None]:
        """A part of a transaction that can be undone by itself."""
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
        with _translated(sql):
            self._cursor.execute(sql)


@contextmanager
def _translated(sql: str) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, None, error, sqlite3.Error, dialect=_DIALECT, hide_parameters=True
        ) from error
