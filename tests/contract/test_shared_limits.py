"""Several servers that count in one Redis let no more through than one would."""

from collections import Counter
from pathlib import Path

import grpc
import pytest

from support import redis
from support.api import Api
from support.server import Server
from thequantcloud.v1 import account_pb2


def test_two_servers_share_the_count_of_an_account(tmp_path: Path):
    binary = redis.find()
    if binary is None:
        pytest.skip("there is no redis-server on this machine")
    with redis.Redis(binary, tmp_path) as shared:
        environment = {"QUANTCLOUD_RATE_LIMIT_URL": shared.url, "QUANTCLOUD_TIERS": "{}"}
        options = ("--workers", "1", "--no-envoy")
        with (
            Server(tmp_path / "one", *options, **environment) as one,
            Server(tmp_path / "two", *options, **environment) as two,
        ):
            here = one.newcomer()
            there = Api(two.channel, two.rest, here.credential)
            calls = [
                (here, there)[n % 2].account.GetUsage.future(
                    account_pb2.GetUsageRequest(), metadata=here.metadata
                )
                for n in range(100)
            ]
            codes = Counter(call.code() for call in calls)
    assert codes == {grpc.StatusCode.OK: 30, grpc.StatusCode.RESOURCE_EXHAUSTED: 70}
