"""What the commands that run circuits do."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from quantcloud.cli.failure import INTERRUPTED, NO_RESULT, WRONG_USE, Failure
from quantcloud.cli.follow import follow, show_result
from quantcloud.cli.histogram import most_frequent
from quantcloud.cli.session import Session, one_line, read_circuit, read_json
from quantcloud.cli.tables import table
from quantcloud.client import Batch, Event, JobEnded, Result
from thequantcloud.v1 import circuit_pb2


def fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a run from the options of a command. Raises `Failure`."""
    found = dict(given)
    more = read_json("--options", found.pop("options"))
    if twice := sorted(more.keys() & {*found, "circuit", "parameters", "observables"}):
        raise Failure(f"--options: {twice[0]} has an option of its own", WRONG_USE)
    found["noise"] = read_json("--noise", found["noise"]) or None
    return {key: value for key, value in {**more, **found}.items() if value not in (None, [])}


def run(
    session: Session,
    file: Path,
    fields: Mapping[str, Any],
    plot: Path | None,
    timeout: float | None,
) -> None:
    """Submit the circuit in `file`, follow its job, and print the counts."""
    show_result(session, submit_and_follow(session, file, fields, timeout), plot)


def rerun(session: Session, job_id: str, plot: Path | None, timeout: float | None) -> None:
    """Submit a job's circuit again and show it like a run. Say it if the counts may differ."""
    first = session.client.job(job_id)
    before = first.circuit()
    again = first.rerun()
    result = follow(session, again, timeout)
    show_result(session, result, plot)
    after = again.circuit()
    for field in ("backend", "method", "simulator_version", "server_version"):
        then, now = getattr(before, field), getattr(after, field)
        if then and then != now:
            what = field.replace("_", " ")
            sys.stderr.write(f"counts may differ: the {what} was {then}, and is {now}\n")


def plan(session: Session, file: Path, fields: Mapping[str, Any]) -> None:
    """Print where a circuit would run, and what speaks for and against each backend."""
    found: circuit_pb2.PlanCircuitResponse = _checked(
        session.client.plan, read_circuit(file), fields
    )
    shown = table("backend", "method", "score", "run", "wait", "cost", "why not")
    for each in found.candidates:
        if each.HasField("rejection"):
            shown.add_row(each.backend, "", "", "", "", "", each.rejection, style="dim")
        else:
            shown.add_row(
                each.backend,
                each.method,
                f"{each.score:.2f}",
                seconds(each.predicted_seconds),
                seconds(each.predicted_wait_seconds),
                f"{each.cost_usd:.4g} USD",
                "",
                style="bold" if each.backend == found.backend else None,
            )
    session.answer(found, f"{found.reason}\n", shown)


def draw(session: Session, file: Path) -> None:
    """Print a drawing of a circuit."""
    drawing = session.client.draw(read_circuit(file))
    session.answer(drawing.message, drawing.text)


def batch(
    session: Session, files: Sequence[Path], fields: Mapping[str, Any], timeout: float | None
) -> None:
    """Submit circuits together, and print how each of them ended."""
    circuits = [read_circuit(each) for each in files]
    jobs: Batch = _checked(session.client.batch, circuits, fields)
    ids = ", ".join(jobs.ids)
    session.say(f"batch {ids} of {len(jobs)} jobs")
    try:
        outcomes = _outcomes(session, jobs, timeout)
    except KeyboardInterrupt:
        raise Failure(
            f"the jobs of batch {ids} go on; `quantcloud jobs` lists them", INTERRUPTED
        ) from None
    shown = table("file", "job", "status", "most frequent")
    for file, job, outcome in zip(files, jobs, outcomes, strict=True):
        shown.add_row(str(file), job.id, job.status, _summary(outcome))
    content = [
        {"file": str(file), "job": job.to_dict(), "result": _result(outcome)}
        for file, job, outcome in zip(files, jobs, outcomes, strict=True)
    ]
    session.answer(content, shown)
    if bad := sum(isinstance(each, JobEnded) for each in outcomes):
        raise Failure(f"{bad} of {len(jobs)} jobs have no result", NO_RESULT)


def seconds(value: float) -> str:
    """Return a duration for people."""
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 60 else f"{value / 60:.3g} min"  # noqa: PLR2004


def _outcomes(session: Session, jobs: Batch, timeout: float | None) -> list[Result | JobEnded]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=session.console,
        disable=session.quiet or not session.console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task("done", total=len(jobs))

        def advance(event: Event) -> None:
            if event.is_last:
                bar.advance(task)

        return jobs.outcomes(timeout=timeout, progress=advance)


def _summary(outcome: Result | JobEnded) -> str:
    if isinstance(outcome, JobEnded):
        return one_line(outcome)
    return most_frequent(outcome.counts)


def _result(outcome: Result | JobEnded) -> dict[str, Any] | None:
    return outcome.to_dict() if isinstance(outcome, Result) else None


def submit_and_follow(
    session: Session, file: Path, fields: Mapping[str, Any], timeout: float | None
) -> Result:
    """Submit the circuit in `file`, show its job live, and return the result."""
    job = _checked(session.client.submit, read_circuit(file), fields)
    return follow(session, job, timeout)


def _checked(call: Any, circuit: Any, fields: Mapping[str, Any]) -> Any:
    """Call the client. An unknown key of `--options` is wrong use."""
    try:
        return call(circuit, **fields)
    except TypeError as error:
        raise Failure(f"--options: {error}", WRONG_USE) from error
