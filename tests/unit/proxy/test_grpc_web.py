"""gRPC-Web through the real Envoy."""

import base64
import re
import struct

import grpc
import pytest

from thequantcloud.v1.job_pb2 import GetJobRequest, Job
from unit.proxy.upstream import refuse


def frames(body):
    while body:
        kind, length = struct.unpack(">BI", body[:5])
        yield kind, body[5 : 5 + length]
        body = body[5 + length :]


@pytest.mark.parametrize("text", [False, True])
def test_grpc_web_passes(gate, http, text):
    gate.answer("GetJob", lambda request, _: Job(job_id=request.id))
    message = GetJobRequest(id="j").SerializeToString()
    body = struct.pack(">BI", 0, len(message)) + message
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    answer = http.post(
        "/thequantcloud.v1.JobService/GetJob",
        content=base64.b64encode(body) if text else body,
        headers={
            "Content-Type": kind, "Accept": kind, "X-Grpc-Web": "1",
            "Origin": "https://studio.example",
        },
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/grpc-web")
    assert answer.headers["access-control-allow-origin"] == "https://studio.example"
    content = answer.content
    if text:  # each piece is encoded and padded separately
        content = b"".join(map(base64.b64decode, re.findall(rb"[\w+/]+=*", content)))
    (first, payload), (last, trailers) = frames(content)
    assert (first, last) == (0, 0x80)
    assert Job.FromString(payload).job_id == "j"
    assert b"grpc-status:0" in trailers


def test_grpc_web_errors_have_a_status(gate, http):
    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.NOT_FOUND, "no")

    gate.answer("GetJob", answer)
    kind = "application/grpc-web+proto"
    refused = http.post(
        "/thequantcloud.v1.JobService/GetJob",
        content=struct.pack(">BI", 0, 0),
        headers={"Content-Type": kind},
    )
    assert refused.headers["grpc-status"] == "5"
    assert refused.headers["grpc-message"] == "no"
    unknown = http.post("/nobody.Knows/It", content=b"", headers={"Content-Type": kind})
    assert unknown.headers["grpc-status"] == "12"
