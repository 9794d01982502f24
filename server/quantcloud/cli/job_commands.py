"""The commands that show, watch and cancel jobs."""

from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.options import JobId, Plot, Timeout
from quantcloud.cli.remote import command

if TYPE_CHECKING:
    from quantcloud.cli.session import Session

app = typer.Typer()


@command(app, "jobs")
def jobs(
    session: "Session",
    *,
    status: Annotated[
        list[str] | None, typer.Option(help="Only jobs of this status; may be repeated.")
    ] = None,
    backend: Annotated[str | None, typer.Option(help="Only jobs on this backend.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    name: Annotated[str | None, typer.Option(help="Only jobs whose name begins so.")] = None,
    limit: Annotated[int, typer.Option(help="The most jobs to list.", min=1)] = 20,
) -> None:
    """List your jobs, newest first."""
    from quantcloud.cli import listing

    listing.jobs(session, limit, status=status or (), backend=backend, tag=tag, name_prefix=name)


@command(app, "job")
def job(session: "Session", job: JobId) -> None:
    """Show one job: status, backend, why QuantRouter chose it, times."""
    from quantcloud.cli import listing

    listing.job(session, job)


@command(app, "result")
def result(session: "Session", job: JobId, plot: Plot = None, timeout: Timeout = None) -> None:
    """Wait for a job's end, and print its counts."""
    from quantcloud.cli import follow

    follow.show_result(session, session.client.job(job).result(timeout=timeout), plot)


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
    from quantcloud.cli import follow, listing

    if (job is None) != everything:
        raise typer.BadParameter("name a job, or give --all")
    if job is None:
        listing.watch_all(session)
    else:
        follow.watch(session, session.client.job(job), timeout)
