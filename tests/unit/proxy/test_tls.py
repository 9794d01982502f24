"""Envoy's secrets follow the operator's files."""

import asyncio

import pytest
import trustme

from quantcloud import renewal
from quantcloud.certificates import Certificates
from quantcloud.proxy.tls import Secrets


@pytest.fixture
def files(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = trustme.CA().issue_cert("localhost")
    made.private_key_pem.write_to_path(key)
    made.cert_chain_pems[0].write_to_path(cert)
    return Certificates(cert, key)


async def test_a_new_certificate_is_used_once_the_disk_has_room(tmp_path, files, monkeypatch):
    monkeypatch.setattr(renewal, "_POLL_SECONDS", 0.01)
    secrets = Secrets(tmp_path, files, Certificates())
    secrets.write()
    secret = tmp_path / "envoy.tls" / "server-cert.json"
    before = secret.stat().st_ino
    refused = asyncio.Event()
    put = Secrets._put

    def full(*_):
        refused.set()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Secrets, "_put", full)
    secrets.start()
    files.cert.touch()
    await refused.wait()
    monkeypatch.setattr(Secrets, "_put", put)
    async with asyncio.timeout(10):
        while secret.stat().st_ino == before:  # noqa: ASYNC110  # another task's file
            await asyncio.sleep(0.01)
    await secrets.stop()
