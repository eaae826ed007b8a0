"""Settlements on disk: what was kept is there for the next process, once, in order."""

import asyncio
import json
import os
import time

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
    by, charged = (
        (f"n1/{number}", None) if number % 3 == 1 else (f"n2/{number}", number) if number % 3 == 2 else ("", None)
    )
    return Settle(
        "acme", f"u{number}", "answered", number, price, marks=marks, returned=returned, by=by, charged=charged
    )


def test_what_waits_survives_the_process(tmp_path):
    """First in, first out, prices and all; what was handed over does not come again."""
    tmp_path /= "not there yet"
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
    path = tmp_path / "settlements.jsonl"
    journal = SettlementJournal(tmp_path)
    assert not journal.is_written
    for _ in range(2):
        journal.keep(settle(1), is_maybe_applied=False)
        journal.empty()
        assert (os.path.getsize(path) > 0, journal.is_written) == (True, True)  # something waits: it stays
        journal.take(1)
        journal.empty()
        assert (os.path.getsize(path), journal.is_written) == (0, False)
    journal.keep(settle(2), is_maybe_applied=False)
    journal.close()
    assert SettlementJournal(tmp_path).is_written  # what an earlier process left is to be emptied too


def test_one_that_may_have_been_applied_elsewhere_says_since_when(tmp_path):
    """Whoever hands it over knows: it is told the store as doubtful by that instant, after a restart too."""
    long_ago, just_now = time.time() - DOUBTFUL_S - 1, time.time() - 1
    journal = SettlementJournal(tmp_path)
    for number, since in enumerate((long_ago, just_now)):
        journal.keep(settle(number)._replace(maybe_since=since), is_maybe_applied=False)
    journal.close()
    found = SettlementJournal(tmp_path).take(2)
    assert [(one.doubtful, one.maybe_since) for one in found] == [(True, long_ago), (False, just_now)]


async def test_it_syncs_again_and_again_and_leaks_no_file(tmp_path):
    """Off the event loop, one at a time; closed, it holds none either."""
    before = set(os.listdir("/proc/self/fd"))
    journal = SettlementJournal(tmp_path)
    loop = asyncio.get_running_loop()
    for number in range(20):
        journal.keep(settle(number), is_maybe_applied=False)
        assert journal._is_syncing
        while journal._is_syncing:
            await loop.run_in_executor(None, os.getpid)  # behind the sync
    journal.close()
    assert len(set(os.listdir("/proc/self/fd")) - before) <= 1  # the one that lists them
    journal.keep(settle(99), is_maybe_applied=False)
    assert (journal.errors, len(journal)) == (0, 21)


def test_a_disk_that_refuses_to_be_emptied_is_told(tmp_path):
    """What was handed over would come again, and is settled already: the store says so."""
    journal = SettlementJournal(tmp_path)
    journal.keep(settle(1), is_maybe_applied=False)
    journal.take(1)
    os.close(journal._fd)
    journal._fd = os.open(tmp_path / "settlements.jsonl", os.O_RDONLY)
    journal.empty()
    assert (journal.errors, journal.fault) == (1, "settlements cannot be kept on disk: Invalid argument")
    journal.close()


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
