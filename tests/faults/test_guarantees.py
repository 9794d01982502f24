"""The checker finds the guarantee that each doctored history breaks, and names it."""

import copy
from dataclasses import replace

import pytest

from support.chaos.guarantees import violations
from support.chaos.history import (
    Answer,
    Cancel,
    Event,
    Expected,
    Final,
    History,
    Kill,
    Submission,
    Usage,
    View,
)

OK, AWAY = Answer("OK"), Answer("UNAVAILABLE", "try again")
BELL = Expected(frozenset({"00", "11"}), 10)
COUNTS = {"00": 4, "11": 6}
BEGINNING = ("submitted", "analyzing", "routing", "queued", "dispatched", "running")


def story(job: str, *statuses: str, reason: str = "") -> tuple[Event, ...]:
    """Return one event per second, starting at second 100."""
    return tuple(
        Event(job, number, status, 99.0 + number,
              reason if status == "failed" else "", COUNTS if status == "completed" else None)
        for number, status in enumerate(statuses, 1)
    )  # fmt: skip


def sound() -> History:
    """Job `a` lost a run to a kill and completed, `b` was cancelled as it ran, `c` was given up."""
    logs = {
        "a": story("a", *BEGINNING, "queued", "dispatched", "running", "completed"),
        "b": story("b", *BEGINNING, "cancelled"),
        "c": story("c", *BEGINNING, "queued", "dispatched", "running", "failed",
                   reason="WORKER_LOST"),
    }  # fmt: skip
    finals = {
        job: Final(job, log[-1].status, log, log[-1].counts, 2.0 if job == "a" else 0.0)
        for job, log in logs.items()
    }
    return History(
        submissions=[
            Submission("key a", BELL, 99, 100, AWAY),
            *(Submission(f"key {job}", BELL, 100, 101, OK, job) for job in logs),
        ],
        cancels=[Cancel("b", 105, 106, AWAY), Cancel("b", 105, 106, OK)],
        views=[
            View("one", "a", 0, list(logs["a"][:3]), AWAY),
            View("one", "a", 3, list(logs["a"][3:5])),
            View("one", "a", 5, list(logs["a"][5:]), OK),
            View("all", "", 0, [*logs["a"], *logs["b"]], AWAY),
            View("all", "", 17, list(logs["c"])),
        ],
        kills=[Kill("worker", 105.5, costs_runs=True), Kill("server", 108.5, costs_runs=True)],
        finals=finals,
        listed=list(logs),
        usage=Usage(3, 3.0),
    )


def test_a_sound_history_has_no_violations():
    assert violations(sound()) == []


def final(history: History, job: str, **changes) -> None:
    history.finals[job] = replace(history.finals[job], **changes)


def log_of(history: History, job: str, *statuses: str, **options) -> None:
    log = story(job, *statuses, **options)
    final(history, job, log=log, status=log[-1].status)
    history.views = []


def gone(history):
    del history.finals["a"]


def not_listed(history):
    history.listed.remove("a")


def never_ends(history):
    log_of(history, "b", *BEGINNING)


def two_jobs_for_a_key(history):
    history.submissions.append(Submission("key a", BELL, 101, 102, OK, "c"))


def an_unknown_job(history):
    history.listed.append("d")


def two_ends(history):
    log_of(history, "b", *BEGINNING, "cancelled", "cancelled")


def an_extra_result(history):
    final(history, "b", counts=COUNTS)


def no_result(history):
    final(history, "a", counts=None)


def charged_twice(history):
    history.usage = Usage(3, 5.0)


def counted_twice(history):
    history.usage = Usage(4, 3.0)


def a_hole_in_the_log(history):
    log = history.finals["a"].log
    final(history, "a", log=(*log[:4], *log[5:]))


def a_repeated_event_in_a_view(history):
    history.views[0].events.append(history.views[0].events[-1])


def out_of_order(history):
    events = history.views[3].events
    events[0], events[1] = events[1], events[0]


