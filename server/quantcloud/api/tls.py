"""Certificates of the gRPC port, which are read again at a handshake if their files changed."""

from pathlib import Path

import grpc

from quantcloud.certificates import Certificates
from quantcloud.renewal import Renewal


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials | None:
    """Return credentials, or None without TLS. With a CA, clients must show a certificate.

    Raises `CertificateError` if a file cannot be used.
    """
    if certificates.cert is None or certificates.key is None:
        return None
    followed = _Followed(certificates, certificates.cert, certificates.key)
    return grpc.dynamic_ssl_server_credentials(
        followed.configuration,
        followed.fetch,
        require_client_authentication=certificates.ca is not None,
    )


class _Followed:
    """gRPC's configuration of a certificate, which follows the files."""

    configuration: grpc.ServerCertificateConfiguration

    def __init__(self, certificates: Certificates, cert: Path, key: Path) -> None:
        self._certificates, self._cert, self._key = certificates, cert, key
        self._renewal = Renewal(certificates, "grpc", self._read)

    def fetch(self) -> grpc.ServerCertificateConfiguration:
        """Return the configuration. gRPC calls this at each handshake, in a thread of its own."""
        self._renewal.renew()
        return self.configuration

    def _read(self) -> None:
        self._certificates.check()
        self.configuration = grpc.ssl_server_certificate_configuration(
            [(self._key.read_bytes(), self._cert.read_bytes())],
            None if self._certificates.ca is None else self._certificates.ca.read_bytes(),
        )
