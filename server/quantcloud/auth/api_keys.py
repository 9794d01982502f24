"""The text of API keys. Only its SHA-256 is kept: the text has far more entropy than a password,
so that a plain hash cannot be searched.
"""

import hashlib
import secrets

PREFIX = "qc_live_"
_RANDOM_BYTES = 30
_SHOWN = len(PREFIX) + 2


def generate() -> str:
    """A new key: the prefix and 40 URL-safe random characters (240 bits)."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(key: str) -> bytes:
    """What is stored of a key and looked up by."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def shown_prefix(key: str) -> str:
    """The beginning of a key that its owner is shown to tell keys apart."""
    return key[:_SHOWN]
