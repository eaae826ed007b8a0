"""edge.cdr.delivery.log_reader, .checkpoint, .quarantine and .status over real files."""

import os
from pathlib import Path

import orjson
import pytest

from edge.cdr.delivery import checkpoint as checkpoints
from edge.cdr.delivery import quarantine, status
from edge.cdr.delivery.checkpoint import Checkpoint, CheckpointError, lowest_cursor
from edge.cdr.delivery.log_reader import LogReader
from edge.cdr.delivery.status import Status, lag_s


def line(seq: int, uid: str = "", text: str = "") -> bytes:
    return orjson.dumps({"v": 1, "seq": seq, "uid": uid or f"u{seq}", "text": text}) + b"\n"


def segment(directory: Path, first: int, *lines: bytes) -> Path:
    path = directory / f"cdr-20260701-{first:012d}.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def seqs(reader: LogReader, records: int = 100, size: int = 1 << 20) -> list[int]:
    return [entry.seq for entry in reader.read(records=records, size=size).entries]


def test_records_are_read_over_rotation_and_while_they_are_written(tmp_path):
    """In order, each once; a line without its newline is not there yet."""
    reader = LogReader(tmp_path)
    assert [] == seqs(reader)
    first = segment(tmp_path, 1, line(1), line(2), line(3)[:-1])
    assert [1, 2] == seqs(reader)
    assert [] == seqs(reader)
    with first.open("ab") as file:
        file.write(b"\n" + line(4))
    segment(tmp_path, 5, line(5), line(6))
    assert [3, 4, 5, 6] == seqs(reader)
    segment(tmp_path, 7)
    assert [] == seqs(reader)
    segment(tmp_path, 7, line(7))
    assert [7] == seqs(reader)
    reader.close()


def test_what_is_read_at_once_is_bounded(tmp_path):
    """Records and bytes; a record longer than the bytes goes alone."""
    segment(tmp_path, 1, *(line(seq, text="x" * 100) for seq in range(1, 10)), line(10, text="x" * 2_000), line(11))
    reader = LogReader(tmp_path)
    assert [1, 2] == seqs(reader, records=2)
    assert [3, 4, 5] == seqs(reader, size=450)
    assert [6, 7, 8, 9] == seqs(reader, size=900)
    assert [10] == seqs(reader, size=900)
    assert [11] == seqs(reader, size=1)
    reader.close()


def test_damage_is_handed_out_once_a_record_follows(tmp_path):
    """Before that it may be a torn tail that the writer is about to cut off and write over."""
    path = segment(tmp_path, 1, line(1), b"\0\0\0\n", b'{"seq"\n')
    reader = LogReader(tmp_path)
    assert [1] == [entry.seq for entry in reader.read(records=9, size=9_999).entries]
    assert ([], []) == reader.read(records=9, size=9_999)
    with path.open("rb+") as file:
        file.truncate(len(line(1)) + 4)
        file.seek(0, os.SEEK_END)
        file.write(line(2))
    entries, damaged = reader.read(records=9, size=9_999)
    assert ([2], [(1, b"\0\0\0\n")]) == ([entry.seq for entry in entries], damaged)
    path.write_bytes(path.read_bytes() + b"junk\n")
    segment(tmp_path, 3, line(3))
    entries, damaged = reader.read(records=9, size=9_999)
    assert ([3], [(2, b"junk\n")]) == ([entry.seq for entry in entries], damaged)
    reader.close()


def test_a_place_is_found_again(tmp_path):
    """By the hint of a checkpoint, by searching where the hint is wrong, and behind what has been purged."""
    segment(tmp_path, 1, line(1), line(2))
    segment(tmp_path, 3, line(3), line(4), line(6))
    name = "cdr-20260701-000000000003.jsonl"
    for hint in ((name, len(line(3))), (name, 5), (name, 10**9), ("gone", 0), ("", 0)):
        reader = LogReader(tmp_path)
        assert reader.seek(3, uid="u3", segment=hint[0], end=hint[1])
        assert [4, 6] == seqs(reader)
        reader.close()
    for seq, following in ((0, [1, 2, 3, 4, 6]), (2, [3, 4, 6]), (5, [6]), (6, [])):
        reader = LogReader(tmp_path)
        assert reader.seek(seq)
        assert following == seqs(reader)
        reader.close()
    (tmp_path / "cdr-20260701-000000000001.jsonl").unlink()
    reader = LogReader(tmp_path)
    assert reader.seek(1, uid="u1", segment="cdr-20260701-000000000001.jsonl", end=len(line(1)))
    assert [3, 4, 6] == seqs(reader)
    reader.close()


