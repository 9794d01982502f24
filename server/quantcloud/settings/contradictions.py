"""Settings that are valid one by one, but not together."""

import ipaddress
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quantcloud.environment import PREFIX

if TYPE_CHECKING:
    from quantcloud.settings.fields import Settings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# How many times its size a body takes in Envoy until its answer ends: see `proxy.config`.
_COPIES_OF_A_BODY = 5
# The predicted memory of the smallest run is about 1 MiB; a worker needs some for its libraries.
_LEAST_MEMORY = 16 << 20


def contradictions(settings: "Settings") -> list[str]:
    """Return a line for each contradiction. It begins with the name of a variable."""
    parts = (_router, _leases, _watches, _threads, _memory, _addresses, _tls, _issuer, _origins)
    return [PREFIX + line for part in parts for line in part(settings)]


def _router(settings: "Settings") -> Iterator[str]:
    weights = ("router_speed_weight", "router_accuracy_weight", "router_cost_weight")
    if not any(getattr(settings, name) for name in weights):
        yield "ROUTER_SPEED_WEIGHT: one of the weights of speed, accuracy and cost must be above 0"


def _leases(settings: "Settings") -> Iterator[str]:
    if 2 * settings.heartbeat_seconds > settings.lease_seconds:
        yield (
            f"HEARTBEAT_SECONDS: is {settings.heartbeat_seconds:g}; it must be at most half of "
            f"{PREFIX}LEASE_SECONDS, which is {settings.lease_seconds:g}, or one late heartbeat "
            "ends all runs"
        )


def _watches(settings: "Settings") -> Iterator[str]:
    if settings.watch_checkpoint_seconds >= settings.watch_idle_seconds:
        yield (
            f"WATCH_CHECKPOINT_SECONDS: is {settings.watch_checkpoint_seconds:g}; it must be less "
            f"than {PREFIX}WATCH_IDLE_SECONDS, which is {settings.watch_idle_seconds:g}, or Envoy "
            "ends every quiet watch"
        )


def _threads(settings: "Settings") -> Iterator[str]:
    if settings.engine == "ray" and settings.threads_per_run is not None:
        yield (
            f"THREADS_PER_RUN: has no effect with {PREFIX}ENGINE=ray, where a run has as many "
            "threads as its backend states `cpus`"
        )


def _memory(settings: "Settings") -> Iterator[str]:
    heap, needed = settings.envoy_memory, _COPIES_OF_A_BODY * settings.max_body_bytes
    if heap is not None and needed > heap:
        yield (
            f"MAX_BODY_BYTES: is {settings.max_body_bytes}, and one body takes up to "
            f"{_COPIES_OF_A_BODY} times its size in Envoy, more than {PREFIX}ENVOY_MEMORY, which "
            f"is {heap}; lower it, or give Envoy {needed} bytes"
        )
    if settings.worker_memory is not None and settings.worker_memory < _LEAST_MEMORY:
        yield (
            f"WORKER_MEMORY: is {settings.worker_memory} bytes, which refuses every circuit; give "
            f"{_LEAST_MEMORY} bytes or more"
        )


def _addresses(settings: "Settings") -> Iterator[str]:
    places = {
        "GRPC": (settings.grpc_host, settings.grpc_port),
        "ADMIN": (settings.admin_host, settings.admin_port or 0),
    }
    if settings.envoy:
        places |= {
            "HTTP": (settings.http_host, settings.http_port),
            "PROBE": (settings.probe_host, settings.probe_port),
            "HTTP_REDIRECT": (settings.http_host, settings.http_redirect_port or 0),
        }
    for one, other in itertools.combinations(places, 2):
        (host, port), (other_host, other_port) = places[one], places[other]
        if port and port == other_port and _overlap(host, other_host):
            yield f"{one}_PORT: is {port}, as {PREFIX}{other}_PORT is; give them different ports"


def _overlap(one: str, other: str) -> bool:
    """Whether a program that listens on one host keeps others from the same port of the other."""
    addresses = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return one == other or any(address.is_unspecified for address in addresses)


def _tls(settings: "Settings") -> Iterator[str]:
    for side in ("tls", "grpc_tls", "upstream_tls"):
        cert, key = getattr(settings, f"{side}_cert"), getattr(settings, f"{side}_key")
        if (cert is None) is not (key is None):
            given, missing = ("KEY", "CERT") if cert is None else ("CERT", "KEY")
            yield f"{side.upper()}_{missing}: is missing; {PREFIX}{side.upper()}_{given} needs it"
    needs = {
        "tls_client_ca": "tls_cert", "grpc_tls_client_ca": "grpc_tls_cert",
        "upstream_tls_cert": "upstream_tls_ca", "http_redirect_port": "tls_cert",
    }  # fmt: skip
    for name, needed in needs.items():
        if getattr(settings, name) is not None and getattr(settings, needed) is None:
            yield f"{name.upper()}: has no effect without {PREFIX}{needed.upper()}"


def _issuer(settings: "Settings") -> Iterator[str]:
    url = settings.jwks_url
    if url is None:
        return
    try:
        parts = urlsplit(url)
        complete = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        parts, complete = urlsplit(""), False
    if not complete:
        yield (f"JWKS_URL: {url!r} is no URL, such as https://issuer.example/.well-known/jwks.json")
    elif (
        parts.scheme == "http"
        and parts.hostname not in _LOOPBACK
        and settings.jwt_secret is not None
    ):
        yield (
            "JWKS_URL: is plain http, so an attacker on the network can replace the keys, while "
            f"{PREFIX}JWT_SECRET protects the same accounts; give an https URL, or no secret"
        )


def _origins(settings: "Settings") -> Iterator[str]:
    for origin in settings.cors_origins:
        parts = urlsplit(origin)
        if origin != "*" and (not parts.scheme or origin != f"{parts.scheme}://{parts.netloc}"):
            yield (
                f"CORS_ORIGINS: {origin!r} is no origin; an origin has a scheme and a host, and no "
                "path, such as https://lab.example"
            )
