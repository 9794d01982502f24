"""The web console: fills in Envoy's routes for its files, which Envoy serves by itself."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final

PAGE: Final = "index.html"
_VERSION: Final = "@version"
_DIGEST_DIGITS: Final = 16
# The types that Envoy's compressor packs by default.
_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "application/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def digest(found: Iterable[Path]) -> str:
    """Return a digest of the names and contents of files."""
    parts = [hashlib.sha256(file.name.encode() + file.read_bytes()).digest() for file in found]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:_DIGEST_DIGITS]


def files(folder: Path) -> Sequence[Path]:
    """Return the console's files."""
    return sorted(file for file in folder.iterdir() if file.suffix in _TYPES)


def routes(folder: Path, templates: Path) -> str:
    """Return the routes of the console in `folder`, from the YAML in the folder `templates`."""
    found = files(folder)
    version = digest(found)
    page = (folder / PAGE).read_text().replace(_VERSION, version)
    file_route = Template((templates / "console_file.yaml").read_text())
    return Template((templates / "console.yaml").read_text()).substitute(
        version=version,
        page=json.dumps(page),
        files="".join(
            file_route.substitute(
                version=version,
                name=file.name,
                path=json.dumps(str(file.absolute())),
                type=_TYPES[file.suffix],
            )
            for file in found
            if file.name != PAGE
        ),
    )
