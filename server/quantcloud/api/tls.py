"""Certificates of the gRPC port, which are read again if their files changed."""

from pathlib import Path

import grpc

from quantcloud.certificates import Certificates
from quantcloud.renewal import Renewal


class GrpcTls:
    """TLS of the gRPC port. With a CA, clients must show a certificate.

    `renew_forever` keeps it current. Raises `CertificateError` or `OSError` if a file
    cannot be used.
    """

    def __init__(self, certificates: Certificates, cert: Path, key: Path) -> None:
        self._certificates, self._cert, self._key = certificates, cert, key
        self.renewal = Renewal(certificates, "grpc", self._read)
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._configuration,
            # gRPC calls this at each handshake, in a thread of its own.
            lambda: self._configuration,
            require_client_authentication=certificates.ca is not None,
        )

    def _read(self) -> None:
        ca = self._certificates.ca
        self._certificates.check()
        self._configuration = grpc.ssl_server_certificate_configuration(
            [(self._key.read_bytes(), self._cert.read_bytes())],
            None if ca is None else ca.read_bytes(),
        )


def grpc_tls(certificates: Certificates) -> GrpcTls | None:
    """Return the TLS of the gRPC port, or None if it has none. Raises the errors of `GrpcTls`."""
    if certificates.cert is None or certificates.key is None:
        return None
    return GrpcTls(certificates, certificates.cert, certificates.key)
