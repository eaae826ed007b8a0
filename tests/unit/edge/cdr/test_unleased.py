"""The file of attempts without a lease: what is open survives the process, what is over leaves nothing behind."""

import errno
import os

import pytest

from edge.cdr.unleased import FILE, SPARE_LINES, Unleased
from edge.proxy.actions import Opened
from edge.proxy.facts import Fact


def one(uid: str, record: bytes = b'{"v":1}') -> Opened:
    return Opened(uid, "acme", record)


def test_what_is_open_is_found_by_the_next_process(tmp_path):
    """As it was written last; what is over is not."""
    first = Unleased(tmp_path, lambda fact: None)
    first.opened([one("a"), one("b"), one("c")])
    first.opened([one("b", b'{"v":1,"answered_at":7}')])
    first.over(["a", "nobody"])
    second = Unleased(tmp_path, lambda fact: None)
    assert second.left() == [one("b", b'{"v":1,"answered_at":7}'), one("c")]
    first.close()
    second.close()


def test_a_file_with_nothing_open_is_empty(tmp_path):
    """However many there were."""
    kept = Unleased(tmp_path, lambda fact: None)
    for number in range(5):
        kept.opened([one(f"u{number}")])
        kept.over([f"u{number}"])
    assert (tmp_path / FILE).read_bytes() == b""
    kept.close()


def test_it_does_not_grow_without_end_while_one_stays_open(tmp_path):
    """Written anew, with what is open."""
    kept = Unleased(tmp_path, lambda fact: None)
    kept.opened([one("stays")])
    for number in range(SPARE_LINES):
        kept.opened([one(f"u{number}")])
        kept.over([f"u{number}"])
    assert (tmp_path / FILE).read_bytes().count(b"\n") < SPARE_LINES + 10
    again = Unleased(tmp_path, lambda fact: None)
    assert again.left() == [one("stays")]
    kept.close()
    again.close()


@pytest.mark.parametrize("torn", [b'{"uid":"z","acc', b"\0\0\0", b"[]\n", b'{"uid":7}\n', b'{"uid":"z","account":1}\n'])
def test_a_torn_end_costs_what_is_torn(tmp_path, torn):
    """And spoils nothing that is written after it."""
    kept = Unleased(tmp_path, lambda fact: None)
    kept.opened([one("a")])
    kept.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(torn)
    again = Unleased(tmp_path, lambda fact: None)
    again.opened([one("b")])
    again.close()
    last = Unleased(tmp_path, lambda fact: None)
    assert [entry.uid for entry in last.left()] == ["a", "b"]
    last.close()


def test_a_disk_that_refuses_is_told_once_and_raises_nothing(tmp_path, monkeypatch):
    """Calls go on; told again after it has worked again."""
    facts: list[Fact] = []
    kept = Unleased(tmp_path, facts.append)
    write = os.write

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    kept.opened([one("stays")])
    monkeypatch.setattr(os, "write", full)
    kept.opened([one("a")])
    kept.opened([one("b")])
    assert [fact.name for fact in facts] == ["unleased.failing"]
    monkeypatch.setattr(os, "write", write)
    kept.opened([one("c")])
    monkeypatch.setattr(os, "write", full)
    kept.opened([one("d")])
    assert len(facts) == 2
    kept.close()
