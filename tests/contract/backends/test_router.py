"""QuantRouter on a whole server: plans, explanations in jobs, hardware among simulators."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.api import Api
from support.circuits import BELL, HEADER, slow
from support.packages import install
from support.server import Server
from thequantcloud.v1 import job_pb2

HERE = Path(__file__).parent
QPUS = ("good_qpu", "cheap_qpu", "ions_qpu")
STAR = HEADER + (
    "qreg q[4]; creg c[4]; h q[0]; cx q[0],q[3]; cx q[0],q[2]; cx q[0],q[1]; measure q -> c;"
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three QPUs and its simulators."""
    folder = tmp_path_factory.mktemp("lab")
    points = {name: f"simulated_qpus:{name.partition('_')[0].upper()}" for name in QPUS}
    install(folder / "site", "simulated_qpus", (HERE / "simulated_qpus.py").read_text(), points)
    with Server(
        folder / "data", "--workers", "1", PYTHONPATH=str(folder / "site"),
        QUANTCLOUD_TIERS='{"explorer": {"requests_per_minute": null}, '
        '"developer": {"max_waiting_jobs": 0}}',
        QUANTCLOUD_ROUTER_ACCURACY_WEIGHT="0.4", QUANTCLOUD_ROUTER_SPEED_WEIGHT="0.5",
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def ada(lab: Server) -> Api:
    return lab.api()


def plan(api: Api, qasm: str = BELL, **fields: Any) -> dict[str, Any]:
    response = api.rest("POST", "/v1/circuits/plan", {"qasm": qasm, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def candidate(planned: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in planned["candidates"] if each["backend"] == name]
    return found


def rejection(planned: dict[str, Any], name: str) -> str:
    return candidate(planned, name)["rejection"] or ""


def test_a_plan_has_all_documented_fields(ada: Api):
    planned = plan(ada, optimize_for="speed")
    assert planned["candidates"][0]["backend"] == planned["backend"]
    assert planned["backend"] in planned["reason"]
    assert 0 < planned["predicted_seconds"] < 1
    assert planned["predicted_memory_bytes"] > 0
    assert planned["queue_position"] == 1
    assert planned["predicted_fidelity"] == 1
    assert planned["time_limit_seconds"] == 3600
    analysis = planned["analysis"]
    assert analysis["algorithm"] == "bell"
    assert analysis["interaction"] == {
        "pairs": 1, "degree": 1, "reach": 1, "entanglement_bits": 1,
    }  # fmt: skip
    assert analysis["gates_by_kind"] == {"dense": 1, "permutation": 1}
    assert analysis["state_bytes"] == {
        "statevector": 64, "statevector_single": 32, "density_matrix": 256, "stabilizer": 132,
        "matrix_product_state": 256,
    }  # fmt: skip
    for each in planned["candidates"]:
        assert (each["rejection"] is None) == (each["scores"] is not None), each
    scores = [each["score"] for each in planned["candidates"] if each["scores"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == candidate(planned, planned["backend"])["scores"]["speed"]


def test_scores_of_hardware_and_simulators(ada: Api):
    planned = plan(ada, shots=1000)
    good, cheap, ions = (candidate(planned, name) for name in QPUS)
    assert good["predicted_wait_seconds"] == 600
    assert good["cost_usd"] == pytest.approx(20)
    assert 0.99 < good["predicted_fidelity"] < 1
    assert good["scores"]["speed"] < ions["scores"]["speed"] < cheap["scores"]["speed"] < 0.01
    assert cheap["scores"]["accuracy"] < ions["scores"]["accuracy"] < good["scores"]["accuracy"]
    assert good["scores"]["cost"] < ions["scores"]["cost"] < cheap["scores"]["cost"] < 0.51
    aer = candidate(planned, "aer_simulator")["scores"]
    assert aer["accuracy"] == 1
    assert aer["cost"] == pytest.approx(1, abs=1e-3)
    weighted = 0.5 * aer["speed"] + 0.4 * aer["accuracy"] + 0.1 * aer["cost"]
    assert aer["balanced"] == pytest.approx(weighted)


def test_a_coupling_map_costs_fidelity_for_distant_gates(ada: Api):
    planned = plan(ada, STAR)
    # The ion trap's gates are worse, but connect all qubits.
    assert candidate(planned, "cheap_qpu")["predicted_fidelity"] < 0.6
    assert candidate(planned, "ions_qpu")["predicted_fidelity"] > 0.97


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"max_cost_usd": 5.0, "shots": 1000}, {
            "good_qpu": "would cost $20.00, more than max_cost_usd $5.00",
            "ions_qpu": "would cost $10.00", "cheap_qpu": "",
        }),
        ({"min_fidelity": 0.99}, {
            "cheap_qpu": "predicted fidelity 0.930 is below min_fidelity 0.99",
            "good_qpu": "", "local_simulator": "",
        }),
        ({"options": {"statevector": True}}, {"good_qpu": "is hardware"}),
        ({"backend": "cheap_qpu"}, {"good_qpu": "the request names cheap_qpu", "cheap_qpu": ""}),
    ],
)  # fmt: skip
def test_each_rejection_has_its_reason(ada: Api, fields: dict[str, Any], says: dict[str, str]):
    planned = plan(ada, **fields)
    for name, text in says.items():
        assert text in rejection(planned, name)
        assert bool(text) == bool(rejection(planned, name))


def test_an_account_without_tasks_gets_a_simulator_and_the_reason(lab: Server):
    poor = lab.newcomer()
    for _ in range(10):  # the monthly tasks of the explorer tier
        poor.run(BELL, shots=10, backend="cheap_qpu")
    planned = plan(poor, shots=10)
    assert "no task left" in rejection(planned, "cheap_qpu")
    assert planned["quota"]["qpu_tasks_left"] == 0


def test_a_plan_shows_what_a_run_takes_of_the_quota(lab: Server):
    newcomer = lab.newcomer()
    quota = plan(newcomer, backend="good_qpu", shots=100)["quota"]
    assert quota == {
        "simulator_minutes": 0, "simulator_minutes_left": 60, "qpu_tasks": 1, "qpu_tasks_left": 10,
        "credits_usd": 2, "credits_usd_left": 50, "waiting_jobs_left": 100,
    }  # fmt: skip
    planned = plan(newcomer, backend="local_simulator")
    assert planned["quota"]["simulator_minutes"] == planned["predicted_seconds"] / 60 > 0
    assert planned["quota"]["qpu_tasks"] == planned["quota"]["credits_usd"] == 0
    newcomer.finish(newcomer.run(BELL, shots=100, backend="good_qpu"))
    after = plan(newcomer, backend="good_qpu", shots=100)["quota"]
    assert (after["qpu_tasks_left"], after["credits_usd_left"]) == (9, 48)


@pytest.mark.parametrize(
    "body",
    [
        {"qasm": "qreg q[2]; cs q[0];"},
        {"qasm": BELL, "backend": "nowhere"},
        {"qasm": BELL, "backend": "aer_gpu_simulator"},
        {"qasm": BELL, "backend": "good_qpu", "max_cost_usd": 1},
        {"qasm": BELL, "backend": "good_qpu", "shots": 5_000},
        {"qasm": BELL, "shots": 10_001},
        {"qasm": BELL, "options": {"sead": 1}},
        {"qasm": "qreg q[26]; h q;"},
    ],
)
def test_a_plan_is_refused_like_the_run(lab: Server, body: dict[str, Any]):
    explorer = lab.newcomer()
    planned, run = (explorer.rest("POST", f"/v1/circuits/{what}", body) for what in ("plan", "run"))
    assert planned.status_code == run.status_code >= 400
    assert planned.json() == run.json()


def test_a_plan_is_refused_if_no_more_jobs_may_wait(lab: Server):
    full = lab.api(tier="developer")
    body = {"qasm": slow(), "backend": "aer_simulator"}
    planned, run = (full.rest("POST", f"/v1/circuits/{what}", body) for what in ("plan", "run"))
    assert planned.status_code == run.status_code == 403
    assert planned.json() == run.json()
    assert "max_waiting_jobs" in planned.json()["detail"]
    # A small circuit runs at once, so it waits for nothing.
    planned, run = (
        full.rest("POST", f"/v1/circuits/{what}", {"qasm": BELL}) for what in ("plan", "run")
    )
    assert (planned.status_code, run.status_code) == (200, 202)


def test_a_job_shows_the_choice_and_predicted_and_actual_times(ada: Api):
    job_id = ada.run(BELL, optimize_for=job_pb2.Optimization.accuracy, shots=100)
    event = ada.finish(job_id)
    assert event.job.status == job_pb2.Job.completed
    routing = ada.rest("GET", f"/v1/jobs/{job_id}").json()["metadata"]["routing"]
    assert routing["backend"] == event.job.backend
    assert routing["method"] in routing["reason"]
    assert routing["predicted_seconds"] > 0
    result = ada.rest("GET", f"/v1/jobs/{job_id}/result").json()
    assert routing["actual_seconds"] == pytest.approx(result["execution_time_ms"] / 1000)
    chosen = candidate(routing, routing["backend"])
    assert set(chosen["scores"]) == {"speed", "accuracy", "cost", "balanced"}
    assert candidate(routing, "aer_gpu_simulator")["rejection"].startswith("offline: ")


def test_a_stopped_run_shows_how_long_it_took(ada: Api):
    body = {"qasm": slow(), "backend": "aer_simulator", "options": {"timeout_seconds": 0.3}}
    planned = plan(ada, **body)
    assert planned["time_limit_seconds"] == 0.3
    job_id = ada.rest("POST", "/v1/circuits/run", body).json()["job_id"]
    last = ada.finish(job_id)
    assert last.job.status == job_pb2.Job.timeout
    assert last.job.metadata["routing"]["actual_seconds"] >= 0.3


def test_the_plan_and_the_run_agree(ada: Api):
    for target in ("speed", "accuracy", "cost", "balanced"):
        planned = plan(ada, STAR, optimize_for=target, shots=100)
        job = ada.rest(
            "POST", "/v1/circuits/run", {"qasm": STAR, "optimize_for": target, "shots": 100}
        ).json()["job_id"]
        assert ada.finish(job).job.backend == planned["backend"]


def test_hardware_runs_jobs_like_any_backend(ada: Api):
    last = ada.finish(ada.run(STAR, backend="ions_qpu", shots=50))
    assert last.job.status == job_pb2.Job.completed, last.job.error_message
    assert set(last.result.counts) == {"0000", "1111"}
    listed = ada.rest("GET", "/v1/backends/ions_qpu").json()
    assert (listed["is_simulator"], listed["cost_per_shot"]) == (False, 0.01)
