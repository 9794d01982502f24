"""Saves what a server's cost model learns, and starts its calibration on a new machine."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence

import structlog

from quantcloud.routing.cost_model import CostModel
from quantcloud.storage.model_files import ModelFiles

_INTERVAL_SECONDS = 60.0
_LOWEST_PRIORITY = 19

log = structlog.stdlib.get_logger(__name__)


class ModelKeeper:
    """Maintains `model` from `start` to `stop`, every `every` seconds.

    `calibrate` is the command that writes a calibration, as an argument vector, or None. If there
    is no calibration, the command runs once, when `is_idle` returns true. `settle` is the number of
    seconds between checks of that. The command has the lowest priority that the system offers, and
    pauses while `is_quiet` returns false, checked every `pace` seconds.
    """

    def __init__(
        self,
        files: ModelFiles,
        model: CostModel,
        *,
        calibrate: Sequence[str] | None,
        is_idle: Callable[[], bool],
        is_quiet: Callable[[], bool],
        every: float = _INTERVAL_SECONDS,
        settle: float = 5.0,
        pace: float = 0.05,
    ) -> None:
        self._files = files
        self._model = model
        self._calibrate = calibrate
        self._is_idle = is_idle
        self._is_quiet = is_quiet
        self._every = every
        self._settle = settle
        self._pace = pace
        self._saved = model.learnt
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks.append(asyncio.ensure_future(self._maintain()))
        if self._calibrate is not None and self._model.calibration is None:
            self._tasks.append(asyncio.ensure_future(self._calibrate_once(self._calibrate)))

    async def stop(self) -> None:
        """End a running calibration, and save. Safe to call twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._save()
        for (backend, method), errors in sorted(self._model.errors.items()):
            log.info(
                "predictions of run times",
                backend=backend,
                method=method,
                runs=errors.count,
                typically_off_by=round(errors.typical, 3),
            )

    async def _maintain(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self._reload_calibration()
            self._save()

    def _reload_calibration(self) -> None:
        """Use a calibration that another process has written."""
        if not self._files.has_changed:
            return
        calibration = self._files.reload()
        if calibration is not None:
            self._model.calibrate(calibration)
            log.info("the cost model was calibrated", measured_at=calibration.measured_at)

    def _save(self) -> None:
        if self._model.learnt == self._saved:
            return
        try:
            self._files.save_learnt(self._model)
        except OSError as error:
            log.warning("cannot save the learnt run times", error=str(error))
        self._saved = self._model.learnt

    async def _calibrate_once(self, command: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(self._settle)
            if self._is_idle() and self._is_quiet():
                break
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
        try:
            _lower_priority(process.pid)
            code = await self._ended(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            log.warning("the cost model could not be calibrated", exit_code=code)
        self._reload_calibration()

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        """Wait for the end of a process that runs while the server is quiet. Return its exit code.

        A run that its workers have begun goes on, for a part of a second.
        """
        ended = asyncio.ensure_future(process.wait())
        runs = True
        while not ended.done():
            if self._is_quiet() is not runs:
                runs = not runs
                process.send_signal(signal.SIGCONT if runs else signal.SIGSTOP)
            await asyncio.wait([ended], timeout=self._pace)
        return ended.result()


def calibrate_command(*options: str) -> list[str]:
    """Return the argument vector of `quantcloud calibrate` with this interpreter."""
    return [sys.executable, "-m", "quantcloud", "calibrate", *options]


def _lower_priority(pid: int) -> None:
    """Let a process, and all that it starts, use only idle processor time."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, _LOWEST_PRIORITY)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    except OSError as error:
        log.info("cannot lower the calibration's priority", error=str(error))
