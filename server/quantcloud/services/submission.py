"""What is sent to be run, and what its program, where it has one, says about it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.domain.value_object import value_object
from quantcloud.quantsdk import Program
from quantcloud.services.sweep_wanted import NO_SWEEP, SweepWanted

# The SDK's words for targets, beside the documented ones.
_TARGETS: Mapping[str, OptimizationTarget] = {
    "quality": OptimizationTarget.ACCURACY,
    **{target: target for target in OptimizationTarget},
}


@value_object
class Submission:
    """A circuit and what its sender wants of it, as it was sent; None stands for what was not."""

    qasm: str
    circuit_qasm: str
    code: str
    shots: int | None
    backend: str | None
    optimize_for: OptimizationTarget | None
    max_cost_usd: float | None
    min_fidelity: float | None
    options: RunOptions
    sweep: SweepWanted = NO_SWEEP
    name: str | None = None
    tags: tuple[str, ...] = ()


def with_program(submission: Submission, program: Program | None) -> Submission:
    """The submission with its program's circuit, and how the program runs it.

    What the request itself says comes first. Raises `InvalidArgument`.
    """
    if program is None:
        return submission
    said, options = program.settings, submission.options
    if options.seed is None:
        options = replace(options, seed=said.seed)
    target = submission.optimize_for
    if target is None and said.optimize_for is not None:
        target = _TARGETS.get(said.optimize_for)
        if target is None:
            raise InvalidArgument("optimize_for", f"must be one of {', '.join(_TARGETS)}")
    cost, fidelity = submission.max_cost_usd, submission.min_fidelity
    return replace(
        submission,
        qasm=program.qasm,
        circuit_qasm="",
        shots=said.shots if submission.shots is None else submission.shots,
        backend=submission.backend or said.backend,
        optimize_for=target,
        max_cost_usd=said.max_cost_usd if cost is None else cost,
        min_fidelity=said.min_fidelity if fidelity is None else fidelity,
        options=options,
    )


@contextmanager
def blaming_code(submission: Submission, program: Program | None) -> Generator[None]:
    """Name `code` in an error about what the program says and the request does not."""
    try:
        yield
    except InvalidArgument as error:
        if program is not None and getattr(submission, error.field, None) in (None, ""):
            error.locate("code")
        raise


def program_metadata(program: Program | None) -> Mapping[str, object]:
    """What a job's metadata says about the program that its circuit is of."""
    if program is None:
        return {}
    return {"code": {"circuit": program.name, "reason": program.reason}}
