"""If the fork server cannot be started, nothing is left of the attempt."""

import os
import subprocess
from pathlib import Path

import pytest

from quantcloud.engine.pool.forkserver import Configuration
from quantcloud.engine.pool.supervisor import Supervisor


def descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def supervisor():
    return Supervisor(Configuration(os.getpid(), (), (1, 1), ()), lambda: None, {})


async def test_a_process_that_takes_no_configuration_is_killed(supervisor, monkeypatch):
    started = []
    popen = subprocess.Popen

    def sleeping(_command, **options):
        started.append(popen(["sleep", "600"], **options))
        return started[0]

    def refused(*_):
        raise BrokenPipeError

    monkeypatch.setattr(subprocess, "Popen", sleeping)
    monkeypatch.setattr("quantcloud.engine.pool.child.pickle.dump", refused)
    before = descriptors()
    with pytest.raises(BrokenPipeError):
        supervisor.start()
    assert descriptors() == before
    assert started[0].returncode is not None


@pytest.mark.parametrize("broken", ["subprocess.Popen", "tempfile.TemporaryFile"])
async def test_a_failed_start_leaves_nothing_open(supervisor, monkeypatch, broken):
    def fail(*_, **__):
        raise BlockingIOError("no process available")

    monkeypatch.setattr(broken, fail)
    before = descriptors()
    with pytest.raises(BlockingIOError):
        supervisor.start()
    assert descriptors() == before
    await supervisor.stop()


async def test_a_failed_start_keeps_the_errors_of_the_previous_process(supervisor, monkeypatch):
    supervisor.start()
    os.write(supervisor._errors.fileno(), b"why it ended")

    def fail():
        raise OSError("no space left")

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    process = supervisor._process
    supervisor._hang_up()
    process.wait()
    with pytest.raises(OSError, match="no space left"):
        supervisor.start()
    assert supervisor._error_text() == "why it ended"
    await supervisor.stop()
