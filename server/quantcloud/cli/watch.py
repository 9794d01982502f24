"""`quantcloud watch`: one live line per job."""

from rich.console import Console
from rich.live import Live
from rich.table import Table

from quantcloud.cli.client import connect, describe
from quantcloud.cli.stream import account_events, job_events
from thequantcloud.v1 import job_pb2

_SHOWN_JOBS = 20


def watch(job_id: str | None, server: str, token: str | None) -> None:
    """Show each status of a job, or of all jobs of the account, as it comes.

    On a terminal each job has one line, which changes. Otherwise each event is a new line. Returns
    when the job ends, and never if it watches all jobs. Raises `Failure`.
    """
    console = Console()
    with connect(server, token) as (channel, metadata):
        events = (
            account_events(channel, metadata)
            if job_id is None
            else job_events(channel, job_id, metadata)
        )
        if not console.is_terminal:
            for event in events:
                if not event.checkpoint:
                    console.print(f"{event.job.job_id}  {describe(event)}", soft_wrap=True)
            return
        latest: dict[str, job_pb2.JobEvent] = {}
        with Live(console=console, auto_refresh=False) as live:
            for event in events:
                if event.HasField("job"):
                    latest.pop(event.job.job_id, None)
                    latest[event.job.job_id] = event
                    live.update(_table(latest), refresh=True)


def _table(latest: dict[str, job_pb2.JobEvent]) -> Table:
    """Return the jobs that changed most recently, the latest at the bottom."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for job_id, event in list(latest.items())[-_SHOWN_JOBS:]:
        table.add_row(f"[dim]{job_id}[/dim]", describe(event))
    return table
