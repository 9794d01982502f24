"""What the commands that list and show print."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from quantcloud.cli.follow import describe, waits_for
from quantcloud.cli.runs import seconds
from quantcloud.cli.session import Session, used_of
from quantcloud.cli.tables import Bar, details, table
from quantcloud.client import Event
from thequantcloud.v1 import account_pb2, backend_pb2, status_pb2

_SHOWN_JOBS = 20
_BAR = 30
_SHOWN_GATES = 8


def jobs(session: Session, limit: int, **filters: Any) -> None:
    """Print the account's jobs that fit all filters."""
    found = [*session.client.jobs(limit=limit, **filters)]
    shown = table("job", "status", "backend", "shots", "submitted", "name", "tags")
    for each in found:
        shown.add_row(
            each.id,
            each.status,
            each.backend or "",
            str(each.shots or ""),
            f"{each.submitted_at.astimezone():%Y-%m-%d %H:%M}",
            escape(each.name or ""),
            escape(", ".join(each.tags)),
        )
    _answer(session, "jobs", [each.to_dict() for each in found], shown)


def job(session: Session, job_id: str) -> None:
    """Print one job."""
    found = session.client.job(job_id)
    routing = found.metadata.get("routing", {})
    rows = {
        "job": found.id,
        "status": found.status,
        "error": escape(found.error_message or ""),
        "backend": found.backend,
        "method": routing.get("method"),
        "why": escape(routing.get("reason", "")),
        "shots": found.shots or None,
        "seed": found.message.options.seed,
        "name": escape(found.name or ""),
        "tags": escape(", ".join(found.tags)),
        "batch": found.batch_id,
        "submitted": _moment(found.submitted_at),
        "waits for": waits_for(found),
        "starts about": _moment(found.estimated_start_at),
        "started": _moment(found.started_at),
        "ended": _moment(found.completed_at),
    }
    session.answer(found.to_dict(), details(rows))


def _moment(at: datetime | None) -> str | None:
    return at and at.astimezone().isoformat(sep=" ", timespec="milliseconds")


def watch_all(session: Session) -> None:
    """Print the events of all jobs. On a terminal, the latest jobs have one line each."""
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


def status(session: Session) -> None:
    """Print the state of the platform."""
    found = session.client.status()
    state = status_pb2.GetStatusResponse.PlatformStatus.Name(found.status)
    shown = table("backend", "status")
    for name, each in sorted(found.backends.items()):
        shown.add_row(name, backend_pb2.Backend.Status.Name(each))
    session.answer(found, f"{state}, {found.active_jobs} active jobs\n", shown)


def backends(session: Session) -> None:
    """Print the backends."""
    found = session.client.backends()
    shown = table("backend", "status", "qubits", "widest", "queue", "wait", "per shot", "gates")
    for each in found:
        gates = [*each.native_gates]
        more = " ..." if len(gates) > _SHOWN_GATES else ""
        shown.add_row(
            each.name,
            backend_pb2.Backend.Status.Name(each.status),
            str(each.num_qubits),
            str(each.widest_circuit),
            str(each.queue_depth),
            seconds(each.avg_queue_time_sec),
            f"{each.cost_per_shot:g} USD",
            " ".join(gates[:_SHOWN_GATES]) + more,
        )
    session.answer(found, shown)


def circuits(session: Session, limit: int) -> None:
    """Print the saved circuits."""
    found = [*session.client.circuits(limit=limit)]
    shown = table("circuit", "name", "qubits", "changed")
    for each in found:
        qubits = str(each.num_qubits) if each.HasField("num_qubits") else ""
        changed = each.updated_at.ToDatetime()
        shown.add_row(each.id, escape(each.name), qubits, f"{changed:%Y-%m-%d %H:%M} UTC")
    _answer(session, "saved circuits", found, shown)


def keys(session: Session) -> None:
    """Print the API keys."""
    found = session.client.keys()
    shown = table("id", "name", "begins with", "created", "last used")
    for each in found:
        used = each.last_used_at.ToDatetime() if each.HasField("last_used_at") else None
        shown.add_row(
            each.id,
            escape(each.name),
            each.key_prefix,
            f"{each.created_at.ToDatetime():%Y-%m-%d}",
            f"{used:%Y-%m-%d %H:%M} UTC" if used else "never",
        )
    _answer(session, "API keys", found, shown)


def usage(session: Session) -> None:
    """Print this month's usage as bars, and the limits."""
    found = session.client.usage()
    month, limits = found.current_month, found.limits
    shown = Table(show_header=False, box=None, pad_edge=False)
    for wraps in (False, True, False):
        shown.add_column(no_wrap=not wraps)
    budget = month.total_cost_usd + found.credits_remaining_usd
    for name, used, limit in (
        ("simulator minutes", month.simulator_minutes, _given(month, "simulator_limit")),
        ("QPU tasks", month.qpu_tasks, _given(month, "qpu_limit")),
        ("credits in USD", month.total_cost_usd, budget),
    ):
        bar = Bar(used / limit, _BAR, track=True) if limit else ""
        shown.add_row(name, bar, used_of(used, limit))
    shown.add_row("jobs", "", str(month.total_jobs))
    most = f"{limits.max_shots} shots, {limits.max_qubits} qubits, "
    most += f"{limits.max_concurrent_jobs} running jobs, {limits.api_keys_limit} API keys"
    tier = account_pb2.Tier.Name.Name(found.tier)
    session.answer(found, f"{tier} tier: at most {most}\n", shown)


def _answer(session: Session, what: str, found: Sequence[Any], shown: Table) -> None:
    """Print a list; say it if it is empty."""
    session.answer(found, shown if found else None)
    if not found:
        session.say(f"no {what}")


def _given(month: account_pb2.MonthlyUsage, name: str) -> float | None:
    return getattr(month, name) if month.HasField(name) else None  # pyright: ignore[reportArgumentType]  # a name of the contract
