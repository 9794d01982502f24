"""Predicted times: coefficients, their fit, learning from runs, and the files."""

import dataclasses
import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.routing.correction import BOUNDS, Correction, Errors
from quantcloud.routing.cost_model import Calibration, CostModel
from quantcloud.routing.fitting import Sample, fitted
from quantcloud.routing.method import Method
from quantcloud.routing.model_file import (
    UnusableError,
    calibration_document,
    learnt_document,
    read_calibration,
    read_learnt,
)
from quantcloud.routing.work import Coefficients, Work

STATED = Coefficients(start=1e-3, operation=1e-5, light=1e-9, dense=2e-9, wide=3e-9, state=1e-8,
                      sample=1e-7)  # fmt: skip
TRUE = Coefficients(start=3e-3, operation=2e-5, light=5e-10, dense=9e-9, wide=3e-9, state=2e-8,
                    sample=4e-8)  # fmt: skip
TIMES = st.floats(1e-7, 1e5)


def works(number: int, seed: int = 1) -> list[Work]:
    rng = random.Random(seed)
    found: list[Work] = []
    for _ in range(number):
        size = 1 << rng.randrange(2, 21)
        gates = rng.randrange(1, 200)
        light, wide, shots = rng.randrange(gates), rng.randrange(gates), rng.randrange(99_999)
        dense = gates - light
        found.append(Work(gates, size * light, size * dense, size * wide, size, shots))
    return found


def method(work: Work | None = None, seconds: float = 1.0) -> Method:
    return Method("m", 1, seconds, work=work, coefficients=STATED)


def test_the_predicted_seconds_add_up():
    work = Work(operations=10, light=100, dense=200, wide=300, state=50, samples=7)
    assert STATED.seconds(work) == pytest.approx(1e-3 + 10e-5 + 1e-7 + 4e-7 + 9e-7 + 5e-7 + 7e-7)
    assert STATED.seconds(Work()) == 1e-3


def test_a_fit_approaches_the_true_coefficients():
    samples = [Sample(work, TRUE.seconds(work)) for work in works(30)]
    found = fitted(STATED, samples)
    for work in works(50, seed=2):
        before, after = (
            abs(math.log(each.seconds(work) / TRUE.seconds(work))) for each in (STATED, found)
        )
        assert after < max(0.2, before / 2)


def test_a_term_that_no_run_exercises_is_scaled_with_the_others():
    samples = [Sample(work, 3 * STATED.seconds(work)) for work in (Work(10), Work(500), Work(2000))]
    found = fitted(STATED, samples)
    assert found.operation == pytest.approx(3 * STATED.operation, rel=0.05)
    assert found.dense == pytest.approx(3 * STATED.dense, rel=0.05)


def test_one_outlier_does_not_spoil_a_fit():
    samples = [Sample(work, TRUE.seconds(work)) for work in works(20)]
    odd = samples[3]
    samples[3] = Sample(odd.work, 10 * odd.seconds)
    found = fitted(STATED, samples)
    off = [abs(math.log(found.seconds(w) / TRUE.seconds(w))) for w in works(50, seed=2)]
    assert sorted(off)[25] < 0.5


def test_a_fit_without_samples_changes_nothing():
    assert fitted(STATED, []) == STATED


def test_a_calibration_takes_precedence_over_stated_times():
    work = Work(operations=100)
    model = CostModel(Calibration("here", "now", {("b", "m"): TRUE}))
    assert model.seconds("b", method(work)) == TRUE.seconds(work)
    assert model.seconds("other", method(work)) == 1.0
    assert model.seconds("b", method(None)) == 1.0
    model.calibrate(None)
    assert model.seconds("b", method(work)) == 1.0


@given(st.lists(st.tuples(TIMES, TIMES), max_size=40), TIMES)
def test_a_correction_stays_within_its_bounds(runs: list[tuple[float, float]], asked: float):
    correction = Correction()
    for predicted, actual in runs:
        correction = correction.after(predicted, actual)
    assert 0.0999 <= correction.factor(asked) <= 10.001
    assert correction.factor(0.0) > 0


def test_a_correction_learns_each_duration_separately():
    correction = Correction()
    for _ in range(60):
        correction = correction.after(1e-3, 3e-3).after(1.0, 0.5)
    assert correction.factor(1e-3) == pytest.approx(3, rel=0.1)
    assert correction.factor(1.0) == pytest.approx(0.5, rel=0.1)
    # Between the two it changes smoothly, and beyond them it is constant.
    middle = [correction.factor(10**exponent) for exponent in (-2.5, -2, -1.5, -1, -0.5)]
    assert middle == sorted(middle, reverse=True)
    assert correction.factor(1e-5) == pytest.approx(3, rel=0.1)
    assert correction.factor(500) == pytest.approx(0.5, rel=0.1)


