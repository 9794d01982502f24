"""`quantcloud login` and `logout`: the saved profile."""

import os
import sys
from pathlib import Path

import typer

from quantcloud.cli.failure import NO_ACCESS, Failure
from quantcloud.cli.session import failed
from quantcloud.client import Client, QuantCloudError
from quantcloud.client.connection import (
    DEFAULT_SERVER,
    Profile,
    delete_profile,
    profile_path,
    save_profile,
)
from thequantcloud.v1 import account_pb2


def login(server: str | None, token: str | None, ca_file: Path | None, key: str | None) -> None:
    """Check a server and a token, and save them. Raises `Failure`."""
    asks = sys.stdin.isatty()
    if server is None:
        prompted = typer.prompt("Server", default=DEFAULT_SERVER) if asks else DEFAULT_SERVER
        server = str(prompted)
    if token is None:
        text = typer.prompt("Token", hide_input=True) if asks else sys.stdin.readline()
        token = str(text).strip()
    if not token:
        raise Failure("no token: give --token, or send it to standard input", NO_ACCESS)
    ca = os.fspath(ca_file.resolve()) if ca_file else ""
    try:
        with Client(server, token, ca_file=ca or None, retry_seconds=0) as client:
            tier = account_pb2.Tier.Name.Name(client.usage().tier)
            if key is not None:
                token = client.create_key(key).key
    except QuantCloudError as error:
        raise failed(error) from error
    try:
        path = save_profile(Profile(server, token, ca))
    except OSError as error:
        raise Failure(f"cannot write {profile_path()}: {error.strerror}") from error
    typer.echo(f"{path} has the server {server} and a token of an account on the {tier} tier")


def logout() -> None:
    """Delete the saved profile. Raises `Failure`."""
    try:
        existed = delete_profile()
    except OSError as error:
        raise Failure(f"cannot delete {profile_path()}: {error.strerror}") from error
    typer.echo("the saved server and token are deleted" if existed else "nothing was saved")
