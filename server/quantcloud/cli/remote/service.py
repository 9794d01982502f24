"""The commands about the service and the account."""

import os
import sys
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.failure import NO_ACCESS, Failure
from quantcloud.cli.launch import loading, plain
from quantcloud.cli.remote.arguments import read_circuit
from quantcloud.cli.remote.command import Circuit, command

if TYPE_CHECKING:
    from quantcloud.cli.remote.session import Session

_PANEL = "Service and account"
_BAR = 30

app = typer.Typer()
circuits = typer.Typer(help="List, show, save and delete saved circuits.", no_args_is_help=True)
app.add_typer(circuits, name="circuits", rich_help_panel=_PANEL)
keys = typer.Typer(help="List, create and revoke your API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel=_PANEL)

CircuitId = Annotated[str, typer.Argument(help="The circuit's id.", metavar="CIRCUIT")]


@plain(app, "login", rich_help_panel=_PANEL)
def login(
    *,
    server: Annotated[
        str | None,
        typer.Option(help="HOST:PORT or https://HOST.", envvar="QUANTCLOUD_SERVER"),
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="JWT or API key.", envvar="QUANTCLOUD_TOKEN")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates that may sign the server's, in PEM.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Create an API key of this name and save it, because a JWT expires."),
    ] = None,
) -> None:
    """Save a server and a token for this user, after a check. Asks for the missing ones."""
    with loading():
        from quantcloud.cli.remote.session import Session
        from quantcloud.client.network import connection
        from thequantcloud.v1 import account_pb2

    asks, default = sys.stdin.isatty(), connection.DEFAULT_SERVER
    if server is None:
        server = str(typer.prompt("Server", default=default)) if asks else default
    if token is None:
        token = typer.prompt("Token", hide_input=True) if asks else sys.stdin.readline()
    token = str(token).strip()
    if not token:
        raise Failure("no token: give --token, or send it to standard input", NO_ACCESS)
    ca = os.fspath(ca_file.resolve()) if ca_file else ""
    with Session(server, token, ca_file=ca, as_json=False, quiet=False) as session:
        session.retry_seconds = 0
        tier = account_pb2.Tier.Name.Name(session.client.usage().tier)
        if key is not None:
            token = session.client.create_key(key).key
        path = connection.save_profile(connection.Profile(server, token, ca))
    typer.echo(f"{path} has the server {server} and a token of an account on the {tier} tier")


@plain(app, "logout", rich_help_panel=_PANEL)
def logout() -> None:
    """Delete what `login` saved. An API key stays valid: see `keys revoke`."""
    with loading():
        from quantcloud.client.network import connection

    try:
        existed = connection.delete_profile()
    except OSError as error:
        raise Failure(f"cannot delete {error.filename}: {error.strerror}") from error
    typer.echo("the saved server and token are deleted" if existed else "nothing was saved")


@plain(app, "protos", rich_help_panel=_PANEL)
def protos(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="DIR")],
) -> None:
    """Write the contract with all that it imports, and a buf.gen.yaml, for any language."""
    with loading():
        from quantcloud.cli.remote.protos import write

    write(folder)


@command(app, "status", rich_help_panel=_PANEL)
def status(session: "Session") -> None:
    """Show whether the service takes jobs, and the state of each backend."""
    from quantcloud.cli.tables import table
    from thequantcloud.v1 import backend_pb2, status_pb2

    found = session.client.status()
    state = status_pb2.GetStatusResponse.PlatformStatus.Name(found.status)
    shown = table("backend", "status")
    for name, each in sorted(found.backends.items()):
        shown.add(name, backend_pb2.Backend.Status.Name(each))
    session.answer(found, f"{state}, {found.active_jobs} active jobs\n", shown)


@command(app, "backends", rich_help_panel=_PANEL)
def backends(session: "Session") -> None:
    """List the backends: qubits, queue, price, number of gates."""
    from quantcloud.cli.tables import seconds, table
    from thequantcloud.v1 import backend_pb2

    found = session.client.backends()
    shown = table("backend", "status", "qubits", "widest", "queue", "wait", "per shot", "gates")
    for each in found:
        shown.add(
            each.name,
            backend_pb2.Backend.Status.Name(each.status),
            each.num_qubits,
            each.widest_circuit,
            each.queue_depth,
            seconds(each.avg_queue_time_sec),
            f"{each.cost_per_shot:g} USD",
            len(each.native_gates),
        )
    session.answer(found, shown)


