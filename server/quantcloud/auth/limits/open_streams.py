"""Limits of open streams: an account's watches and streams of circuits, and streams without
credentials.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from quantcloud.auth.limits.concurrency import ConcurrencyLimits, Slots

OF_CIRCUITS: Final = 20
"""How many streams of circuits an account may have open. Each watches up to 256 jobs, and may hold
up to 10 MiB of an unfinished request.
"""
ARRIVING: Final = 20
"""How many requests of an account, or of a client address without credentials, this server receives
at once. Each may hold up to 10 MiB while it is unfinished.
"""
UPLOADS: Final = 8
"""How many long JSON bodies of an account Envoy receives at once. It buffers each until it is
complete, up to 8 MiB.
"""
OF_ADDRESS: Final = 100
"""How many streams without credentials a client address may have open."""
OF_ANONYMOUS: Final = 500
"""How many streams without credentials all addresses together may have open."""


class OpenStreams:
    """Counts the open streams of this process. Use it from one event loop only.

    An account may have `of_account` open watches (and calls that wait for a change), and
    `of_circuits` streams of circuits. An address may have `of_address` streams without credentials.
    `arriving` and `uploads` limit how many requests of a caller are received at once.
    """

    def __init__(
        self,
        of_account: int,
        of_circuits: int = OF_CIRCUITS,
        of_address: int = OF_ADDRESS,
    ) -> None:
        self.watches = Slots(of_account, "watches of this account")
        self.circuits = Slots(of_circuits, "streams of circuits of this account")
        self._addresses = Slots(of_address, "streams without credentials from this address")
        self._anonymous = Slots(OF_ANONYMOUS, "streams without credentials")
        self.arriving = ConcurrencyLimits(ARRIVING, "unfinished requests")
        self.uploads = ConcurrencyLimits(UPLOADS, "unfinished requests with a long body")

    @contextmanager
    def anonymous(self, address: str) -> Generator[None]:
        """Count a stream without credentials within the context. Raises `TooManyStreams`."""
        with self._addresses.taken(address), self._anonymous.taken(""):
            yield
