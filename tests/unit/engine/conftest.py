import shutil
import sys
from pathlib import Path

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.engine.pool import messages
from unit.engine.puppet import Puppet

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def site(tmp_path_factory):
    """A folder on sys.path with an installed distribution that provides backends."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(HERE / "probe.py", folder / "engine_probe.py")
    metadata = folder / "engine_probe-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: engine-probe\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[quantcloud.backends]\nprobe = engine_probe:BACKEND\nslow = engine_probe:BACKEND\n"
        "probe_gpu = engine_probe:GPU\n"
    )
    (folder / "visible.txt").write_text("visible")
    (folder / "hidden").mkdir()
    (folder / "hidden" / "secret.db").write_text("secret")
    sys.path.insert(0, str(folder))
    installed_backends.cache_clear()
    yield folder
    sys.path.remove(str(folder))
    installed_backends.cache_clear()


@pytest.fixture
async def puppet():
    puppet = Puppet()
    puppet.say(messages.READY)
    yield puppet
    puppet.end()