@pytest.mark.parametrize("lines", [[], [line(1)], [line(1), line(2), line(3, "another"), line(4)]])
def test_another_log_is_noticed(tmp_path, lines):
    """The number of a checkpoint that the log does not have, or has for another call: begin at the first record."""
    if lines:
        segment(tmp_path, 1, *lines)
    reader = LogReader(tmp_path)
    assert not reader.seek(3, uid="u3", segment="cdr-20260701-000000000001.jsonl", end=3 * len(line(1)))
    assert [orjson.loads(text)["seq"] for text in lines] == seqs(reader)
    reader.close()


def test_the_last_record_is_known(tmp_path):
    """Of the newest segment that has one; behind a torn tail and a long last line too."""
    reader = LogReader(tmp_path)
    assert reader.last_seq() == 0
    segment(tmp_path, 1, line(1), line(2, text="y" * 200_000), line(3)[:-1])
    assert reader.last_seq() == 2
    segment(tmp_path, 3)
    assert reader.last_seq() == 2
    reader.close()


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    """And half a one beside it is no one."""
    assert checkpoints.load(tmp_path) is None
    kept = Checkpoint(7, "u7", "cdr-20260701-000000000001.jsonl", 999, delivered=5, quarantined=2)
    checkpoints.save(tmp_path, kept)
    (tmp_path / "checkpoint.json.new").write_bytes(b"{")
    assert kept == checkpoints.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"seq":1}', b'{"v":1,"seq":-1,"uid":"","segment":"","end":0}'])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path, content):
    """The file is named; nobody guesses a number."""
    (tmp_path / "checkpoint.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: not a checkpoint"):
        checkpoints.load(tmp_path)


def test_the_lowest_cursor_holds_segments_back(tmp_path):
    """The slowest consumer counts, one that has not begun, one that is asked to go back, one nobody configures."""
    assert lowest_cursor(tmp_path) is None
    assert lowest_cursor(tmp_path / "missing") is None
    assert lowest_cursor(tmp_path, ["new"]) == 0
    for name, seq in (("a", 70), ("b", 50)):
        (tmp_path / name).mkdir()
        checkpoints.save(tmp_path / name, Checkpoint(seq))
    assert lowest_cursor(tmp_path) == 50
    checkpoints.request(tmp_path / "a", 11)
    assert lowest_cursor(tmp_path, ["a"]) == 10
    checkpoints.forget_request(tmp_path / "a")
    (tmp_path / "b" / "checkpoint.json").write_bytes(b"{")
    assert lowest_cursor(tmp_path) == 0


def test_a_refused_record_is_kept_with_its_reason(tmp_path):
    """One JSON line, by day; a torn last line does not swallow the next record."""
    day = 1_782_907_200.0
    quarantine.put_aside(tmp_path, seq=1, uid="u1", reason="no such column", line=line(1), wall=day)
    path = tmp_path / "quarantine-20260701.jsonl"
    with path.open("ab") as file:
        file.write(b'{"torn')
    quarantine.put_aside(tmp_path, seq=2, uid="u2", reason="r" * 9_999, line=b"\xff\n", wall=day)
    first, torn, second = path.read_bytes().splitlines()
    assert torn == b'{"torn'
    expected = {
        "at": "2026-07-01T12:00:00Z",
        "seq": 1,
        "uid": "u1",
        "reason": "no such column",
        "record": line(1).decode().rstrip(),
    }
    assert expected == orjson.loads(first)
    assert ("�", 500) == (orjson.loads(second)["record"], len(orjson.loads(second)["reason"]))


def test_a_status_is_read_or_it_is_none(tmp_path):
    """Damage to it is no trouble."""
    assert status.read(tmp_path) is None
    told = Status(cursor=5, last_seq=9, pending_since=1.5, last_error="no answer in 3 s")
    status.write(tmp_path, told)
    assert told == status.read(tmp_path)
    (tmp_path / "status.json").write_bytes(b"{}")
    assert status.read(tmp_path) is None


def test_lag_is_the_age_of_the_oldest_record_that_waits():
    """Nothing where nothing waits; with the process stopped it grows on."""
    assert lag_s(Status(cursor=9, pending_since=10.0), last_seq=9, wall=99.0) == 0.0
    assert lag_s(Status(cursor=8, pending_since=10.0, updated_at=98.0), last_seq=9, wall=99.0) == 89.0
    assert lag_s(Status(cursor=8, updated_at=60.0), last_seq=9, wall=99.0) == 39.0
