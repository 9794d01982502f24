import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quantcloud.backends.simulation.noise import relaxation, relaxation_times
from quantcloud.domain.execution import Noise

TIMES = st.floats(0.1, 100)


@given(t1=TIMES, t2=TIMES, time=st.floats(0.01, 10))
def test_populations_decay_with_t1_and_coherences_with_t2(t1, t2, time):
    assume(t2 <= 2 * t1)
    decay, dephasing = relaxation(Noise(t1_us=t1, t2_us=t2), 0, time)
    assert 1 - decay == pytest.approx(math.exp(-time / t1))
    assert math.sqrt(1 - decay) * (1 - 2 * dephasing) == pytest.approx(math.exp(-time / t2))


def test_an_absent_time_has_its_greatest_value():
    assert relaxation_times(Noise(), 0) is None
    assert relaxation(Noise(), 0, 1.0) is None
    assert relaxation(Noise(t1_us=5), 0, 0.0) is None
    assert relaxation_times(Noise(t1_us=5), 0) == (5, 10)
    assert relaxation(Noise(t1_us=5), 0, 1.0).dephasing == 0
    assert relaxation(Noise(t2_us=5), 0, 1.0).decay == 0
