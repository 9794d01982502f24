"""Column types that hold the same values in SQLite and PostgreSQL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator

from quantcloud.storage.database.codec import compact_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite assigns row ids only to a column of exactly the type INTEGER, which holds 64 bits there.
Cursor = BigInteger().with_variant(Integer(), "sqlite")


class UtcDatetime(TypeDecorator[datetime]):
    """An aware datetime as microseconds since 1970 in UTC: exact, and sorts by time."""

    impl = BigInteger
    cache_ok = True

    # Returned without the wrapper of `TypeDecorator`, which would take longer than the functions.
    def bind_processor(self, dialect: Dialect) -> Any:
        del dialect
        return microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        del dialect, coltype
        return moment


class JsonObject(Mapping[str, Any]):
    """A JSON object that is decoded and encoded lazily, at most once each."""

    __slots__ = ("_text", "_values")

    def __init__(self, values: Mapping[str, Any] | None = None, *, text: str | None = None) -> None:
        self._values = values
        self._text = text

    @property
    def text(self) -> str:
        """The object as JSON without spaces."""
        if self._text is None:
            values = self._values
            self._text = compact_json(dict(values)) if values else "{}"
        return self._text

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return 0 if self._text == "{}" else len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

    def _read(self) -> Mapping[str, Any]:
        values = self._values
        if values is None:
            values = self._values = json.loads(self._text or "{}")
        return values


class JsonText(TypeDecorator[JsonObject]):
    """A JSON object as text, because no query looks inside it."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        del dialect
        return json_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        del dialect, coltype
        return _json_object


@overload
def microseconds(value: datetime) -> int: ...
@overload
def microseconds(value: None) -> None: ...
def microseconds(value: datetime | None) -> int | None:
    """Return the microseconds from 1970 in UTC to `value`, an aware datetime."""
    return None if value is None else (value - _EPOCH) // _MICROSECOND


@overload
def moment(value: int) -> datetime: ...
@overload
def moment(value: None) -> None: ...
def moment(value: int | None) -> datetime | None:
    """Undo `microseconds`."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def json_text(value: Mapping[str, Any] | None) -> str | None:
    """Encode an object as JSON without spaces."""
    if value is None:
        return None
    return value.text if isinstance(value, JsonObject) else JsonObject(value).text


def rows_as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Encode rows for PostgreSQL's `json_populate_recordset`, each value as its column holds it."""
    return _rows_as_json(rows)


def _as_stored(value: object) -> str | int | None:
    """Return a value that JSON does not know, in the text form of its column."""
    if isinstance(value, JsonObject):
        return value.text
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, datetime):
        return microseconds(value)
    raise TypeError(f"no column holds {type(value).__name__}")


# An object becomes its own JSON in a column of text.
_rows_as_json = json.JSONEncoder(separators=(",", ":"), default=_as_stored).encode


def _json_object(value: str | None) -> JsonObject | None:
    return None if value is None else JsonObject(text=value)
