import subprocess
import sys

import pytest

# In another process, because the limit applies to the whole process.
PROGRAM = """
import resource, sys
from quantcloud import process
soft, hard, process._OPEN_FILES = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
process.allow_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE), process.most_connections())
"""


@pytest.mark.parametrize(
    ("soft", "hard", "most", "open_files"),
    [(64, 128, 1000, 128), (64, 128, 100, 100), (128, 128, 100, 128)],
    ids=["as many as allowed", "no more than needed", "no fewer than before"],
)
def test_open_files(soft, hard, most, open_files):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(most)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert ended.stdout.split() == [str(open_files), "128", str(open_files // 2)]


IMPORTS = """
import sys
from quantcloud.process import import_structlog
import_structlog()
import quantcloud.foreground
print("rich" in sys.modules, "stim" in sys.modules, "qiskit" in sys.modules)
# Commands can still import it.
import rich.console
"""


def test_a_server_imports_no_unused_libraries():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("False False False\n", "")
