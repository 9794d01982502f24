"""JobService: list, watch and cancel jobs."""

from typing import Any

from quantcloud.aio import offload
from quantcloud.api.context import Context, principal
from quantcloud.api.convert import jobs as convert
from quantcloud.api.convert.values import envelope, given
from quantcloud.api.servicers.watches import Watches
from quantcloud.services.jobs import JobUseCases
from thequantcloud.v1 import job_pb2, job_pb2_grpc


class JobServicer(job_pb2_grpc.JobServiceServicer):
    """The caller's jobs."""

    def __init__(self, jobs: JobUseCases, watches: Watches) -> None:
        self._jobs = jobs
        self._watches = watches

    async def ListJobs(
        self, request: job_pb2.ListJobsRequest, context: Context
    ) -> job_pb2.ListJobsResponse:
        page, cursor = await self._jobs.list(
            principal(),
            limit=given(request, "limit"),
            offset=given(request, "offset"),
            after_cursor=given(request, "after_cursor"),
            status=convert.status_filter(request),
        )
        return job_pb2.ListJobsResponse(
            cursor=cursor, jobs=[convert.job(job) for job in page.items], **envelope(page)
        )

    async def GetJob(self, request: job_pb2.GetJobRequest, context: Context) -> job_pb2.Job:
        job = await self._jobs.get(
            principal(), request.id, wait_seconds=given(request, "wait_seconds")
        )
        return convert.job(job)

    async def GetJobResult(self, request: job_pb2.GetJobResultRequest, context: Context) -> Any:
        """Return the bytes of the message."""
        result = await self._jobs.result(principal(), request.id)
        return await offload.run(convert.conversion_cost(result), convert.result, result)

    async def CancelJob(
        self, request: job_pb2.CancelJobRequest, context: Context
    ) -> job_pb2.CancelJobResponse:
        await self._jobs.cancel(principal(), request.id)
        return job_pb2.CancelJobResponse(job_id=request.id, status=job_pb2.Job.cancelled)

    async def WatchJob(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: job_pb2.WatchJobRequest, context: Context
    ) -> Any:
        """Return the watch. The interceptor sends its messages."""
        updates = self._jobs.watch(
            principal(), request.id, after_sequence=given(request, "after_sequence")
        )
        return self._watches.watch(updates, with_result=request.with_result)

    async def WatchJobs(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: job_pb2.WatchJobsRequest, context: Context
    ) -> Any:
        """Return the watch. The interceptor sends its messages."""
        updates = self._jobs.watch_all(
            principal(),
            after_cursor=given(request, "after_cursor"),
            wanted=convert.event_filter(request),
        )
        return self._watches.watch_all(updates, with_result=request.with_result)
