"""Keys that a JSON body must not have are refused and named, wherever they are."""

import json
import random
import string
import time

import httpx
import pytest

from unit.proxy.upstream import gate as make_gate

RUN, BATCH, SAVE = "/v1/circuits/run", "/v1/circuits/run-batch", "/v1/circuits"
KNOWN = (
    "qasm, circuit_qasm, shots, backend, optimize_for, num_qubits, max_cost_usd, min_fidelity, "
    "options, code, name, tags, parameters, observables, pairing, precision, gradient, variances, "
    "probabilities, packed"
)
QUOTED = "expected a key in double quotes"
VALUE = "expected a value in double quotes, a number, true, false or null"
TWICE = "is given more than once"
MANY = "body: has more than 1000000 keys, values, commas and brackets"
WRONG = [
    (RUN, '{"qasm": "h", "shot": 10}', "shot: is unknown; did you mean 'shots'?"),
    (RUN, '{"qasm": "h", "seed": 3}', "seed: is unknown; did you mean 'options.seed'?"),
    (RUN, '{"optimizeFor": "cost"}', "optimizeFor: is unknown; did you mean 'optimize_for'?"),
    (RUN, '{"maxCostUsd": -5}', "maxCostUsd: is unknown; did you mean 'max_cost_usd'?"),
    (RUN, '{"priority": 1}', f"priority: is unknown; known are {KNOWN}"),
    (RUN, '{"options": {"sed": 1}}', "options.sed: is unknown; did you mean 'seed'?"),
    (RUN, '{"options": {"shots": 1}}', "options.shots: is unknown; did you mean 'shots'?"),
    (
        RUN,
        '{"options": {"noise": {"readuot": 1}}}',
        "options.noise.readuot: is unknown; did you mean 'readout'?",
    ),
    (
        BATCH,
        '{"circuits": [{"qasm": "a"}, {"qasm": "}]"}, {"shot": 1}]}',
        "circuits[2].shot: is unknown; did you mean 'shots'?",
    ),
    (
        BATCH,
        '{"circuits": [{}, {"options": {"shots": 1}}]}',
        "circuits[1].options.shots: is unknown; did you mean 'circuits[1].shots'?",
    ),
    (BATCH, '{"circuit": []}', "circuit: is unknown; did you mean 'circuits'?"),
    (RUN, '{"sh\\u006ft": 1}', "shot: is unknown; did you mean 'shots'?"),
    (RUN, '{"a\\"b:c": 1}', f'a"b:c: is unknown; known are {KNOWN}'),
    (RUN, '{"größe": 1}', f"größe: is unknown; known are {KNOWN}"),
    (RUN, '{"*": 1}', f"*: is unknown; known are {KNOWN}"),
    (RUN, '{"__index": 1}', f"__index: is unknown; known are {KNOWN}"),
    (RUN, '{"shots": 1, "shots": 2}', "shots: is given more than once"),
    (RUN, '{"shots": 1, "sh\\u006fts": 1}', "shots: is given more than once"),
    (RUN, '{"qasm": "a", "qasm": "a"}', "qasm: is given more than once"),
    (BATCH, '{"circuits": [], "circuits": []}', "circuits: is given more than once"),
    (BATCH, '{"circuits": [{"code": "", "code": ""}]}', "circuits[0].code: " + TWICE),
    (
        SAVE,
        '{"metadata": {"a": {"b": [1, "x", {"c": 1, "c": 2}]}}}',
        "metadata.a.b[2].c: is given more than once",
    ),
    (SAVE, '{"metadata": {"": 1}, "metadata": 1}', "metadata: is given more than once"),
    # The transcoder would accept these, and drop keys that it does not know.
    (RUN, "{shot: 1}", f"body: is not valid JSON near shot: 1}}: {QUOTED}"),
    (RUN, "{'shot': 1}", f"body: is not valid JSON near 'shot': 1}}: {QUOTED}"),
    (RUN, "{\"qasm\": 'x'}", f"body: is not valid JSON near 'x'}}: {VALUE}"),
    (RUN, '{"shots": 1, shot: 2}', f"body: is not valid JSON near shot: 2}}: {QUOTED}"),
    (RUN, '{"shots":\x0b1, \x0c"shot": 2}', "shot: is unknown; did you mean 'shots'?"),
    (SAVE, '{"metadata": {"a": ' + "[" * 98 + "{}", "body: is nested too deeply"),
    (SAVE, '{"metadata": {"a": [' + "1," * 1_000_000, MANY),
    (SAVE, '{"metadata": {"a": [' + "{}," * 400_000, MANY),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "detail"), WRONG, ids=[body[:40] for _, body, _ in WRONG])
def test_a_wrong_key_is_refused_and_named(gate, http, path, body, detail):
    got = http.post(path, content=body.encode())
    assert (got.status_code, got.json()["detail"]) == (400, detail)
    assert gate.upstream.requests == []


