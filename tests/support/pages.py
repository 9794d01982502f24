"""Reads Markdown pages, and runs their fences as a reader would."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
BASH = shutil.which("bash") or "bash"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
# Commands that keep running. They are ready when they have printed what the page shows.
_SERVERS = ("make serve", "quantcloud serve")
_DONE = "__done__"
_COMMAND_SECONDS = 120
_READY_SECONDS = 60


@dataclass(frozen=True)
class Fence:
    """One fenced block; `before` is the text of its section above it."""

    language: str
    text: str
    line: int
    before: str


@dataclass(frozen=True)
class Step:
    """One command of a console fence, with the output that the page shows."""

    command: str
    output: str


def fences(page: Path) -> list[Fence]:
    text = page.read_text()
    return [
        Fence(
            match[1],
            match[2],
            text.count("\n", 0, match.start()) + 1,
            text[: match.start()].rpartition("\n#")[2],
        )
        for match in _FENCE.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links within the repository."""
    return [
        link.partition("#")[0]
        for link in _LINK.findall(_FENCE.sub("", page.read_text()))
        if "://" not in link and not link.startswith("#")
    ]


def steps(console: str) -> list[Step]:
    """Return the commands of a console fence: from `$ ` until the command is complete for bash."""
    found: list[Step] = []
    command: list[str] = []
    output: list[str] = []
    for line in console.splitlines():
        if command and not _is_whole("\n".join(command)):
            command.append(line)
        elif line.startswith("$ "):
            if command:
                found.append(Step("\n".join(command), "\n".join(output)))
            command, output = [line[2:]], []
        else:
            output.append(line)
    found.append(Step("\n".join(command), "\n".join(output)))
    return found


def _is_whole(command: str) -> bool:
    if command.endswith("\\"):
        return False
    return not subprocess.run(
        [BASH, "-n", "-c", command], capture_output=True, check=False
    ).returncode


def shows(expected: str, got: str) -> bool:
    """Return whether an output is as shown. `...` is any text; alone on a line, any lines."""
    parts = [
        r"(?:.*\n)*?" if line.strip() == "..." else _pattern(line) + r"[ \t]*\n"
        for line in expected.splitlines()
    ]
    return re.fullmatch("".join(parts), got.rstrip() + "\n") is not None


def _pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.rstrip().split("...")))


class Session:
    """A shell for one page, in a `folder` that looks like the repository's root."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._servers: list[subprocess.Popen[str]] = []
        for entry in ROOT.iterdir():
            if entry.name not in (".git", ".quantcloud"):
                (folder / entry.name).symlink_to(entry)
        self._http, self._grpc = _free_port(), _free_port()
        # What `make test` sets makes a `make` below it talk.
        ours = ("QUANTCLOUD_", "MAKE", "MFLAGS")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        self._environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "100",
            "QUANTCLOUD_HTTP_PORT": str(self._http),
            "QUANTCLOUD_GRPC_PORT": str(self._grpc),
            "QUANTCLOUD_SERVER": f"localhost:{self._grpc}",
            "QUANTCLOUD_ROUTER_CALIBRATE": "false",
            **environment,
        }
        self._shell = subprocess.Popen(
            [BASH, "--norc"], cwd=folder, env=self._environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def here(self, text: str) -> str:
        """Replace the default ports in a page's text by this session's."""
        return text.replace("8080", str(self._http)).replace("50051", str(self._grpc))

    def run(self, step: Step) -> str:
        """Run a command and return its output. One that keeps running is awaited until ready."""
        command = self.here(step.command)
        if command.startswith(_SERVERS):
            return self._serve(command, len(step.output.splitlines()))
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\nprintf '\\n%s %s\\n' {_DONE} $?\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        with _deadline(_COMMAND_SECONDS, command):
            for line in self._shell.stdout:
                if line.startswith(_DONE):
                    assert line.split()[1] == "0", f"{command}\n{''.join(lines)}"
                    return "".join(lines)
                lines.append(line)
        raise AssertionError(f"the shell ended: {command}\n{''.join(lines)}")

    def run_python(self, fence: Fence) -> None:
        """Run a Python fence. Its first line may be a comment with its file's name."""
        named = re.match(r"# (\w+\.py)\n", fence.text)
        path = self._folder / (named[1] if named else f"line_{fence.line}.py")
        path.write_text(self.here(fence.text))
        self.run(Step(f"python {path.name}", ""))

    def _serve(self, command: str, lines: int) -> str:
        server = subprocess.Popen(
            [BASH, "-c", f"exec {command}"], cwd=self._folder, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._servers.append(server)
        assert server.stdout is not None
        with _deadline(_READY_SECONDS, command):
            return "".join(server.stdout.readline() for _ in range(lines))

    def close(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait(_COMMAND_SECONDS)
        self._shell.stdout.close()
        for server in self._servers:
            # `make` does not forward signals to its commands.
            os.killpg(server.pid, signal.SIGINT)
            server.wait(_READY_SECONDS)
            if server.stdout is not None:
                server.stdout.close()


@contextmanager
def _deadline(seconds: int, what: str) -> Iterator[None]:
    def late(_number: int, _frame: object) -> None:
        raise TimeoutError(f"took more than {seconds} s: {what}")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
