"""`quantcloud calibrate`: measure the simulators on this machine, or show the cost model."""

import asyncio
from collections.abc import Callable, Mapping

from rich.progress import Progress

from quantcloud.backends.base import installed_backends
from quantcloud.cli.failure import Failure
from quantcloud.cli.tables import stdout, table
from quantcloud.engine.local import LocalEngine
from quantcloud.routing.cost_model import Key
from quantcloud.services.calibration import Measured, calibration, measure
from quantcloud.settings import Settings
from quantcloud.storage.model_files import ModelFiles, machine
from quantcloud.telemetry import logs


def calibrate(settings: Settings, seconds: float) -> None:
    """Measure for about `seconds` at most, then print and save the result. Raises `Failure`."""
    console = stdout()
    logs.configure("warning")
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("Starting the simulators", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what or "Done")

        measured = asyncio.run(_measure(settings, seconds, progress))
    if not measured:
        raise Failure("no run finished; the machine may have too little memory, or be busy")
    found = calibration(measured, machine())
    try:
        path = _files(settings).save_calibration(found)
    except OSError as error:
        raise Failure(f"cannot save the calibration: {error}") from error
    shown = table("backend", "method", "runs", "stated", "measured")
    for (backend, method), each in measured.items():
        shown.add(backend, method, each.runs, _factor(each.before), _factor(each.after))
    console.print(shown)
    console.print(
        "Half of the predictions are within these factors of the run time: with the figures that "
        f"backends state, and with the measured ones.\nSaved in {path}",
        soft_wrap=True,
    )


def show(settings: Settings) -> None:
    """Print the saved cost model: its calibration, the jobs that it learnt from, its errors."""
    console = stdout()
    model = _files(settings).load()
    if model.calibration is None:
        console.print("Not calibrated on this machine: predictions use what backends state.")
    else:
        found = model.calibration
        console.print(f"Calibrated {found.measured_at} on {found.machine}", soft_wrap=True)
    shown = table("backend", "method", "measured", "jobs", "off by", "actual/predicted")
    calibrated = set[Key](model.calibration.coefficients if model.calibration else ())
    for key in sorted(calibrated | model.errors.keys()):
        measured = "yes" if key in calibrated else "no"
        if errors := model.errors.get(key):
            factors = _factor(errors.typical), _factor(errors.mean_ratio)
            shown.add(*key, measured, errors.count, *factors)
        else:
            shown.add(*key, measured, 0, "-", "-")
    console.print(shown)


def _factor(value: float) -> str:
    return f"x{value:.2f}"


def _files(settings: Settings) -> ModelFiles:
    return ModelFiles(settings.data_dir, settings.router_model)


async def _measure(
    settings: Settings, seconds: float, progress: Callable[[int, int, str], None]
) -> Mapping[Key, Measured]:
    engine = LocalEngine(workers=1, memory_limit=settings.worker_memory, hidden=[settings.data_dir])
    await engine.start()
    try:
        return await measure(
            engine,
            installed_backends(),
            engine.memory_limit,
            seconds=seconds,
            progress=progress,
        )
    finally:
        await engine.stop()
