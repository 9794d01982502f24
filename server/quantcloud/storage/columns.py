"""Column types that hold the same values in SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite gives out row ids only to a column whose type is exactly INTEGER; there it holds 64 bits.
Cursor = BigInteger().with_variant(Integer(), "sqlite")


class UtcDatetime(TypeDecorator[datetime]):
    """An aware datetime as microseconds since 1970 in UTC: exact, and its integers sort by time."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class JsonText(TypeDecorator[dict[str, Any]]):
    """A JSON object as text, since nothing is ever searched for inside it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        del dialect
        if value is None:
            return None
        return json.dumps(dict(value), separators=(",", ":")) if value else "{}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        del dialect
        if value is None:
            return None
        return {} if value == "{}" else json.loads(value)
