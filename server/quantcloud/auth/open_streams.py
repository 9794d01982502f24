"""How many streams may be open at once: an account's watches and its streams of circuits, and those
of strangers.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from quantcloud.auth.concurrency import ConcurrencyLimits
from quantcloud.domain.errors import TooManyStreams

OF_CIRCUITS: Final = 20
"""How many streams of circuits an account may have open: each has up to 256 jobs watched, and may
hold the part of a request, 10 MiB, that has arrived.
"""
ARRIVING: Final = 20
"""How many calls of an account, or of a client address without credentials, this server receives
the request of at once: each may hold the part, up to 10 MiB, that has arrived.
"""
UPLOADS: Final = 8
"""How many long bodies of JSON of an account Envoy receives at once: it holds each until it is
complete, up to 8 MiB.
"""
OF_ADDRESS: Final = 100
"""How many a client address may have open without credentials."""
OF_STRANGERS: Final = 500
"""How many may be open without credentials in all."""


class OpenStreams:
    """Counts the streams that this process has open. Belongs to one event loop.

    An account may have `of_account` watches open, calls that wait for a change among them, and
    `of_circuits` streams on which it sends circuits; an address may have `of_address` streams
    without credentials, and all addresses `of_strangers`. `arriving` and `uploads` let so many
    requests of a caller be received at once.
    """

    def __init__(
        self,
        of_account: int,
        of_circuits: int = OF_CIRCUITS,
        of_address: int = OF_ADDRESS,
        of_strangers: int = OF_STRANGERS,
    ) -> None:
        self._accounts = _Count(of_account, "watches of this account")
        self._circuits = _Count(of_circuits, "streams of circuits of this account")
        self._addresses = _Count(of_address, "streams without credentials from this address")
        self._strangers = _Count(of_strangers, "streams without credentials")
        self.arriving = ConcurrencyLimits(ARRIVING, "unfinished requests")
        self.uploads = ConcurrencyLimits(UPLOADS, "unfinished requests with a long body")

    @contextmanager
    def watch(self, account_id: str) -> Generator[None]:
        """One more of an account, until the block is left. Raises `TooManyStreams`."""
        with self._accounts.one(account_id):
            yield

    def open_watch(self, account_id: str) -> None:
        """One more of an account: as `watch`, which takes a kilobyte for as long as it lasts."""
        self._accounts.take(account_id)

    def close_watch(self, account_id: str) -> None:
        self._accounts.give_back(account_id)

    def circuits(self, account_id: str) -> AbstractContextManager[None]:
        """One more on which an account sends circuits, until the block is left.

        Raises `TooManyStreams`.
        """
        return self._circuits.one(account_id)

    @contextmanager
    def stranger(self, address: str) -> Generator[None]:
        """One more without credentials, until the block is left. Raises `TooManyStreams`."""
        with self._addresses.one(address), self._strangers.one(""):
            yield


class _Count:
    """How many of something are open, by whose they are; `what` says of what."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._open: dict[str, int] = {}

    @contextmanager
    def one(self, whose: str) -> Generator[None]:
        self.take(whose)
        try:
            yield
        finally:
            self.give_back(whose)

    def take(self, whose: str) -> None:
        number = self._open.get(whose, 0) + 1
        if number > self._limit:
            raise TooManyStreams(self._what, self._limit)
        self._open[whose] = number

    def give_back(self, whose: str) -> None:
        left = self._open.pop(whose) - 1
        if left:
            self._open[whose] = left
