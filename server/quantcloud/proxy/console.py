"""The web console: Envoy's routes for its files, which Envoy serves by itself.

The page is at `/`. Its files are below `/console/DIGEST/`, where DIGEST is that of all of them. So
a browser may keep a file forever, and a page never mixes files of two versions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

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
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "no-cache"
_METHODS: Final = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
_ALWAYS: Final = {"default_value": {"numerator": 100}}
# The server counts no one here. Only the page has a limit, since each limit takes memory, and Envoy
# has sixteen copies of each route. Browsers keep the files.
_RATE_LIMIT: Final = {
    "reference_rate_limit": {
        "@type": "type.googleapis.com/"
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "console",
        "token_bucket": {"max_tokens": 200, "tokens_per_fill": 20, "fill_interval": "1s"},
        "filter_enabled": _ALWAYS,
        "filter_enforced": _ALWAYS,
        "response_headers_to_add": [{"header": {"key": "retry-after", "value": "1"}}],
    }
}


def files(folder: Path) -> Sequence[Path]:
    """Return the console's files."""
    return sorted(file for file in folder.iterdir() if file.suffix in _TYPES)


def routes(folder: Path) -> Sequence[Mapping[str, Any]]:
    """Return the routes of the console in `folder`."""
    found = files(folder)
    digest = _digest(found)
    base = f"/console/{digest}"
    page = (folder / PAGE).read_text().replace(_VERSION, digest)
    etag = f'W/"{hashlib.sha256(page.encode()).hexdigest()[:_DIGEST_DIGITS]}"'
    known = {"name": "if-none-match", "string_match": {"contains": etag.removeprefix("W/")}}
    page_headers = [
        _header("etag", etag),
        *_headers(".html", _REVALIDATE),
        _header("content-security-policy", _POLICY),
        _header("cross-origin-opener-policy", "same-origin"),
        _header("cross-origin-resource-policy", "same-origin"),
    ]
    items: list[Mapping[str, Any]] = [
        {
            "match": {"path": "/", "headers": [_METHODS, known]},
            "direct_response": {"status": 304},
            "response_headers_to_remove": ["location"],
            "response_headers_to_add": page_headers,
        },
        {
            "match": {"path": "/", "headers": [_METHODS]},
            "direct_response": {"status": 200, "body": {"inline_string": page}},
            "response_headers_to_add": page_headers,
            "typed_per_filter_config": _RATE_LIMIT,
        },
    ]
    items += [
        {
            "match": {"path": f"{base}/{file.name}", "headers": [_METHODS]},
            "direct_response": {"status": 200, "body": {"filename": str(file.absolute())}},
            "response_headers_to_add": _headers(file.suffix, _IMMUTABLE),
        }
        for file in found
        if file.name != PAGE
    ]
    items.append(
        {
            "match": {
                "safe_regex": {"regex": f"/|{base}/[^/]+"},
                "headers": [{**_METHODS, "invert_match": True}],
            },
            "route": {"cluster": "quantcloud"},
            "metadata": {"filter_metadata": {"envoy.filters.http.lua": {"allow": "GET, HEAD"}}},
        }
    )
    return items


def _digest(found: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in found:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:_DIGEST_DIGITS]


def _headers(suffix: str, caching: str) -> list[Mapping[str, Any]]:
    return [
        _header("content-type", _TYPES[suffix]),
        _header("cache-control", caching),
    ]


def _header(key: str, value: str) -> Mapping[str, Any]:
    return {"header": {"key": key, "value": value}}
