from functools import partial

import pytest

from unit.api.service import serving


@pytest.fixture
def start(tmp_path):
    """Starts one server that jobs can be watched at, with what it takes beside a folder."""
    return partial(serving, tmp_path)
