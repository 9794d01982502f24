"""Where the client connects, and with which token."""

import json
import stat

import pytest

from quantcloud import Client
from quantcloud.client import NotConfigured
from quantcloud.client.network import connection
from quantcloud.client.network.connection import Profile, delete_profile, resolve, save_profile


def test_arguments_come_before_the_environment_and_that_before_the_profile(monkeypatch):
    assert resolve().address == "localhost:50051"
    path = save_profile(Profile("https://saved.example", "saved-token"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = resolve()
    assert (found.address, found.token, found.tls) == ("saved.example:443", "saved-token", True)
    monkeypatch.setenv(connection.SERVER, "other.example:1")
    assert resolve().token == ""  # a token goes only to its server
    monkeypatch.setenv(connection.TOKEN, "variable")
    assert (resolve().address, resolve().token) == ("other.example:1", "variable")
    assert resolve("http://third.example", "argument").address == "third.example:80"
    assert "argument" not in repr(resolve("http://third.example", "argument"))
    assert delete_profile()
    assert not delete_profile()
    path.write_text(json.dumps({"server": "a", "unknown": "b"}))
    monkeypatch.delenv(connection.TOKEN)
    with pytest.raises(NotConfigured, match=r"profile\.json"):
        resolve()


@pytest.mark.parametrize("server", ["localhost", "ftp://a:1", "a:b", "://a:1", "a:0", "a b:1",
                                    "https://", "http://a/b", ":1", "a:99999"])  # fmt: skip
def test_a_server_is_an_address(server: str):
    with pytest.raises(NotConfigured, match="HOST:PORT"):
        resolve(server, "t")


def test_a_call_without_a_token_says_where_it_comes_from():
    with Client("localhost:1") as client, pytest.raises(NotConfigured) as error:
        client.usage()
    assert "quantcloud login" in error.value.hint
