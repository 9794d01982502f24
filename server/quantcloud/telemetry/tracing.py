"""Traces of calls and jobs, sent to a collector by OTLP. Off by default.

A call is a span, below the client's if the client sent the W3C header `traceparent`. The steps of a
job are spans below the call that submitted it. Their times are those of the job's events, so they
are made when the events are committed, and a job costs nothing before that. The job's metadata
carries the `traceparent` of the call: so another server, or the next start, continues the tree.

OpenTelemetry is imported only if traces are on. Read `is_on` before you call anything here.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from quantcloud.domain.job import Change, Job, JobEvent, JobStatus

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

HEADER: Final = "traceparent"
_HEADERS: Final = (HEADER, "tracestate")
_FLUSH_MS: Final = 5000

is_on = False
_provider: TracerProvider | None = None
_call: ContextVar[Span | None] = ContextVar("call", default=None)


def configure(endpoint: str, *, ratio: float, version: str) -> None:
    """Send traces to the OTLP collector at `endpoint`, by gRPC.

    `ratio` is the share of traces that are recorded if the client does not decide. Raises
    `ValueError` if OpenTelemetry is not installed.
    """
    global is_on, _provider  # noqa: PLW0603  # set once for the process, as logging is
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
            ParentBased,
            TraceIdRatioBased,
        )
    except ImportError as error:
        raise ValueError(
            "QUANTCLOUD_OTLP_ENDPOINT needs OpenTelemetry: pip install 'thequantcloud[tracing]'"
        ) from error
    resource = Resource.create(
        {
            "service.name": "quantcloud",
            "service.version": version,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
    )
    _provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    is_on = True


def stop() -> None:
    """Send what is left, for up to some seconds, and record no more."""
    global is_on, _provider
    provider, _provider, is_on = _provider, None, False
    if provider is not None:
        provider.force_flush(_FLUSH_MS)
        provider.shutdown()


def begin_call(path: str, headers: Mapping[str, str]) -> Span:
    """Begin the span of a call, and make it the parent of what this task submits."""
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    service, _, method = path.strip("/").rpartition("/")
    span = _tracer().start_span(
        path.strip("/"),
        context=_extracted(headers),
        kind=SpanKind.SERVER,
        attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
    )
    _call.set(span)
    return span


def end_call(span: Span, code: str, fields: Mapping[str, object]) -> None:
    """End the span of a call with its status, and with the ids that its line in the log has."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    span.set_attribute("rpc.grpc.status", code)
    for name, value in fields.items():
        if name.endswith("_id") and value is not None:
            span.set_attribute(name, str(value))
    if code in {"INTERNAL", "UNKNOWN", "UNAVAILABLE"}:
        span.set_status(StatusCode.ERROR)
    span.end()


def note(name: str, parent: Span, began_ns: int) -> None:
    """Record a step below `parent` that ends now."""
    from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

    _step(name, set_span_in_context(parent), began_ns, time.time_ns(), {})


def carrying(change: Change) -> Change:
    """Return a change whose metadata has the `traceparent` of this task's call, if any."""
    from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

    span = _call.get()
    if span is None or not span.is_recording():
        return change
    carrier: dict[str, str] = {}
    _propagator().inject(carrier, set_span_in_context(span))
    return replace(change, metadata={**(change.metadata or {}), HEADER: carrier[HEADER]})


def observe(events: Sequence[JobEvent]) -> None:
    """Record the steps of jobs from events that were committed just now."""
    began = {
        event.job.id: event.occurred_at
        for event in events
        if event.job.status is JobStatus.ANALYZING
    }
    routed = {
        event.job.id: event.occurred_at for event in events if event.job.status is JobStatus.ROUTING
    }
    now = time.time_ns()
    for event in events:
        job = event.job
        parent = job.metadata.get(HEADER)
        if not isinstance(parent, str):
            continue
        context = _extracted({HEADER: parent})
        attributes = {"job_id": job.id, "backend": job.backend or "", "method": job.method or ""}
        if job.status is JobStatus.QUEUED and job.id in began and job.id in routed:
            queued = _ns(event.occurred_at)
            _step("parse", context, _ns(began[job.id]), _ns(routed[job.id]), attributes)
            _step("route", context, _ns(routed[job.id]), queued, attributes)
            _step("commit", context, queued, now, attributes)
        elif job.status.is_terminal:
            _run(event, job, context, now, attributes)


def _run(event: JobEvent, job: Job, context: Any, now: int, attributes: dict[str, Any]) -> None:
    """Record the steps from a job's queue to its end."""
    ended = _ns(event.occurred_at)
    if job.queued_at is not None:
        start = ended if job.started_at is None else _ns(job.started_at)
        _step("queue", context, _ns(job.queued_at), start, attributes)
    if job.started_at is not None:
        run = {**attributes, "status": job.status.value, "attempt": job.attempt}
        if event.result is not None:
            run["worker_ms"] = event.result.execution_time_ms
        _step("run", context, _ns(job.started_at), ended, run)
    _step("result", context, ended, now, attributes)


def _step(name: str, context: Any, began: int, ended: int, attributes: Mapping[str, Any]) -> None:
    span = _tracer().start_span(name, context=context, start_time=began, attributes=attributes)
    span.end(max(began, ended))


def _tracer() -> Any:
    from opentelemetry.trace import NoOpTracer  # noqa: PLC0415

    return NoOpTracer() if _provider is None else _provider.get_tracer("quantcloud")


def _propagator() -> Any:
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator()


def _extracted(headers: Mapping[str, str]) -> Any:
    return _propagator().extract({name: headers[name] for name in _HEADERS if name in headers})


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
