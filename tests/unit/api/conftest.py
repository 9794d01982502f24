from functools import partial

import pytest

from unit.api.service import serving


@pytest.fixture
def start(tmp_path):
    """Return a function that starts one server with jobs to watch, with the given settings."""
    return partial(serving, tmp_path)
