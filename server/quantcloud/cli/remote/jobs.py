"""The commands that show, watch and cancel jobs."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.remote.command import JobId, Plot, Timeout, beginning, command

if TYPE_CHECKING:
    from quantcloud.cli.remote.session import Session
    from quantcloud.client import Event

app = typer.Typer()

_SHOWN_JOBS = 20
_STATUSES = (
    "submitted", "analyzing", "routing", "queued", "dispatched", "running",
    "completed", "failed", "timeout", "cancelled",
)  # fmt: skip


@command(app, "jobs")
def jobs(
    session: "Session",
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="Only jobs of this status; may be repeated.", autocompletion=beginning(*_STATUSES)
        ),
    ] = None,
    backend: Annotated[str | None, typer.Option(help="Only jobs on this backend.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    name: Annotated[str | None, typer.Option(help="Only jobs whose name begins so.")] = None,
    limit: Annotated[int, typer.Option(help="The most jobs to list.", min=1)] = 20,
) -> None:
    """List your jobs, newest first."""
    from quantcloud.cli.tables import minute, table

    found = session.client.jobs(
        limit=limit, status=status or (), backend=backend, tag=tag, name_prefix=name
    )
    shown = table("job", "status", "backend", "shots", "submitted", "name", "tags")
    content: list[object] = []
    for each in found:
        content.append(each.to_dict())
        at, tags = minute(each.submitted_at), ", ".join(each.tags)
        shown.add(each.id, each.status, each.backend, each.shots or "", at, each.name, tags)
    session.answer_list("jobs", content, shown)


@command(app, "job")
def job(session: "Session", job: JobId) -> None:
    """Show one job: status, backend, why QuantRouter chose it, times."""
    from quantcloud.cli.remote.follow import waits_for
    from quantcloud.cli.tables import details

    found = session.client.job(job)
    routing = found.metadata.get("routing", {})
    rows = {
        "job": found.id,
        "status": found.status,
        "error": found.error_message,
        "backend": found.backend,
        "method": routing.get("method"),
        "why": routing.get("reason"),
        "shots": found.shots or None,
        "seed": found.message.options.seed,
        "name": found.name,
        "tags": ", ".join(found.tags),
        "batch": found.batch_id,
        "submitted": _moment(found.submitted_at),
        "waits for": waits_for(found),
        "starts about": _moment(found.estimated_start_at),
        "started": _moment(found.started_at),
        "ended": _moment(found.completed_at),
    }
    session.answer(found.to_dict(), details(rows))


@command(app, "result")
def result(session: "Session", job: JobId, plot: Plot = None, timeout: Timeout = None) -> None:
    """Wait for a job's end, and print its counts."""
    from quantcloud.cli.remote.follow import follow, show_result

    found = session.client.job(job)
    show_result(session, follow(session, found, timeout, steps=False), plot)


@command(app, "cancel")
def cancel(session: "Session", job: JobId) -> None:
    """Cancel a job that waits or runs."""
    found = session.client.job(job)
    found.cancel()
    session.answer(found.to_dict(), None if session.quiet else f"job {found.id} is {found.status}")


@command(app, "watch")
def watch(
    session: "Session",
    job: Annotated[str | None, typer.Argument(help="The job's id.")] = None,
    everything: Annotated[  # noqa: FBT002  # a flag, given by name
        bool, typer.Option("--all", help="All jobs of the account, without end.")
    ] = False,
    timeout: Timeout = None,
) -> None:
    """Show the changes of a job up to its counts, or of all jobs. Survives a lost connection."""
    from quantcloud.cli.remote import follow

    if (job is None) != everything:
        raise typer.BadParameter("name a job, or give --all")
    if job is None:
        session.say("watching all jobs from now on; Ctrl-C ends it")
        _watch_all(session)
    else:
        follow.watch(session, session.client.job(job), timeout)


def _watch_all(session: "Session") -> None:
    """Print the events of all jobs. On a terminal, the latest jobs have one line each."""
    from rich.live import Live
    from rich.table import Table

    from quantcloud.cli.remote.follow import describe

    if session.as_json or not session.console.is_terminal:
        for event in session.client.events():
            session.answer(event.message, f"{event.job_id}  {describe(event)}")
        return
    latest: dict[str, Event] = {}
    with Live(console=session.console, auto_refresh=False) as live:
        for event in session.client.events():
            # A job that changed becomes the last one.
            latest.pop(event.job_id, None)
            latest[event.job_id] = event
            shown = Table(show_header=False, box=None, pad_edge=False)
            for job_id, last in [*latest.items()][-_SHOWN_JOBS:]:
                shown.add_row(f"[dim]{job_id}[/dim]", describe(last))
            live.update(shown, refresh=True)


def _moment(at: datetime | None) -> str | None:
    return at and at.astimezone().isoformat(sep=" ", timespec="milliseconds")
