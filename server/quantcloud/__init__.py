"""A quantum cloud that anyone can host: OpenQASM circuits over gRPC and REST."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantcloud.client import AsyncClient, Client, QuantCloudError

DISTRIBUTION = "thequantcloud"
"""The name of the package to install."""

__all__ = ["DISTRIBUTION", "AsyncClient", "Client", "QuantCloudError"]


def __getattr__(name: str) -> Any:
    """Import the client when it is first used, because the server and most commands need none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from quantcloud import client  # noqa: PLC0415  # see above

    return getattr(client, name)
