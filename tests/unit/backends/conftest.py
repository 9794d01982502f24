import pytest

from quantcloud.backends import aer, cirq, local, pennylane

BACKENDS = {
    "local": local.BACKEND,
    "aer": aer.CPU,
    "cirq": cirq.BACKEND,
    "pennylane": pennylane.BACKEND,
}


@pytest.fixture(scope="session")
def executors():
    """One executor of each backend, as a worker has."""
    return {name: backend.executor() for name, backend in BACKENDS.items()}
