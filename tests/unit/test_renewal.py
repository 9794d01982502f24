"""Certificates that expire are told to the operator, once a day."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from quantcloud import renewal as renewals
from quantcloud.certificates import Certificates
from quantcloud.renewal import Renewal, renew_forever

DAY = 24 * 60 * 60


def issue(folder: Path, **ends: int) -> Certificates:
    """Write a certificate that is valid for a time in the words of `timedelta`."""
    end = datetime.now(UTC) + timedelta(**ends)
    issued = trustme.CA().issue_cert("localhost", not_before=end - timedelta(9), not_after=end)
    certificates = Certificates(folder / "cert.pem", folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(str(certificates.cert))
    issued.private_key_pem.write_to_path(str(certificates.key))
    return certificates


@pytest.mark.parametrize(("days", "told"), [(-1, "expired at"), (2, "expires at"), (30, None)])
def test_an_operator_is_told_once_a_day(tmp_path: Path, days: int, told: str | None):
    certificates = issue(tmp_path, days=days)
    moments = iter((0, 1, DAY - 1, DAY, DAY, DAY + 1, 2 * DAY, 2 * DAY))
    with capture_logs() as lines:
        renewal = Renewal(certificates, "server", lambda: None, lambda: next(moments))
        for _ in range(5):
            renewal.renew()
    assert [line["event"] for line in lines] == 3 * bool(told) * ["renew the certificate"]
    assert all(str(told) in line["expiry"] and line["side"] == "server" for line in lines)


async def test_an_operator_is_told_without_handshakes(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(renewals, "_POLL_SECONDS", 0)
    certificates = issue(tmp_path, days=2)
    now, polled = 0.0, asyncio.Event()

    def clock() -> float:
        polled.set()
        return now

    with capture_logs() as lines:
        task = asyncio.create_task(
            renew_forever([Renewal(certificates, "grpc", polled.clear, clock)])
        )
        for day in range(3):
            now = day * DAY
            for _ in range(2):
                polled.clear()
                await asyncio.wait_for(polled.wait(), 10)
        task.cancel()
    assert [line["side"] for line in lines] == 3 * ["grpc"]


def test_a_file_that_is_gone_ends_nothing(tmp_path: Path):
    certificates = issue(tmp_path, days=2)
    now = 0.0
    renewal = Renewal(certificates, "server", lambda: None, lambda: now)
    (tmp_path / "cert.pem").unlink()
    now = DAY
    renewal.renew()
