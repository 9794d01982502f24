"""How Envoy serves the console: headers, caching, sizes, and without it."""

import gzip
import re
from pathlib import Path

import pytest

from quantcloud.proxy import console
from support.pages import ROOT
from support.server import Server

CONSOLE = ROOT / "server" / "quantcloud" / "console"
MOST_BYTES = 150_000
_FILE = re.compile(r"/console/[0-9a-f]{16}/[\w.]+")


@pytest.fixture(scope="module")
def page(server: Server) -> str:
    return server.get("/").text


def test_the_page_allows_its_own_files_and_nothing_else(server: Server):
    answer = server.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert {*policy.values()} == {"'none'", "'self'"}


def test_the_page_names_all_its_files(page: str):
    named = {path.rpartition("/")[2] for path in _FILE.findall(page)}
    assert named == {file.name for file in console.files(CONSOLE)} - {console.PAGE}


def test_a_browser_keeps_a_file_forever(server: Server, page: str):
    for path in set(_FILE.findall(page)):
        answer = server.get(path)
        assert answer.status_code == 200
        assert answer.content == (CONSOLE / Path(path).name).read_bytes()
        assert "immutable" in answer.headers["cache-control"]
        assert "content-security-policy" in answer.headers
    assert server.get(path.replace("/console/", "/console/0")).status_code == 404


def test_the_page_is_asked_for_again_but_not_sent_again(server: Server):
    tag = server.get("/").headers["etag"]
    again = server.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert server.get("/", headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_the_console_is_small(server: Server, page: str):
    paths = {"/", *_FILE.findall(page)}
    sent = [server.get(path, headers={"Accept-Encoding": "gzip"}) for path in paths]
    total = sum(
        int(answer.headers.get("content-length", 0)) or len(gzip.compress(answer.content, 1))
        for answer in sent
    )
    assert total < MOST_BYTES
    assert any(answer.headers.get("content-encoding") == "gzip" for answer in sent)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_its_paths_are_only_read(server: Server, page: str, method: str):
    for path in ("/", _FILE.findall(page)[0]):
        answer = server.rest.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"


def test_head_has_the_headers_alone(server: Server):
    answer = server.rest.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/html")


def test_a_server_may_have_no_console(tmp_path: Path):
    with Server(tmp_path / "data", "--workers", "1", "--no-console") as without:
        assert without.get("/").status_code == 404
        assert without.endpoints.sign_in == ""
        assert without.get("/health").status_code == 200
