"""A server's addresses: what `quantcloud serve` prints, and how to read it."""

from collections.abc import Iterable, Mapping
from typing import Final

from quantcloud.domain.value_object import value_object

READY = "TheQuantCloud is ready"
# What the lines of an announcement begin with, by the field in each. The last line is always there.
_LABELS: Final[Mapping[str, str]] = {
    "http": "REST, gRPC, gRPC-Web",
    "sign_in": "console (signs you in once)",
    "admin": "metrics",
    "grpc": "gRPC",
}


@value_object
class Endpoints:
    """A server's addresses: `http` and `admin` are URLs ("" for none), `grpc` is HOST:PORT.

    `sign_in` is the URL that signs its operator in to the web console.
    """

    http: str
    grpc: str
    admin: str = ""
    sign_in: str = ""

    def announcement(self) -> str:
        """Return the lines that show the addresses to people and programs."""
        lines = [READY]
        for field, label in _LABELS.items():
            if value := getattr(self, field):
                lines.append(f"  {label}: {value}")
        return "\n".join(lines)


def sign_in_link(scheme: str, host: str, port: int, code: str) -> str:
    """Return the address at which the web console signs its reader in with `code`."""
    return f"{scheme}://{bracketed(reachable(host))}:{port}/#sign-in={code}"


def reachable(host: str) -> str:
    """Return an address that reaches a listener on `host`, which may mean every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound


def bracketed(host: str) -> str:
    """Return a host in the form that URLs need: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def read_endpoints(lines: Iterable[str]) -> Endpoints | None:
    """Read an announcement to its last line. Return None if the lines end before it."""
    found: dict[str, str] = {}
    for line in lines:
        label, _, value = line.strip().partition(": ")
        found[label] = value
        if label == _LABELS["grpc"]:
            return Endpoints(**{field: found.get(label, "") for field, label in _LABELS.items()})
    return None
