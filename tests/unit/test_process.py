import subprocess
import sys

import pytest

# In a process of its own, since a limit is this one's too.
PROGRAM = """
import resource, sys
from quantcloud import process
soft, hard, process._OPEN_FILES = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
process.allow_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "most", "open_files"),
    [(64, 128, 1000, 128), (64, 128, 100, 100), (128, 128, 100, 128)],
    ids=["as many as allowed", "no more than of use", "no fewer than before"],
)
def test_open_files(soft, hard, most, open_files):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(most)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert ended.stdout.split() == [str(open_files), "128"]
