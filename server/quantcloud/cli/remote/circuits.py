"""The commands that run circuits."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantcloud.cli.failure import INTERRUPTED, NO_RESULT, WRONG_USE, Failure
from quantcloud.cli.remote import arguments
from quantcloud.cli.remote.arguments import read_circuit
from quantcloud.cli.remote.command import Circuit, JobId, Plot, Timeout, beginning, command

if TYPE_CHECKING:
    from quantcloud.cli.remote.session import Session
    from quantcloud.client import Batch, Event, Job, JobEnded, Result

app = typer.Typer()

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        help="Values of an input, once for each: theta=0,0.5,1 or theta=0:3.14:50 (50 values).",
    ),
]

_PLAN = {
    "backend": Annotated[
        str | None, typer.Option(help="Backend. \\[default: QuantRouter chooses]")
    ],
    "shots": Annotated[
        int | None, typer.Option(help="Measurement shots. \\[default: 1024]", min=1, max=2**31 - 1)
    ],
    "seed": Annotated[int | None, typer.Option(help="Seed of the random numbers.", min=0)],
    "noise": Annotated[
        str | None, typer.Option(help="Noise as JSON, or a file with it.", metavar="JSON|FILE")
    ],
    "optimize_for": Annotated[
        str | None,
        typer.Option(
            help="balanced, speed, accuracy or cost.",
            autocompletion=beginning("balanced", "speed", "accuracy", "cost"),
        ),
    ],
    "options": Annotated[
        str | None,
        typer.Option(
            help="More options as JSON, such as '{\"memory\": true}'.", metavar="JSON|FILE"
        ),
    ],
}
_RUN = {
    **_PLAN,
    "name": Annotated[str | None, typer.Option(help="A name for the job.")],
    "tags": Annotated[list[str] | None, typer.Option("--tag", help="A label; may be repeated.")],
}
Fields = dict[str, Any]


@command(app, "run", _RUN)
def run(
    session: "Session", fields: Fields, *, file: Circuit, plot: Plot = None, timeout: Timeout = None
) -> None:
    """Run a circuit, show its progress live, and print the histogram. Ctrl-C leaves the job."""
    from quantcloud.cli.remote.follow import follow, show_result

    show_result(session, follow(session, _submit(session, file, fields), timeout), plot)


@command(app, "plan", _PLAN)
def plan(session: "Session", fields: Fields, *, file: Circuit) -> None:
    """Show where a circuit would run, why, and at what cost. Runs nothing."""
    from quantcloud.cli.tables import seconds, table

    found = _checked(session.client.plan, read_circuit(file), fields)
    shown = table("backend", "method", "score", "run", "wait", "cost", "why not")
    for each in found.candidates:
        if each.HasField("rejection"):
            shown.add(each.backend, "", "", "", "", "", each.rejection, style="dim")
        else:
            shown.add(
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


@command(app, "draw")
def draw(session: "Session", *, file: Circuit) -> None:
    """Draw a circuit in the terminal. Runs nothing."""
    drawing = session.client.draw(read_circuit(file))
    session.answer(drawing.message, drawing.text)


@command(app, "batch", _RUN)
def batch(
    session: "Session",
    fields: Fields,
    *,
    files: Annotated[list[Path], typer.Argument(help="OpenQASM files.")],
    timeout: Timeout = None,
) -> None:
    """Submit circuits at once, all or none of each 1,000, and show how each ended."""
    from quantcloud.cli.tables import table
    from quantcloud.client import Result

    jobs: Batch = _checked(session.client.batch, [*map(read_circuit, files)], fields)
    ids = ", ".join(jobs.ids)
    session.say(f"batch {ids} of {len(jobs)} jobs")
    try:
        outcomes = _outcomes(session, jobs, timeout)
    except KeyboardInterrupt:
        raise Failure(
            f"the jobs of batch {ids} go on; `quantcloud jobs` lists them", INTERRUPTED
        ) from None
    shown = table("file", "job", "status", "most frequent")
    content: list[Any] = []
    for file, job, outcome in zip(files, jobs, outcomes, strict=True):
        result = outcome.to_dict() if isinstance(outcome, Result) else None
        content.append({"file": str(file), "job": job.to_dict(), "result": result})
        shown.add(file, job.id, job.status, _summary(outcome))
    session.answer(content, shown)
    if bad := sum(each["result"] is None for each in content):
        raise Failure(f"{bad} of {len(jobs)} jobs have no result", NO_RESULT)


@command(app, "sweep", _RUN)
def sweep(
    session: "Session",
    fields: Fields,
    *,
    file: Circuit,
    parameter: Parameters,
    timeout: Timeout = None,
) -> None:
    """Run a circuit at many values of its inputs as one job, and print the counts at each."""
    _run_points(session, file, fields, parameter, (), timeout=timeout)


@command(app, "estimate", _RUN)
def estimate(
    session: "Session",
    fields: Fields,
    *,
    file: Circuit,
    observable: Annotated[
        list[str],
        typer.Option(
            "--observable", "-o", help="ZZ, 'Z0 Z3', or a sum as JSON: '{\"ZI\": 1, \"IX\": -0.5}'."
        ),
    ],
    parameter: Parameters = None,
    precision: Annotated[
        float | None, typer.Option(help="The wanted standard error. \\[default: exact if possible]")
    ] = None,
    gradient: Annotated[
        bool, typer.Option("--gradient", help="Compute the gradients, too; see --json.")
    ] = False,
    timeout: Timeout = None,
) -> None:
    """Print expectation values of observables, at many values of the inputs if given."""
    fields |= {"precision": precision, "gradient": gradient or None}
    _run_points(session, file, fields, parameter, observable, timeout=timeout)


@command(app, "rerun")
def rerun(session: "Session", job: JobId, plot: Plot = None, timeout: Timeout = None) -> None:
    """Run a job's circuit again: same backend, options and seed, so the same counts."""
    from quantcloud.cli.remote.follow import follow, show_result

    first = session.client.job(job)
    before = first.circuit()
    again = first.rerun()
    show_result(session, follow(session, again, timeout), plot)
    after = again.circuit()
    for field in ("backend", "method", "simulator_version", "server_version"):
        then, now = getattr(before, field), getattr(after, field)
        if then and then != now:
            what = field.replace("_", " ")
            sys.stderr.write(f"counts may differ: the {what} was {then}, and is {now}\n")


