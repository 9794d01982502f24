"""The guarantees that a history must satisfy. Each function yields descriptions of violations."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from support.chaos.history import TERMINAL, Answer, Event, Final, History

# The documented transitions of a job, independent of the server's code.
_NEXT = {
    "submitted": {"analyzing", "failed", "cancelled"},
    "analyzing": {"routing", "failed", "cancelled"},
    "routing": {"queued", "failed", "cancelled"},
    "queued": {"dispatched", "failed", "cancelled"},
    "dispatched": {"running", "queued", "failed", "cancelled"},
    "running": {"completed", "queued", "failed", "timeout", "cancelled"},
}
_LEASED = {"dispatched", "running"}
# The statuses that a caller may get while servers are killed: all mean "try again".
# INVALID_ARGUMENT for a position in a stream would mean that a sent event is lost.
_PASSING = {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
# gRPC's message for a stream that Envoy resets because the server behind it died.
_RESET = "RST_STREAM"
# Processes on one machine share a clock, but times are taken before they are committed.
_SLACK_SECONDS = 1.0
# A job is given up after at least this many lost runs, by deaths of workers or servers.
_FEWEST_LOSSES = 2


def durable(history: History) -> Iterator[str]:
    """Each acknowledged job exists and ends."""
    for job in history.acknowledged:
        final = history.finals.get(job)
        if final is None or job not in history.listed:
            yield f"job {job} was acknowledged and is gone"
        elif final.status not in TERMINAL:
            yield f"job {job} has not ended, it is {final.status}"


def idempotent(history: History) -> Iterator[str]:
    """All tries with one key return one job, and no other job exists."""
    jobs = defaultdict(set)
    for submission in history.submissions:
        if submission.job:
            jobs[submission.key].add(submission.job)
    for key, named in jobs.items():
        if len(named) > 1:
            yield f"key {key} stands for jobs {sorted(named)}"
    keys = {submission.key for submission in history.submissions}
    if len(history.listed) > len(keys):
        yield f"{len(keys)} keys were sent, and there are {len(history.listed)} jobs"


def once(history: History) -> Iterator[str]:
    """Each job has one terminal event, its last, is charged once, and has a result if completed."""
    for final in history.finals.values():
        ends = [event.status for event in final.log if event.status in TERMINAL]
        if len(ends) > 1:
            yield f"job {final.job} ended {len(ends)} times: {ends}"
        if final.log and final.log[-1].status != final.status:
            yield f"job {final.job} is {final.status}, its log ends with {final.log[-1].status}"
        if (final.counts is not None) != (final.status == "completed"):
            yield f"job {final.job} is {final.status} and its result is {final.counts}"
    if history.usage is None:
        return
    if history.usage.jobs != len(history.listed):
        yield f"{history.usage.jobs} jobs were counted, there are {len(history.listed)}"
    if set(history.listed) == history.finals.keys():
        used = sum(_used(final) for final in history.finals.values())
        if abs(used - history.usage.simulator_seconds) > 1e-3:
            # A rounding error, in seconds.
            yield (
                f"{history.usage.simulator_seconds:.6f} s were charged, "
                f"the runs that ended took {used:.6f} s"
            )


def _used(final: Final) -> float:
    """Return the seconds to charge: the run, or the time until it was cancelled."""
    if final.status == "completed":
        return final.run_seconds
    if final.status == "cancelled" and final.log[-2].status == "running":
        return max(0.0, final.log[-1].at - final.log[-2].at)
    return 0.0


def ordered(history: History) -> Iterator[str]:
    """Sequences are 1, 2, 3, ... in a log, and have no gaps in a stream."""
    for final in history.finals.values():
        yield from _gaps(f"the log of job {final.job}", 0, final.log)
    for view in history.views:
        if view.job:
            yield from _gaps(f"{view.watcher}'s view of job {view.job}", view.after, view.events)
            continue
        of = defaultdict(list)
        for event in view.events:
            of[event.job].append(event)
        for job, events in of.items():
            first = events[0].sequence - 1
            yield from _gaps(f"{view.watcher}'s view of job {job}", first, events)


def _gaps(what: str, after: int, events: list[Event] | tuple[Event, ...]) -> Iterator[str]:
    got = [event.sequence for event in events]
    if got != list(range(after + 1, after + 1 + len(got))):
        yield f"{what} after {after} is {got}"


def resumable(history: History) -> Iterator[str]:
    """A watcher sees the whole log over all its streams, and no stream ends early."""
    seen: dict[tuple[str, str], list[int]] = {}
    for view in history.views:
        ended = bool(view.events) and view.events[-1].status in TERMINAL
        if view.job and view.answer is not None and view.answer.is_ok and not ended:
            yield f"{view.watcher}'s view of job {view.job} ended as if the job had"
        for job in [view.job] if view.job else history.finals:
            seen.setdefault((view.watcher, job), [])
        for event in view.events:
            seen.setdefault((view.watcher, event.job), []).append(event.sequence)
    for (watcher, job), sequences in seen.items():
        final = history.finals.get(job)
        log = [event.sequence for event in final.log] if final else sequences
        if sequences != log:
            yield f"{watcher} saw {sequences} of job {job}, whose log is {log}"


def fenced(history: History) -> Iterator[str]:
    """No write of a lost lease took effect.

    All streams agree on each event, each transition is allowed, and a run is lost only if something
    was killed that could cause it.
    """
    sent: dict[tuple[str, int], tuple[str, float]] = {}
    events = [event for view in history.views for event in view.events]
    for event in [*events, *(event for final in history.finals.values() for event in final.log)]:
        one = (event.status, event.at)
        if sent.setdefault((event.job, event.sequence), one) != one:
            yield (
                f"event {event.sequence} of job {event.job} was sent as {one} "
                f"and as {sent[event.job, event.sequence]}"
            )
    for final in history.finals.values():
        for before, after in pairwise(final.log):
            if after.status not in _NEXT.get(before.status, set()):
                yield f"job {final.job} went from {before.status} to {after.status}"
        for began, ended in _losses(final):
            if not any(
                kill.costs_runs and began - _SLACK_SECONDS <= kill.at <= ended
                for kill in history.kills
            ):
                yield f"job {final.job} lost its run between {began} and {ended} to nothing killed"


def _losses(final: Final) -> list[tuple[float, float]]:
    """Return when each lost run was dispatched, and when it was given up."""
    losses: list[tuple[float, float]] = []
    dispatched = 0.0
    for before, event in pairwise(final.log):
        if event.status == "dispatched":
            dispatched = event.at
        lost = event.status == "queued" or event.reason == "WORKER_LOST"
        if before.status in _LEASED and lost:
            losses.append((dispatched, event.at))
    return losses


def right(history: History) -> Iterator[str]:
    """Results are those of the circuit, and the same each time they are sent."""
    sent = defaultdict(list)
    for view in history.views:
        for event in view.events:
            sent[event.job].append(event.counts)
    for job, expected in history.acknowledged.items():
        if (final := history.finals.get(job)) is None:
            continue
        counts = final.counts
        if counts is not None and (
            sum(counts.values()) != expected.shots or not counts.keys() <= expected.support
        ):
            yield f"job {job} gave {dict(counts)}"
        for each in [*sent[job], *(event.counts for event in final.log)]:
            if each is not None and each != counts:
                yield f"job {job} was sent with {each}, its result is {counts}"


def obeyed(history: History) -> Iterator[str]:
    """A job has no result only if it was cancelled or its runs were lost too often.

    Answers to cancellations are true.
    """
    cancelled = {cancel.job for cancel in history.cancels}
    for final in history.finals.values():
        losses = len(_losses(final))
        reason = final.log[-1].reason if final.log else ""
        given_up = reason == "WORKER_LOST" and losses >= _FEWEST_LOSSES
        if final.status == "failed" and not given_up:
            yield f"job {final.job} failed ({reason}) after {losses} losses"
        if final.status == "timeout" or (
            final.status == "cancelled" and final.job not in cancelled
        ):
            yield f"job {final.job} is {final.status}, which nobody asked for"
    for cancel in history.cancels:
        final = history.finals.get(cancel.job)
        status = final.status if final else "gone"
        if cancel.answer.is_ok and status != "cancelled":
            yield f"job {cancel.job} was cancelled, and is {status}"
        if cancel.answer.code == "FAILED_PRECONDITION" and status in {"cancelled", "gone"}:
            yield f"job {cancel.job} could not be cancelled any more, and is {status}"


def honest(history: History) -> Iterator[str]:
    """A call that fails gets a status that means "try again", and no other."""
    for submission in history.submissions:
        if submission.answer.code not in _PASSING and not _reset(submission.answer):
            yield f"a submission was answered {submission.answer}"
    for cancel in history.cancels:
        if cancel.answer.code not in _PASSING | {"FAILED_PRECONDITION"}:
            yield f"a cancellation was answered {cancel.answer}"
    for view in history.views:
        answer = view.answer
        if answer is not None and answer.code not in _PASSING and not _reset(answer):
            yield f"a watch was answered {answer}"


def _reset(answer: Answer) -> bool:
    """Return whether a stream was reset after its start."""
    return answer.code == "INTERNAL" and _RESET in answer.text


Guarantee = Callable[[History], Iterator[str]]
GUARANTEES: tuple[Guarantee, ...] = (
    durable, idempotent, once, ordered, resumable, fenced, right, obeyed, honest,
)  # fmt: skip


def violations(history: History) -> list[str]:
    """Return all violations, each with the name of its guarantee."""
    return [f"{kept.__name__}: {how}" for kept in GUARANTEES for how in kept(history)]
