"""The files of the contract that are installed with the client."""

from importlib.util import find_spec
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]


def descriptor_set() -> Path:
    """Return the path of the contract's `FileDescriptorSet`, with imports and comments."""
    spec = find_spec("thequantcloud")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise FileNotFoundError("the package thequantcloud has no files")
    return Path(next(iter(folders))) / "contract.binpb"


def protos() -> Path:
    """Return the folder of the contract's .proto files, in the package or in the checkout."""
    installed = _PACKAGE / "proto"
    return installed if installed.is_dir() else _PACKAGE.parent.parent / "proto"
