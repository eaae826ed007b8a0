"""edge/cdr/everywhere.py: one page of the pages of several logs; where it goes on."""

import json
import random

import pytest

from edge.cdr.delivery.consumer import Entry
from edge.cdr.everywhere import Page, Rest, merged
from edge.cdr.search import Found


def entry(node: str, seq: int, minute: int) -> Entry:
    record = {"node": node, "seq": seq, "released_at": f"2026-07-01T{minute // 60:02}:{minute % 60:02}:00.000Z"}
    return Entry(seq, f"{node}-{seq}", b"", record)


def page_of(log: list[Entry], limit: int, before: int) -> Found:
    """As a node answers: the newest first, below `before` (0: all)."""
    meant = [one for one in reversed(log) if not before or one.seq < before]
    return Found(tuple(meant[:limit]), meant[limit - 1].seq if len(meant) > limit else None)


def read(logs: dict[str, list[Entry]], limit: int) -> tuple[list[str], list[Page]]:
    """Page by page, as somebody does who follows the cursor."""
    rest, seen, pages = Rest(dict.fromkeys(logs, 0)), [], []
    while rest is not None:
        found = {node: page_of(logs[node], limit, before) for node, before in rest.before.items()}
        pages.append(merged(found, limit=limit, silent=rest.silent))
        seen += [one.uid for one in pages[-1].entries]
        rest = pages[-1].rest and Rest.of_text(pages[-1].rest.to_text())
        assert len(pages) < 200
    return seen, pages


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_all_records_come_once_and_the_newest_first(limit):
    """Over logs of different length and pace."""
    draw = random.Random(limit)
    logs: dict[str, list[Entry]] = {name: [] for name in ("n1", "n2", "n3", "empty")}
    for minute in range(60):
        name = draw.choice(["n1", "n1", "n2", "n3"])
        logs[name].append(entry(name, len(logs[name]) + 1, minute))
    seen, pages = read(logs, limit)
    ends = {one.uid: one.record["released_at"] for log in logs.values() for one in log}
    assert sorted(ends, key=lambda uid: ends[uid], reverse=True) == seen
    assert all(len(page.entries) == limit for page in pages[:-1])


def test_a_clock_that_was_put_back_loses_no_record():
    """A log keeps its own order, whatever its instants say."""
    logs = {"n1": [entry("n1", 1, 50), entry("n1", 2, 10), entry("n1", 3, 11)], "n2": [entry("n2", 1, 30)]}
    seen, _ = read(logs, 1)
    assert ["n1-1", "n1-2", "n1-3", "n2-1"] == sorted(seen)


def test_who_gives_no_answer_is_named_on_every_page_and_not_asked_again():
    """So that whoever follows the pages comes to an end."""
    found = {"n1": Found((entry("n1", 9, 5),), 9), "n2": None}
    page = merged(found, limit=1, silent=("gone",))
    assert (("n1",), ("gone", "n2"), Rest({"n1": 9}, ("gone", "n2"))) == page[1:]
    assert Rest({"n1": 9}, ("gone", "n2")) == Rest.of_text(page.rest.to_text())


def test_a_look_that_found_nothing_yet_goes_on():
    """It was bounded."""
    assert Rest({"n1": 400}) == merged({"n1": Found((), 400)}, limit=5, silent=()).rest


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"a":', '{"a":1.5}', '{"a":true}', '{"a":-2}', '{"a":"1"}', '{"a":9007199254740993}',
     json.dumps({f"n{number}": 0 for number in range(257)})],
)  # fmt: skip
def test_a_cursor_made_by_hand_is_none(text):
    """It comes from outside."""
    with pytest.raises(ValueError, match="expected"):
        Rest.of_text(text)
