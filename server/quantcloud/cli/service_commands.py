"""The commands about the service and the account."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.launch import guarded, loading
from quantcloud.cli.options import Circuit, Server, Token
from quantcloud.cli.remote import command

if TYPE_CHECKING:
    from quantcloud.cli.session import Session

_PANEL = "Service and account"

app = typer.Typer()
circuits = typer.Typer(help="List, show, save and delete saved circuits.", no_args_is_help=True)
app.add_typer(circuits, name="circuits", rich_help_panel=_PANEL)
keys = typer.Typer(help="List, create and revoke your API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel=_PANEL)

CircuitId = Annotated[str, typer.Argument(help="The circuit's id.", metavar="CIRCUIT")]


@app.command("login", rich_help_panel=_PANEL)
def login(
    *,
    server: Server = None,
    token: Token = None,
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
        from quantcloud.cli import login as work

    guarded(lambda: work.login(server, token, ca_file, key))


@app.command("logout", rich_help_panel=_PANEL)
def logout() -> None:
    """Delete what `login` saved. An API key stays valid: see `keys revoke`."""
    with loading():
        from quantcloud.cli import login as work

    guarded(work.logout)


@app.command("protos", rich_help_panel=_PANEL)
def protos(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="DIR")],
) -> None:
    """Write the contract with all that it imports, and a buf.gen.yaml, for any language."""
    with loading():
        from quantcloud.cli import protos as work

    guarded(lambda: work.write(folder))


@command(app, "status", rich_help_panel=_PANEL)
def status(session: "Session") -> None:
    """Show whether the service takes jobs, and the state of each backend."""
    from quantcloud.cli import listing

    listing.status(session)


@command(app, "backends", rich_help_panel=_PANEL)
def backends(session: "Session") -> None:
    """List the backends: qubits, queue, price, gates."""
    from quantcloud.cli import listing

    listing.backends(session)


@command(app, "usage", rich_help_panel=_PANEL)
def usage(session: "Session") -> None:
    """Show what the account used this month, and its limits."""
    from quantcloud.cli import listing

    listing.usage(session)


@command(app, "doctor", rich_help_panel=_PANEL)
def doctor(
    session: "Session",
    http: Annotated[
        str | None, typer.Option(help="Envoy's address. \\[default: port 8080 of the server]")
    ] = None,
) -> None:
    """Check server, Envoy, database, workers, clock and token: what is wrong, and what to do."""
    from quantcloud.cli import doctor as work

    work.doctor(session, http)


@command(circuits, "list")
def list_circuits(
    session: "Session",
    limit: Annotated[int, typer.Option(help="The most circuits to list.", min=1)] = 20,
) -> None:
    """List your saved circuits, newest first."""
    from quantcloud.cli import listing

    listing.circuits(session, limit)


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
    from quantcloud.cli.session import read_circuit

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
    from quantcloud.cli import listing

    listing.keys(session)


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
