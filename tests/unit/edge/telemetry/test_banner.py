"""The five lines at start."""

import pytest

from edge.telemetry.banner import banner, without_secret


def test_five_lines_say_where_everything_is():
    """What is listening, which store, which policy, where the CDRs go, how to place a call."""
    lines = banner(
        listening=["udp:127.0.0.1:5060", "udp:[::1]:5060"],
        store="embedded",
        policy="policy.toml",
        generation=3,
        accounts=7,
        cdr="state/cdr",
    )

    assert lines == [
        "listening   udp:127.0.0.1:5060 udp:[::1]:5060",
        "store       embedded (a private server beside this process)",
        "policy      policy.toml (generation 3, 7 accounts)",
        "CDRs        state/cdr",
        "try it      sipp 127.0.0.1:5060 -sn uac -s 0612345678 -m 1    or see everything at once: edge demo",
    ]


def test_a_trunk_on_this_machine_needs_somebody_to_answer():
    """Word by word, the last line is a call that passes."""
    words = {"store": "embedded", "policy": "p", "generation": 1, "accounts": 1, "cdr": "c"}

    last = banner(listening=["udp:127.0.0.1:5060"], local_trunk=("127.0.0.1", 5070), **words)[-1]

    assert "sipp -sn uas -i 127.0.0.1 -p 5070 -bg; sipp 127.0.0.1:5060 -sn uac " in last


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user:p@ss@localhost", "redis://user:***@localhost"),
        ("rediss://:secret@h:1/2", "rediss://:***@h:1/2"),
        ("redis://user@h", "redis://user@h"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("embedded", "embedded"),
    ],
)
def test_a_password_is_not_shown(url, expected):
    """The banner ends up in logs and screenshots."""
    assert without_secret(url) == expected
