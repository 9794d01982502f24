"""Generate code from the contract, and check the contract.

contract.py protos            copy the third-party protos to where buf looks for them
contract.py generate          write gen/, docs/errors.md and the tables of docs/configuration.md
contract.py stale             fail if they differ from what `generate` would write
contract.py breaking          fail if the contract breaks that of main in a way that breaks.txt
                              does not list
"""

import filecmp
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import google.rpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
GEN = ROOT / "gen"
THIRD_PARTY = ROOT / ".build" / "third_party"
DESCRIPTOR = Path("thequantcloud") / "contract.binpb"
TRANSCODER = Path("thequantcloud") / "transcoder.binpb"
OPENAPI = Path("thequantcloud") / "openapi.json"
LUA = Path("thequantcloud") / "contract.lua"
ERRORS = ROOT / "docs" / "errors.md"
SETTINGS = ROOT / "docs" / "configuration.md"
INSTALLED = Path(next(iter(google.rpc.__path__))).parent
IMPORTS = (
    "api/annotations.proto",
    "api/field_behavior.proto",
    "api/http.proto",
    "rpc/error_details.proto",
    "rpc/status.proto",
)
BREAKS = Path(__file__).with_name("breaks.txt")
# The exit status of buf if it found breaks.
BROKEN = 100
# The configuration for images, which contain no buf.yaml.
BREAKING = '{"version": "v2", "breaking": {"use": ["FILE"]}}'
BUF = str(Path(sys.executable).parent / "buf")


def copy_protos(target: Path = THIRD_PARTY) -> None:
    """Copy the imported protos from the installed googleapis-common-protos."""
    for name in IMPORTS:
        copy = target / "google" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(INSTALLED / name, copy)


def generate(target: Path, errors: Path, settings: Path) -> None:
    """Write the modules, stubs, descriptors, Envoy's tables and the OpenAPI document to `target`.

    The page of error reasons goes to `errors`, and that of the settings to `settings`.
    """
    sys.path[:0] = [str(ROOT / "server")]
    # Only this command needs them; `breaking` runs without the rest of the repository.
    from errors import errors_page  # noqa: PLC0415
    from lua_tables import lua_tables  # noqa: PLC0415
    from openapi import document  # noqa: PLC0415
    from settings_page import settings_page  # noqa: PLC0415
    from transcoder import transcoder_descriptor  # noqa: PLC0415

    contract = sorted(str(p.relative_to(ROOT / "proto")) for p in (ROOT / "proto").rglob("*.proto"))
    outs = [f"--{plugin}_out={target}" for plugin in ("python", "pyi", "grpc_python")]
    descriptor = target / DESCRIPTOR
    descriptor.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, "-m", "grpc_tools.protoc", "-Iproto", f"-I{THIRD_PARTY}", *outs,
         f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
         f"--descriptor_set_out={descriptor}", "--include_imports", "--include_source_info",
         f"--mypy_grpc_out=quiet:{target}", *contract,
         # No RPC uses these, but errors carry them, so the transcoder must know them.
         "google/rpc/error_details.proto"],
        check=True, cwd=ROOT,
    )  # fmt: skip
    shutil.rmtree(target / "google", ignore_errors=True)  # installed by googleapis-common-protos
    contract_set = FileDescriptorSet.FromString(descriptor.read_bytes())
    sys.path[:0] = [str(target)]  # the new stubs know the contract's options
    (target / OPENAPI).write_text(document(contract_set))
    (target / LUA).write_text(lua_tables(contract_set))
    errors.write_text(errors_page(contract_set))
    settings.write_text(settings_page(SETTINGS.read_text()))
    for file in contract_set.file:
        file.ClearField("source_code_info")
    derived = transcoder_descriptor(contract_set)
    (target / "thequantcloud" / "py.typed").touch()
    (target / TRANSCODER).write_bytes(derived.SerializeToString(deterministic=True))


def stale() -> int:
    """Return the number of generated files that differ from a fresh generation."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "gen"
        pages = {Path(folder) / page.name: page for page in (ERRORS, SETTINGS)}
        generate(fresh, *pages)
        stale_pages = [
            page
            for new, page in pages.items()
            if not page.exists() or not filecmp.cmp(new, page, shallow=False)
        ]
        want = {p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file()}
        have = {
            p.relative_to(GEN)
            for p in GEN.rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        }
        same = {p for p in want & have if filecmp.cmp(fresh / p, GEN / p, shallow=False)}
    found = [f"gen/{path}" for path in sorted((want | have) - same)]
    found += [str(page.relative_to(ROOT)) for page in stale_pages]
    for path in found:
        print(f"{path} is stale: run `make gen` and commit what it writes", file=sys.stderr)
    return len(found)


def breaking() -> int:
    """Return the number of unlisted breaks since main's last commit, and since the one before."""
    compared = [_breaks(ref) for ref in ("main", "main~1")]
    if all(found is None for found in compared):
        print("main has no contract yet: nothing to compare with")
    accepted = _accepted()
    new = {each for found in compared for each in found or ()} - accepted
    for each in sorted(new):
        print(f"{each}\n  breaks the contract of main; list it in {BREAKS}", file=sys.stderr)
    return len(new)


def _accepted() -> set[str]:
    """Return the breaks that breaks.txt lists."""
    if not BREAKS.exists():
        return set()
    lines = BREAKS.read_text().splitlines()
    return {line.strip() for line in lines if line.startswith(" ")}


def _breaks(ref: str) -> set[str] | None:
    """Return how the contract breaks that of a commit, or None if the commit has no contract."""
    git = shutil.which("git") or "git"
    archive = subprocess.run(  # noqa: S603  # our own arguments
        [git, "archive", ref, "proto", "buf.yaml"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        return None
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        copy_protos(Path(folder) / ".build" / "third_party")
        before, now = Path(folder) / "before.binpb", Path(folder) / "now.binpb"
        for source, image in ((folder, before), (ROOT, now)):
            subprocess.run([BUF, "build", source, "-o", image], check=True)  # noqa: S603  # our own
        buf = subprocess.run(  # noqa: S603  # our own arguments
            [BUF, "breaking", now, "--against", before, "--config", BREAKING,
             "--error-format", "json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if buf.returncode not in (0, BROKEN):
        raise RuntimeError(buf.stderr)
    found = [json.loads(line) for line in buf.stdout.splitlines()]
    return {f"{each['type']} {each['path']} {each['message']}" for each in found}


def main() -> int:
    """Run the command that the first argument names, and return the exit code."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    copy_protos()
    if command == "generate":
        shutil.rmtree(GEN / "thequantcloud", ignore_errors=True)
        generate(GEN, ERRORS, SETTINGS)
        return 0
    if command == "protos":
        return 0
    if command in {"stale", "breaking"}:
        return min({"stale": stale, "breaking": breaking}[command](), 1)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
