"""Envoys without a server."""

import httpx

from quantcloud.proxy.process import EnvoyProcess, Upstream
from quantcloud.settings import Settings

DEADLINE = 10


def make(folder, **settings):
    settings = {"data_dir": folder, "http_port": 0, **settings}
    return EnvoyProcess(Settings(**settings), Upstream("unset", 1))


async def asked(envoy, path="/health"):
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{envoy.http_port}{path}")