def test_one_run_changes_a_correction_only_a_little():
    assert Correction().after(1.0, 1000.0).factor(1.0) < 1.5
    settled = Correction()
    for _ in range(50):
        settled = settled.after(1.0, 2.0)
    assert settled.after(1.0, 1000.0).factor(1.0) == pytest.approx(2, rel=0.1)


def test_a_model_learns_and_records_its_errors():
    model = CostModel()
    for _ in range(100):
        model.learn("b", method(), 4.0)
    assert model.seconds("b", method()) == pytest.approx(4, rel=0.1)
    assert model.seconds("other", method()) == 1.0
    errors = model.errors["b", "m"]
    assert errors.count == model.learnt == 100
    assert errors.typical < 1.3
    assert errors.buckets[5] >= 1  # the first ones were off by a factor of up to five


def test_a_stopped_run_gives_only_a_lower_bound():
    model = CostModel()
    model.learn("b", method(), 0.5, at_least=True)
    assert model.learnt == 0
    model.learn("b", method(), 3.0, at_least=True)
    assert model.seconds("b", method()) > 1.0
    model.learn("b", method(), 0.0)
    assert model.learnt == 1


def test_errors_are_counted_by_their_factor():
    errors = Errors()
    for actual in (1.0, 1.05, 0.8, 1.9, 0.1, 20.0):
        errors = errors.after(1.0, actual)
    assert errors.buckets == (2, 1, 0, 1, 0, 0, 1, 1)
    assert len(errors.buckets) == len(BOUNDS) + 1
    assert errors.count == 6
    assert Errors().typical == Errors().mean_ratio == 1.0
    assert Errors().after(1.0, 0.5).typical == pytest.approx(2)
    assert Errors().after(1.0, 0.5).mean_ratio == pytest.approx(0.5)


def trained_model() -> CostModel:
    model = CostModel(Calibration("here", "2025-01-01", {("b", "m"): TRUE, ("a", "x"): STATED}))
    for actual in (1.0, 2.0, 30.0):
        model.learn("b", method(), actual)
    return model


def test_saved_documents_are_read_back():
    model = trained_model()
    assert model.calibration is not None
    document = json.loads(json.dumps(calibration_document(model.calibration)))
    again = CostModel(read_calibration(document, "here"))
    assert again.calibration == model.calibration
    read_learnt(json.loads(json.dumps(learnt_document(model))), again)
    assert again.corrections == model.corrections
    assert again.errors == model.errors


def test_the_calibration_of_another_machine_is_refused():
    model = trained_model()
    assert model.calibration is not None
    with pytest.raises(UnusableError, match="measured on another machine"):
        read_calibration(calibration_document(model.calibration), "there")


def test_corrections_of_another_calibration_are_skipped():
    other = CostModel(Calibration("here", "2026-01-01", {}))
    read_learnt(learnt_document(trained_model()), other)
    assert not other.corrections
    assert other.errors


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 1}, "version is 1"),
        ({"seconds_per_unit": []}, "seconds_per_unit is not an object"),
        ({"seconds_per_unit": {"b/m": {"start": -1, "operation": 1}}}, "not a number of 0 or more"),
        (
            {"seconds_per_unit": {"b/m": {"start": "nan", "operation": 1}}},
            "not a number of 0 or more",
        ),
        ({"seconds_per_unit": {"b/m": {"sart": 1}}}, "sart"),
        ({"seconds_per_unit": {"b/m": 3}}, "b/m"),
    ],
)
def test_an_invalid_calibration_is_refused(change: dict[str, object], says: str):
    model = trained_model()
    assert model.calibration is not None
    with pytest.raises(UnusableError, match=says):
        read_calibration({**calibration_document(model.calibration), **change}, "here")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"corrections": {"b/m": {"shifts": [0.0], "weights": [0.0] * 7}}},
        {"corrections": {"b/m": {"shifts": [5.0] * 7, "weights": [0.0] * 7}}},
        {"errors": {"b/m": {"buckets": "a", "recent": 0, "bias": 0}}},
        {"errors": None},
    ],
)
def test_invalid_learnt_figures_are_refused(change: dict[str, object]):
    model = trained_model()
    with pytest.raises(UnusableError):
        read_learnt({**learnt_document(model), **change}, dataclasses.replace(model))
