"""The commands that run circuits."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantcloud.cli.options import Circuit, JobId, Plot, Timeout
from quantcloud.cli.remote import Option, command

if TYPE_CHECKING:
    from quantcloud.cli.session import Session

app = typer.Typer()

Backend = Annotated[str | None, typer.Option(help="Backend. \\[default: QuantRouter chooses]")]
Shots = Annotated[
    int | None, typer.Option(help="Measurement shots. \\[default: 1024]", min=1, max=2**31 - 1)
]
Seed = Annotated[int | None, typer.Option(help="Seed of the random numbers.", min=0)]
Noise = Annotated[
    str | None, typer.Option(help="Noise as JSON, or a file with it.", metavar="JSON|FILE")
]
Optimize = Annotated[
    str | None, typer.Option("--optimize-for", help="balanced, speed, accuracy or cost.")
]
Options = Annotated[
    str | None,
    typer.Option(help="More options as JSON, such as '{\"memory\": true}'.", metavar="JSON|FILE"),
]
Name = Annotated[str | None, typer.Option(help="A name for the job.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A label; may be repeated.")]

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        help="Values of an input, once for each: theta=0,0.5,1 or theta=0:3.14:50 (50 values).",
    ),
]

_PLAN: tuple[Option, ...] = (
    ("backend", Backend, None),
    ("shots", Shots, None),
    ("seed", Seed, None),
    ("noise", Noise, None),
    ("optimize_for", Optimize, None),
    ("options", Options, None),
)
_RUN = (*_PLAN, ("name", Name, None), ("tags", Tags, None))


@command(app, "run", _RUN)
def run(
    session: "Session",
    fields: Mapping[str, Any],
    *,
    file: Circuit,
    plot: Plot = None,
    timeout: Timeout = None,
) -> None:
    """Run a circuit, show its progress live, and print the histogram. Ctrl-C leaves the job."""
    from quantcloud.cli import runs

    runs.run(session, file, runs.fields(fields), plot, timeout)


@command(app, "plan", _PLAN)
def plan(session: "Session", fields: Mapping[str, Any], *, file: Circuit) -> None:
    """Show where a circuit would run, why, and at what cost. Runs nothing."""
    from quantcloud.cli import runs

    runs.plan(session, file, runs.fields(fields))


@command(app, "draw")
def draw(session: "Session", *, file: Circuit) -> None:
    """Draw a circuit in the terminal. Runs nothing."""
    from quantcloud.cli import runs

    runs.draw(session, file)


@command(app, "batch", _RUN)
def batch(
    session: "Session",
    fields: Mapping[str, Any],
    *,
    files: Annotated[list[Path], typer.Argument(help="OpenQASM files.")],
    timeout: Timeout = None,
) -> None:
    """Submit circuits at once, all or none of each 1,000, and show how each ended."""
    from quantcloud.cli import runs

    runs.batch(session, files, runs.fields(fields), timeout)


@command(app, "sweep", _RUN)
def sweep(
    session: "Session",
    fields: Mapping[str, Any],
    *,
    file: Circuit,
    parameter: Parameters,
    timeout: Timeout = None,
) -> None:
    """Run a circuit at many values of its inputs as one job, and print the counts at each."""
    from quantcloud.cli import sweeps

    sweeps.sweep(session, file, fields, parameter, timeout)


@command(app, "estimate", _RUN)
def estimate(
    session: "Session",
    fields: Mapping[str, Any],
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
    from quantcloud.cli import sweeps

    more = {"precision": precision, "gradient": gradient or None}
    sweeps.estimate(session, file, {**fields, **more}, observable, parameter, timeout=timeout)


@command(app, "rerun")
def rerun(session: "Session", job: JobId, plot: Plot = None, timeout: Timeout = None) -> None:
    """Run a job's circuit again: same backend, options and seed, so the same counts."""
    from quantcloud.cli import runs

    runs.rerun(session, job, plot, timeout)
