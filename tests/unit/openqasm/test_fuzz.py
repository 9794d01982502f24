"""Runs a coverage-guided fuzzer on the parser for a few seconds, or for `FUZZ_SECONDS`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from unit.openqasm.sources import VALID, WORDS
from unit.openqasm.test_hostile import DOUBLING, DOUBLING_ANGLES, HEADER

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).parent / "fuzz_parser.py"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "4"))
LONGEST = 2048
# All are fast to parse; the fuzzer finds slow ones by itself.
SEEDS = [
    *VALID,
    HEADER + DOUBLING + "g40 q[0];",
    HEADER + DOUBLING_ANGLES + "g40(1) q[0];",
    HEADER + "rx(" + "(" * 500 + "1" + ")" * 500 + ") q[0];",
    HEADER + "rx(" + "pi^" * 500 + "sin(-1/3)) q[0];",
]


def fuzz(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the driver; it saves its findings in `tmp_path`."""
    return subprocess.run(
        [sys.executable, str(DRIVER), *arguments, f"-artifact_prefix={tmp_path}/found-"],
        capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS + 120,
    )  # fmt: skip


def test_no_source_crashes_the_parser_or_makes_it_slow(tmp_path: Path):
    pytest.importorskip("atheris", reason="atheris is not available for this platform")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, source in enumerate(SEEDS):
        (corpus / f"{number}").write_text(source)
    words = tmp_path / "words"
    escaped = [word.replace("\\", r"\\").replace('"', r"\"") for word in WORDS.split()]
    words.write_text("\n".join(f'"{word}"' for word in escaped))
    done = fuzz(
        tmp_path, str(corpus), f"-dict={words}", f"-max_len={LONGEST}", "-timeout=30",
        f"-max_total_time={SECONDS}", "-rss_limit_mb=4096", "-seed=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    (runs,) = re.findall(r"Done (\d+) runs", done.stderr)
    covered = max(map(int, re.findall(r"cov: (\d+)", done.stderr)))
    print(f"{runs} texts, {covered} edges covered")  # noqa: T201 (a summary)
    # The fuzzer got into the parser, and beyond the first error.
    assert int(runs) > 100
    assert covered > 300
