"""The `options` of a request: which are accepted, and the errors of others."""

import math

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.convert.options import check_json, run_options
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import Noise, RunOptions
from thequantcloud.v1 import circuit_pb2, run_options_pb2

MAXIMUM_SEED = 2**53 - 1


def parse_options(options: dict[str, object]) -> RunOptions:
    """Read options as the transcoder sends them."""
    request = circuit_pb2.RunCircuitRequest()
    request.options.CopyFrom(ParseDict(check_json(options), run_options_pb2.RunOptions()))
    return run_options(request)


def test_all_options_are_accepted():
    options = parse_options(
        {
            "seed": 7.0,
            "statevector": True,
            "memory": False,
            "timeout_seconds": 1.5,
            "noise": {"depolarizing_1q": 0.01, "readout": 0, "t1_us": 50, "t2_us": 70},
        }
    )
    assert options == RunOptions(
        seed=7,
        statevector=True,
        timeout_seconds=1.5,
        noise=Noise(depolarizing_1q=0.01, t1_us=50.0, t2_us=70.0),
    )


def test_missing_options_and_nulls_are_the_defaults():
    assert parse_options({}) == parse_options({"seed": None, "noise": None}) == RunOptions()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sed": 1}, "options.sed: is unknown; known are seed, statevector"),
        ({"seed": -1}, "options.seed: must be 0 to 9007199254740991, is -1"),
        ({"seed": 1.5}, "options.seed"),
        ({"seed": True}, "options.seed"),
        ({"seed": "1"}, "options.seed"),
        ({"seed": math.inf}, "options.seed"),
        ({"seed": MAXIMUM_SEED + 1}, "options.seed"),
        ({"statevector": 1}, "options.statevector: must be true or false"),
        ({"memory": "yes"}, "options.memory"),
        ({"timeout_seconds": 0}, "options.timeout_seconds: must be greater than 0"),
        ({"timeout_seconds": math.nan}, "options.timeout_seconds"),
        ({"noise": 0.1}, "options.noise: must be an object with any of depolarizing_1q"),
        ({"noise": {"readout": 1.1}}, "options.noise.readout: must be 0 to 1, is 1.1"),
        ({"noise": {"t1": 5}}, "options.noise.t1: is unknown"),
        (
            {"noise": {"t1_us": 5e-324}},
            "options.noise.t1_us: must be 1e-09 to 1000000000000, is ",
        ),
        (
            {"noise": {"t1_us": 1.7e308}},
            "options.noise.t1_us: must be 1e-09 to 1000000000000, is 1.7e+308",
        ),
        ({"noise": {"gate_time_1q_us": 0}}, "options.noise.gate_time_1q_us: must be 1e-09 to"),
        ({"noise": {"t1_us": 10, "t2_us": 30}}, "options.noise.t2_us: must be at most twice"),
    ],
)
def test_invalid_options_are_named(options: dict[str, object], says: str):
    with pytest.raises(InvalidArgument) as caught:
        parse_options(options)
    assert caught.value.message.startswith(says)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["seed", "statevector", "memory", "noise", "timeout_seconds"]) | st.text()


@given(st.dictionaries(KEYS, JSON))
def test_any_other_value_is_accepted_or_refused(options: dict[str, object]):
    try:
        assert isinstance(parse_options(options), RunOptions)
    except InvalidArgument as error:
        assert error.field.startswith("options.")