@command(app, "usage", rich_help_panel=_PANEL)
def usage(session: "Session") -> None:
    """Show what the account used this month, and its limits."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from quantcloud.cli.tables import used_of
    from thequantcloud.v1 import account_pb2

    found = session.client.usage()
    month, limits = found.current_month, found.limits
    shown = Table(show_header=False, box=None, pad_edge=False)
    for wraps in (False, True, False):
        shown.add_column(no_wrap=not wraps)
    minutes = month.simulator_limit if month.HasField("simulator_limit") else None
    tasks = month.qpu_limit if month.HasField("qpu_limit") else None
    budget = month.total_cost_usd + found.credits_remaining_usd
    for name, used, limit in (
        ("simulator minutes", month.simulator_minutes, minutes),
        ("QPU tasks", month.qpu_tasks, tasks),
        ("credits in USD", month.total_cost_usd, budget),
    ):
        bar = ProgressBar(limit, used, width=_BAR, finished_style="bar.complete") if limit else ""
        shown.add_row(name, bar, used_of(used, limit))
    shown.add_row("jobs", "", str(month.total_jobs))
    most = f"{limits.max_shots} shots, {limits.max_qubits} qubits, "
    most += f"{limits.max_concurrent_jobs} running jobs, {limits.api_keys_limit} API keys"
    tier = account_pb2.Tier.Name.Name(found.tier)
    session.answer(found, f"{tier} tier: at most {most}\n", shown)


@command(app, "doctor", rich_help_panel=_PANEL)
def doctor(
    session: "Session",
    http: Annotated[
        str | None, typer.Option(help="Envoy's address. \\[default: port 8080 of the server]")
    ] = None,
) -> None:
    """Check server, Envoy, database, workers, clock and token: what is wrong, and what to do."""
    from quantcloud.cli.remote.doctor import report

    report(session, http)


@command(circuits, "list")
def list_circuits(
    session: "Session",
    limit: Annotated[int, typer.Option(help="The most circuits to list.", min=1)] = 20,
) -> None:
    """List your saved circuits, newest first."""
    from quantcloud.cli.tables import minute, table

    found = [*session.client.circuits(limit=limit)]
    shown = table("circuit", "name", "qubits", "changed")
    for each in found:
        qubits = each.num_qubits if each.HasField("num_qubits") else None
        shown.add(each.id, each.name, qubits, minute(each.updated_at.ToDatetime(UTC)))
    session.answer_list("saved circuits", found, shown)


@command(circuits, "show")
def show_circuit(session: "Session", circuit: CircuitId) -> None:
    """Print a saved circuit."""
    found = session.client.circuit(circuit)
    session.answer(found)
    if not session.as_json:
        typer.echo(found.qasm or found.code)


@command(circuits, "save")
def save_circuit(
    session: "Session", name: Annotated[str, typer.Argument(help="A name.")], file: Circuit
) -> None:
    """Save a circuit without running it, and print its id."""
    found = session.client.save_circuit(name, read_circuit(file))
    session.answer(found, found.id)


@command(circuits, "delete")
def delete_circuit(session: "Session", circuit: CircuitId) -> None:
    """Delete a saved circuit."""
    session.client.delete_circuit(circuit)
    session.answer({"id": circuit}, None if session.quiet else f"circuit {circuit} is deleted")


@command(keys, "list")
def list_keys(session: "Session") -> None:
    """List your active API keys. Needs a JWT."""
    from quantcloud.cli.tables import minute, table

    found = session.client.keys()
    shown = table("id", "name", "begins with", "created", "last used")
    for each in found:
        used = minute(each.last_used_at.ToDatetime(UTC)) if each.HasField("last_used_at") else None
        created = minute(each.created_at.ToDatetime(UTC))
        shown.add(each.id, each.name, each.key_prefix, created, used or "never")
    session.answer_list("API keys", found, shown)


@command(keys, "create")
def create_key(
    session: "Session", name: Annotated[str, typer.Argument(help="A name for the key.")]
) -> None:
    """Create an API key and print it, this once. Needs a JWT."""
    made = session.client.create_key(name)
    session.answer(made)
    if not session.as_json:
        typer.echo(made.key)


@command(keys, "revoke")
def revoke_key(
    session: "Session", key: Annotated[str, typer.Argument(help="The key's id, as in `keys list`.")]
) -> None:
    """Revoke one of your API keys. Needs a JWT."""
    session.client.revoke_key(key)
    session.answer({"id": key}, None if session.quiet else f"the API key {key} is revoked")
