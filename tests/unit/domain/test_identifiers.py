import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.identifiers import time_ordered_id
from quantcloud.storage.database.queries import identifier

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.timedeltas(timedelta(0), timedelta(days=365_000)).map(lambda since: EPOCH + since)


@given(TIMES)
def test_an_id_is_a_uuid_that_contains_its_millisecond(at: datetime):
    made = time_ordered_id(at)
    read = uuid.UUID(made)
    assert str(read) == made == identifier("job", made)
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)


@given(TIMES, st.timedeltas(timedelta(milliseconds=1), timedelta(days=999)))
def test_a_later_id_sorts_later(at: datetime, pause: timedelta):
    assert time_ordered_id(at) < time_ordered_id(at + pause)


def test_ids_are_unique():
    assert len({time_ordered_id(EPOCH) for _ in range(10_000)}) == 10_000
