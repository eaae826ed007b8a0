"""edge.cdr.delivery.consumer"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cdr.delivery.consumer import MAX_RETRY_AFTER_S, Bounds, Entry, entry_of, pause_s


def test_a_line_of_the_log_is_an_entry():
    """Number, uid and all columns, with the bytes as they stand."""
    line = b'{"v":1,"seq":7,"uid":"u7","status":200}\n'
    expected = Entry(
        7, "u7", line, {"v": 1, "seq": 7, "uid": "u7", "status": 200}, "cdr-20260701-000000000001.jsonl", 99
    )
    assert expected == entry_of(line, "cdr-20260701-000000000001.jsonl", 99)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"\0\0\0\0\n",
        b"{\n",
        b"[1]\n",
        b'"text"\n',
        b'{"uid":"u"}\n',
        b'{"seq":1}\n',
        b'{"seq":"1","uid":"u"}\n',
        b'{"seq":true,"uid":"u"}\n',
        b'{"seq":1,"uid":2}\n',
        b'{"seq":1,"uid":"\xff"}\n',
    ],
)
def test_damage_is_no_entry(line):
    """What does not say which record of which call it is cannot be delivered as one."""
    assert entry_of(line) is None


def test_pauses_double_up_to_a_bound():
    """Half of the pause at least, the whole at most; 0.5, 1, 2 … 60 s."""
    bounds = Bounds(retry_s=0.5, retry_most_s=60.0)
    assert [0.5, 1.0, 2.0, 4.0] == [pause_s(bounds, failures, 1.0) for failures in (1, 2, 3, 4)]
    assert [0.25, 0.5, 1.0, 2.0] == [pause_s(bounds, failures, 0.0) for failures in (1, 2, 3, 4)]
    assert pause_s(bounds, 1_000_000, 1.0) == 60.0


def test_the_other_side_may_ask_for_a_longer_pause():
    """Retry-After counts where it is longer, and not without bound."""
    bounds = Bounds()
    assert pause_s(bounds, 1, 0.0, asked_s=20.0) == 20.0
    assert pause_s(bounds, 1, 0.0, asked_s=1e9) == MAX_RETRY_AFTER_S
    assert pause_s(bounds, 20, 1.0, asked_s=0.1) == 60.0


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1e12))
def test_a_pause_is_never_nothing_and_never_for_ever(failures, draw, asked):
    """Whatever fails however often: asked again within ten minutes, and not in a busy loop."""
    assert 0.25 <= pause_s(Bounds(), failures, draw, asked_s=asked) <= MAX_RETRY_AFTER_S
