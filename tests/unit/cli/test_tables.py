"""Tables on narrow terminals."""

import time
from datetime import UTC, datetime

import pytest
from rich.console import Console

from quantcloud.cli.remote.histogram import histogram
from quantcloud.cli.tables import minute, table

ID = "01a22e6b-37ef-7171-b558-88b787e438e2"


def printed(shown: object, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_table_that_fits_has_headings():
    shown = table("job", "status", "why")
    shown.add(ID, "completed", "it had the best balance of speed and cost")
    assert printed(shown, 100)[0].split() == ["job", "status", "why"]
    # Long texts are folded between words.
    assert printed(shown, 60)[2].strip() == "best"


@pytest.mark.parametrize("width", [40, 60])
def test_a_table_that_would_break_words_becomes_lines(width: int):
    shown = table("job", "status", "backend", "name", title="Jobs")
    shown.add(ID, "completed", "local_simulator", "")
    title, first, *rest = printed(shown, width)
    assert (title, first) == ("Jobs", ID)
    words = " ".join(line.strip() for line in rest)
    assert words == "status: completed; backend: local_simulator"


@pytest.mark.parametrize("width", [50, 60, 100])
def test_bars_keep_their_proportions_and_the_figures_stay(width: int):
    most, half = printed(histogram({"0" * 24: 200, "1" * 24: 100}), width)
    assert most.split()[::3] == ["0" * 24, "66.7%"]
    assert 2 * half.count("█") - most.count("█") in (-1, 0, 1)
    assert max(map(len, (most, half))) <= width


def test_times_are_those_of_the_user(monkeypatch):
    with monkeypatch.context() as here:
        here.setenv("TZ", "EST5")
        time.tzset()
        assert minute(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-01 22:04"
    time.tzset()


def test_brackets_are_shown_as_they_are():
    shown = table("job", "[name]")
    shown.add(ID, "a[bold]b")
    assert printed(shown, 60)[1].split() == [ID, "a[bold]b"]
    assert "[name]" in printed(shown, 60)[0]
