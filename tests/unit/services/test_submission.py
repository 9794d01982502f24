"""What a program says of its run counts where the request says nothing."""

import pytest

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.quantsdk import Program, RunSettings
from quantcloud.services.submission import Submission, blaming_code, with_program

BARE = Submission("", " ", "code", None, None, None, None, None, RunOptions())
FULL = Submission(
    "", "", "code", 9, "aer_simulator", OptimizationTarget.COST, 0.0, 0.0, RunOptions(seed=0)
)
SAID = RunSettings(50, "local_simulator", "quality", 0.5, 0.9, 3)


def program(settings):
    return Program("qreg q[1];", "c", "because", settings)


def said(submission):
    return (submission.shots, submission.backend, submission.optimize_for, submission.max_cost_usd,
            submission.min_fidelity, submission.options.seed)  # fmt: skip


def test_a_program_fills_in_what_the_request_leaves_out():
    merged = with_program(BARE, program(SAID))
    assert (merged.qasm, merged.circuit_qasm) == ("qreg q[1];", "")
    assert said(merged) == (
        50, "local_simulator", OptimizationTarget.ACCURACY, 0.5, 0.9, 3
    )  # fmt: skip


def test_the_request_comes_first():
    assert said(with_program(FULL, program(SAID))) == said(FULL)


def test_a_program_that_says_nothing_changes_nothing():
    assert said(with_program(BARE, program(RunSettings()))) == said(BARE)
    assert with_program(BARE, None) is BARE


def test_an_unknown_target_of_a_program_is_its_own():
    odd = program(RunSettings(optimize_for="colour"))
    with pytest.raises(InvalidArgument) as caught, blaming_code(BARE, odd):
        with_program(BARE, odd)
    assert caught.value.message.startswith("code.optimize_for: must be one of quality, balanced")


@pytest.mark.parametrize(
    ("submission", "given", "field"),
    [(BARE, True, "code.shots"), (FULL, True, "shots"), (BARE, False, "shots")],
)
def test_who_is_blamed(submission, given, field):
    said = program(SAID) if given else None
    with pytest.raises(InvalidArgument) as caught, blaming_code(submission, said):
        raise InvalidArgument("shots", "are too many")
    assert caught.value.field == field
    assert caught.value.message == f"{field}: are too many"
