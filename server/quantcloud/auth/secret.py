"""The signing secret of a server that was given none."""

import os
import secrets
from pathlib import Path

from quantcloud.private import keep_private

FILE_NAME = "jwt-secret"
MINIMUM_BYTES = 32
_ADVICE = (
    "anyone who read it can sign tokens for every account. To replace it, stop the server, delete "
    "the file and start the server again: tokens signed with it end, API keys go on"
)


def load_or_create(data_dir: Path) -> str:
    """The secret kept in the data folder, made at random (mode 0600) the first time.

    Several processes may come at once: all get the same one. A wider mode is mended, with a warning
    in the log. Raises `OSError` where the folder
    cannot be read or written.
    """
    path = data_dir / FILE_NAME
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        candidate = path.with_name(f"{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(candidate)  # whole or not at all, and the first one wins
        except FileExistsError:
            pass
        except OSError as error:
            # A call that writes names no file.
            raise OSError(error.errno, error.strerror, str(path)) from error
        finally:
            candidate.unlink()
    keep_private(path, _ADVICE)
    return path.read_text().strip()
