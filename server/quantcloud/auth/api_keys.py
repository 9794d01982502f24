"""API keys. Only their SHA-256 is stored: a key has far more entropy than a password, so a plain
hash is safe from guessing.
"""

import hashlib
import secrets

PREFIX = "qc_live_"
_RANDOM_BYTES = 30
_SHOWN = len(PREFIX) + 2


def generate() -> str:
    """Return a new key: the prefix and 40 URL-safe random characters (240 bits)."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(key: str) -> bytes:
    """Return the digest by which a key is stored and found."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def shown_prefix(key: str) -> str:
    """Return the beginning of a key, by which its owner recognises it."""
    return key[:_SHOWN]
