"""The chain beside the segments: what a crash does to it, who may write it, what the next start makes good."""

import errno
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cdr import chain, closing
from edge.cdr.chain import Kind, Link
from edge.cdr.verify import verify
from edge.cdr.writer import CdrWriter

WALL0 = 1_782_900_000.0
LINE = b'{"v":1,"seq":%d,"node":"n","uid":"u%d","penalty_candidates":[]}\n'


def links(directory: Path) -> list[tuple[Kind, int, int, int]]:
    found = chain.load(directory)
    assert found.faults == ()
    return [(link.kind, link.first_seq, link.last_seq, link.records) for link in found.links]


def write(directory: Path, first: int, last: int, *, segment_bytes: int = 150) -> CdrWriter:
    writer = CdrWriter(directory, wall0=WALL0, mono0=0.0, tell=lambda fact: None, segment_bytes=segment_bytes)
    for number in range(first, last + 1):
        seq = writer.take_seq()
        writer.append(LINE % (seq, number))
        writer.flush(0.0)
    return writer


def test_each_segment_is_opened_and_closed_with_what_it_held(tmp_path):
    """Numbers, lines, bytes, digest; each link has the digest of the line before it."""
    writer = write(tmp_path, 1, 5)
    writer.sync()
    writer.close(0.0)
    assert links(tmp_path) == [
        (Kind.OPEN, 1, 0, 0),
        (Kind.CLOSE, 1, 2, 2),
        (Kind.OPEN, 3, 0, 0),
        (Kind.CLOSE, 3, 4, 2),
        (Kind.OPEN, 5, 0, 0),
    ]
    closed = chain.load(tmp_path).links[1]
    data = (tmp_path / closed.segment).read_bytes()
    assert (closed.size, closed.sha256) == (len(data), sha256(data).hexdigest())
    lines = (tmp_path / chain.FILE).read_bytes().splitlines(keepends=True)
    assert all(sha256(one).hexdigest().encode() in other for one, other in pairwise(lines))


def test_a_segment_is_closed_by_what_was_written_as_by_what_is_read(tmp_path):
    """The writer knows the last number of what it has filled; whoever comes later looks for it."""
    written, looked_at = tmp_path / "written", tmp_path / "looked_at"
    writer = write(written, 1, 5)
    live = sorted(path.name for path in written.glob("cdr-*"))[-1]
    shutil.copytree(written, looked_at, ignore=shutil.ignore_patterns(chain.FILE))
    writer.sync()
    assert closing.settle(looked_at, live) == []
    assert links(written) == links(looked_at)
    writer.close(0.0)


