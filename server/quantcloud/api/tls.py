"""Certificates of the gRPC port, which are read again at a handshake if their files changed."""

import ssl
from pathlib import Path

import grpc
import structlog

log = structlog.stdlib.get_logger(__name__)


def server_credentials(cert: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """Return credentials from files in PEM. With `client_ca`, clients must show a certificate.

    Raises `ValueError` if a file cannot be used.
    """
    try:
        certificate = _Certificate(cert, key, client_ca)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{cert}, {key}: cannot be used for TLS: {error}") from error
    return grpc.dynamic_ssl_server_credentials(
        certificate.configuration,
        certificate.fetch,
        require_client_authentication=client_ca is not None,
    )


class _Certificate:
    """A certificate that follows its files."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._files = (cert, key, client_ca)
        self._seen = self._state()
        self.configuration = self._read()

    def fetch(self) -> grpc.ServerCertificateConfiguration:
        """Return the configuration. gRPC calls this at each handshake, in a thread of its own."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self.configuration = self._read()
            except (OSError, ssl.SSLError) as error:
                # Often the certificate is replaced a moment before its key.
                log.warning("a new certificate is not used", error=str(error))
            else:
                log.info("a new certificate is used", side="grpc")
        return self.configuration

    def _read(self) -> grpc.ServerCertificateConfiguration:
        cert, key, client_ca = self._files
        # Raises if the two do not match; gRPC would refuse every connection.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
        return grpc.ssl_server_certificate_configuration(
            [(key.read_bytes(), cert.read_bytes())],
            None if client_ca is None else client_ca.read_bytes(),
        )

    def _state(self) -> object:
        try:
            return [file and file.stat().st_mtime_ns for file in self._files]
        except OSError:
            return None
