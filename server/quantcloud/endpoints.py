"""A server's addresses: what `quantcloud serve` prints, and how to read it."""

from collections.abc import Iterable

from quantcloud.domain.value_object import value_object

READY = "TheQuantCloud is ready"
_HTTP = "REST, gRPC, gRPC-Web"
_GRPC = "gRPC"
_ADMIN = "metrics"
_SIGN_IN = "console (signs you in once)"


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
        if self.http:
            lines.append(f"  {_HTTP}: {self.http}")
        if self.sign_in:
            lines.append(f"  {_SIGN_IN}: {self.sign_in}")
        if self.admin:
            lines.append(f"  {_ADMIN}: {self.admin}")
        lines.append(f"  {_GRPC}: {self.grpc}")
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
    http = admin = sign_in = ""
    for line in lines:
        name, _, value = line.strip().partition(": ")
        if name == _HTTP:
            http = value
        elif name == _ADMIN:
            admin = value
        elif name == _SIGN_IN:
            sign_in = value
        elif name == _GRPC:
            return Endpoints(http, value, admin, sign_in)
    return None
