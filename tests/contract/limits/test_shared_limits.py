"""Several servers that count in one Redis allow no more requests than one server does."""

from collections import Counter
from pathlib import Path

import grpc
import pytest

from support.api import Api
from support.external import redis
from support.server import Server
from thequantcloud.v1 import account_pb2


def test_two_servers_share_an_accounts_count(tmp_path: Path):
    binary = redis.find()
    if binary is None:
        pytest.skip("redis-server is not installed")
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
