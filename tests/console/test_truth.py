"""What the console says when something goes wrong."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from playwright.sync_api import expect

from support.circuits import SHORT_AND_SLOW, slow
from support.server import SECRET, Server, newcomers_token
from thequantcloud.v1 import job_pb2

Consoles = Callable[..., Any]

TIERS = (
    '{"explorer": {"requests_per_minute": null},'
    ' "developer": {"requests_per_minute": 12, "max_shots": 100}}'
)


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is stopped and started again, on one port, with a small limit of requests."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("lone") / "data"
    server = Server(
        folder,
        "--workers",
        "1",
        "--http-port",
        str(port),
        QUANTCLOUD_TIERS=TIERS,
        QUANTCLOUD_WATCH_RECHECK_SECONDS="1",
    )
    with server as running:
        yield running


@pytest.fixture(scope="module")
def limited(lone: Server) -> str:
    return lone.token(tier="developer")


def test_a_link_signs_in_once_and_leaves_no_code_in_the_address(console: Consoles, lone: Server):
    link = lone.endpoints.sign_in
    mine = console(lone.endpoints.http)
    mine.page.goto(link)
    expect(mine.page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    assert mine.page.url == f"{lone.endpoints.http}/#/run"
    mine.run()
    mine.expect_status("completed")
    mine.open("#/usage")
    expect(mine.page.get_by_text("enterprise")).to_be_visible()
    other = console(lone.endpoints.http)
    other.page.goto(link)
    shown = other.page.get_by_role("alert").filter(has_text="it was used before")
    expect(shown).to_have_text(re.compile("^This link does not sign you in, because"))
    assert "sign-in=" not in other.page.url


def test_a_restart_is_told_and_nothing_is_missed(console: Consoles, lone: Server):
    token = newcomers_token()
    mine = console(lone.endpoints.http)
    mine.sign_in(token)
    mine.write(SHORT_AND_SLOW)
    mine.run()
    mine.expect_status("running")
    # A second page shows the list, which lives on the one stream.
    jobs = console(lone.endpoints.http, beside=mine)
    jobs.sign_in(token)
    jobs.open("#/jobs")
    expect(jobs.page.get_by_text("Live", exact=True)).to_be_visible()
    job = (
        jobs.page.get_by_role("rowheader").get_by_role("link").get_attribute("href").split("/")[-1]
    )
    lone.stop()
    expect(jobs.page.get_by_text("Connection lost, trying again…")).to_be_visible()
    expect(
        mine.page.get_by_text("The server cannot be reached. This page tries again.")
    ).to_be_visible()
    lone.start()
    lone.post(f"/v1/jobs/{job}/cancel", {}, headers={"Authorization": f"Bearer {token}"})
    expect(jobs.page.get_by_text("Live", exact=True)).to_be_visible()
    expect(jobs.page.get_by_role("row").filter(has_text="cancelled")).to_be_visible()
    mine.expect_status("cancelled")


def test_a_queued_job_says_what_it_waits_for(console: Consoles, lone: Server):
    other = lone.api()
    busy = other.run(slow())
    other.until(busy, job_pb2.Job.running)
    mine = console(lone.endpoints.http)
    mine.sign_in(newcomers_token())
    mine.write(SHORT_AND_SLOW)
    mine.run()
    expect(mine.page.get_by_text("waits for a worker")).to_be_visible()
    other.cancel(busy)
    mine.expect_status("running")
    expect(mine.page.get_by_text("waits for a worker")).not_to_be_visible()
    mine.page.get_by_role("button", name="Cancel", exact=True).click()
    mine.expect_status("cancelled")


def test_an_expired_token_is_asked_for_again_and_the_circuit_stays(console: Consoles, lone: Server):
    claims = {"sub": "short-lived", "aud": "authenticated", "exp": int(time.time()) - 6}
    mine = console(lone.endpoints.http)
    # The server allows 10 seconds of difference between clocks.
    mine.sign_in(jwt.encode(claims, SECRET, algorithm="HS256"))
    mine.write("OPENQASM 2.0; qreg mine[3];")
    dialog = mine.page.get_by_role("dialog")
    expect(dialog).to_contain_text("the token has expired; sign in again")
    dialog.get_by_label("Token or API key").fill(newcomers_token())
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()
    expect(mine.page.get_by_label("OpenQASM circuit")).to_have_value("OPENQASM 2.0; qreg mine[3];")
    expect(mine.page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_quota_is_told_with_its_figures(console: Consoles, lone: Server, limited: str):
    mine = console(lone.endpoints.http)
    mine.sign_in(limited)
    mine.run()
    told = mine.page.locator(".settings").get_by_role("alert")
    expect(told).to_contain_text("100")
    expect(told).to_contain_text("shots")


def test_a_limit_of_requests_is_told_and_drawings_wait(
    console: Consoles, lone: Server, limited: str
):
    mine = console(lone.endpoints.http)
    mine.sign_in(limited)
    expect(mine.page.get_by_role("img", name="Circuit with 2 qubits")).to_be_visible()
    _plan(mine, 5)
    mine.write("OPENQASM 2.0; qreg q[3];")
    expect(mine.page.get_by_text("Few requests are left in this minute")).to_be_visible()
    _plan(mine, 8)
    told = mine.page.locator(".settings").get_by_role("alert")
    expect(told).to_contain_text("Try again in")


def _plan(mine: Any, times: int) -> None:
    for _ in range(times):
        with mine.page.expect_response("**/v1/circuits/plan"):
            mine.page.get_by_role("button", name="Plan").click()
        expect(mine.page.get_by_role("button", name="Plan")).to_be_enabled()


def test_the_network_goes_and_comes_back(console: Consoles, lone: Server):
    mine = console(lone.endpoints.http)
    mine.sign_in(newcomers_token())
    expect(mine.page.get_by_text("Live", exact=True)).to_be_visible()
    mine.page.context.set_offline(True)
    mine.run()
    told = mine.page.locator(".settings").get_by_role("alert")
    expect(told).to_contain_text("The server cannot be reached.")
    mine.page.context.set_offline(False)
    mine.run()
    mine.expect_status("completed")
    expect(told).to_be_hidden()


def test_two_tabs_share_remembered_credentials(console: Consoles, lone: Server):
    mine = console(lone.endpoints.http)
    mine.open()
    mine.page.get_by_label("Keep me signed in").check()
    mine.page.get_by_label("Token or API key").fill(newcomers_token())
    mine.page.get_by_role("button", name="Sign in").click()
    expect(mine.page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    other = console(lone.endpoints.http, beside=mine)
    other.open()
    expect(other.page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    mine.page.get_by_role("button", name="Sign out").click()
    expect(other.page.get_by_label("Token or API key")).to_be_visible()


def test_credentials_end_with_the_tab(console: Consoles, lone: Server):
    mine = console(lone.endpoints.http)
    mine.sign_in(newcomers_token())
    other = console(lone.endpoints.http, beside=mine)
    other.open()
    expect(other.page.get_by_label("Token or API key")).to_be_visible()
