"""Settlements on disk: what was kept is there for the next process, once, in order."""

import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from limits.frequency import Counts, Frequency
from limits.journal import CAPACITY, DOUBTFUL_S, SettlementJournal
from limits.model import Settle
from limits.rates import Price

PRICE = Price(1, 2, 3, 4, 5)
OFTEN = Frequency("ping", "k", 4, 60_000, Counts.DISTINCT, "i", "shadow")


def settle(number: int) -> Settle:
    """One of many."""
    marks = (OFTEN,) if number == 3 else ()
    returned = (OFTEN, OFTEN._replace(key="l")) if number == 4 else ()
    price = PRICE if number % 2 else None
    return Settle("acme", f"u{number}", "answered", number, price, marks=marks, returned=returned)


def test_what_waits_survives_the_process(tmp_path):
    """First in, first out, prices and all; what was handed over does not come again."""
    journal = SettlementJournal(tmp_path)
    for number in range(5):
        journal.keep(settle(number), is_maybe_applied=False)
    assert journal.take(2) == [settle(0), settle(1)]
    journal.close()

    again = SettlementJournal(tmp_path)
    assert (len(again), again.torn, again.take(9)) == (3, 0, [settle(2), settle(3), settle(4)])
    again.empty()
    again.close()
    assert len(SettlementJournal(tmp_path)) == 0


def test_a_torn_line_costs_itself(tmp_path):
    """The process died in the middle of a write: the rest is read, the loss is counted."""
    journal = SettlementJournal(tmp_path)
    for number in range(3):
        journal.keep(settle(number), is_maybe_applied=False)
    journal.close()
    path = tmp_path / "settlements.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:20] + b"\n\xff\xfe\n[1]\n7\n" + lines[2])
    again = SettlementJournal(tmp_path)
    assert (len(again), again.torn, again.take(9)) == (2, 4, [settle(0), settle(2)])


def test_one_that_may_have_been_applied_is_doubtful_when_its_tombstone_is_gone(tmp_path):
    """Sent, and no answer came: after a minute the store cannot tell any more; before, it can."""
    journal = SettlementJournal(tmp_path)
    journal.keep(settle(1), is_maybe_applied=True)
    journal.keep(settle(2), is_maybe_applied=False)
    journal.keep(settle(3), is_maybe_applied=True)
    journal.close()
    path = tmp_path / "settlements.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    for entry in entries[:2]:
        entry["at"] -= DOUBTFUL_S + 1
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert [one.doubtful for one in SettlementJournal(tmp_path).take(3)] == [True, False, False]


def test_the_file_is_emptied_when_nothing_waits(tmp_path):
    """It does not grow for ever."""
    journal = SettlementJournal(tmp_path)
    journal.keep(settle(1), is_maybe_applied=False)
    journal.empty()
    assert os.path.getsize(tmp_path / "settlements.jsonl") > 0  # something waits: it stays
    journal.take(1)
    journal.empty()
    assert os.path.getsize(tmp_path / "settlements.jsonl") == 0


def test_a_disk_that_refuses_is_told_and_the_queue_goes_on():
    """/dev/full takes nothing: counted, and everything still goes to the store from memory."""
    journal = SettlementJournal()
    journal._fd = os.open("/dev/full", os.O_WRONLY)
    journal.keep(settle(1), is_maybe_applied=False)
    assert (journal.errors, journal.fault) == (1, "settlements cannot be kept on disk: No space left on device")
    assert journal.take(1) == [settle(1)]
    journal.close()


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    """A file stands in its place."""
    (tmp_path / "file").write_text("")
    journal = SettlementJournal(tmp_path / "file" / "below")
    journal.keep(settle(1), is_maybe_applied=False)
    assert (journal.errors, len(journal)) == (1, 1)


def test_the_queue_is_bounded():
    """The oldest goes, and is counted: its lease runs out by itself."""
    journal = SettlementJournal()
    for number in range(CAPACITY + 2):
        journal.keep(settle(number), is_maybe_applied=False)
    assert (len(journal), journal.dropped, journal.take(1)) == (CAPACITY, 2, [settle(2)])


@settings(max_examples=30)
@given(st.lists(st.integers(-3, 3), max_size=30))
def test_restarts_change_nothing(tmp_path_factory, steps):
    """Positive: keep so many; negative: hand over so many; zero: the process is started again."""
    directory = tmp_path_factory.mktemp("journal")
    journal = SettlementJournal(directory)
    expected: list[Settle] = []
    serial = 0
    for step in steps:
        if step == 0:
            journal.close()
            journal = SettlementJournal(directory)
        for _ in range(step):
            serial += 1
            expected.append(settle(serial))
            journal.keep(settle(serial), is_maybe_applied=False)
        if step < 0:
            assert journal.take(-step) == expected[:-step]
            del expected[:-step]
            if not expected:
                journal.empty()
    assert journal.take(99) == expected
    journal.close()