def a_resumed_view_that_misses_one(history):
    history.views[2].events.pop(0)
    history.views[2].after += 1


def a_resumed_view_that_repeats_one(history):
    history.views[1].after -= 1
    history.views[1].events.insert(0, history.finals["a"].log[2])


def an_account_view_that_misses_one_between_streams(history):
    history.views[4].events.pop(0)


def an_account_view_that_misses_a_job(history):
    history.views.pop()


def an_empty_view(history):
    history.views = [View("one", "a", 0)]


def a_view_that_ends_early(history):
    history.views[2].events.pop()


def a_late_result(history):
    log_of(history, "a", *BEGINNING, "queued", "completed")


def another_log_than_published(history):
    events = history.views[3].events
    events[6] = replace(events[6], status="completed")


def lost_without_a_kill(history):
    history.kills.pop(0)


def lost_to_a_harmless_kill(history):
    history.kills[0] = Kill("envoy", 105.5, costs_runs=False)


def wrong_outcome(history):
    final(history, "a", counts={"01": 10})


def shots_missing(history):
    final(history, "a", counts={"00": 4, "11": 5})


def published_with_another_result(history):
    events = history.views[2].events
    events[-1] = replace(events[-1], counts={"00": 10})


def given_up_after_one_loss(history):
    log_of(history, "c", *BEGINNING, "failed", reason="WORKER_LOST")


def failed_for_no_reason(history):
    log_of(history, "c", *BEGINNING, "queued", "dispatched", "running", "failed")


def cancelled_without_a_request(history):
    history.cancels.clear()


def cancelled_and_completed(history):
    history.cancels.append(Cancel("a", 105, 106, OK))


def too_late_to_cancel_and_cancelled(history):
    history.cancels.append(Cancel("b", 105, 106, Answer("FAILED_PRECONDITION")))


def an_internal_error(history):
    history.submissions.append(Submission("key a", BELL, 99, 100, Answer("INTERNAL", "request id")))


def a_published_event_that_is_gone(history):
    history.views[0].answer = Answer("INVALID_ARGUMENT", "after_sequence")


@pytest.mark.parametrize(
    ("doctor", "broken"),
    [
        (gone, "durable"),
        (not_listed, "durable"),
        (never_ends, "durable"),
        (two_jobs_for_a_key, "idempotent"),
        (an_unknown_job, "idempotent"),
        (two_ends, "once"),
        (an_extra_result, "once"),
        (no_result, "once"),
        (charged_twice, "once"),
        (counted_twice, "once"),
        (a_hole_in_the_log, "ordered"),
        (a_repeated_event_in_a_view, "ordered"),
        (out_of_order, "ordered"),
        (a_resumed_view_that_misses_one, "resumable"),
        (a_resumed_view_that_repeats_one, "resumable"),
        (an_account_view_that_misses_one_between_streams, "resumable"),
        (an_account_view_that_misses_a_job, "resumable"),
        (an_empty_view, "resumable"),
        (a_view_that_ends_early, "resumable"),
        (a_late_result, "fenced"),
        (another_log_than_published, "fenced"),
        (lost_without_a_kill, "fenced"),
        (lost_to_a_harmless_kill, "fenced"),
        (wrong_outcome, "right"),
        (shots_missing, "right"),
        (published_with_another_result, "right"),
        (given_up_after_one_loss, "obeyed"),
        (failed_for_no_reason, "obeyed"),
        (cancelled_without_a_request, "obeyed"),
        (cancelled_and_completed, "obeyed"),
        (too_late_to_cancel_and_cancelled, "obeyed"),
        (an_internal_error, "honest"),
        (a_published_event_that_is_gone, "honest"),
    ],
)
def test_a_doctored_history_breaks_its_guarantee(doctor, broken):
    history = copy.deepcopy(sound())
    doctor(history)
    assert broken in {violation.partition(":")[0] for violation in violations(history)}