@given(st.lists(st.sampled_from(["write", "write", "write", "sync", "time", "fail", "again"]), max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_chain_that_is_kept_up_is_the_one_that_is_made_of_the_files(steps):
    """Whatever the writer did, and however many segments came between two syncs."""
    with tempfile.TemporaryDirectory() as text:
        kept, made, now = Path(text) / "kept", Path(text) / "made", 0.0
        writer = write(kept, 1, 0)
        for step in [*steps, "sync"]:
            now += 1.0
            if step == "write":
                seq = writer.take_seq()
                writer.append(LINE % (seq, seq))
                writer.flush(now)
            elif step == "sync":
                writer.sync()
            elif step == "time":  # to the next day
                now += 86_400.0
                writer.flush(now)
            elif step == "fail":  # what the last fsync could not do; the next line goes into another segment
                writer._sync_error = OSError(errno.EIO, "bad sector")
                writer.flush(now)
                now += 10.0
            else:
                writer.close(now)
                writer = CdrWriter(kept, wall0=WALL0, mono0=0.0, tell=lambda fact: None, segment_bytes=150)
        writer.close(now)
        live = writer._segment
        shutil.copytree(kept, made, ignore=shutil.ignore_patterns(chain.FILE))
        closing.settle(made, live)
        assert sorted(links(kept), key=lambda link: link[1:]) == sorted(links(made), key=lambda link: link[1:])
        assert verify([kept]).is_sound


def test_the_lines_of_a_segment_are_known_and_not_counted(tmp_path):
    """Counting holds the interpreter, which the event loop shares. Seen by a line that the writer did not write."""
    writer = write(tmp_path, 1, 3)
    first = sorted(tmp_path.glob("cdr-*"))[0]
    with first.open("ab") as file:
        file.write(b"\n")
    writer.sync()
    assert links(tmp_path)[1] == (Kind.CLOSE, 1, 2, 2)
    writer.close(0.0)


def test_a_segment_that_was_taken_away_before_it_was_closed_stops_nothing(tmp_path):
    """Its open link stays, which `verify` tells; those after it are closed."""
    writer = write(tmp_path, 1, 2)
    writer.sync()
    sorted(tmp_path.glob("cdr-*"))[0].unlink()
    for number in range(3, 8):
        seq = writer.take_seq()
        writer.append(LINE % (seq, number))
        writer.flush(0.0)
    writer.sync()
    assert writer.chain_fault == ""
    assert links(tmp_path) == [
        (Kind.OPEN, 1, 0, 0),
        (Kind.OPEN, 3, 0, 0),
        (Kind.CLOSE, 3, 4, 2),
        (Kind.OPEN, 5, 0, 0),
        (Kind.CLOSE, 5, 6, 2),
        (Kind.OPEN, 7, 0, 0),
    ]
    writer.close(0.0)


def test_what_a_crash_left_undone_is_done_at_the_next_start(tmp_path):
    """Killed before any link was written."""
    writer = write(tmp_path, 1, 5)
    writer.close(0.0)
    (tmp_path / chain.FILE).unlink()
    write(tmp_path, 6, 6).close(0.0)
    assert [kind for kind, *_ in links(tmp_path)][:5] == [Kind.OPEN, Kind.CLOSE, Kind.OPEN, Kind.CLOSE, Kind.OPEN]
    assert verify([tmp_path]).is_sound


def test_a_chain_torn_at_any_byte_is_made_good(tmp_path):
    """The torn link is cut off and written again; nothing else of it changes."""
    write(tmp_path, 1, 5).close(0.0)
    closing.settle(tmp_path, sorted(tmp_path.glob("cdr-*"))[-1].name)
    whole = (tmp_path / chain.FILE).read_bytes()
    known = links(tmp_path)
    last = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for cut in range(last, len(whole)):
        (tmp_path / chain.FILE).write_bytes(whole[:cut])
        closing.settle(tmp_path, sorted(tmp_path.glob("cdr-*"))[-1].name)
        assert links(tmp_path) == known


def test_settling_twice_changes_nothing(tmp_path):
    """Idempotent."""
    write(tmp_path, 1, 5).close(0.0)
    live = sorted(tmp_path.glob("cdr-*"))[-1].name
    closing.settle(tmp_path, live)
    before = (tmp_path / chain.FILE).read_bytes()
    assert closing.settle(tmp_path, live) == []
    assert before == (tmp_path / chain.FILE).read_bytes()


def test_a_segment_that_appears_meanwhile_is_not_closed(tmp_path):
    """The writer may rotate while the chain is brought up: what is behind the segment it named is in use."""
    write(tmp_path, 1, 5).close(0.0)
    first = sorted(tmp_path.glob("cdr-*"))[0].name
    (tmp_path / chain.FILE).unlink()
    closing.settle(tmp_path, first)
    assert [kind for kind, *_ in links(tmp_path)] == [Kind.OPEN] * 3


def test_numbers_go_on_when_every_segment_was_taken_away(tmp_path):
    """The chain remembers; the same number is never given to two records that others have seen."""
    write(tmp_path, 1, 5, segment_bytes=1).close(0.0)
    closing.settle(tmp_path)
    for path in tmp_path.glob("cdr-*"):
        path.unlink()
    writer = write(tmp_path, 6, 6)
    writer.close(0.0)
    assert [int(path.name.split("-")[2].split(".")[0]) for path in tmp_path.glob("cdr-*")] == [6]


def test_a_chain_that_cannot_be_written_stops_nothing(tmp_path):
    """Here a directory stands in its place: told, records are written all the same, and it is brought up later."""
    (tmp_path / chain.FILE).mkdir()
    writer = write(tmp_path, 1, 5)
    writer.sync()
    assert writer.chain_fault != ""
    assert (writer.written, writer.backlog, writer.is_failing) == (5, 0, False)
    (tmp_path / chain.FILE).rmdir()
    writer.sync()
    assert writer.chain_fault == ""
    assert [kind for kind, *_ in links(tmp_path)] == [Kind.OPEN, Kind.CLOSE, Kind.OPEN, Kind.CLOSE, Kind.OPEN]
    writer.close(0.0)
    assert verify([tmp_path]).is_sound


def test_two_processes_append_in_turn(tmp_path):
    """The writer and `edge cdr purge`: no link is lost, each follows the one before."""
    script = f"""
from pathlib import Path
from edge.cdr import chain
for number in range(50):
    chain.append(Path({str(tmp_path)!r}), [chain.Link(chain.Kind.OPEN, f"s{{number}}", number, "now")])
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    found = chain.load(tmp_path)
    assert (len(found.links), found.faults) == (150, ())


def test_standings_follow_the_links():
    """Opened, closed, rewritten, purged."""
    opened = Link(Kind.OPEN, "s", 1, "t")
    closed = Link(Kind.CLOSE, "s", 1, "t", last_seq=9, records=9, sha256="a")
    rewritten = closed._replace(kind=Kind.REWRITE, was="a", sha256="b")
    purged = closed._replace(kind=Kind.PURGE, rule="older than 365 days")
    found = chain.Chain((opened, closed, rewritten, purged), (), "")
    assert found.standings() == {"s": chain.Standing(opened, rewritten, purged)}
    assert (found.last_seq(), found.vanished(set())) == (9, ())
    assert chain.Chain((opened,), (), "").vanished(set()) == (opened,)
