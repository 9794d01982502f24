"""Certificates in files of the operator: whether they can be used, and whether they changed."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quantcloud.domain.value_object import value_object

_SOON = timedelta(weeks=1)


class CertificateError(ValueError):
    """A certificate, key or CA cannot be used. The message names the files."""


@value_object
class Certificates:
    """The files of one side of a connection, in PEM.

    `ca` verifies the other side: for a server, clients must then show a certificate.
    """

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def check(self) -> None:
        """Raise `CertificateError` if a file cannot be used, or cert and key do not match."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            if self.cert is not None and self.key is not None:
                context.load_cert_chain(self.cert, self.key, password=_no_password)
            if self.ca is not None:
                context.load_verify_locations(self.ca)
        except (OSError, ValueError) as error:
            names = ", ".join(str(file) for file in (self.cert, self.key, self.ca) if file)
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise CertificateError(f"{names}: cannot be used for TLS: {reason}") from error

    def expiry(self) -> str | None:
        """Return when the certificate or one of its chain expires, if that is within a week.

        The text names the file. Raises `OSError` if it cannot be read.
        """
        if self.cert is None:
            return None
        # Only servers have this library, and only those with TLS need it.
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

        try:
            chain = load_pem_x509_certificates(self.cert.read_bytes())
        except ValueError:
            return None  # this library is stricter than OpenSSL, which decides what can be used
        end, now = min(each.not_valid_after_utc for each in chain), datetime.now(UTC)
        if end - now > _SOON:
            return None
        how = "expired" if end < now else "expires"
        return (
            f"{self.cert}: the certificate, or one of its chain, {how} at {end:%Y-%m-%d %H:%M} UTC"
        )

    def state(self) -> object:
        """Return a value that changes when a file is replaced or written."""
        return [_file_state(file) for file in (self.cert, self.key, self.ca)]


def _file_state(file: Path | None) -> object:
    try:
        found = file.stat() if file is not None else None
    except OSError:
        found = None
    return found and (found.st_ino, found.st_size, found.st_mtime_ns)


def _no_password() -> str:
    """OpenSSL would ask at the terminal for the password of an encrypted key."""
    raise ValueError("the key needs a password; give one without")
