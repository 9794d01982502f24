"""The renewal of certificates without a restart."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from quantcloud.certificates import CertificateError, Certificates

log = structlog.stdlib.get_logger(__name__)

_DAY = 24 * 60 * 60.0
_POLL_SECONDS = 2.0


async def renew_forever(renewals: Sequence["Renewal"]) -> None:
    """Call `renew` of each every two seconds. Only this task calls it."""
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        for renewal in renewals:
            renewal.renew()


class Renewal:
    """Uses certificates now, and again when their files have changed.

    `use` reads the files. It raises `CertificateError` or `OSError` if they cannot be used. `side`
    names the certificates in the log. `clock` gives seconds. Raises the errors of `use`.
    """

    def __init__(
        self,
        certificates: Certificates,
        side: str,
        use: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._certificates, self._side, self._use = certificates, side, use
        self._clock = clock
        self._used = certificates.state()
        # The last failure, which is logged once.
        self._failure = ""
        use()
        self._warn()

    def renew(self) -> None:
        """Use the files if they have changed. After a failure, the next call tries again.

        Warns once a day of a certificate that expires soon.
        """
        if self._clock() >= self._warned + _DAY:
            self._warn()
        state = self._certificates.state()
        if state == self._used:
            return
        try:
            self._use()
        except (CertificateError, OSError) as error:
            # Often the certificate is replaced a moment before its key. A full disk may have room
            # at the next try, and so may a process with too many open files.
            if str(error) != self._failure:
                log.warning("a new certificate is not used", error=str(error))
            self._failure = str(error)
        else:
            self._used, self._failure = state, ""
            log.info("a new certificate is used", side=self._side)
            self._warn()

    def _warn(self) -> None:
        """Log when the certificate expires, if that is soon."""
        self._warned = self._clock()
        with suppress(OSError):  # of files that are being replaced
            if (expiry := self._certificates.expiry()) is not None:
                log.warning("renew the certificate", side=self._side, expiry=expiry)
