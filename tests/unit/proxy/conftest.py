import httpx
import pytest

from unit.proxy.upstream import Steps, gate


@pytest.fixture(scope="session")
def shared_gate(tmp_path_factory):
    with gate(tmp_path_factory.mktemp("envoy")) as running:
        yield running


@pytest.fixture(name="gate")
def clean_gate(shared_gate):
    """The gate that all tests share, with only empty answers."""
    shared_gate.upstream.answers.clear()
    shared_gate.upstream.requests.clear()
    shared_gate.upstream.uploads.clear()
    shared_gate.upstream.refused.clear()
    return shared_gate


@pytest.fixture(scope="session")
def http(shared_gate):
    with httpx.Client(base_url=shared_gate.url, timeout=20) as client:
        yield client


@pytest.fixture
def steps(gate):
    steps = Steps(gate)
    for name in ("WatchJob", "RunAndWatch"):
        gate.answer(name, steps)
    return steps
