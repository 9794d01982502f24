"""Workers get only what is listed, and hidden paths stay closed."""

import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.forkserver import Configuration, ForkServer
from quantcloud.engine.sandbox import confinement, control_groups, landlock, memory, seccomp


def test_environment_is_an_allow_list():
    server = {
        "PATH": "/bin",
        "LANG": "C",
        "LC_ALL": "C",
        "QUANTCLOUD_JWT_SECRET": "s",
        "PGPASSWORD": "s",
        "LD_PRELOAD": "x",
        "PYTHONSTARTUP": "x",
        "OMP_NUM_THREADS": "8",
    }
    given = confinement.environment(["/a", "/b"], server)
    assert given["PYTHONPATH"] == f"/a{os.pathsep}/b"
    assert given["OMP_NUM_THREADS"] == "1"
    assert {"PATH", "LANG", "LC_ALL"} <= set(given)
    assert not {"QUANTCLOUD_JWT_SECRET", "PGPASSWORD", "LD_PRELOAD", "PYTHONSTARTUP"} & set(given)


def test_hidden_paths_are_left_out_with_all_below(tmp_path, monkeypatch):
    (tmp_path / "package" / "data" / "deep").mkdir(parents=True)
    (tmp_path / "package" / "module.py").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "package" / "data")
    sysconfig.get_config_vars()  # its imports need the real path
    monkeypatch.setattr(sys, "path", [str(tmp_path), ""])
    hidden = tmp_path / "package" / "data"
    paths = confinement.readable_paths([str(hidden)])
    inside = {path for path in paths if path.startswith(str(tmp_path))}
    assert inside == {str(tmp_path / "other"), str(tmp_path / "package" / "module.py")}
    assert "" not in paths
    assert not {"/", "/etc", "/home", "/root", "/tmp"} & set(paths)  # noqa: S108 (names only)


def test_workers_do_not_import_from_the_servers_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/a", "b"])
    assert confinement.import_path() == ["/a", str(tmp_path / "b")]


def test_examiners_get_no_gpu(site, monkeypatch):
    monkeypatch.setenv("PROBE_GPU", "1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    control, other = socket.socketpair()
    with control, other:
        server = ForkServer(control, Configuration(os.getpid(), (), (1, 2), ()))
    assert server.confinement(Role.EXECUTION).gpu
    assert not server.confinement(Role.EXAMINATION).gpu


def test_without_hidden_paths_the_whole_folder_is_readable(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert str(tmp_path) in confinement.readable_paths([])


def test_kernel_without_landlock_restricts_nothing(tmp_path):
    assert landlock.restrict([str(tmp_path)], abi=0) is False


def pretend(folder, monkeypatch, groups, limits):
    """Have this process in control groups with these limits."""
    (folder / "cgroup").write_text(groups)
    for name, text in limits.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    for name, path in (("_CGROUPS", "cgroup"), ("_UNIFIED", "unified"), ("_SEPARATE", "separate")):
        monkeypatch.setattr(control_groups, name, folder / path)


@pytest.mark.parametrize(
    ("groups", "limits", "usable"),
    [
        (
            "0::/a/b\n",
            {"unified/a/cpu.max": "250000 100000", "unified/a/b/cpu.max": "max 100000"},
            3,
        ),
        ("0::/a\n", {"unified/a/cpu.max": "10000 100000"}, 1),
        ("0::/a\n", {"unified/a/cpu.max": "max 100000"}, 8),
        (
            "4:cpu,cpuacct:/a\n",
            {
                "separate/cpu/a/cpu.cfs_quota_us": "200000",
                "separate/cpu/a/cpu.cfs_period_us": "50000",
            },
            4,
        ),
        (
            "4:cpu,cpuacct:/a\n",
            {"separate/cpu/a/cpu.cfs_quota_us": "-1", "separate/cpu/a/cpu.cfs_period_us": "50000"},
            8,
        ),
        ("", {}, 8),
    ],
)
def test_a_container_has_its_share_of_the_cores(tmp_path, monkeypatch, groups, limits, usable):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    pretend(tmp_path, monkeypatch, groups, limits)
    assert control_groups.usable_cores() == usable


@pytest.mark.parametrize(
    ("groups", "limits", "usable"),
    [
        ("0::/a/b\n", {"unified/a/memory.max": "1000", "unified/a/b/memory.max": "max"}, 1000),
        ("0::/a/b\n", {"unified/a/memory.max": "1000", "unified/a/b/memory.max": "500"}, 500),
        # A container whose own group is the root.
        ("0::/docker/c0ffee\n", {"unified/memory.max": "700"}, 700),
        ("4:cpu,memory:/a\n0::/\n", {"separate/memory/a/memory.limit_in_bytes": "300"}, 300),
        ("4:cpu:/a\n0::/\n", {"separate/memory/a/memory.limit_in_bytes": "300"}, None),
    ],
)
def test_limits_of_control_groups_count(tmp_path, monkeypatch, groups, limits, usable):
    pretend(tmp_path, monkeypatch, groups, limits)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory.default_memory_limit(1) == int((usable or total) * 0.8)


def test_default_memory_limit_shares_less_than_the_machine():
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.default_memory_limit(1) < total
    assert memory.default_memory_limit(4) == pytest.approx(
        memory.default_memory_limit(1) / 4, rel=0.01
    )


# Run in a separate process, because the confinement cannot be undone.
SHARING = """
import mmap, sys
from quantcloud.engine.sandbox import confinement, seccomp
confinement._libc.prctl(confinement._PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
assert seccomp.refuse_unneeded(shared_memory=sys.argv[1] == "shared")
mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
try:
    mmap.mmap(-1, 4096)
except PermissionError:
    print("refused")
else:
    print("given")
"""


@pytest.mark.skipif(not seccomp.is_supported(), reason="this machine has no seccomp filter")
@pytest.mark.parametrize(("memory", "what"), [("shared", "given"), ("own", "refused")])
def test_shared_memory_is_allowed_only_for_a_driver(memory, what):
    ended = subprocess.run(
        [sys.executable, "-c", SHARING, memory], capture_output=True, check=True, text=True
    )
    assert ended.stdout.strip() == what


# A system that has seccomp but allows no further filter, like some sandboxes.
REFUSING = """
import ctypes, struct
from quantcloud.engine.sandbox import confinement, seccomp
print(*confinement.missing_protections())
rule = seccomp._of(seccomp._PRCTL[seccomp.platform.machine() != "x86_64"],
                   seccomp._refuse_where(0, [seccomp._PR_SET_SECCOMP]))
lines = [(seccomp._LOAD_WORD, 0, 0, seccomp._NUMBER), *rule, seccomp._PASS]
seccomp._filter = lambda *_, **__: b"".join(struct.pack("=HBBI", *line) for line in lines)
confinement._libc.prctl(confinement._PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
assert seccomp.refuse_unneeded()
print(*confinement.missing_protections())
"""


@pytest.mark.skipif(not seccomp.is_supported(), reason="this machine has no seccomp filter")
def test_a_refused_filter_is_reported_as_missing():
    ended = subprocess.run(
        [sys.executable, "-c", REFUSING], capture_output=True, check=True, text=True
    )
    before, after = ended.stdout.splitlines()
    assert "seccomp" not in before
    assert "seccomp (network, processes)" in after


def test_checking_for_missing_protections_changes_nothing():
    def rights():
        lines = Path("/proc/self/status").read_text().splitlines()
        return [line for line in lines if line.startswith(("Seccomp:", "NoNewPrivs:"))]

    before = rights()
    confinement.missing_protections()
    assert rights() == before
    socket.socket().close()
