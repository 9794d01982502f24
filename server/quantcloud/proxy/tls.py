"""Certificates of Envoy: its configuration for them, and their renewal without a restart.

Envoy reads each secret from a file of its own (SDS), and reads it again when another file is
renamed to it. `Secrets` writes these files from the operator's, however those are replaced.
"""

import asyncio
import base64
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from quantcloud.certificates import Certificates
from quantcloud.renewal import Renewal, renew_forever

_API: Final = "type.googleapis.com/envoy.extensions.transport_sockets"
_RAW: Final = {
    "name": "envoy.transport_sockets.raw_buffer",
    "typed_config": {"@type": f"{_API}.raw_buffer.v3.RawBuffer"},
}
_FOLDER: Final = "envoy.tls"


def listener(tls: Certificates, folder: Path) -> Mapping[str, Any]:
    """Return the transport of connections from clients."""
    if tls.cert is None:
        return _RAW
    common = _common("server", tls, folder, "h2", "http/1.1")
    return _tls("Downstream", common, require_client_certificate=tls.ca is not None)


def upstream(tls: Certificates, folder: Path) -> Mapping[str, Any]:
    """Return the transport of connections to servers."""
    if tls.ca is None:
        return _RAW
    common = _common("upstream", tls, folder, "h2")
    # The server's certificate must name the host by which Envoy reaches it.
    return _tls("Upstream", common, auto_host_sni=True, auto_sni_san_validation=True)


def _tls(side: str, common: Mapping[str, Any], **more: bool) -> Mapping[str, Any]:
    kind = f"{_API}.tls.v3.{side}TlsContext"
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": kind, "common_tls_context": common, **more},
    }


def _common(name: str, tls: Certificates, folder: Path, *protocols: str) -> Mapping[str, Any]:
    common: dict[str, Any] = {
        "alpn_protocols": protocols,
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
    }
    if tls.cert is not None:
        common["tls_certificate_sds_secret_configs"] = [_secret(f"{name}-cert", folder)]
    if tls.ca is not None:
        common["validation_context_sds_secret_config"] = _secret(f"{name}-ca", folder)
    return common


def _secret(name: str, folder: Path) -> Mapping[str, Any]:
    place = (folder / _FOLDER).absolute()
    return {
        "name": name,
        "sds_config": {
            "path_config_source": {
                "path": str(place / f"{name}.json"),
                "watched_directory": {"path": str(place)},
            },
            "resource_api_version": "V3",
        },
    }


class Secrets:
    """The files from which Envoy reads its secrets, in the data folder, for its owner only."""

    def __init__(self, folder: Path, server: Certificates, upstream: Certificates) -> None:
        self._folder = folder / _FOLDER
        self._sides = {"server": server, "upstream": upstream}
        self._renewals: list[Renewal] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def needed(self) -> bool:
        """Whether Envoy uses TLS on any side."""
        return any(tls.cert or tls.ca for tls in self._sides.values())

    def write(self) -> None:
        """Write the secrets. Raises `CertificateError` and `OSError`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._renewals = [
            Renewal(tls, name, partial(self._write, name, tls)) for name, tls in self._sides.items()
        ]

    def start(self) -> None:
        """Write the secrets again whenever a file of the operator changes."""
        if self.needed:
            self._task = asyncio.create_task(renew_forever(self._renewals), name="certificates")

    async def stop(self) -> None:
        """Stop to follow the files."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _write(self, name: str, tls: Certificates) -> None:
        tls.check()
        if tls.cert is not None and tls.key is not None:
            pair = {"certificate_chain": _inline(tls.cert), "private_key": _inline(tls.key)}
            self._put(f"{name}-cert", {"tls_certificate": pair})
        if tls.ca is not None:
            self._put(f"{name}-ca", {"validation_context": {"trusted_ca": _inline(tls.ca)}})

    def _put(self, name: str, secret: Mapping[str, Any]) -> None:
        document = {"resources": [{"@type": f"{_API}.tls.v3.Secret", "name": name, **secret}]}
        target = self._folder / f"{name}.json"
        written = target.with_suffix(".partial")
        written.unlink(missing_ok=True)
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
        written.rename(target)


def _inline(file: Path) -> Mapping[str, str]:
    return {"inline_bytes": base64.b64encode(file.read_bytes()).decode()}
