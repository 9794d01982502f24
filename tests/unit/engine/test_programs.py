"""Programs are read in workers, which nothing in them can hold up."""

import asyncio

import pytest

from quantcloud.domain.errors import CircuitError, InvalidArgument
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.messages import MalformedAnswer
from quantcloud.quantsdk import Program, RunSettings, read
from unit.engine.harness import BELL, DEADLINE, running

CODE = (
    "import quantsdk as qs\nc = qs.Circuit(2, name='bell').h(0).cx(0, 1).measure_all()\n"
    "qs.run(c, 20, 'aer', seed=1)\n"
)
ENDLESS = "n = 0\nwhile True:\n    n = n + 1\n"


async def test_a_program_is_read_in_a_worker():
    async with running() as engine, asyncio.timeout(DEADLINE):
        program = await engine.read_program(CODE)
        assert program == read(CODE)
        assert program.settings == RunSettings(20, "aer_simulator", seed=1)


async def test_an_error_in_a_program_keeps_its_place():
    async with running() as engine, asyncio.timeout(DEADLINE):
        with pytest.raises(CircuitError) as caught:
            await engine.read_program(CODE + "\0")
        assert caught.value.reason == "CODE_NOT_UNDERSTOOD"
        with pytest.raises(
            CircuitError, match="code: line 2, column 5: 'y' is not defined"
        ) as caught:
            await engine.read_program("x = 1\nx = y\n")
        error = caught.value
        assert (error.field, error.line, error.column) == ("code", 2, 5)
        assert error.reason == "CODE_NOT_UNDERSTOOD"


async def test_a_program_has_a_time_limit_and_others_do_not_wait_for_it():
    async with running(examination_limit=0.2) as engine, asyncio.timeout(DEADLINE):
        endless = asyncio.create_task(engine.read_program(ENDLESS, "ada"))
        assert (await engine.read_program(CODE, "bob")).name == "bell"
        assert (await engine.examine(BELL + " " * 10_000, "bob")).analysis.num_qubits == 2
        with pytest.raises(InvalidArgument, match=r"code: takes longer than 0\.2 seconds"):
            await endless
        assert (await engine.read_program(CODE, "ada")).name == "bell"


def test_what_a_program_came_to_survives_its_way():
    program = Program("OPENQASM 2.0;\nqreg q[1];\n", "ü", "because", RunSettings(max_cost_usd=0.5))
    assert messages.decode_program(messages.encode_program(program)) == program


@pytest.mark.parametrize(
    "settings",
    [["7", *[None] * 5], [None, 7, *[None] * 4], [True, *[None] * 5], [None] * 5, {"shots": 1}],
)
def test_a_worker_s_nonsense_is_no_program(settings):
    program = Program("qreg q[1];", "", "", RunSettings())
    good = messages.encode_program(program)
    assert messages.decode_program(good) == program
    bad = messages.encode_program(program._replace(settings=settings))
    for payload in (bad, good[:7], good[:-1] + b"\xff", b"\xff" * 8 + good[8:]):
        with pytest.raises(MalformedAnswer):
            messages.decode_program(payload)
