"""The log of call detail records on real files: crashes, full disks, rotation."""

import asyncio
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from several import until

from edge.cdr import chain
from edge.cdr.builder import CdrBuilder
from edge.cdr.writer import RETRY_S, CdrError, CdrWriter
from edge.proxy.facts import CallFacts, Fact

WALL0 = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC).timestamp()
FIRST = "cdr-20260701-000000000001.jsonl"


class Log:
    """A writer, its builder and what it told."""

    def __init__(self, directory: Path, **options: int) -> None:
        self.facts: list[Fact] = []
        self.builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
        self.writer = CdrWriter(directory, wall0=WALL0, mono0=0.0, tell=self.facts.append, **options)

    def add(self, count: int = 1, *, is_billable: bool = False) -> None:
        for _ in range(count):
            seq = self.writer.take_seq()
            self.writer.append(self.builder.line(CallFacts(f"n1-{seq}", 0.0), seq), is_billable=is_billable)

    def write(self, count: int = 1, now: float = 0.0) -> None:
        self.add(count)
        self.writer.flush(now)

    def told(self) -> list[str]:
        return [fact.name for fact in self.facts]


@pytest.fixture
def open_log(tmp_path: Path) -> Iterator[Callable[..., Log]]:
    logs: list[Log] = []

    def open_(directory: Path = tmp_path, **options: int) -> Log:
        logs.append(Log(directory, **options))
        return logs[-1]

    yield open_
    for log in logs:
        log.writer.close(0.0)


def seqs(directory: Path) -> list[int]:
    """Sequence numbers of every record on disk; each segment must end with a whole line."""
    found = []
    for path in sorted(directory.glob("cdr-*.jsonl"), key=lambda path: path.name.split("-")[2]):
        data = path.read_bytes()
        assert not data or data.endswith(b"\n")
        found += [json.loads(line)["seq"] for line in data.splitlines()]
    return found


def test_lines_are_on_disk_after_one_flush(open_log, tmp_path):
    """append buffers, flush writes."""
    log = open_log()
    log.add(3)
    assert (log.writer.backlog, seqs(tmp_path)) == (3, [])

    log.writer.flush(0.0)
    assert (log.writer.backlog, log.writer.written, seqs(tmp_path)) == (0, 3, [1, 2, 3])


def test_the_sequence_goes_on_over_restarts(open_log, tmp_path):
    """A second run continues in the same segment with the next number."""
    first = open_log()
    first.write(2)
    first.writer.close(0.0)
    open_log().write(2)

    assert (seqs(tmp_path), [p.name for p in tmp_path.glob("cdr-*")]) == ([1, 2, 3, 4], [FIRST])


def test_an_empty_newest_segment_tells_the_next_number(open_log, tmp_path):
    """Closed segments may be taken away: the name of the one in use is enough."""
    (tmp_path / "cdr-20260701-000000000042.jsonl").touch()
    log = open_log()

    assert log.writer.take_seq() == 42


def test_the_segment_with_the_highest_first_number_is_in_use(open_log, tmp_path):
    """Whatever the days say: a wall clock may have been wrong."""
    (tmp_path / "cdr-20260702-000000000001.jsonl").write_bytes(b'{"v":1,"seq":1}\n')
    (tmp_path / "cdr-20260701-000000000002.jsonl").write_bytes(b'{"v":1,"seq":2}\n')
    open_log().write()

    assert seqs(tmp_path) == [1, 2, 3]
    assert len((tmp_path / "cdr-20260701-000000000002.jsonl").read_bytes().splitlines()) == 2


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        (b'{"v":1,"seq":3,"no', 2),
        (b"\0" * 4096, 2),
        (b"\0" * 100 + b"\n", 2),
        (b'{"v":1,"se\n[]\n"x"\n', 2),
        (b"x" * (3 * 65_536), 2),
        (b'{"seq":"3"}\n', 2),
    ],
)
def test_a_torn_tail_is_moved_aside_and_told(open_log, tmp_path, tail, kept):
    """What a crash left behind the last whole record goes to the .torn file, byte for byte."""
    first = open_log()
    first.write(kept)
    first.writer.close(0.0)
    with (tmp_path / FIRST).open("ab") as segment:
        segment.write(tail)

    second = open_log()
    second.write()

    assert tail == (tmp_path / (FIRST + ".torn")).read_bytes()
    assert seqs(tmp_path) == [1, 2, 3]
    assert [Fact("cdr.torn", {"segment": FIRST, "bytes": len(tail), "last_seq": kept})] == second.facts


