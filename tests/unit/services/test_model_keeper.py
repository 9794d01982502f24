"""A server's cost model is saved, calibrated once, and reloaded after a new calibration."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Self

import pytest

from quantcloud.routing.cost_model import Calibration, CostModel
from quantcloud.routing.method import Method
from quantcloud.routing.work import Coefficients
from quantcloud.services.model_keeper import ModelKeeper
from quantcloud.storage.model_files import CALIBRATION_FILE, LEARNT_FILE, ModelFiles, machine

METHOD = Method("m", 1, 1.0)
FAST = Coefficients(start=1e-9, operation=1e-9)
TIMEOUT_SECONDS = 30


class Files(ModelFiles):
    """Files with events for saves and for reads of a calibration."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.saved = asyncio.Event()
        self.read = asyncio.Event()

    def save_learnt(self, model: CostModel) -> None:
        super().save_learnt(model)
        self.saved.set()

    def reload(self) -> Calibration | None:
        found = super().reload()
        self.read.set()
        return found


class Kept:
    """A keeper with its model and its files."""

    def __init__(self, folder: Path, command: list[str] | None = None, **fields: object) -> None:
        self.files = Files(folder)
        self.model = self.files.load()
        self.files.read.clear()
        always = lambda: True  # noqa: E731
        fields = {"is_idle": always, "is_quiet": always, "every": 0.01, "settle": 0.0, **fields}
        self.keeper = ModelKeeper(self.files, self.model, calibrate=command, **fields)

    async def __aenter__(self) -> Self:
        self.keeper.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.keeper.stop()


def calibrated(at: str = "now") -> Calibration:
    return Calibration(machine(), at, {("b", "m"): FAST})


def writes(folder: Path) -> list[str]:
    """Return a command that writes a calibration at once."""
    made = ModelFiles(folder / "other").save_calibration(calibrated())
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).replace(sys.argv[2])"
    return [sys.executable, "-c", code, str(made), str(folder / CALIBRATION_FILE)]


async def test_the_learnt_model_is_loaded_at_the_next_start(tmp_path: Path):
    async with Kept(tmp_path, every=1000.0) as kept:
        kept.model.learn("b", METHOD, 5.0)
    again = ModelFiles(tmp_path).load()
    assert again.seconds("b", METHOD) == kept.model.seconds("b", METHOD) > 1.0
    assert again.errors == kept.model.errors
    assert (tmp_path / LEARNT_FILE).stat().st_mode & 0o777 == 0o600


async def test_it_is_saved_from_time_to_time(tmp_path: Path):
    async with Kept(tmp_path) as kept:
        kept.model.learn("b", METHOD, 5.0)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await kept.files.saved.wait()


async def test_the_first_start_calibrates(tmp_path: Path):
    async with Kept(tmp_path, writes(tmp_path), every=1000.0) as kept:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await kept.files.read.wait()
        assert kept.model.calibration == calibrated()


async def test_a_calibrated_machine_is_not_calibrated_again(tmp_path: Path):
    ModelFiles(tmp_path).save_calibration(calibrated())
    async with Kept(tmp_path, ["/nowhere/to/be/found"]) as kept:
        assert len(kept.keeper._tasks) == 1


async def test_calibration_waits_until_the_server_is_idle(tmp_path: Path):
    asked = asyncio.Event()
    answers = iter((False, False, True))

    def is_idle() -> bool:
        asked.set()
        return next(answers)

    async with Kept(tmp_path, writes(tmp_path), is_idle=is_idle, every=1000.0) as kept:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asked.wait()
            await kept.files.read.wait()
        assert next(answers, None) is None


async def test_calibration_pauses_while_the_server_has_jobs(tmp_path: Path):
    pipe, quiet = tmp_path / "pipe", True
    os.mkfifo(pipe)
    code = f"""
import os, time
from pathlib import Path
print(os.getpid(), file=open({str(pipe)!r}, "w"))
while not Path({str(tmp_path / "end")!r}).exists():
    time.sleep(0.01)
"""

    def state(process: int) -> str:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]

    async def until(process: int, *, stopped: bool) -> None:
        while (state(process) == "T") is not stopped:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0.01)

    command = [sys.executable, "-c", code]
    async with (
        Kept(tmp_path, command, is_quiet=lambda: quiet, every=1000.0, pace=0.01) as kept,
        asyncio.timeout(TIMEOUT_SECONDS),
    ):
        process = int(await asyncio.to_thread(pipe.read_text))
        quiet = False
        await until(process, stopped=True)
        (tmp_path / "end").touch()
        quiet = True
        await kept.keeper._tasks[1]


async def test_a_running_calibration_ends_with_the_server(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = f"import os, time; print(os.getpid(), file=open({str(pipe)!r}, 'w')); time.sleep(600)"
    async with Kept(tmp_path, [sys.executable, "-c", code]):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            process = int(await asyncio.to_thread(pipe.read_text))
        os.kill(process, 0)
    # `stop` waits for the end of the process.
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_a_new_calibration_is_loaded(tmp_path: Path):
    ModelFiles(tmp_path).save_calibration(calibrated("before"))
    async with Kept(tmp_path) as kept:
        kept.model.learn("b", METHOD, 5.0)
        ModelFiles(tmp_path).save_calibration(calibrated("after"))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await kept.files.read.wait()
        assert kept.model.calibration == calibrated("after")
        assert not kept.model.corrections


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 7}', '{"version": 2}', "\xff"])
def test_invalid_files_are_ignored(tmp_path: Path, text: str):
    for name in (CALIBRATION_FILE, LEARNT_FILE):
        (tmp_path / name).write_text(text, encoding="latin-1")
    model = ModelFiles(tmp_path).load()
    assert model.calibration is None
    assert not model.corrections


def test_the_file_of_another_machine_is_ignored(tmp_path: Path):
    path = ModelFiles(tmp_path).save_calibration(Calibration("another", "now", {("b", "m"): FAST}))
    assert ModelFiles(tmp_path).load().calibration is None
    assert json.loads(path.read_text())["machine"] == "another"
