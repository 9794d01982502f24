"""JobService: list, watch and cancel jobs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from quantcloud.api.context import Context, current, principal
from quantcloud.api.convert import jobs as convert
from quantcloud.api.convert.values import envelope, given, message_of
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
        page, token = await self._jobs.list(
            principal(),
            limit=given(request, "limit"),
            offset=given(request, "offset"),
            page_token=given(request, "page_token"),
            wanted=convert.job_filter(request),
        )
        waits = await self._jobs.waits(page.items)
        return job_pb2.ListJobsResponse(
            next_page_token=token,
            jobs=[convert.listed(job, waits.get(job.id)) for job in page.items],
            **envelope(page),
        )

    async def GetJob(self, request: job_pb2.GetJobRequest, context: Context) -> job_pb2.Job:
        job = await self._jobs.get(
            principal(), request.id, wait_seconds=given(request, "wait_seconds")
        )
        return convert.job(job, (await self._jobs.waits([job])).get(job.id))

    async def GetJobResult(
        self, request: job_pb2.GetJobResultRequest, context: Context
    ) -> job_pb2.JobResult:
        result = await self._jobs.result(
            principal(),
            request.id,
            offset=given(request, "point_offset"),
            limit=given(request, "point_limit"),
        )
        return await convert.result(result)

    async def GetJobCircuit(
        self, request: job_pb2.GetJobCircuitRequest, context: Context
    ) -> job_pb2.JobCircuit:
        return convert.circuit(await self._jobs.circuit(principal(), request.id))

    async def CancelJob(
        self, request: job_pb2.CancelJobRequest, context: Context
    ) -> job_pb2.CancelJobResponse:
        await self._jobs.cancel(principal(), request.id)
        return job_pb2.CancelJobResponse(job_id=request.id, status=job_pb2.Job.cancelled)

    async def WatchJob(
        self, request: job_pb2.WatchJobRequest, context: Context
    ) -> AsyncGenerator[job_pb2.JobEvent]:
        watched = self._jobs.watch(
            principal(),
            request.id,
            after_sequence=convert.after_sequence(request, current.get().last_event_id),
        )
        messages = self._watches.of_job(watched, with_result=request.with_result)
        # Free its memory: the next event may be hours away. There may be very many watches.
        del request
        try:
            async for update in messages.updates:
                yield await messages.message(update)
                del update
        finally:
            await messages.updates.aclose()

    async def WatchJobs(
        self, request: job_pb2.WatchJobsRequest, context: Context
    ) -> AsyncGenerator[job_pb2.WatchJobsResponse]:
        watched = self._jobs.watch_all(
            principal(),
            after_cursor=current.get().last_event_id or given(request, "after_cursor"),
            wanted=convert.event_filter(request),
        )
        async with aclosing(watched) as updates:
            async for update in updates:
                async for response in self._watches.responses(
                    update, with_result=request.with_result
                ):
                    yield response
                    del response
                del update

    async def CreateWatchTicket(
        self, request: job_pb2.CreateWatchTicketRequest, context: Context
    ) -> job_pb2.CreateWatchTicketResponse:
        ticket = await self._jobs.create_ticket(principal(), request.path)
        return message_of(job_pb2.CreateWatchTicketResponse, ticket, ticket=ticket.text)
