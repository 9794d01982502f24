"""Shows a job live until it ends, and its counts."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from quantcloud.cli.failure import INTERRUPTED, Failure
from quantcloud.cli.remote.histogram import histogram
from quantcloud.cli.remote.points import show_points
from quantcloud.cli.remote.session import Session
from quantcloud.client import Event, Job, JobEnded, QuantCloudError, Result
from quantcloud.client.messages.plain import struct

_WAITS_FOR = {
    "turn": "its turn",
    "workers": "a worker",
    "memory": "memory that other runs hold",
    "account": "the account's other runs",
}


def follow(
    session: Session, job: Job, timeout: float | None = None, *, steps: bool = True
) -> Result:
    """Print each status of a job as it comes, if wanted, and return the result at its end.

    On a terminal a line below shows the place in the queue, what the job waits for, and when the
    run is likely to begin.
    Raises `Failure` at Ctrl-C, with how to go on; the job is not cancelled.
    """
    steps = steps and not session.quiet
    if steps:
        session.console.print(f"[dim]job {job.id}[/dim]")
    began: datetime | None = None
    shown = ""
    try:
        with session.live("waiting") as show:
            for event in job.events(timeout=timeout):
                began = began or event.at
                # A new place in the queue, and more points of a sweep, are no new status.
                if steps and event.status != shown:
                    at = (event.at - began).total_seconds() * 1000
                    session.console.print(f"{at:10.1f} ms  {describe(event)}")
                shown = event.status
                if show is not None and not event.is_last:
                    show(f"{describe(event)}{_start(job, event)}")
            result = job.result(timeout=timeout)
    except KeyboardInterrupt:
        raise Failure(
            f"job {job.id} goes on: `quantcloud watch {job.id}` shows it, "
            f"`quantcloud cancel {job.id}` stops it",
            INTERRUPTED,
        ) from None
    if steps:
        session.console.print()
    return result


def _start(job: Job, event: Event) -> str:
    """Return what a queued job waits for, and when it is likely to begin."""
    if event.position is None:
        return ""
    try:
        job.refresh()
    except QuantCloudError:
        return ""
    text = f", waits for {reason}" if (reason := waits_for(job)) else ""
    if (at := job.estimated_start_at) is not None:
        left = max(0.0, (at - datetime.now(UTC)).total_seconds())
        text += f", starts in about {left:.0f} s"
    return text


def waits_for(job: Job) -> str | None:
    """Return in words what a queued job waits for; None if the server does not tell."""
    reason = job.wait_reason
    return None if reason is None else _WAITS_FOR.get(reason, reason)


def describe(event: Event) -> str:
    """Describe an event in a few words, with Rich's markup."""
    job = event.message.job
    text = f"[bold]{event.status}[/bold]"
    if job.error_message:
        text += f": {escape(job.error_message)}"
    if event.position is not None:
        text += f" on {escape(event.backend or '')}, position {event.position}"
    elif (points := struct(job.metadata).get("sweep")) and not event.is_last:
        text += f", {points['points_done']} of {points['points']} points"
    elif event.message.HasField("result"):
        result = event.message.result
        text += f" on {escape(result.backend)}, {result.execution_time_ms:.2f} ms of execution"
    return text


def show_result(session: Session, result: Result, plot: Path | None) -> None:
    """Print the counts, or each point of a sweep. Draw the counts to a file if one is given.

    Raises `Failure`.
    """
    if result.message.HasField("sweep"):
        show_points(session, result)
    else:
        session.answer(result.to_dict(), histogram(result.counts))
    if plot is not None:
        draw(result, plot)
        session.say(f"{plot} has the plot")


def draw(result: Result, target: Path) -> None:
    """Draw the counts of a result to a file. Raises `Failure`."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  # optional

        mpl.use("agg")
    except ModuleNotFoundError:
        raise Failure("--plot needs matplotlib: pip install matplotlib") from None
    axes: Any = result.plot()
    try:
        axes.figure.savefig(target, bbox_inches="tight")
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write {target}: {error}") from error


def watch(session: Session, job: Job, timeout: float | None) -> None:
    """Show the events of a job, and its counts at the end. JSON has one event on each line."""
    if not session.as_json:
        show_result(session, follow(session, job, timeout), None)
        return
    last: Event | None = None
    for last in job.events(timeout=timeout):
        session.answer(last.message)
    if last is not None and last.status != "completed":
        raise JobEnded(job.id, last.status, job.error_message or "")
