"""Where a server is reached: what `quantcloud serve` prints, and how to read it."""

from collections.abc import Iterable

from quantcloud.domain.value_object import value_object

READY = "TheQuantCloud is ready"
_HTTP = "REST, gRPC, gRPC-Web"
_GRPC = "gRPC"


@value_object
class Endpoints:
    """Where a server is reached: `http` is a URL ("" without Envoy), `grpc` is HOST:PORT."""

    http: str
    grpc: str

    def announcement(self) -> str:
        """The lines that tell a person, or a program, where the server is."""
        lines = [READY]
        if self.http:
            lines.append(f"  {_HTTP}: {self.http}")
        lines.append(f"  {_GRPC}: {self.grpc}")
        return "\n".join(lines)


def bracketed(host: str) -> str:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def read_endpoints(lines: Iterable[str]) -> Endpoints | None:
    """Read an announcement line by line up to its last; None where the lines end before."""
    http = ""
    for line in lines:
        name, _, value = line.strip().partition(": ")
        if name == _HTTP:
            http = value
        elif name == _GRPC:
            return Endpoints(http, value)
    return None