def _run_points(
    session: "Session",
    file: Path,
    fields: Fields,
    inputs: Sequence[str] | None,
    observables: Sequence[str],
    *,
    timeout: float | None,
) -> None:
    """Run a circuit at many points, and print the counts or the values at each."""
    from quantcloud.cli.remote.follow import follow
    from quantcloud.cli.remote.points import show_points

    parameters = arguments.parameters(inputs or ())
    terms = [arguments.observable(each) for each in observables]
    job = _submit(session, file, {**fields, "parameters": parameters, "observables": terms})
    show_points(session, follow(session, job, timeout), parameters, observables)


def _submit(session: "Session", file: Path, fields: Fields) -> "Job":
    return _checked(session.client.submit, read_circuit(file), fields)


def _checked(call: Any, circuit: Any, fields: Fields) -> Any:
    """Call the client. An unknown key of `--options` is wrong use."""
    try:
        return call(circuit, **fields)
    except TypeError as error:
        raise Failure(f"--options: {error}", WRONG_USE) from error


def _outcomes(
    session: "Session", jobs: "Batch", timeout: float | None
) -> "list[Result | JobEnded]":
    """Wait for the end of jobs. On a terminal, show how many have ended."""
    ended = set[str]()
    with session.live(f"0 of {len(jobs)} jobs have ended") as show:

        def count(event: "Event") -> None:
            if event.is_last and show is not None:
                ended.add(event.job_id)
                show(f"{len(ended)} of {len(jobs)} jobs have ended")

        return jobs.outcomes(timeout=timeout, progress=count)


def _summary(outcome: "Result | JobEnded") -> str:
    from quantcloud.cli.remote.histogram import most_frequent
    from quantcloud.cli.remote.session import one_line

    return one_line(outcome) if isinstance(outcome, Exception) else most_frequent(outcome.counts)
