"""A server's addresses: what `quantcloud serve` prints, and how to read it."""

from collections.abc import Iterable

from quantcloud.domain.value_object import value_object

READY = "TheQuantCloud is ready"
_HTTP = "REST, gRPC, gRPC-Web"
_GRPC = "gRPC"
_ADMIN = "metrics"


@value_object
class Endpoints:
    """A server's addresses: `http` and `admin` are URLs ("" for none), `grpc` is HOST:PORT."""

    http: str
    grpc: str
    admin: str = ""

    def announcement(self) -> str:
        """Return the lines that show the addresses to people and programs."""
        lines = [READY]
        if self.http:
            lines.append(f"  {_HTTP}: {self.http}")
        if self.admin:
            lines.append(f"  {_ADMIN}: {self.admin}")
        lines.append(f"  {_GRPC}: {self.grpc}")
        return "\n".join(lines)


def bracketed(host: str) -> str:
    """Return a host in the form that URLs need: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def read_endpoints(lines: Iterable[str]) -> Endpoints | None:
    """Read an announcement to its last line. Return None if the lines end before it."""
    http = admin = ""
    for line in lines:
        name, _, value = line.strip().partition(": ")
        if name == _HTTP:
            http = value
        elif name == _ADMIN:
            admin = value
        elif name == _GRPC:
            return Endpoints(http, value, admin)
    return None
