"""Events that are written together share one row and are read back unchanged."""

import json
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.job import TERMINAL, TRANSITIONS, Change, Job, JobEvent, JobStatus
from quantcloud.storage.database.columns import JsonObject
from quantcloud.storage.jobs.rows.columns import FIXED, options_to_json, tags_to_json
from quantcloud.storage.jobs.rows.event_rows import events_of, last_event_of, row_of
from unit.storage.builders import at, new_job

texts = st.none() | st.text(min_size=1, max_size=5)
objects = st.dictionaries(
    st.sampled_from("abc"),
    st.integers() | st.booleans() | st.dictionaries(st.sampled_from("de"), st.integers()),
    max_size=2,
)


@st.composite
def lives(draw) -> list[Job]:
    """Draw a job at its submission and after each of some changes that are allowed."""
    metadata = JsonObject(draw(st.sampled_from([{}, {"num_qubits": 2}])))
    job = new_job(metadata=metadata)
    steps = [job]
    for _ in range(draw(st.integers(0, 12))):
        if job.status in TERMINAL:
            break
        metadata = draw(st.none() | objects)
        if metadata is not None and draw(st.booleans()):
            metadata = _merged(job.metadata, metadata)
        change = Change(
            draw(st.sampled_from(sorted(TRANSITIONS[job.status]))),
            at(draw(st.integers(-9, 9)) / 7),
            backend=draw(texts),
            method=draw(texts),
            error_message=draw(texts),
            metadata=None if metadata is None else JsonObject(metadata),
        )
        job = job.advance(change)
        steps.append(job)
    return steps


def _merged(present, added):
    """Add names to a job's metadata, as the end of a run does."""
    merged = {**present, **added}
    for name, value in added.items():
        if isinstance(value, dict) and isinstance(present.get(name), dict):
            merged[name] = {**present[name], **value}
    return merged


@given(lives(), st.integers(0, 12), st.integers(1, 1 << 40), st.sets(st.sampled_from(JobStatus)))
def test_events_of_one_row_are_read_back_unchanged(life, first, cursor, statuses):
    steps = life[min(first, len(life) - 1) :]
    last = steps[-1]
    written = row_of(steps, cursor, metadata_sequence=last.sequence)
    assert (written["metadata"] is None) is last.status.is_terminal
    fixed = {name: getattr(last, name) for name in FIXED}
    fixed["options"] = options_to_json(last.options)
    fixed["tags"] = tags_to_json(last.tags)
    # If the row has no metadata, the query takes it from the job.
    row = SimpleNamespace(**{**fixed, **written, "metadata": last.metadata})
    events = [
        JobEvent(job.sequence, cursor - last.sequence + job.sequence, job.changed_at, job)
        for job in steps
    ]
    assert [*events_of([row])] == events
    assert last_event_of(row) == events[-1]
    wanted = [event for event in events if not statuses or event.job.status in statuses]
    assert [*events_of([row, row], statuses)] == wanted * 2


def test_metadata_that_only_grew_is_stored_once():
    routing = JsonObject({"routing": {"backend": "local_simulator"}, "a": 1})
    grown = {**routing, "routing": {**routing["routing"], "actual_seconds": 0.5}}
    first = new_job(metadata={})
    steps = [first]
    for change in (
        Change(JobStatus.ANALYZING, at(1), metadata=routing),
        Change(JobStatus.CANCELLED, at(2), metadata=JsonObject(grown)),
    ):
        steps.append(steps[-1].advance(change))
    row = row_of(steps, 3, metadata_sequence=3)
    assert [values[-1] for values in json.loads(row["earlier"])] == [
        {"routing": None, "a": None},
        {"routing": {"actual_seconds": None}},
    ]


def test_a_single_event_has_no_earlier_events():
    job = new_job()
    row = row_of([job], 7, metadata_sequence=1)
    assert (row["cursor"], row["earlier"]) == (7, None)