@pytest.mark.parametrize("name", ["shot", "s" * 2_000_000, "\\u0073" * 1_000_000, "ß" * 2_000_000])
def test_a_long_body_or_key_is_checked_too(gate, http, name):
    body = f'{{"qasm": "{"x" * 20_000}", "{name}": 1}}'
    got = http.post(RUN, content=body.encode())
    assert got.status_code == 400
    assert ": is unknown; " in got.json()["detail"]
    assert len(got.json()["detail"]) < 300
    assert len(gate.upstream.uploads) == 1
    assert gate.upstream.requests == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RUN, '{"qasm": "\\"shot\\": 1, \\\\\\" {}[]", "shots": 5}'),
        (RUN, '{"qasm": "\\\\", "shots": -1.5e+3}'),
        (RUN, ' \n{"options" : { "seed" : 1 , "noise" : null } }\t'),
        (RUN, "{}"),
        (BATCH, '{"circuits": [{}, {"qasm": "shot"}]}'),
        (SAVE, '{"metadata": {"any": {"key": [{}, {"\\ud83d\\ude00": 1, "\\ud83d\\ude01": 2}]}}}'),
        (SAVE, '{"metadata": {"a.b": true, "*": false, "types": null, "any": "shot"}}'),
        (SAVE, '{"metadata": {"a": 1}, "name": "a", "num_qubits": 1}'),
        (SAVE, '{"metadata": {"a": [null, [[], null]]}}'),
        (RUN, '{"tags": ["a", "null"], "name": null, "parameters": {"t": {"values": [-1, 1]}}}'),
        (RUN, '{"options": {"noise": {"qubits": {"0": {"readout": [[1, 0], [0, 1]]}}}}}'),
    ],
)
def test_a_right_body_passes(gate, http, path, body):
    got = http.post(path, content=body.encode())
    assert got.status_code in {201, 202} or "must be an integer" in got.text
    assert gate.upstream.requests or got.status_code == 400


@pytest.mark.parametrize("body", [b'{"shot\xff": 1}', b'{"\xff": 1, "\xff": 2}', b'{"a": "\xc3'])
def test_a_key_that_is_not_text_is_refused_as_json(http, body):
    got = http.post(RUN, content=body)
    assert got.status_code == 400
    assert "detail" in got.json()


def _value(draw: random.Random, depth: int) -> object:
    kind = draw.randrange(6 if depth else 4)
    if kind == 4:
        return [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    if kind == 5:
        return {_text(draw): _value(draw, depth - 1) for _ in range(draw.randrange(4))}
    return (draw.choice([None, True, False]), draw.randrange(-99, 99), draw.random(), _text(draw))[
        kind
    ]


def _text(draw: random.Random) -> str:
    letters = string.ascii_letters + '"\\{}[]:,\n\t é\U0001f600'
    return "".join(draw.choice(letters) for _ in range(draw.randrange(6)))


def test_random_metadata_passes_and_one_more_key_anywhere_is_found(gate, http):
    draw = random.Random(23)
    for _ in range(150):
        right = {"name": _text(draw), "metadata": {"k": _value(draw, 4)}, "qasm": _text(draw)}
        ascii_only, gap = draw.random() < 0.5, draw.choice([None, 1])
        text = json.dumps(right, ensure_ascii=ascii_only, indent=gap)
        got = http.post(SAVE, content=text.encode())
        assert got.status_code == 201, (text, got.text)
        # A key may not begin inside a text, so the place is one that only an object has.
        extra = text.replace('"name":', '"nmae": {"a": [1, "}"]}, "name":', 1)
        refused = http.post(SAVE, content=extra.encode())
        assert refused.json()["detail"] == "nmae: is unknown; did you mean 'name'?"
        twice = text.replace('"k":', f'"k": {json.dumps(_value(draw, 3))}, "k":', 1)
        refused = http.post(SAVE, content=twice.encode())
        assert refused.json()["detail"] == "metadata.k: is given more than once"


def test_the_worst_bodies_hold_up_the_other_requests_for_a_short_time(tmp_path):
    size = 8_000_000
    worst = [
        '{"qasm": "' + '\\"' * (size // 2) + '"}',
        '{"name": "' + "\\\\" * (size // 2 - 10) + '"}',
        '{"metadata": {"a": [' + "1," * (size // 2 - 20),
        '{"metadata": {"a": [' + "{}," * (size // 3 - 20),
    ]
    with make_gate(tmp_path, envoy_threads=1) as gate, httpx.Client(base_url=gate.url) as http:
        for body in worst:
            began = time.monotonic()
            http.post(SAVE, content=body.encode(), timeout=20)
            assert time.monotonic() - began < 5, body[:40]
        assert http.get("/health").status_code == 200
