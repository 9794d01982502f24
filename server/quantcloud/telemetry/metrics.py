"""The server's metrics, for Prometheus. They have no label by account, job or circuit.

Names follow https://prometheus.io/docs/practices/naming/. Each server process has its own.
"""

from typing import Final

from prometheus_client import Gauge, Info

from quantcloud.telemetry.instruments import Counter, Histogram, UpDownCounter

_PREFIX: Final = "quantcloud"
# From the shortest call to the longest run, in seconds.
_SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 3600.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"{_PREFIX}_{name}", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, namespace=_PREFIX)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"{_PREFIX}_{name}", text, labels, buckets)


BUILD = Info("build", "The release, and the revision of its tables.", namespace=_PREFIX)

RPCS_STARTED = _counter("rpcs_started", "Calls that were begun.", "method")
RPC_SECONDS = _histogram(
    "rpc_seconds", "The time of a call; of a stream, until its end.", "method", "code",
    buckets=_SHORT,
)  # fmt: skip
OPEN_STREAMS = UpDownCounter(f"{_PREFIX}_open_streams", "Streams that are open.", ("method",))

JOBS_SUBMITTED = _counter(
    "jobs_submitted", "Jobs that were accepted.", "backend", "tier", "placement"
)
JOBS_ENDED = _counter("jobs_ended", "Jobs that ended.", "status", "reason", "backend")
JOB_QUEUED_SECONDS = _histogram(
    "job_queued_seconds", "From a job's queue to its start.", "backend", buckets=_LONG
)
JOB_RUNNING_SECONDS = _histogram(
    "job_running_seconds", "From a job's start to its end.", "backend", buckets=_LONG
)
JOB_SECONDS = _histogram(
    "job_seconds", "From a job's submission to its end.", "backend", buckets=_LONG
)
EVENT_LAG_SECONDS = _histogram(
    "event_lag_seconds", "From a job's event to its publication to watches.", buckets=_SHORT
)
QUEUE_DEPTH = _gauge("queue_depth", "Queued jobs in the database, of all servers.", "backend")
QUEUE_OLDEST_SECONDS = _gauge(
    "queue_oldest_seconds", "How long the first job of a queue has waited.", "backend"
)

WORKERS = _gauge("workers", "Places for worker processes.", "role", "state")
WORKER_STARTS = _counter("worker_starts", "Worker processes that were started.")
WORKER_LOSSES = _counter("worker_losses", "Runs that took their worker with them.", "cause")
RESERVED_CORES = _gauge("reserved_cores", "Cores that runs have reserved.")
RESERVED_BYTES = _gauge("reserved_bytes", "Memory that runs have reserved.")
PREDICTION_RATIO = _histogram(
    "prediction_ratio", "The predicted time of a run, divided by its actual time.",
    "backend", "method", buckets=(0.1, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0, 10.0),
)  # fmt: skip

LEASES_EXPIRED = _counter("leases_expired", "Leases of other servers that this one ended.")
COMMIT_SECONDS = _histogram(
    "commit_seconds", "The parts of a transaction: lock, units, commit.", "part", buckets=_SHORT
)
COMMIT_UNITS = _histogram(
    "commit_units", "Units of work in one transaction.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
RETENTION_REMOVED = _counter("retention_removed", "What retention removed.", "kind")
RETENTION_SECONDS = _counter("retention_seconds", "The time that retention's transactions took.")

REFUSALS = _counter(
    "refusals", "Calls that were refused: rate limits, quotas, invalid credentials.", "reason"
)
JWKS_AGE_SECONDS = _gauge("jwks_age_seconds", "The age of the issuer's public keys.")
REDIS_UP = _gauge("redis_up", "0 if Redis did not answer the last request, or else 1.")

LOOP_LAG_SECONDS = _histogram(
    "event_loop_lag_seconds", "How late the event loop runs a timer.", buckets=_SHORT
)
READY = _gauge("ready", "1 if this server can take jobs, or else 0.")