def test_a_segment_with_nothing_whole_begins_again(open_log, tmp_path):
    """A tail that is the whole file leaves the first number of its name."""
    (tmp_path / FIRST).write_bytes(b'{"v":1')
    open_log().write()

    assert seqs(tmp_path) == [1]


def test_a_killed_process_leaves_whole_lines(tmp_path):
    """SIGKILL in mid-write: at most a torn tail, repaired by the next run; nothing flushed is lost."""
    script = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from edge.cdr.writer import CdrWriter
writer = CdrWriter(Path({str(tmp_path)!r}), wall0={WALL0}, mono0=0.0, tell=print)
while True:
    seq = writer.take_seq()
    writer.append(b'{{"v":1,"seq":%d,"pad":"%s"}}\\n' % (seq, b"x" * 500))
    writer.flush(0.0)
    if seq % 100 == 0:
        print(seq, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        flushed = int(process.stdout.readline())
        process.kill()
    writer = CdrWriter(tmp_path, wall0=WALL0, mono0=0.0, tell=lambda fact: None)
    writer.close(0.0)

    found = seqs(tmp_path)
    assert list(range(1, len(found) + 1)) == found
    assert len(found) >= flushed


def test_a_segment_ends_when_it_is_big_enough(open_log, tmp_path):
    """Rotation by size: the next segment is named by its first record."""
    log = open_log(segment_bytes=2_000)
    for _ in range(4):
        log.write()
    log.writer.sync()

    assert seqs(tmp_path) == [1, 2, 3, 4]
    assert sorted(int(p.stem.split("-")[2]) for p in tmp_path.glob("cdr-*")) == [1, 3]


@pytest.fixture
def looks_at() -> Iterator[Callable[[Path], int]]:
    """Times that this path was opened since it was asked last, by the interpreter's own audit (PEP 578)."""
    opened: list[str] = []
    is_over = False

    def hear(event: str, details: tuple[object, ...]) -> None:
        if event == "open" and not is_over:
            opened.append(str(details[0]))

    def count(path: Path) -> int:
        found = opened.count(str(path))
        opened.clear()
        return found

    sys.addaudithook(hear)  # for good: nobody can take it off again
    yield count
    is_over = True


@pytest.mark.parametrize(("sync_s", "at_once", "later"), [(0.01, 0, 1), (0, 1, 0)])
def test_the_name_of_a_new_segment_is_forced_out_with_its_data(open_log, tmp_path, looks_at, sync_s, at_once, later):
    """Not by the event loop, which would wait for the whole segment before it; without a group fsync at once."""
    log = open_log(segment_bytes=1, sync_s=sync_s)
    log.write()  # into the segment of the start
    log.writer.sync()
    looks_at(tmp_path)
    for _ in range(2):
        log.write()
        assert looks_at(tmp_path) == at_once
        log.writer.sync()
        assert looks_at(tmp_path) == later


def test_a_new_segment_does_not_ask_for_the_links_of_years(open_log, tmp_path, looks_at):
    """What is known is written; what a fault left is read, once."""
    links = tmp_path / chain.FILE
    log = open_log(segment_bytes=1)
    log.write()  # into the segment of the start
    log.writer.sync()
    looks_at(links)
    for _ in range(3):
        log.write()
        log.writer.sync()
        assert looks_at(links) == 1
    log.writer._sync_error = OSError(errno.EIO, "bad sector")
    log.writer.flush(0.0)
    log.write(now=60.0)
    log.writer.sync()
    assert looks_at(links) == 2
    log.write(now=61.0)
    log.writer.sync()
    assert looks_at(links) == 1


def test_a_segment_ends_with_its_utc_day(open_log, tmp_path):
    """Rotation by day, by the clock of the records' own instants."""
    log = open_log()
    log.write(now=12 * 3600 - 0.5)
    log.write(now=12 * 3600 + 0.5)
    log.write(now=12 * 3600 + 1.5)

    assert sorted(p.name for p in tmp_path.glob("cdr-*")) == [FIRST, "cdr-20260702-000000000002.jsonl"]
    assert seqs(tmp_path) == [1, 2, 3]


def test_yesterdays_segment_is_not_continued(open_log, tmp_path):
    """A run that starts on another day begins another segment, and the sequence goes on."""
    (tmp_path / "cdr-20260630-000000000001.jsonl").write_bytes(b'{"v":1,"seq":9}\n')
    open_log().write()

    assert seqs(tmp_path) == [9, 10]
    assert (tmp_path / "cdr-20260701-000000000010.jsonl").exists()


def test_a_second_writer_is_refused(open_log, tmp_path):
    """Two edges on one directory would tear each other's sequence."""
    open_log()
    with pytest.raises(CdrError, match=r"another edge is writing there"):
        open_log()


def test_a_directory_that_cannot_be_made_is_told_in_a_sentence(tmp_path):
    """The operator reads which directory, and why."""
    (tmp_path / "file").touch()
    with pytest.raises(CdrError, match=r"^cannot write CDRs to .*/file/cdr: Not a directory$"):
        Log(tmp_path / "file" / "cdr")


class SmallDisk:
    """A place that can be filled up and freed again: a tiny tmpfs where mounting is allowed, else a file size limit."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        command = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
        self.is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        self.limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, *, but: int = 0) -> None:
        """Leave this many bytes, about."""
        if not self.is_mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (but, self.limit[1]))
            return
        with (self.directory / "ballast").open("wb", buffering=0) as ballast:
            room = os.statvfs(self.directory).f_bavail * os.statvfs(self.directory).f_frsize - but
            ballast.write(b"x" * max(0, room))

    def free(self) -> None:
        if not self.is_mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, self.limit)
            return
        (self.directory / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        self.free()
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.directory)], check=True)  # a failed test may hold it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "small")
    yield disk
    disk.remove()


def test_a_full_disk_costs_no_record(small_disk):
    """Full: one alarm, lines wait. Room again: everything is written in order, and one all-clear."""
    log = Log(small_disk.directory)
    log.write(2)
    small_disk.fill(but=8_192)
    now = 1.0
    while not log.writer.is_failing:
        log.write(3, now)
    log.write(5, now + 0.1)
    log.write(5, now + RETRY_S)
    assert log.writer.backlog > 10
    assert log.told() == ["cdr.failing"]

    small_disk.free()
    log.write(1, now + 3 * RETRY_S)

    last = log.writer.take_seq() - 1
    assert (log.writer.backlog, log.writer.is_failing) == (0, False)
    assert log.told() == ["cdr.failing", "cdr.recovered"]
    assert list(range(1, last + 1)) == seqs(small_disk.directory)
    log.writer.close(now)


def test_a_failing_disk_is_not_asked_at_every_wake_up(small_disk):
    """Between two tries nothing is written: a wake-up of the event loop costs nothing more while the disk is full."""
    log = Log(small_disk.directory)
    small_disk.fill()
    log.write(40)
    log.writer.flush(RETRY_S)
    errors = log.writer.errors
    for step in range(9):
        log.write(1, RETRY_S * (1 + step / 10))
    assert log.writer.errors == errors

    log.writer.flush(2 * RETRY_S)
    assert log.writer.errors == errors + 1
    small_disk.free()
    log.writer.close(3.0)


def test_a_full_disk_never_leaves_half_a_line(small_disk):
    """While the disk is full the file ends with a whole record, so a reader and the next start find it sound."""
    log = Log(small_disk.directory)
    small_disk.fill(but=4_096)
    log.write(50)
    log.writer.flush(RETRY_S)
    small_disk.free()

    found = seqs(small_disk.directory)
    assert log.writer.is_failing
    assert list(range(1, len(found) + 1)) == found
    assert len(found) + log.writer.backlog == 50
    log.writer.close(1.0)
    assert list(range(1, 51)) == seqs(small_disk.directory)


def test_a_disk_that_stays_full_is_told_at_the_end(small_disk):
    """What cannot be written when the process stops is counted and told, not hidden."""
    log = Log(small_disk.directory)
    small_disk.fill()
    log.write(40)

    left = log.writer.close(0.0)
    assert (left, "cdr.lost", left) == (log.writer.lost, log.told()[-1], log.facts[-1].fields["lost"])
    assert left > 0


def test_a_directory_that_vanished_comes_back(open_log, tmp_path):
    """Rotation into a directory that is gone fails without an exception and recovers when it is there again."""
    directory = tmp_path / "cdr"
    log = open_log(directory, segment_bytes=1)
    log.write()
    directory.rename(tmp_path / "away")
    log.write(now=1.0)
    assert (log.writer.is_failing, log.writer.backlog) == (True, 1)

    (tmp_path / "away").rename(directory)
    log.write(now=2.0)
    assert (seqs(directory), log.writer.is_failing) == ([1, 2, 3], False)


def test_a_failed_fsync_is_told_and_the_next_segment_begun(open_log, tmp_path):
    """A file that cannot be synced (here: a device that knows no fsync) is left for another, and the alarm raised."""
    (tmp_path / "cdr-20260701-000000000002.jsonl").symlink_to("/dev/null")
    (tmp_path / FIRST).write_bytes(b'{"v":1,"seq":1}\n')
    log = open_log(segment_bytes=1)
    log.write()
    log.writer.sync()
    log.write(now=1.0)
    assert log.facts == [Fact("cdr.failing", {"error": "EINVAL", "why": "Invalid argument", "backlog": 1})]

    log.writer.flush(1.0 + RETRY_S)
    assert (log.told()[-1], log.writer.backlog) == ("cdr.recovered", 0)
    assert len((tmp_path / "cdr-20260701-000000000003.jsonl").read_bytes().splitlines()) == 1


def test_a_day_that_cannot_begin_is_begun_later(open_log, tmp_path):
    """Midnight with a directory that is gone: nothing raised, and the next day's segment is made when it is back."""
    directory = tmp_path / "cdr"
    log = open_log(directory)
    log.write()
    directory.rename(tmp_path / "away")
    log.write(now=12 * 3600.0)
    assert log.writer.is_failing

    (tmp_path / "away").rename(directory)
    log.write(now=12 * 3600.0 + RETRY_S)
    assert seqs(directory) == [1, 2, 3]
    assert len((directory / "cdr-20260702-000000000002.jsonl").read_bytes().splitlines()) == 2


def test_the_queue_is_bounded_and_keeps_what_is_money(small_disk):
    """Over the first bound refusals are dropped and counted, answered calls go on to the second."""
    log = Log(small_disk.directory, capacity=5, billable_capacity=8)
    small_disk.fill()
    log.write(5)
    assert log.writer.is_failing
    before = log.writer.backlog
    log.add(7)
    assert (5, True, before + 2) == (log.writer.backlog, log.writer.is_full, log.writer.lost)

    log.add(5, is_billable=True)
    assert (8, before + 4) == (log.writer.backlog, log.writer.lost)
    assert log.told() == ["cdr.failing", "cdr.lost"]
    log.writer.close(0.0)


async def test_writes_are_synced_in_groups(open_log):
    """One fsync for all that was written meanwhile, in a thread that ends with `run`."""
    log = open_log()
    log.write()
    log.write(4)
    syncing = asyncio.create_task(log.writer.run())
    await until(lambda: log.writer.synced, "the first fsync")
    assert "cdr-sync" in [thread.name for thread in threading.enumerate()]
    syncing.cancel()
    await asyncio.wait([syncing])
    assert log.writer.synced == 1
    assert "cdr-sync" not in [thread.name for thread in threading.enumerate()]


def test_no_descriptor_stays_open(open_log, tmp_path):
    """Retired segments are closed by the next sync, the rest by close."""
    before = len(os.listdir("/proc/self/fd"))
    log = open_log(segment_bytes=1)
    for _ in range(10):
        log.write()
    log.writer.sync()
    assert before + 2 == len(os.listdir("/proc/self/fd"))

    log.writer.close(0.0)
    assert before == len(os.listdir("/proc/self/fd"))
