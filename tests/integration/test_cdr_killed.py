"""Nothing is lost and nothing told twice: processes killed at random, and a machine that loses power."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cdr.backwards import newest_first
from edge.cdr.builder import CdrBuilder
from edge.cdr.delivery.consumer import entry_of
from edge.cdr.delivery.layout import JsonLines
from edge.cdr.delivery.spool import Rotation, Spool
from edge.cdr.seal import sealed
from edge.cdr.verify import Kind, verify
from edge.cdr.writer import CdrWriter
from edge.proxy.facts import CallFacts

CYCLES = 200
BLOCK = 4_096
WALL0 = 1_782_900_000.0
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Thousands of small logs: where fsync costs nothing."""


def test_a_writer_and_a_sink_that_are_killed_200_times_lose_nothing_and_tell_nothing_twice(tmp_path):
    """SIGKILL at random instants, under load. What a caller was told of has its record downstream, once."""
    program = Path(__file__).with_name("killed_log.py")
    seed = random.randrange(1 << 30)
    done = subprocess.run(
        [sys.executable, "-P", str(program), str(tmp_path), str(CYCLES), str(seed)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (seed, done.stderr[-2_000:])
    found = json.loads(done.stdout)
    assert (found["cycles"], found["ended_by_themselves"]) == (CYCLES, 0), seed
    assert (found["missing"], found["twice"], found["findings"]) == ([], [], []), seed
    assert found["delivered"] == found["records"] >= found["acknowledged"] > CYCLES, seed


class Log:
    """A log of whole records, to be torn in many ways."""

    def __init__(self, directory: Path, count: int) -> None:
        self.directory = directory
        self.builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
        self.write(*(f"u{number}" for number in range(count)))
        (self.path,) = directory.glob("cdr-*")
        self.whole = self.path.read_bytes()

    def write(self, *uids: str) -> None:
        writer = CdrWriter(self.directory, wall0=WALL0, mono0=0.0, tell=lambda fact: None)
        for uid in uids:
            writer.append(self.builder.line(CallFacts(uid, 0.0), writer.take_seq()))
        writer.flush(0.0)
        writer.close(0.0)

    def after(self, data: bytes) -> list[str]:
        """The machine comes back with these bytes in the segment; one more call ends. What is in the log then?"""
        self.path.write_bytes(data)
        self.write("after")
        report = verify([self.directory])
        assert [finding for finding in report.findings if finding.kind is not Kind.NOTE] == []
        return [entry.uid for entry in newest_first(self.directory)][::-1]

    def whole_before(self, size: int) -> list[str]:
        """The records that end within so many bytes."""
        return [f"u{number}" for number in range(self.whole[:size].count(b"\n"))]


@pytest.fixture
def log() -> Iterator[Log]:
    directory = Path(tempfile.mkdtemp(dir=MEMORY))
    yield Log(directory, 6)
    shutil.rmtree(directory)


def test_a_power_cut_at_any_byte_of_the_last_block_costs_what_is_torn_and_nothing_else(log):
    """Cut at every byte: each record before it is there once, the torn one is not, the next call has its own."""
    size = len(log.whole)
    for cut in range(size - BLOCK, size + 1):
        assert log.after(log.whole[:cut]) == [*log.whole_before(cut), "after"], cut


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_rubbish_from_any_byte_on_costs_what_it_covers_and_nothing_else(data):
    """Blocks that were allocated and never written: NULs, old contents, anything, with and without line ends."""
    directory = Path(tempfile.mkdtemp(dir=MEMORY))
    try:
        log = Log(directory, 6)
        cut = data.draw(st.integers(len(log.whole) - BLOCK, len(log.whole)))
        older = log.whole[: log.whole[: cut + 1].rfind(b"\n") + 1][:BLOCK]
        rubbish = data.draw(
            st.sampled_from([b"\0" * 512, b"\0" * BLOCK, older, b"\n\n", b"{}\n", b'{"v":1,"seq":7}'])
            | st.binary(max_size=300)
        )
        kept = log.whole_before(cut)
        if not rubbish.startswith(log.whole[cut : cut + 1]) or cut == len(log.whole):
            assert log.after(log.whole[:cut] + rubbish)[: len(kept)] == kept
    finally:
        shutil.rmtree(directory)


async def test_a_sinks_file_whose_marks_are_lost_is_kept_until_the_checkpoint_went_back(tmp_path):
    """Else a second crash, just then, would leave a checkpoint that is past records nobody has."""
    builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
    lines = [sealed(builder.line(CallFacts(f"u{seq}", 0.0), seq)) for seq in range(1, 5)]
    entries = [entry for entry in map(entry_of, lines) if entry is not None]

    def spool() -> Spool:
        return Spool("rating", tmp_path, node="n1", layout=JsonLines(), rotation=Rotation(3_600.0, 1 << 30, 100))

    first = spool()
    assert await first.start(0) == 0
    await first.deliver(entries)
    (marks,) = tmp_path.glob(".*.marks")
    marks.write_bytes(b"")
    assert [await spool().start(4) for _ in range(2)] == [0, 0]
    again = spool()
    assert await again.start(0) == 0
    await again.deliver(entries)
    await again.tend()
    await again.close()
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == b"".join(lines)
