"""`quantcloud protos`: the contract with its imports, for generators of any language."""

import importlib
import shutil
from pathlib import Path

import typer
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from quantcloud.cli.failure import Failure
from quantcloud.client.messages import contract

# Every generator brings these itself.
_BUILT_IN = "google/protobuf/"
_SERVICE_CONFIG = "service_config.json"
_BUF = """\
version: v2
modules:
  - path: .
"""
_BUF_GEN = """\
# `buf generate` runs these plugins at buf.build. Keep the languages that you need, or replace
# `remote: ...` by `local: protoc-gen-...` to run an installed plugin.
version: v2
inputs:
  - directory: .
    paths: [thequantcloud]
plugins:
  - remote: buf.build/protocolbuffers/go
    out: gen/go
    opt: paths=source_relative
  - remote: buf.build/grpc/go
    out: gen/go
    opt: paths=source_relative
  - remote: buf.build/bufbuild/es
    out: gen/es
    opt: [target=js+dts, import_extension=js]
    include_imports: true
  - remote: buf.build/protocolbuffers/java
    out: gen/java
  - remote: buf.build/grpc/java
    out: gen/java
  - remote: buf.build/protocolbuffers/cpp
    out: gen/cpp
  - remote: buf.build/grpc/cpp
    out: gen/cpp
"""


def write(folder: Path) -> None:
    """Write the contract's protos and those that they import to `folder`. Raises `Failure`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Failure(f"{folder} is not empty; name a new folder")
        names = [
            each.name
            for each in FileDescriptorSet.FromString(contract.descriptor_set().read_bytes()).file
            if not each.name.startswith(_BUILT_IN)
        ]
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_source(name), target)
        (folder / "buf.yaml").write_text(_BUF)
        (folder / "buf.gen.yaml").write_text(_BUF_GEN)
        shutil.copyfile(contract.descriptor_set(), folder / "descriptor.binpb")
        shutil.copyfile(contract.protos() / _SERVICE_CONFIG, folder / _SERVICE_CONFIG)
    except OSError as error:
        raise Failure(f"cannot write {error.filename or folder}: {error.strerror}") from error
    typer.echo(
        f"{folder} has {len(names)} protos, descriptor.binpb, buf.gen.yaml, {_SERVICE_CONFIG}"
    )


def _source(name: str) -> Path:
    """Return the path of an installed proto."""
    ours = contract.protos() / name
    if ours.is_file():
        return ours
    package = importlib.import_module(".".join(Path(name).parent.parts))
    return Path(next(iter(package.__path__))) / Path(name).name
