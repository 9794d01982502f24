"""Certificates of the gRPC port, which are read again at a handshake if their files changed."""

from pathlib import Path

import grpc
import structlog

from quantcloud.certificates import CertificateError, Certificates

log = structlog.stdlib.get_logger(__name__)


def server_credentials(cert: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """Return credentials from files in PEM. With `client_ca`, clients must show a certificate.

    Raises `CertificateError` if a file cannot be used.
    """
    followed = _Followed(cert, key, client_ca)
    return grpc.dynamic_ssl_server_credentials(
        followed.configuration,
        followed.fetch,
        require_client_authentication=client_ca is not None,
    )


class _Followed:
    """gRPC's configuration of a certificate, which follows the files."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._certificates = Certificates(cert, key, client_ca)
        self._seen = self._certificates.state()
        # The last failure, which is logged once.
        self._failed = ""
        self.configuration = self._read()

    def fetch(self) -> grpc.ServerCertificateConfiguration:
        """Return the configuration. gRPC calls this at each handshake, in a thread of its own."""
        state = self._certificates.state()
        if state != self._seen:
            try:
                self.configuration = self._read()
            except (CertificateError, OSError) as error:
                # Often the certificate is replaced a moment before its key. If no file could be
                # opened, the next handshake may succeed.
                if str(error) != self._failed:
                    log.warning("a new certificate is not used", error=str(error))
                self._failed = str(error)
            else:
                self._seen, self._failed = state, ""
                log.info("a new certificate is used", side="grpc")
        return self.configuration

    def _read(self) -> grpc.ServerCertificateConfiguration:
        self._certificates.check()
        if (expiry := self._certificates.expiry()) is not None:
            log.warning("renew the certificate of the gRPC port", expiry=expiry)
        return grpc.ssl_server_certificate_configuration(
            [(self._key.read_bytes(), self._cert.read_bytes())],
            None if self._client_ca is None else self._client_ca.read_bytes(),
        )
