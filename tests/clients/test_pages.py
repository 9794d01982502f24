"""README and docs: commands and programs run as shown, and links have a target."""

import json
import tomllib
from pathlib import Path

import pytest

from quantcloud.openqasm import parse
from support.pages import PAGES, ROOT, Session, Step, fences, links, shows, steps

RUN = ("console", "python")
# Mermaid needs a browser. The others only show something.
SHOWN = ("json", "mermaid", "text", "toml")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


WITH_PROGRAMS = [page for page in PAGES if any(one.language in RUN for one in fences(page))]


@pytest.mark.parametrize("page", WITH_PROGRAMS, ids=name)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path):
    session = Session(tmp_path, {})
    try:
        for fence in fences(page):
            if fence.language == "python":
                session.run_python(fence)
            for step in steps(fence.text) if fence.language == "console" else ():
                got = session.run(step)
                shown = session.here(step.output)
                assert not shown or shows(shown, got), (
                    f"{step.command}\nshows:\n{shown}\ngot:\n{got}"
                )
    finally:
        session.close()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_fences_run_or_say_why_not(page: Path):
    for fence in fences(page):
        assert fence.language in RUN + SHOWN, f"{name(page)}:{fence.line}"
        if fence.language == "toml":
            tomllib.loads(fence.text)
        elif fence.language == "json":
            json.loads(fence.text)
        elif fence.language == "text":
            assert "not run" in fence.before, f"{name(page)}:{fence.line} does not say why"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_have_a_target(page: Path):
    missing = [link for link in links(page) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("path", sorted((ROOT / "docs/examples").glob("*.qasm")), ids=name)
def test_examples_can_be_parsed(path: Path):
    assert parse(path.read_text()).operations


def test_a_console_fence_is_split_into_commands_and_outputs():
    console = "$ echo a \\\n    b\na b\n$ X='1\n2'\n$ echo $X\n...\n"
    assert steps(console) == [
        Step("echo a \\\n    b", "a b"), Step("X='1\n2'", ""), Step("echo $X", "..."),
    ]  # fmt: skip


def test_a_different_output_does_not_match():
    assert shows('{"id":"..."}\n...\nend', '{"id":"7"}\n1\n2\nend\n')
    assert not shows('{"id":"..."}', '{"ID":"7"}\n')
    assert not shows("a", "a\nb\n")
