"""The table of figures, and figures of one's own."""

import re

import pytest

from edge.capacity.measured import MEASURED, constants, overridden


def test_every_figure_says_how_it_was_measured():
    """Once each, with a unit and conditions."""
    assert len({one.name for one in MEASURED}) == len(MEASURED)
    assert [one.name for one in MEASURED if not one.unit or len(one.conditions) < 10 or one.value <= 0] == []


def test_figures_of_a_file_replace_ours():
    """By their names; all others stay."""
    found = overridden({"sip_us_per_attempt": 400, "record_bytes": 1_500.5})

    assert (found["sip_us_per_attempt"], found["record_bytes"]) == (400.0, 1_500.5)
    others = {name: value for name, value in found.items() if name not in ("sip_us_per_attempt", "record_bytes")}
    assert others == {name: value for name, value in constants().items() if name in others}


def test_what_the_bench_prints_can_be_given():
    """The delivery process and the counting of quality are in its figures already."""
    bench = {
        "calls": 2000, "calls_ok": 2000, "calls_failed": 0, "retransmissions": 0, "cps": 199.0,
        "edge_cpu_us_per_call": 900.0, "edge_cpu_us_per_call_less_idle": 850.0, "redis_cpu_us_per_call": 150.0,
        "latency_ms": {"invite_200": {"p50": 1.0}}, "bytes_per_held_call": None,
    }  # fmt: skip
    found = overridden(bench)
    assert (found["sip_us_per_attempt"], found["delivery_us_per_record"]) == (900.0, 0.0)
    assert (found["store_us_per_attempt"], found["store_us_per_record"]) == (150.0, 0.0)
    assert found["bytes_per_held_call"] == constants()["bytes_per_held_call"]

    held = {"held": 10_000, "bytes_per_held_call": {"edge": 7_000, "delivery": 100, "store": 2_000}}
    found = overridden(held)
    assert (found["bytes_per_held_call"], found["store_bytes_per_held_call"]) == (7_000.0, 2_000.0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sip_us": 4}, "sip_us: no such figure; known are sip_us_per_attempt"),
        ({"record_bytes": "2k"}, "record_bytes: expected a number of 0 or more, found '2k'"),
        ({"record_bytes": -1}, "record_bytes: expected a number of 0 or more, found -1"),
        ({"record_bytes": True}, "record_bytes: expected a number of 0 or more, found True"),
        ({"bytes_per_held_call": {"edge": None}}, "bytes_per_held_call.edge: expected a number"),
    ],
)
def test_a_figure_that_is_none_is_refused_by_name(given, told):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=re.escape(told)):
        overridden(given)
