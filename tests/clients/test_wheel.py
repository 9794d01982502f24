"""The wheel as users install it: the client alone, and a server without the source tree."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from support.circuits import BELL
from support.server import Server
from support.wheel import LIBRARIES, Environment, build, link_requirements

NAME = "thequantcloud"

# Modules that only a server, or a call to one, imports.
HEAVY = {
    "alembic", "asyncpg", "cryptography", "google", "grpc", "httpx", "jwt", "limits",
    "numpy", "pydantic_settings", "sqlalchemy", "structlog", "thequantcloud",
}  # fmt: skip

LOADED = """
import sys
from quantcloud.__main__ import main
sys.argv[1:] = {arguments}
try:
    main()
except SystemExit:
    pass
names = {{name.partition(".")[0] for name in sys.modules}}
parts = {{name for name in sys.modules if name.startswith("quantcloud.")}}
print(*sorted(names), *sorted(parts), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def client(wheel: Path, tmp_path_factory) -> Environment:
    """`pip install thequantcloud`."""
    environment = Environment(tmp_path_factory.mktemp("client") / "venv", wheel)
    link_requirements(NAME, environment.site_packages)
    return environment


@pytest.fixture(scope="module")
def host(wheel: Path, tmp_path_factory) -> Environment:
    """`pip install 'thequantcloud[server]'`, without one simulator that has no wheel."""
    environment = Environment(tmp_path_factory.mktemp("host") / "venv", wheel)
    (environment.site_packages / "libraries.pth").write_text(
        f"{LIBRARIES}\nimport sys; sys.modules['qsimcirq'] = None\n"
    )
    return environment


class Installed(Server):
    """A server from the wheel, started in its own folder."""

    def __init__(self, host: Environment, folder: Path, **environment: str) -> None:
        super().__init__(folder / "data", "--workers", "1", **environment)
        self._host = host
        self._folder = folder

    def _command(self) -> list[str]:
        command = super()._command()
        return ["env", "-C", str(self._folder), *self._host.quantcloud(*command[3:])]


def run(command: list[str], **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                          **options)  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("--help",), ("serve", "--help"), ("run", "--help"), ("account", "--help")]
)
def test_help_imports_no_command(arguments):
    done = run([sys.executable, "-c", LOADED.format(arguments=list(arguments))])
    assert "Usage: " in done.stdout
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("quantcloud.")} == {
        "quantcloud.__main__", "quantcloud.cli", "quantcloud.cli.failure", "quantcloud.cli.host",
        "quantcloud.cli.host.accounts", "quantcloud.cli.host.command",
        "quantcloud.cli.host.operator", "quantcloud.cli.host.serving", "quantcloud.cli.launch",
        "quantcloud.cli.main", "quantcloud.cli.remote", "quantcloud.cli.remote.arguments",
        "quantcloud.cli.remote.circuits", "quantcloud.cli.remote.command",
        "quantcloud.cli.remote.jobs",
        "quantcloud.cli.remote.service",
        "quantcloud.domain", "quantcloud.domain.account", "quantcloud.domain.value_object",
        "quantcloud.environment",
    }  # fmt: skip


def test_the_base_install_has_no_part_of_a_server(client: Environment):
    assert client.python("import quantcloud, sys; print(quantcloud.__file__)").startswith(
        str(client.site_packages)
    )
    found = client.python(
        "from importlib.util import find_spec\n"
        f"print(*[name for name in {sorted(HEAVY)} if find_spec(name)])"
    )
    assert found.split() == ["google", "grpc", "thequantcloud"]
    for package in ("quantcloud", "thequantcloud"):
        assert (client.site_packages / package / "py.typed").is_file()


def test_the_base_install_runs_and_watches_on_a_server(client: Environment, server: Server):
    assert "Usage: quantcloud" in run(client.quantcloud("--help")).stdout
    environment = {"QUANTCLOUD_SERVER": server.endpoints.grpc, "QUANTCLOUD_TOKEN": server.token()}
    done = run(client.quantcloud("run", "-"), input=BELL, env=environment)
    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
    job = done.stdout.split()[1]
    done = run(client.quantcloud("watch", job), env=environment)
    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
    program = f"""
from quantcloud import Client
with Client({environment["QUANTCLOUD_SERVER"]!r}, {environment["QUANTCLOUD_TOKEN"]!r}) as client:
    result = client.run({BELL!r}, statevector=True)
    print(len(result.statevector), type(result.statevector).__name__)
    try:
        client.run(1 * "x")
    except Exception as error:
        print(error.reason)
"""
    assert client.python(program).split() == ["4", "list", "INVALID_CIRCUIT"]


def test_the_base_install_writes_the_protos(client: Environment, tmp_path: Path):
    done = run(client.quantcloud("protos", str(tmp_path / "protos")))
    assert done.returncode == 0, done.stderr
    for name in ("thequantcloud/v1/circuit", "google/api/annotations", "google/rpc/status"):
        assert (tmp_path / "protos" / f"{name}.proto").is_file()


@pytest.mark.parametrize(
    "command",
    [
        ("serve",), ("demo",), ("token", "--user", "ada"), ("calibrate", "--show"),
        ("account", "show", "ada"), ("envoy", "--grpc", "localhost:50051"), ("backup", "copy"),
        ("account", "set-tier", "ada", "developer"),
    ],
)  # fmt: skip
def test_a_server_command_says_what_to_install(
    client: Environment, command: tuple[str, ...], tmp_path: Path
):
    done = run(client.quantcloud(*command), cwd=tmp_path, env={})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("pip install 'thequantcloud[server]'\n")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_from_the_wheel_runs_in_an_empty_folder(
    host: Environment, client: Environment, tmp_path: Path
):
    assert host.python("import quantcloud.app as it; print(it.__file__)").startswith(
        str(host.site_packages)
    )
    with Installed(host, tmp_path) as server:
        for path in ("/", "/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js"):
            assert server.get(path).status_code == 200
        contract = FileDescriptorSet.FromString(server.get("/v1/descriptor.binpb").content)
        names = {file.name for file in contract.file}
        assert {"thequantcloud/v1/job.proto", "google/api/annotations.proto"} <= names
        api = server.api()
        environment = {"QUANTCLOUD_SERVER": server.endpoints.grpc,
                       "QUANTCLOUD_TOKEN": api.credential}  # fmt: skip
        for backend in ("local_simulator", "aer_simulator", "pennylane_simulator"):
            done = run(client.quantcloud("run", "-", "--backend", backend), input=BELL,
                       env=environment)  # fmt: skip
            assert done.returncode == 0, done.stderr
        backends = {each["name"]: each for each in server.get("/v1/backends").json()["backends"]}
        assert backends["cirq_simulator"]["status"] == "offline"
        done = run(client.quantcloud("run", "-", "--backend", "cirq_simulator"), input=BELL,
                   env=environment)  # fmt: skip
        assert done.returncode == 1
        assert "cirq_simulator is offline: the package qsimcirq is not installed" in done.stderr
