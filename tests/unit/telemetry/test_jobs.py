"""What is counted when jobs end."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from quantcloud.domain.job import OUT_OF_MEMORY, WORKER_LOST, JobStatus
from quantcloud.telemetry import later
from quantcloud.telemetry.jobs import observe
from unit.api.test_event_messages import event_of


@pytest.mark.parametrize(
    ("status", "metadata", "reason"),
    [
        (JobStatus.FAILED, {"reason": WORKER_LOST}, "WORKER_LOST"),
        (JobStatus.FAILED, {"reason": OUT_OF_MEMORY}, "OUT_OF_MEMORY"),
        (JobStatus.FAILED, {"reason": "of a plug-in"}, "RUN_FAILED"),
        (JobStatus.FAILED, {}, "RUN_FAILED"),
        (JobStatus.COMPLETED, {"reason": WORKER_LOST}, ""),
    ],
)
def test_an_end_is_counted_by_its_status_and_reason(
    status: JobStatus, metadata: dict[str, object], reason: str
):
    event = event_of(status)
    event = replace(event, job=replace(event.job, backend="tested", metadata=metadata))
    labels = {"backend": "tested", "reason": reason, "status": status.value}

    def counted() -> float:
        later.run()
        return REGISTRY.get_sample_value("quantcloud_jobs_ended_total", labels) or 0

    before = counted()
    observe([event], 1)
    assert counted() == before + 1
