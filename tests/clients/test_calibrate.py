"""`quantcloud calibrate` measures this machine's simulators. Jobs improve the cost model, too."""

import json
import subprocess
from pathlib import Path

import pytest

from support.circuits import BELL
from support.server import Server, quantcloud


def calibrate(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        quantcloud("calibrate", "--data-dir", str(folder), *arguments),
        capture_output=True, text=True, check=True, timeout=120, env={"COLUMNS": "200"},
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a short calibration."""
    made = tmp_path_factory.mktemp("calibrated") / "data"
    printed = calibrate(made, "--seconds", "1")
    assert "local_simulator" in printed
    assert str(made / "calibration.json") in printed
    return made


def test_a_calibration_is_saved_for_this_machine(folder: Path):
    kept = json.loads((folder / "calibration.json").read_text())
    assert kept["machine"]
    assert kept["seconds_per_unit"]["local_simulator/statevector"]["start"] > 0


def test_the_model_learns_from_jobs_and_show_prints_it(folder: Path):
    with Server(folder, "--no-envoy", "--workers", "1") as server:
        ada = server.api()
        for _ in range(3):
            last = ada.finish(ada.run(BELL, backend="local_simulator"))
    routing = last.job.metadata["routing"]
    assert routing["actual_seconds"] > 0
    shown = calibrate(folder, "--show")
    assert "Calibrated" in shown
    (row,) = [line.split() for line in shown.splitlines() if f" {routing['method']} " in line
              and "local_simulator" in line]  # fmt: skip
    assert row[2:4] == ["yes", "3"]
    learnt = json.loads((folder / "learnt.json").read_text())
    errors = learnt["errors"][f"local_simulator/{routing['method']}"]
    assert sum(errors["buckets"]) == 3


def test_show_says_if_there_is_no_calibration(tmp_path: Path):
    assert "Not calibrated on this machine" in calibrate(tmp_path, "--show")
