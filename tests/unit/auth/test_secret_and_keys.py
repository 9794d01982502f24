"""The random signing secret and API keys."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quantcloud.auth import api_keys
from quantcloud.auth.tokens.secret import FILE_NAME, MINIMUM_BYTES, load_or_create


def test_the_secret_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path):
    folder = tmp_path / "data"
    first = load_or_create(folder)
    assert len(first.encode()) >= MINIMUM_BYTES
    assert load_or_create(folder) == first
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_secret_that_others_could_read_is_made_private_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
):
    secret = load_or_create(tmp_path)
    path = tmp_path / FILE_NAME
    assert not caplog.records
    path.chmod(mode)
    assert load_or_create(tmp_path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (record,) = caplog.records
    assert record.getMessage() == (
        f"others could use {path} (mode {mode:o}, now private); anyone who read it can sign tokens "
        "for every account. To replace it, stop the server, delete the file and start the server "
        "again: tokens signed with it end, API keys go on"
    )
    assert load_or_create(tmp_path) == secret
    assert len(caplog.records) == 1


def test_concurrent_processes_get_the_same_secret(tmp_path: Path):
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: load_or_create(tmp_path), range(64)))
    assert len(found) == 1


def test_keys_differ_and_only_their_beginning_is_shown():
    keys = {api_keys.generate() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert key.startswith("qc_live_")
        assert len(key) >= len("qc_live_") + 32
        assert api_keys.shown_prefix(key) == key[:10]


def test_the_digest_covers_the_whole_key():
    key = api_keys.generate()
    assert api_keys.digest(key) != api_keys.digest(key[:-1])
    assert len(api_keys.digest(key)) == 32
    api_keys.digest("\udc80")  # any header value has a digest, so it is just unknown
