"""Which server, with which credentials: from arguments, the environment, or the saved profile."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from quantcloud.client.errors import NotConfigured

SERVER, TOKEN, CA_FILE = "QUANTCLOUD_SERVER", "QUANTCLOUD_TOKEN", "QUANTCLOUD_CA_FILE"
DEFAULT_SERVER = "localhost:50051"
_HTTPS_PORT, _HTTP_PORT = 443, 80
_LAST_PORT = 65535
_PRIVATE = 0o600
NO_TOKEN = (
    f"pass a token, set {TOKEN}, or run `quantcloud login`; on the server's machine "
    "`quantcloud token --user NAME` prints one"
)


@dataclass(frozen=True)
class Profile:
    """What `quantcloud login` saves."""

    server: str = ""
    token: str = field(default="", repr=False)
    ca_file: str = ""


def profile_path() -> Path:
    """Return the path of the saved profile in the user's configuration folder."""
    import platformdirs  # noqa: PLC0415  # only needed if no argument and no variable is given

    return platformdirs.user_config_path("quantcloud") / "profile.json"


def load_profile() -> Profile:
    """Return the saved profile, or an empty one. Raises `NotConfigured`."""
    path = profile_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Profile(**{name: str(value) for name, value in content.items()})
    except FileNotFoundError:
        return Profile()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise NotConfigured(
            f"cannot read {path}: {error}", hint="run `quantcloud login` to write it again"
        ) from error


def save_profile(profile: Profile) -> Path:
    """Save a profile in a file that only its owner may read, and return its path."""
    path = profile_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(profile), file, indent=2)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def delete_profile() -> bool:
    """Delete the saved profile. Return whether there was one."""
    path = profile_path()
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


@dataclass(frozen=True)
class Connection:
    """A server's address as HOST:PORT, and the credentials. Certificates and keys are in PEM."""

    address: str
    token: str = field(repr=False)
    tls: bool = False
    ca: bytes | None = None
    client_certificate: bytes | None = None
    client_key: bytes | None = field(default=None, repr=False)


def resolve(
    server: str | None = None,
    token: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    cert_file: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
) -> Connection:
    """Return where to connect. Missing parts come from the environment or the profile.

    A saved token goes only to the server that it was saved for. Raises `NotConfigured`.
    """
    server = server or os.environ.get(SERVER)
    token = token or os.environ.get(TOKEN)
    ca = ca_file or os.environ.get(CA_FILE)
    if not (server and token):
        saved = load_profile()
        if server is None or server == saved.server:
            server, token, ca = server or saved.server, token or saved.token, ca or saved.ca_file
    address, tls = parse_server(server or DEFAULT_SERVER)
    if token and not (token.isascii() and token.isprintable()):
        raise NotConfigured("the token is neither a JWT nor an API key", hint=NO_TOKEN)
    files = (cert_file, key_file)
    certificate, key = (_read(each) if each else None for each in files)
    return Connection(
        address, token or "", tls or bool(ca), _read(ca) if ca else None, certificate, key
    )


def parse_server(text: str) -> tuple[str, bool]:
    """Return the HOST:PORT of a server, and whether to use TLS.

    `text` is HOST:PORT, `http://HOST[:PORT]` or `https://HOST[:PORT]`. Raises `NotConfigured`.
    """
    scheme, found, rest = text.rpartition("://")
    if scheme not in ("", "http", "https") or (found and not scheme):
        raise _not_a_server(text)
    place = rest.removesuffix("/")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, ""
    if not port and scheme:
        port = str(_HTTPS_PORT if scheme == "https" else _HTTP_PORT)
    good = port.isdecimal() and 0 < int(port) <= _LAST_PORT and host and host.isprintable()
    if not good or any(c in host for c in "/ @?#"):
        raise _not_a_server(text)
    return f"{host}:{port}", scheme == "https"


def _not_a_server(text: str) -> NotConfigured:
    return NotConfigured(
        f"the server must be HOST:PORT or https://HOST, such as {DEFAULT_SERVER}, is {text!r}"
    )


def _read(file: str | os.PathLike[str]) -> bytes:
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise NotConfigured(f"cannot read {os.fspath(file)}: {error.strerror}") from error
