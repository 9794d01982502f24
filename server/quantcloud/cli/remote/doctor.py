"""`quantcloud doctor`: what is wrong between this machine and the service, and what to do."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata

from rich.text import Text

from quantcloud import DISTRIBUTION
from quantcloud.cli.failure import Failure
from quantcloud.cli.remote.session import Session, advice, one_line
from quantcloud.cli.tables import table
from quantcloud.client import Client, QuantCloudError, Unavailable
from thequantcloud.v1 import account_pb2, backend_pb2

_HTTP_SECONDS = 5
_CLOCK_SECONDS = 5.0
_SOON_SECONDS = 3600.0
_STORE = ("STORE_UNAVAILABLE", "DISK_FULL", "STORE_IO_ERROR", "STORE_DAMAGED", "STORE_GONE")
# A state, what was checked, what was found, and what to do about it.
_Finding = tuple[str, str, str, str]
_COLORS = {"good": "green", "note": "yellow", "bad": "red"}


def report(session: Session, http: str | None) -> None:
    """Print each finding. Raises `Failure` if something is wrong."""
    session.retry_seconds = 0
    service = [*_service(session.client)]
    # A server that does not answer knows no token.
    token = _token(session.client) if service[0][0] != "bad" else ()
    found = [*service, *_envoy(session.client, http), *token]
    shown = table("", "check", "found", "what to do")
    for state, *others in found:
        shown.add(Text(state, _COLORS[state]), *others)
    names = ("state", "check", "found", "advice")
    session.answer([dict(zip(names, each, strict=True)) for each in found], shown)
    if bad := [check for state, check, _, _ in found if state == "bad"]:
        raise Failure(f"wrong: {', '.join(bad)}")


def _service(client: Client) -> Iterator[_Finding]:
    """Check the server, its database, its workers, its clock and its backends."""
    address = client.connection.address
    try:
        health = client.health()
    except Unavailable as error:
        if not error.reason:
            yield "bad", "server", one_line(error), advice(error)
            return
        yield "good", "server", f"{address} answers", ""
        kind = "database" if error.reason in _STORE else "workers"
        check = "server" if error.reason == "SERVER_DRAINING" else kind
        # A failure of the database has its cause in the log; the error's advice is for its callers.
        remedy = "" if kind == "database" else advice(error)
        yield "bad", check, one_line(error), remedy or "see the log of the server"
        return
    except QuantCloudError as error:
        yield "bad", "server", one_line(error), advice(error)
        return
    ours = metadata.version(DISTRIBUTION)
    same = health.version == ours
    yield (
        "good" if same else "note", "server", f"{address} answers, version {health.version}",
        "" if same else f"this command is version {ours}",
    )  # fmt: skip
    yield "good", "database", "answers and can be written", ""
    yield "good", "workers", "run circuits", ""
    off = (datetime.now(UTC) - health.timestamp.ToDatetime(UTC)).total_seconds()
    if abs(off) > _CLOCK_SECONDS:
        yield "bad", "clock", f"differs from the server's by {off:.0f} s", "set this clock by NTP"
    else:
        yield "good", "clock", "agrees with the server's", ""
    offline = [each.name for each in client.backends() if each.status != backend_pb2.Backend.online]
    text = f"offline: {', '.join(offline)}" if offline else "all are online"
    yield (
        "note" if offline else "good",
        "backends",
        text,
        "see `quantcloud backends`" * bool(offline),
    )


def _envoy(client: Client, http: str | None) -> Iterator[_Finding]:
    """Check REST at Envoy."""
    host = client.connection.address.rpartition(":")[0]
    given = http or f"http://{host}:8080"
    url = given.rstrip("/") + "/health"
    if not url.startswith(("http://", "https://")):
        yield "bad", "Envoy", f"{given} is no address", "give --http http://HOST:PORT"
        return
    try:
        with urllib.request.urlopen(url, timeout=_HTTP_SECONDS) as answer:  # noqa: S310  # http or https
            server = answer.headers.get("server", "")
        yield "good", "Envoy", f"{given} answers" + (f" ({server})" if server else ""), ""
    except urllib.error.HTTPError as error:
        yield "bad", "Envoy", f"{url} is {error.code} {error.reason}", "see the log of the server"
    except OSError as error:
        reason = getattr(error, "reason", error)
        text = f"no answer at {given}: {getattr(reason, 'strerror', None) or reason}"
        remedy = "name its address with --http, if REST is served"
        yield "note" if http is None else "bad", "Envoy", text, remedy


def _token(client: Client) -> Iterator[_Finding]:
    """Check the token, and when it expires."""
    try:
        tier = account_pb2.Tier.Name.Name(client.usage().tier)
    except QuantCloudError as error:
        yield "bad", "token", one_line(error), advice(error)
        return
    left = _seconds_left(client.connection.token)
    if left is not None and left < _SOON_SECONDS:
        remedy = "sign in again, or save an API key with `quantcloud login --key NAME`"
        yield "note", "token", f"accepted, {tier} tier, expires in {left / 60:.0f} min", remedy
    else:
        yield "good", "token", f"accepted, {tier} tier", ""


def _seconds_left(token: str) -> float | None:
    """Return when a JWT expires in seconds from now, or None for an API key."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - datetime.now(UTC).timestamp()
    except (IndexError, ValueError, KeyError, TypeError):
        return None
