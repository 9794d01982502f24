import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.cirq import backend as cirq
from quantcloud.backends.local import backend as local
from quantcloud.backends.pennylane import backend as pennylane

BACKENDS = {
    "local": local.BACKEND,
    "aer": aer.CPU,
    "cirq": cirq.BACKEND,
    "pennylane": pennylane.BACKEND,
}


@pytest.fixture(scope="session")
def executors():
    """One executor of each backend."""
    return {name: backend.executor() for name, backend in BACKENDS.items()}
