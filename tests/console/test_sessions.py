"""Whole sessions in a browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from support.circuits import HEADER, SHORT_AND_SLOW
from support.server import Server, newcomers_token

Consoles = Callable[..., Any]

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "wide": (1440, 900)}


@pytest.mark.parametrize(
    ("size", "scheme"),
    [("phone", "dark"), ("tablet", "light"), ("wide", "light"), ("wide", "dark")],
)
def test_from_sign_in_to_histogram(console: Consoles, size: str, scheme: str):
    width, height = SIZES[size]
    mine = console(viewport={"width": width, "height": height}, color_scheme=scheme)
    mine.open()
    expect(mine.page.get_by_label("Token or API key")).to_be_visible()
    assert size != "wide" or mine.violations() == []
    mine.sign_in(newcomers_token())
    assert "cx q[0], q[1];" in mine.page.get_by_label("OpenQASM circuit").input_value()
    expect(mine.page.get_by_role("img", name="Circuit with 2 qubits")).to_be_visible()
    expect(mine.page.get_by_text("2 qubits, 2 bits, 4 instructions, depth 3")).to_be_visible()
    mine.run()
    mine.expect_status("completed")
    steps = mine.page.get_by_label("Statuses of the job").get_by_role("listitem")
    assert [step.split("\n")[0] for step in steps.all_inner_texts()] == [
        "submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed",
    ]  # fmt: skip
    outcomes = mine.page.get_by_role("region", name="Outcomes").get_by_role("rowheader")
    expect(outcomes).to_have_count(2)
    assert sorted(outcomes.all_inner_texts()) == ["00", "11"]
    assert mine.violations() == []
    wider = mine.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wider, "the page itself scrolls sideways"
    mine.page.get_by_role("button", name="Plan").click()
    expect(mine.page.get_by_text("Would run on")).to_be_visible()
    assert size != "wide" or mine.violations() == []


def test_no_view_scrolls_sideways_on_the_narrowest_screen(console: Consoles):
    mine = console(viewport={"width": 320, "height": 640})
    mine.sign_in(newcomers_token())
    mine.run()
    mine.expect_status("completed")
    mine.open("#/keys")
    mine.page.get_by_label("Name of the new key").fill("k")
    mine.page.get_by_role("button", name="Create").click()
    expect(mine.page.get_by_role("button", name="Revoke k")).to_be_attached()
    for view in ("", "jobs", "circuits", "keys", "usage", "backends"):
        mine.open(f"#/{view}")
        expect(mine.page.get_by_role("heading", level=1)).to_be_focused()
        expect(mine.page.get_by_text("Reading…")).to_have_count(0)
        assert mine.page.evaluate("document.documentElement.scrollWidth") == 320, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible(console: Consoles, scheme: str):
    mine = console(color_scheme=scheme)
    mine.sign_in(newcomers_token())
    mine.page.get_by_text("More options").click()
    mine.page.get_by_text("Parameters and observables").click()
    assert mine.violations() == []
    mine.run()
    mine.expect_status("completed")
    for view, heading in [("circuits", "Circuits"), ("keys", "API keys"), ("usage", "Usage"),
                          ("backends", "Backends"), ("jobs", "Jobs")]:  # fmt: skip
        mine.open(f"#/{view}")
        expect(mine.page.get_by_role("heading", name=heading, exact=True)).to_be_focused()
        assert mine.violations() == [], view
    mine.page.get_by_role("rowheader").get_by_role("link").click()
    expect(mine.page.get_by_role("button", name="Open in the editor")).to_be_visible()
    assert mine.violations() == []


def test_an_error_is_at_its_line_with_the_hint(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.write(HEADER + "qreg q[2];\nhh q[0];\n")
    problem = mine.page.get_by_role("alert").filter(has_text="Line 4, column 1")
    expect(problem).to_contain_text("gate 'hh' is not defined; did you mean 'h'?")
    expect(mine.page.locator(".numbers .wrong")).to_have_text("4")
    editor = mine.page.get_by_label("OpenQASM circuit")
    assert editor.get_attribute("aria-invalid") == "true"
    assert mine.violations() == []
    problem.get_by_role("button").click()
    expect(editor).to_be_focused()
    mine.page.keyboard.press("Delete")
    expect(problem).to_be_hidden()
    expect(mine.page.get_by_role("img", name="Circuit with 2 qubits")).to_be_visible()


def test_a_run_that_lacks_a_parameter_says_so_and_keeps_its_drawing(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.write("OPENQASM 3.0; input float t; qubit q; ry(t) q;")
    expect(mine.page.get_by_text("1 qubit, 1 bit")).to_be_visible()
    mine.run()
    missing = mine.page.get_by_text("parameters.t: is missing")
    expect(missing).to_have_count(1)
    expect(mine.page.get_by_text("1 qubit, 1 bit")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_refused_run_marks_the_result_before_it(console: Consoles, scheme: str):
    mine = console(color_scheme=scheme)
    mine.sign_in(newcomers_token())
    earlier = mine.page.get_by_text("From an earlier request.")
    shots = mine.page.get_by_role("spinbutton", name="Shots")
    outcomes = mine.page.get_by_role("region", name="Outcomes")
    # The page finds one of these, the server the other.
    for wrong in ("1.5", "999999"):
        mine.run()
        expect(outcomes).to_be_visible()
        expect(earlier).to_have_count(0)
        right = shots.input_value()
        shots.fill(wrong)
        mine.run()
        expect(earlier).to_be_visible()
        expect(outcomes).to_be_visible()
        assert mine.violations() == []
        shots.fill(right)
    mine.page.get_by_role("button", name="Plan").click()
    expect(mine.page.get_by_text("Would run on")).to_be_visible()
    expect(earlier).to_have_count(0)


def test_keys_alone_are_enough(console: Consoles):
    mine = console()
    mine.open()
    mine.page.keyboard.press("Tab")
    expect(mine.page.get_by_text("Skip to the content")).to_be_focused()
    mine.page.get_by_label("Token or API key").focus()
    mine.page.keyboard.type(newcomers_token())
    mine.page.keyboard.press("Enter")
    mine.page.get_by_label("OpenQASM circuit").focus()
    mine.page.keyboard.press("Control+Enter")
    mine.expect_status("completed")
    mine.page.get_by_role("tab", name="Histogram").focus()
    mine.page.keyboard.press("ArrowRight")
    expect(mine.page.get_by_role("tab", name="JSON")).to_be_focused()
    expect(mine.page.get_by_role("region", name="JSON")).to_contain_text('"counts"')
    for name, shows in (("Plan", "Would run on"), ("Run", "submitted")):
        mine.page.get_by_role("button", name=name, exact=True).focus()
        mine.page.keyboard.press("Enter")
        expect(mine.page.get_by_role("region", name="Result")).to_contain_text(shows)
        expect(mine.page.get_by_role("button", name=name, exact=True)).to_be_focused()


def test_bars_can_be_seen_in_colors_of_the_system(console: Consoles):
    mine = console(forced_colors="active")
    mine.sign_in(newcomers_token())
    mine.run()
    bar = mine.page.locator(".bar").first
    expect(bar).to_be_visible()
    page = mine.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert bar.evaluate("bar => getComputedStyle(bar).backgroundColor") not in (
        page,
        "rgba(0, 0, 0, 0)",
    )


def test_a_run_is_cancelled_and_told_in_the_list_of_another_tab(console: Consoles):
    mine = console()
    token = newcomers_token()
    mine.sign_in(token)
    other = console()
    other.sign_in(token)
    other.open("#/jobs")
    expect(other.page.get_by_text("No jobs yet")).to_be_visible()
    mine.write(SHORT_AND_SLOW)
    mine.run()
    mine.expect_status("running")
    expect(other.page.get_by_role("row").filter(has_text="running")).to_be_visible()
    mine.page.get_by_role("button", name="Cancel", exact=True).click()
    mine.expect_status("cancelled")
    expect(other.page.get_by_role("row").filter(has_text="cancelled")).to_be_visible()


def test_thousands_of_outcomes_do_not_hang_the_page(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.write(HEADER + "qreg q[14]; creg c[14]; h q; measure q -> c;")
    mine.page.get_by_label("Shots").fill("10000")
    mine.run()
    mine.expect_status("completed")
    expect(mine.page.get_by_text(re.compile(r"^64 of 7,\d{3} outcomes$"))).to_be_visible()
    start = mine.page.evaluate("performance.now()")
    mine.page.get_by_label("Find outcomes").fill("11111????11111")
    expect(mine.page.get_by_text(re.compile(r"^(\d+) of \1 outcomes?$"))).to_be_visible()
    mine.page.get_by_label("Log scale").check()
    mine.page.get_by_label("Order").select_option("bits")
    assert mine.page.evaluate("performance.now()") - start < 5000
    first = mine.page.get_by_role("region", name="Outcomes").get_by_role("rowheader").first
    expect(first).to_have_text(re.compile("^11111[01]{4}11111$"))


def test_the_statevector_and_the_options_of_a_run(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.page.get_by_text("More options").click()
    mine.page.get_by_label("Seed").fill("7")
    mine.page.get_by_label("Name", exact=True).fill("first")
    mine.page.get_by_label("Tags").fill("a, b")
    mine.page.get_by_label("Return the statevector").check()
    mine.page.get_by_label("Backend").select_option("local_simulator")
    mine.run()
    mine.expect_status("completed")
    mine.page.get_by_role("tab", name="Statevector").click()
    expect(mine.page.get_by_role("rowheader", name="|11⟩")).to_be_visible()
    expect(mine.page.get_by_text("2 amplitudes of 4 are not zero.")).to_be_visible()
    mine.page.get_by_role("link", name="details").click()
    expect(mine.page.get_by_role("heading", name="first")).to_be_visible()
    expect(mine.page.get_by_text("a, b")).to_be_visible()
    mine.page.get_by_text("All events").click()
    rows = mine.page.get_by_role("region", name="Events").get_by_role("rowheader")
    assert rows.all_inner_texts() == [str(number) for number in range(1, 8)]


def test_jobs_are_filtered_repeated_and_compared(console: Consoles, server: Server):
    ada = server.newcomer()
    for name in ("one", "two"):
        body = {"qasm": HEADER + "qreg q[1]; creg c[1]; h q[0]; measure q -> c;", "name": name}
        job = ada.rest("POST", "/v1/circuits/run", {**body, "tags": [name]}).json()["job_id"]
        assert ada.rest("GET", f"/v1/jobs/{job}?wait_seconds=30").status_code == 200
    mine = console()
    mine.sign_in(ada.credential)
    mine.open("#/jobs")
    rows = mine.page.get_by_role("rowheader")
    expect(rows).to_have_count(2)
    mine.page.get_by_label("Tag").fill("two")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    mine.page.get_by_role("button", name="Run again").click()
    first = mine.page.url
    mine.page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    mine.page.wait_for_url(lambda url: url != first)
    mine.expect_status("completed")
    mine.open("#/jobs")
    expect(rows).to_have_count(3)
    for box in mine.page.get_by_label("Choose two").all():
        box.check()
    mine.page.get_by_role("button", name="Compare two").click()
    # The same seed.
    expect(mine.page.get_by_text("0.0000")).to_be_visible()
    assert mine.violations() == []


def test_circuits_are_saved_opened_renamed_and_deleted(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.page.get_by_label("Example").select_option("GHZ state")
    mine.page.get_by_role("button", name="Save…").click()
    mine.page.get_by_role("dialog").get_by_label("Name").fill("mine")
    mine.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(mine.page.get_by_text("“mine” is saved.")).to_be_visible()
    mine.page.get_by_label("Example").select_option("Bell pair")
    mine.open("#/circuits")
    mine.page.get_by_role("button", name="Rename mine").click()
    mine.page.get_by_role("dialog").get_by_label("Name").fill("<b>ours</b>")
    mine.page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    mine.page.get_by_role("button", name="Open <b>ours</b>").click()
    expect(mine.page.get_by_label("OpenQASM circuit")).to_have_value(re.compile("qubit.5. q"))
    mine.open("#/circuits")
    mine.page.get_by_role("button", name="Delete <b>ours</b>").click()
    mine.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(mine.page.get_by_text("No circuits yet.")).to_be_visible()


def test_a_key_is_shown_once_and_revoked(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.open("#/keys")
    mine.page.get_by_label("Name of the new key").fill("notebook")
    mine.page.get_by_role("button", name="Create").click()
    key = mine.page.locator(".secret").inner_text()
    assert key.startswith("qc_live_")
    by_key = console()
    by_key.sign_in(key)
    by_key.open("#/keys")
    expect(by_key.page.get_by_text("keys cannot manage keys")).to_be_visible()
    mine.page.reload()
    expect(mine.page.get_by_role("rowheader", name="notebook")).to_be_visible()
    assert key not in mine.page.content()
    mine.page.get_by_role("button", name="Revoke notebook").click()
    mine.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(mine.page.get_by_text("No keys yet.")).to_be_visible()
    by_key.open("#/usage")
    expect(by_key.page.get_by_role("dialog")).to_contain_text("Your session has ended")


def test_each_example_runs(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    for example in ("GHZ state", "Fourier transform", "Teleportation", "Grover's search"):
        mine.page.get_by_label("Example").select_option(example)
        with mine.page.expect_response("**/v1/circuits/run"):
            mine.run()
        mine.expect_status("completed")


def test_a_sweep_has_its_curve(console: Consoles):
    mine = console()
    mine.sign_in(newcomers_token())
    mine.page.get_by_label("Example").select_option("VQE ansatz")
    expect(mine.page.get_by_text("The circuit's input: theta.")).to_be_visible()
    mine.run()
    mine.expect_status("completed")
    # The energy of hydrogen's ground state, in hartree.
    curve = mine.page.get_by_role("img", name="Expectation values against theta.")
    expect(curve).to_have_accessible_name(re.compile("lowest \u22121.86"))
    expect(mine.page.get_by_text(re.compile("^41 points"))).to_be_visible()
    assert mine.violations() == []
    mine.page.get_by_label("Observables").fill("0.5 AB")
    mine.run()
    expect(mine.page.get_by_text('Observables: "0.5 AB" is not a term')).to_be_visible()


def test_the_page_needs_no_more_than_its_policy_allows(console: Consoles):
    mine = console(bypass_csp=False)
    mine.sign_in(newcomers_token())
    mine.page.get_by_label("Example").select_option("VQE ansatz")
    mine.run()
    mine.expect_status("completed")
    expect(mine.page.get_by_role("img", name="Circuit with 2 qubits")).to_be_visible()
    for view in ("circuits", "keys", "usage", "backends", "jobs"):
        mine.open(f"#/{view}")
        expect(mine.page.get_by_role("heading", level=1)).to_be_focused()
    assert mine.faults == []
    # What it does not allow is seen as such.
    assert mine.page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert any("Content Security Policy" in fault for fault in mine.faults)
    mine.faults.clear()
