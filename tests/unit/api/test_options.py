"""The `options` of a request: which are accepted, and the errors of others."""

import math

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.convert.noise import noise_message, noise_of
from quantcloud.api.convert.options import check_json, run_options
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import GateNoise, Noise, QubitNoise, RunOptions
from thequantcloud.v1 import circuit_pb2, run_options_pb2

MAXIMUM_SEED = 2**53 - 1


def gates(**entries: object) -> dict[str, object]:
    return {"noise": {"gates": entries}}


def qubit(**entries: object) -> dict[str, object]:
    return {"noise": {"qubits": {"2": entries}}}


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


def test_noise_by_gate_and_by_qubit_is_accepted():
    noise = {
        "t1_us": 50,
        "gates": {
            "h": {"pauli": {"X": 0.1, "Z": 0.2}, "gate_time_us": None},
            "CX": {"depolarizing": 0, "pauli": {"ZI": 0.1}, "amplitude_damping": 0.2},
        },
        "qubits": {
            "10": {"t2_us": 70, "readout": [[0.9, 0.1], [0, 1]]},
            "2": {"readout": None},
        },
    }
    found = parse_options({"noise": noise}).noise
    assert found == Noise(
        t1_us=50.0,
        gates=(
            ("cx", GateNoise(0.0, (("ZI", 0.1),), 0.2)),
            ("h", GateNoise(pauli=(("X", 0.1), ("Z", 0.2)))),
        ),
        qubits=((2, QubitNoise()), (10, QubitNoise(None, 70.0, ((0.9, 0.1), (0.0, 1.0))))),
    )
    # A job tells its options in the form in which it got them.
    assert noise_of(noise_message(found), "") == found


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
        (
            {"sead": 1},
            "options.sead: is unknown; known are seed, statevector, memory, noise, timeo",
        ),
        (
            gates(cz={"depolarising": 0.1}),
            "options.noise.gates.cz.depolarising: is unknown; known ",
        ),
        (
            gates(cz={"depolarizing": 1.5}),
            "options.noise.gates.cz.depolarizing: must be 0 to 1, is",
        ),
        (gates(cz=0.1), "options.noise.gates.cz: must be an object with any of depolarizing"),
        ({"noise": {"gates": [1]}}, "options.noise.gates: must be an object"),
        (
            gates(cxx={}),
            "options.noise.gates.cxx: is no standard gate on one or two qubits; did yo",
        ),
        (gates(ccx={}), "options.noise.gates.ccx: acts on more than two qubits; name the gates th"),
        (gates(cx={}, CX={}), "options.noise.gates.cx: is the gate cx, which has an entry too"),
        (
            gates(h={"pauli": {"XX": 0.1}}),
            "options.noise.gates.h.pauli.XX: is unknown; known are X,",
        ),
        (
            gates(h={"pauli": {"I": 0.1}}),
            "options.noise.gates.h.pauli.I: is unknown; known are X, ",
        ),
        (gates(h={"pauli": {"X": -0.1}}), "options.noise.gates.h.pauli.X: must be 0 to 1, is -0.1"),
        (gates(h={"pauli": {"X": math.nan}}), "options.noise.gates.h.pauli.X: must be"),
        (
            gates(h={"pauli": {"X": 0.6, "Z": 0.5}}),
            "options.noise.gates.h.pauli: must have a sum o",
        ),
        (
            gates(cx={"pauli": {"X": 0.1, "ZZ": 0.1}}),
            "options.noise.gates.cx.pauli: must have either single letters or pairs, not both",
        ),
        ({"noise": {"qubits": {"-1": {}}}}, "options.noise.qubits.-1: must be the number of a q"),
        ({"noise": {"qubits": {"02": {}}}}, "options.noise.qubits.02: must be the number of a q"),
        (
            qubit(t1_us=10, t2_us=30),
            "options.noise.qubits.2.t2_us: must be at most twice t1_us, wh",
        ),
        (
            {"noise": {"t2_us": 30, "qubits": {"2": {"t1_us": 10}}}},
            "options.noise.qubits.2.t2_us: must be at most twice t1_us, which is 10, is 30",
        ),
        (qubit(readout=0.1), "options.noise.qubits.2.readout: must be a list of lists of numbers"),
        (qubit(readout=[[1, 0]]), "options.noise.qubits.2.readout: must be two rows of two number"),
        (qubit(readout=[[1, 0], [1]]), "options.noise.qubits.2.readout: must be two rows of two n"),
        (qubit(readout=[["1", 0], [0, 1]]), "options.noise.qubits.2.readout: must be two rows of "),
        (
            qubit(readout=[[1, 0], [0.5, 0.6]]),
            "options.noise.qubits.2.readout[1]: must have the sum 1, has 1.1",
        ),
        (
            qubit(readout=[[1.5, -0.5], [0, 1]]),
            "options.noise.qubits.2.readout[0]: must have numbers from 0 to 1, is [1.5, -0.5]",
        ),
        (
            {"noise": {"qubits": {str(number): {} for number in range(1001)}}},
            "options.noise.qubits: has 1001 entries; the maximum is 1000",
        ),
    ],
)
def test_invalid_options_are_named(options: dict[str, object], says: str):
    with pytest.raises(InvalidArgument) as caught:
        parse_options(options)
    assert caught.value.message.startswith(says)


def test_an_unknown_option_has_a_hint():
    with pytest.raises(InvalidArgument) as caught:
        parse_options({"noise": {"qubits": {"0": {"t1us": 5}}}})
    assert caught.value.message == (
        "options.noise.qubits.0.t1us: is unknown; known are t1_us, t2_us, readout; "
        "did you mean 't1_us'?"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = [field.name for field in run_options_pb2.RunOptions.DESCRIPTOR.fields]
KEYS = st.sampled_from(NAMES) | st.text()


NOISE_NAMES = st.sampled_from(
    ["gates", "qubits", "cx", "h", "0", "1", "pauli", "X", "ZZ", "readout", "depolarizing", "t1_us"]
)
NOISE = st.recursive(
    st.none() | st.floats(-0.5, 1.5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NOISE_NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, JSON) | st.fixed_dictionaries({"noise": NOISE}))
def test_any_other_value_is_accepted_or_refused(options: dict[str, object]):
    try:
        assert isinstance(parse_options(options), RunOptions)
    except InvalidArgument as error:
        assert error.field.startswith("options.")
