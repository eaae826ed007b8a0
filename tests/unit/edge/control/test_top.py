"""`edge top` as it is drawn, and what its keys do."""

import re
from dataclasses import replace

import pytest

from edge.control.overview import NodeRow, Overview
from edge.control.snapshot import AccountUse, Alarm, Second, TrunkUse
from edge.control.top import MAX_FILTER, Sort, Wish, screen

NODES = (
    NodeRow("n1", "up", 12, 7.0, 1.0, 5.0, 1.2, 7, ()),
    NodeRow("n2", "draining", 3, 0.0, 0.0, 0.0, 0.1, 7, ("store away",)),
)
ACCOUNTS = (
    AccountUse("fast", 40.0, 0.0, 2, 100, 100),
    AccountUse("large", 1.0, 0.5, 90, 0, 100),
    AccountUse("blocked", 3.0, 2.5, 0, 2, 0),
)
TRUNKS = (TrunkUse("a", "up", 9, 200, 99), TrunkUse("b", "down", 0, 0, 0), TrunkUse("c", "trial", 1, 10, 1))
ALARMS = (
    Alarm("large", "calls", 95, 90, 100, 3),
    Alarm("poor", "credit", 100, 0, 0, 9),
    Alarm("x", "caps", 80, 8, 10, 1),
)
SHOWN = Overview(
    NODES, 15, 44.0, 41.0, 3.0, (("caps", 2.5), ("calls", 0.5)), 1.0, 5.0, 3, ACCOUNTS, TRUNKS, ALARMS,
    tuple([Second(count, 0, 0) for count in range(60)]),
)  # fmt: skip
MANY = replace(
    SHOWN,
    nodes=tuple([replace(NODES[0], name=f"n{number}") for number in range(40)]),
    accounts=tuple([replace(ACCOUNTS[0], account=f"account-with-a-long-name-{number}") for number in range(60)]),
    trunks=tuple([replace(TRUNKS[0], trunk=f"t{number}") for number in range(60)]),
)


def drawn(found=SHOWN, wish=None, *, width=80, height=24, plain=False, note=""):
    lines = screen(found, wish or Wish(), at_ms=0, width=width, height=height, plain=plain, note=note)
    return [line.text for line in lines]


def first_words(lines, heading):
    """The first word of each line under this heading, up to the next one."""
    start = next(index for index, line in enumerate(lines) if line.startswith(heading))
    found = []
    for line in lines[start + 1 :]:
        if line.split()[0].isupper() or line[0] in "!q":
            return found
        found.append(line.split()[0])
    return found


def test_everything_has_its_place():
    """The whole first, then nodes (the unwell first), accounts, trunks (the worst first), alarms, keys."""
    lines = drawn()
    assert lines[0].startswith("edge top  1 of 2 nodes up  1970-01-01 00:00:00Z")
    assert "attempts 44/s  admitted 41/s  refused 3/s  calls 15  p99 5 ms" in lines[1]
    assert lines[2].endswith("█")
    assert lines[3] == "refused  caps 2.5, calls 0.5"
    assert first_words(lines, "NODE") == ["n2", "n1"]
    assert first_words(lines, "ACCOUNT") == ["fast", "blocked", "large"]
    assert first_words(lines, "TRUNK") == ["b", "c", "a"]
    assert "store away" in next(line for line in lines if line.startswith("n2"))
    assert lines[-3:-1] == [
        "! large at 95 % of calls 90 of 100, 3 s ago",
        "! poor refused or cut by credit, 9 s ago; and 1 more alarms",
    ]
    assert lines[-1].startswith("q quit  s sort: rate  / filter  p pause")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort.RATE, ["fast", "blocked", "large"]),
        (Sort.CALLS, ["large", "fast", "blocked"]),
        (Sort.USE, ["blocked", "large", "fast"]),
        (Sort.REFUSED, ["blocked", "large", "fast"]),
        (Sort.NAME, ["blocked", "fast", "large"]),
    ],
)
def test_accounts_stand_in_the_order_that_is_wished(sort, expected):
    """By rate, calls, nearness to a ceiling, refusals, name."""
    assert first_words(drawn(wish=Wish(sort)), "ACCOUNT") == expected


def test_a_row_tells_rate_and_calls_against_their_ceilings():
    """A ceiling that is not known is a dash; the bar is of the nearer one."""
    lines = drawn(plain=True)
    row = next(line for line in lines if line.startswith("large"))
    assert row.split() == ["large", "1", "-", "0.5", "90", "100", "#########.", "90%"]
    row = next(line for line in lines if line.startswith("blocked"))
    assert row.split() == ["blocked", "3", "2", "2.5", "0", "-", "##########", "150%"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12), (200, 60), (20, 3)])
@pytest.mark.parametrize("found", [SHOWN, MANY])
def test_it_fits_every_terminal(found, width, height):
    """Never more lines or columns than there are (of the least that it takes); each part keeps a line at least."""
    lines = drawn(found, width=width, height=height)
    assert len(lines) <= max(height, 12)
    assert max(map(len, lines)) <= max(width, 60)
    assert all(any(line.startswith(part) for line in lines) for part in ("NODE", "ACCOUNT", "TRUNK", "q quit"))


def test_what_has_no_room_is_counted():
    """In the heading."""
    assert any(re.match(r"ACCOUNT \d+ of 60 ", line) for line in drawn(MANY))


def test_without_unicode_it_is_ascii():
    """For terminals that know no other."""
    assert all(line.isascii() for line in drawn(plain=True))


def test_a_filter_chooses_accounts_and_trunks():
    """By a part of their names, in whatever case."""
    lines = drawn(wish=Wish(filter="LA"))
    assert (first_words(lines, "ACCOUNT"), first_words(lines, "TRUNK")) == (["large"], [])
    assert "filter: LA" in lines[-1]


def test_what_went_wrong_is_on_the_screen():
    """Under the head; and that it stands still."""
    lines = drawn(wish=Wish(is_paused=True), note="the store does not answer")
    assert lines[4] == "the store does not answer"
    assert lines[0].endswith("PAUSED")
    assert "p go on" in lines[-1]


def typed(keys, wish=None):
    wish = wish or Wish()
    for key in keys:
        wish = wish.after(key)
    return wish


def test_keys():
    """q ends, s sorts, p pauses, / filters: Enter keeps it, Esc clears it; other keys do nothing."""
    assert (typed("q"), typed("Q")) == (None, None)
    assert [typed("s" * times).sort for times in range(6)] == [*Sort, Sort.RATE]
    assert (typed("p").is_paused, typed("pp").is_paused, typed(" ").is_paused) == (True, False, True)
    assert typed("/acq\x7fme\r") == Wish(filter="acme")
    assert typed("/a\x1b") == Wish()
    assert typed("/acme\r\x1b") == Wish()
    assert typed("/q").is_typing
    assert "filter: q_" in drawn(wish=typed("/q"))[-1]
    assert typed("xyz") == Wish()
    assert len(typed("/" + "x" * 100).filter) == MAX_FILTER
