"""The signing secret of a server whose settings give none."""

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
    """Return the secret in the data folder. The first call creates it at random (mode 0600).

    Concurrent processes all get the same secret. A wider mode is corrected, with a warning in the
    log. Raises `OSError` if the folder cannot be read or written.
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
            path.hardlink_to(candidate)  # atomic, and the first process wins
        except FileExistsError:
            pass
        except OSError as error:
            # The error of a write does not name the file.
            raise OSError(error.errno, error.strerror, str(path)) from error
        finally:
            candidate.unlink()
    keep_private(path, _ADVICE)
    return path.read_text().strip()
