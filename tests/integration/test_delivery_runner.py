"""edge.cdr.delivery.runner and .spool over real files; the trouble that sequences leave out."""

import asyncio
import csv
import os
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from edge.cdr.delivery import checkpoint as checkpoints
from edge.cdr.delivery.checkpoint import Checkpoint
from edge.cdr.delivery.consumer import BatchRefused, Bounds, DeliveryFailed, Entry, entry_of
from edge.cdr.delivery.layout import Csv, JsonLines
from edge.cdr.delivery.runner import REFUSED_IN_A_ROW, Runner
from edge.cdr.delivery.spool import PIECE_BYTES, Rotation, Spool
from edge.proxy.facts import Fact


def line(seq: int, **values: object) -> bytes:
    return orjson.dumps({"v": 1, "seq": seq, "uid": f"u{seq}", **values}) + b"\n"


def write_log(state: Path, *seqs: int, first: int = 1) -> None:
    (state / "cdr").mkdir(exist_ok=True)
    with (state / "cdr" / f"cdr-20260701-{first:012d}.jsonl").open("ab") as file:
        file.writelines(line(seq, called="+33170000001") for seq in seqs)


class Sink:
    """Takes everything, or does what it is told."""

    name = "sink"

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.refuses: set[int] = set()
        self.failure: Exception | None = None
        self.cursors: list[int] = []
        """What it was started with."""

    async def start(self, cursor: int) -> int:
        self.cursors.append(cursor)
        return cursor

    async def deliver(self, entries: Sequence[Entry]) -> None:
        if self.failure is not None:
            raise self.failure
        if self.refuses & {entry.seq for entry in entries}:
            raise BatchRefused("not this one")
        self.taken += [entry.seq for entry in entries]

    async def tend(self) -> None:
        return

    async def close(self) -> None:
        return


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return 1_782_907_200.0 + self.seconds


class Bench:
    """One runner over a state directory."""

    def __init__(self, state: Path, sink, read=entry_of, **bounds: object) -> None:
        self.state = state
        self.home = state / "delivery" / sink.name
        self.facts: list[Fact] = []
        self.clock = Hands()
        self.runner = Runner(
            sink,
            log=state / "cdr",
            home=self.home,
            tell=self.facts.append,
            bounds=Bounds(age_s=0.0, retry_s=1.0, **bounds),
            read=read,
            clock=self.clock,
            draw=lambda: 0.0,
        )

    async def to_the_end(self) -> None:
        self.runner.finish()
        for _ in range(10_000):
            if self.runner.is_done:
                return
            self.clock.seconds += await self.runner.step()
        raise AssertionError("does not come to an end")

    async def steps(self, count: int, *, seconds: float = 0.0) -> None:
        for _ in range(count):
            await self.runner.step()
            self.clock.seconds += seconds

    def told(self, name: str) -> list[dict[str, object]]:
        return [fact.fields for fact in self.facts if fact.name == name]

    def quarantined(self) -> list[int]:
        lines = [text for path in sorted(self.home.glob("quarantine-*")) for text in path.read_bytes().splitlines()]
        return [orjson.loads(text)["seq"] for text in lines]


async def test_refused_records_are_put_aside_and_the_rest_goes_on(tmp_path):
    """Found by halving: each alone, with its reason; counted in the checkpoint."""
    write_log(tmp_path, *range(1, 101))
    sink = Sink()
    sink.refuses = {1, 17, 18, 64, 100}
    bench = Bench(tmp_path, sink, records=32)
    await bench.to_the_end()
    assert sorted(sink.refuses) == bench.quarantined()
    assert [seq for seq in range(1, 101) if seq not in sink.refuses] == sink.taken
    kept = checkpoints.load(bench.home)
    assert kept is not None
    assert (100, 95, 5) == (kept.seq, kept.delivered, kept.quarantined)
    assert {"sink": "sink", "seq": 1, "uid": "u1", "why": "not this one"} == bench.told("delivery.quarantined")[0]
    await bench.runner.close()


def without_line(line: bytes, segment: str, end: int) -> Entry | None:
    """As a consumer that keeps something else."""
    entry = entry_of(line, segment, end)
    if entry is not None:
        entry.line = b""
    return entry


async def test_a_record_whose_line_was_not_kept_is_put_aside_whole(tmp_path):
    """It is read again: only the log has it."""
    write_log(tmp_path, *range(1, 21))
    write_log(tmp_path, *range(21, 41), first=21)
    sink = Sink()
    sink.refuses = {1, 17, 21, 40}
    bench = Bench(tmp_path, sink, records=32, read=without_line)
    await bench.to_the_end()
    assert len(sink.taken) == 36
    (kept,) = [path.read_bytes().splitlines() for path in bench.home.glob("quarantine-*")]
    whole = [orjson.loads(line(seq, called="+33170000001")) for seq in sorted(sink.refuses)]
    assert [orjson.loads(orjson.loads(text)["record"]) for text in kept] == whole


async def test_records_without_their_lines_fill_a_batch_all_the_same(tmp_path):
    """Its size is that of the lines in the log: a full one goes at once."""
    write_log(tmp_path, 11, 12, first=11)
    sink = Sink()
    bench = Bench(tmp_path, sink, read=without_line)
    bench.runner._bounds = Bounds(age_s=60.0, size=4 * len(line(11, called="+33170000001")))
    await bench.steps(2)
    write_log(tmp_path, 13, 14, 15, first=11)
    await bench.steps(2)
    assert sink.taken == [11, 12, 13, 14]
    await bench.runner.close()


async def test_a_sink_that_refuses_everything_is_not_believed(tmp_path):
    """After so many in a row nothing more is put aside: it is the sink that is wrong, and the alarm says so."""
    count = REFUSED_IN_A_ROW + 50
    write_log(tmp_path, *range(1, count + 1))
    sink = Sink()
    sink.refuses = set(range(1, count + 1))
    bench = Bench(tmp_path, sink, alarm_s=5.0, records=1)
    await bench.steps(count + 200, seconds=1.0)
    assert list(range(1, REFUSED_IN_A_ROW + 1)) == bench.quarantined()
    assert REFUSED_IN_A_ROW == bench.runner.position.seq
    assert "refuses every record, so none is put aside any more: not this one" == bench.told("delivery.stuck")[0]["why"]
    sink.refuses = set()
    bench.clock.seconds += 100
    await bench.to_the_end()
    assert list(range(REFUSED_IN_A_ROW + 1, count + 1)) == sink.taken
    await bench.runner.close()


async def test_a_consumer_with_a_fault_of_its_own_stops_nothing(tmp_path):
    """An exception nobody expects is tried again, then taken for a refusal of the record that causes it."""
    write_log(tmp_path, 1, 2, 3)

    class Faulty(Sink):
        async def deliver(self, entries: Sequence[Entry]) -> None:
            if any(entry.seq == 2 for entry in entries):
                raise ZeroDivisionError("of its own")
            await super().deliver(entries)

    sink = Faulty()
    bench = Bench(tmp_path, sink)
    await bench.to_the_end()
    assert ([1, 3], [2]) == (sink.taken, bench.quarantined())
    assert bench.told("delivery.quarantined")[0]["why"] == "ZeroDivisionError: of its own"
    await bench.runner.close()


async def test_a_failure_is_told_once_then_as_an_alarm_then_as_recovered(tmp_path):
    """One warning, an alarm after `alarm_s` and every quarter of an hour, one line when it is over."""
    write_log(tmp_path, 1)
    sink = Sink()
    sink.failure = DeliveryFailed("HTTP 503")
    bench = Bench(tmp_path, sink, alarm_s=60.0)
    await bench.steps(55, seconds=1.0)
    assert ["delivery.failed"] == [fact.name for fact in bench.facts]
    await bench.steps(100, seconds=1.0)
    assert ["delivery.failed", "delivery.stuck"] == [fact.name for fact in bench.facts]
    assert bench.told("delivery.stuck")[0]["why"] == "HTTP 503"
    await bench.steps(950, seconds=1.0)
    assert len(bench.told("delivery.stuck")) == 2
    sink.failure = None
    await bench.steps(100, seconds=1.0)
    assert [1] == sink.taken
    assert len(bench.told("delivery.recovered")) == 1
    assert len(sink.cursors) > 5
    await bench.runner.close()


async def test_the_pause_that_the_other_side_asks_for_is_kept(tmp_path):
    """Retry-After."""
    write_log(tmp_path, 1)
    sink = Sink()
    sink.failure = DeliveryFailed("HTTP 429", retry_after_s=50.0)
    bench = Bench(tmp_path, sink)
    await bench.steps(1)
    sink.failure = None
    await bench.steps(49, seconds=1.0)
    assert [] == sink.taken
    await bench.steps(5, seconds=1.0)
    assert [1] == sink.taken
    await bench.runner.close()


async def test_a_batch_waits_for_others_but_not_long(tmp_path):
    """A second by default; a full one goes at once."""
    write_log(tmp_path, 1)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    bench.runner._bounds = Bounds(age_s=1.0, records=3)
    await bench.steps(3, seconds=0.3)
    assert [] == sink.taken
    write_log(tmp_path, 2)
    await bench.steps(2, seconds=0.3)
    assert [1, 2] == sink.taken
    write_log(tmp_path, 3, 4, 5)
    await bench.steps(1)
    assert [1, 2, 3, 4, 5] == sink.taken
    await bench.runner.close()


async def test_the_log_is_looked_at_as_often_as_the_bounds_say(tmp_path):
    """With nothing new, and while a batch waits for others; never later than the batch is due."""
    write_log(tmp_path, 1)
    bench = Bench(tmp_path, Sink(), poll_s=3.0)
    assert [await bench.runner.step() for _ in range(2)] == [0.0, 3.0]
    await bench.runner.close()


async def test_few_records_need_not_wait_as_long_as_many(tmp_path):
    """What comes slowly is handed over soon; what comes fast, in large batches."""
    write_log(tmp_path, 1)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    bench.runner._bounds = Bounds(age_s=10.0, few=3, few_age_s=1.0)
    await bench.steps(5, seconds=0.3)
    assert [1] == sink.taken
    write_log(tmp_path, 2, 3, 4)
    await bench.steps(30, seconds=0.3)
    assert [1] == sink.taken
    await bench.steps(5, seconds=0.3)
    assert [1, 2, 3, 4] == sink.taken
    await bench.runner.close()


async def test_records_that_are_gone_are_told(tmp_path):
    """Lost by a full queue, or purged before they were delivered: the numbers that are missing."""
    write_log(tmp_path, 1, 2, 5)
    write_log(tmp_path, 9, first=9)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    await bench.to_the_end()
    assert [1, 2, 5, 9] == sink.taken
    assert [(3, 4), (6, 8)] == [(gap["first"], gap["last"]) for gap in bench.told("delivery.gap")]
    await bench.runner.close()


async def test_another_log_is_delivered_from_its_beginning(tmp_path):
    """A state directory made anew: its numbers begin again, and nothing of it is taken for delivered."""
    write_log(tmp_path, 1, 2)
    bench = Bench(tmp_path, Sink())
    checkpoints_home = bench.home
    checkpoints_home.mkdir(parents=True)
    checkpoints.save(checkpoints_home, Checkpoint(500, "another", "cdr-20250101-000000000400.jsonl", 99))
    await bench.to_the_end()
    assert [500] == [fact["cursor"] for fact in bench.told("delivery.log_restarted")]
    assert 2 == bench.runner.position.seq
    await bench.runner.close()


async def test_a_checkpoint_that_cannot_be_read_costs_a_repetition(tmp_path):
    """Never a record: it begins at the oldest one, and says why."""
    write_log(tmp_path, 1, 2)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    bench.home.mkdir(parents=True)
    (bench.home / "checkpoint.json").write_bytes(b"\0\0\0")
    await bench.to_the_end()
    assert [1, 2] == sink.taken
    assert len(bench.told("delivery.checkpoint_lost")) == 1
    await bench.runner.close()


async def test_a_new_sink_may_begin_with_the_next_record(tmp_path):
    """`begin = "next"`: what was there before it is not for it."""
    write_log(tmp_path, 1, 2)
    sink = Sink()
    bench = Bench(tmp_path, sink, from_oldest=False)
    await bench.steps(2)
    write_log(tmp_path, 3)
    await bench.to_the_end()
    assert [3] == sink.taken
    await bench.runner.close()


async def test_a_disk_that_refuses_the_checkpoint_stops_progress_and_nothing_else(tmp_path):
    """The records come again when it is well."""
    write_log(tmp_path, 1, 2)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    await bench.steps(1)
    assert 2 == bench.runner.position.seq
    write_log(tmp_path, 3)
    (bench.home / "checkpoint.json.new").mkdir()
    await bench.steps(5, seconds=5.0)
    assert 2 == bench.runner.position.seq
    assert "Is a directory" in str(bench.told("delivery.failed")[0]["why"])
    (bench.home / "checkpoint.json.new").rmdir()
    await bench.to_the_end()
    assert (3, {1, 2, 3}) == (bench.runner.position.seq, set(sink.taken))
    await bench.runner.close()


async def before_damage(state: Path, sink: Sink) -> Bench:
    """Two records are delivered; a damaged line comes between two more, and cannot be put aside."""
    write_log(state, 1, 2)
    bench = Bench(state, sink)
    await bench.steps(2)
    with (state / "cdr" / f"cdr-20260701-{1:012d}.jsonl").open("ab") as file:
        file.write(line(3) + b"no record\n" + line(4))
    (bench.home / "quarantine-20260701.jsonl").mkdir()
    return bench


async def test_what_was_read_when_the_disk_failed_is_read_again(tmp_path):
    """A damaged line that cannot be put aside takes nothing with it that was read with it."""
    sink = Sink()
    bench = await before_damage(tmp_path, sink)
    await bench.steps(3, seconds=5.0)
    assert (2, [1, 2], 0) == (bench.runner.position.seq, sink.taken, len(bench.told("delivery.quarantined")))
    (bench.home / "quarantine-20260701.jsonl").rmdir()
    await bench.to_the_end()
    assert (4, [1, 2, 3, 4], [3]) == (bench.runner.position.seq, sink.taken, bench.quarantined())
    assert [] == bench.told("delivery.gap")
    await bench.runner.close()


async def test_a_log_that_cannot_be_found_again_at_once_is_looked_for_until_it_is(tmp_path):
    """The reader goes back and finds another log, and the disk takes no note of that: the sink is handed nothing of it,
    nor told to go on where the old one ended, until the disk does."""
    sink = Sink()
    bench = await before_damage(tmp_path, sink)
    await bench.steps(2, seconds=5.0)
    (segment,) = (tmp_path / "cdr").iterdir()
    segment.write_bytes(line(1, uid="another") + line(2, uid="one") + line(3))
    (bench.home / "checkpoint.json.new").mkdir()
    sink.cursors.clear()
    await bench.steps(5, seconds=30.0)
    assert ([], [1, 2]) == (sink.cursors, sink.taken)
    (bench.home / "checkpoint.json.new").rmdir()
    await bench.to_the_end()
    assert ([0], [1, 2, 1, 2, 3]) == (sink.cursors, sink.taken)
    assert (3, {2}) == (bench.runner.position.seq, {fact["cursor"] for fact in bench.told("delivery.log_restarted")})
    await bench.runner.close()


async def test_a_request_that_is_none_holds_nothing_up(tmp_path):
    """It is looked at with the log, and the log is read all the same."""
    write_log(tmp_path, 1, 2)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    bench.home.mkdir(parents=True)
    (bench.home / "redeliver.json").write_text("no request")
    await bench.to_the_end()
    assert [1, 2] == sink.taken
    await bench.runner.close()


async def test_asked_while_a_batch_fills_it_goes_back(tmp_path):
    """What was read for the batch is read again behind what was asked for; each record once."""
    write_log(tmp_path, 1, 2, 3)
    sink = Sink()
    bench = Bench(tmp_path, sink)
    await bench.steps(2)
    bench.runner._bounds = bench.runner._bounds._replace(age_s=60.0)
    write_log(tmp_path, 4)
    await bench.steps(2)
    assert [1, 2, 3] == sink.taken
    checkpoints.request(bench.home, 2)
    await bench.to_the_end()
    assert [1, 2, 3, 2, 3, 4] == sink.taken
    assert [{"sink": "sink", "from": 2}] == bench.told("delivery.asked_again")
    await bench.runner.close()


# -- files ---------------------------------------------------------------------------------------------------------


def entries(*seqs: int) -> list[Entry]:
    found = [entry_of(line(seq, called="+33170000001")) for seq in seqs]
    return [entry for entry in found if entry is not None]


def spool(directory: Path, **rotation: float) -> Spool:
    terms = {"age_s": 3600.0, "size": 1 << 20, "records": 1000, **rotation}
    return Spool("rating", directory, node="n1", layout=Csv(["seq", "uid", "called"]), rotation=Rotation(**terms))


def finished(directory: Path) -> dict[str, list[str]]:
    """Name → the numbers in it."""
    found = {}
    for path in sorted(directory.glob("cdr-*.csv")):
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        assert ["seq", "uid", "called"] == rows[0]
        found[path.name] = [row[0] for row in rows[1:]]
    return found


async def test_a_file_appears_whole_and_says_what_is_in_it(tmp_path):
    """By records here; until then there is a hidden one. Names without a hole: records without a hole."""
    sink = spool(tmp_path, records=3)
    await sink.start(0)
    await sink.deliver(entries(1, 2))
    await sink.tend()
    assert {} == finished(tmp_path)
    await sink.deliver(entries(3, 4))
    assert {} == finished(tmp_path)
    await sink.deliver(entries(5))
    assert {"cdr-n1-000000000001-000000000004.csv": ["1", "2", "3", "4"]} == finished(tmp_path)
    await sink.tend()
    await sink.close()
    assert [".csv", ".csv"] == [path.suffix for path in sorted(tmp_path.iterdir())]
    assert ["5"] == finished(tmp_path)["cdr-n1-000000000005-000000000005.csv"]


@pytest.mark.parametrize("rotation", [{"age_s": 0.0}, {"size": 10}])
async def test_a_file_is_finished_by_age_and_by_size(tmp_path, rotation):
    """With nothing new coming, too."""
    sink = spool(tmp_path, **rotation)
    await sink.start(0)
    await sink.deliver(entries(1))
    await sink.tend()
    assert {"cdr-n1-000000000001-000000000001.csv": ["1"]} == finished(tmp_path)
    await sink.close()


async def test_after_a_crash_no_record_stands_in_it_twice(tmp_path):
    """Rows behind the checkpoint, and a torn row, are cut off; what the file is short of comes again."""
    sink = spool(tmp_path)
    await sink.start(0)
    await sink.deliver(entries(1, 2))
    await sink.deliver(entries(3, 4))
    with (tmp_path / ".rating.000000000001.part").open("ab") as file:
        file.write(b"5,u5,+331700")
    again = spool(tmp_path)
    assert 2 == await again.start(2)
    await again.deliver(entries(3, 4, 5))
    await again.tend()
    await again.close()
    assert {"cdr-n1-000000000001-000000000005.csv": ["1", "2", "3", "4", "5"]} == finished(tmp_path)
    await sink.close()


async def test_going_back_into_an_unfinished_file_repeats_nothing(tmp_path):
    """It is cut at the batch before, and the runner goes on from there."""
    sink = spool(tmp_path)
    await sink.start(0)
    await sink.deliver(entries(1, 2, 3))
    await sink.deliver(entries(4, 5, 6))
    assert 3 == await sink.start(4)
    await sink.deliver(entries(4, 5, 6))
    assert 0 == await sink.start(1)
    await sink.deliver(entries(1, 2, 3))
    await sink.tend()
    await sink.close()
    assert {"cdr-n1-000000000001-000000000003.csv": ["1", "2", "3"]} == finished(tmp_path)


async def test_other_columns_begin_another_file(tmp_path):
    """A release or an operator changed them while a file was open: its header stays true."""
    sink = spool(tmp_path)
    await sink.start(0)
    await sink.deliver(entries(1))
    other = Spool(
        "rating", tmp_path, node="n1", layout=Csv(["uid", "seq"]), rotation=Rotation(age_s=0, size=1, records=1)
    )
    assert 1 == await other.start(1)
    assert {"cdr-n1-000000000001-000000000001.csv": ["1"]} == finished(tmp_path)
    await other.deliver(entries(2))
    await other.tend()
    assert b"uid,seq\r\nu2,2\r\n" == (tmp_path / "cdr-n1-000000000002-000000000002.csv").read_bytes()
    await other.close()
    await sink.close()


async def test_a_directory_that_cannot_be_written_is_a_failure(tmp_path):
    """With its reason; nothing is lost."""
    (tmp_path / "file").write_bytes(b"")
    sink = spool(tmp_path / "file" / "spool")
    with pytest.raises(DeliveryFailed, match="Not a directory"):
        await sink.start(0)
    await sink.close()


async def test_json_lines_are_those_of_the_log(tmp_path):
    """Byte for byte, under another ending."""
    sink = Spool("p", tmp_path, node="n/1", layout=JsonLines(), rotation=Rotation(age_s=0, size=1, records=1))
    await sink.start(0)
    await sink.deliver(entries(7, 8))
    await sink.tend()
    assert (
        line(7, called="+33170000001") + line(8, called="+33170000001")
        == (tmp_path / "cdr-n_1-000000000007-000000000008.jsonl").read_bytes()
    )
    await sink.close()


async def test_a_large_batch_is_written_in_small_pieces(tmp_path, monkeypatch):
    """So that no write keeps a processor from the calls; and a disk that takes less at a time loses nothing."""
    sizes: list[int] = []
    write = os.write

    def taking_less(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data[: max(1, len(data) * 3 // 4)])

    monkeypatch.setattr(os, "write", taking_less)
    sink = Spool("p", tmp_path, node="n1", layout=JsonLines(), rotation=Rotation(age_s=0, size=1, records=1))
    await sink.start(0)
    many = entries(*range(1, 3_001))
    await sink.deliver(many)
    await sink.tend()
    await sink.close()
    (path,) = tmp_path.glob("cdr-*.jsonl")
    assert b"".join([line(seq, called="+33170000001") for seq in range(1, 3_001)]) == path.read_bytes()
    assert (path.stat().st_size > 2 * PIECE_BYTES, max(sizes)) == (True, PIECE_BYTES)


async def test_cancelled_anywhere_the_files_hold_each_record_once(tmp_path):
    """The runner dies and comes again at every wait of its way; the files end up with every number once, in order."""
    state = tmp_path / "state"
    state.mkdir()
    write_log(state, *range(1, 41))
    for waits in range(60):
        sink = spool(tmp_path / "out", records=10)
        bench = Bench(state, sink, records=3)
        step = asyncio.ensure_future(bench.runner.step())
        for _ in range(waits):
            await asyncio.sleep(0)
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        await bench.runner._worker.do(lambda: None)
        await sink._worker.do(lambda: None)
        await bench.runner.close()
    bench = Bench(state, spool(tmp_path / "out", records=10), records=3)
    await bench.to_the_end()
    await bench.runner.close()
    found = [int(seq) for rows in finished(tmp_path / "out").values() for seq in rows]
    assert list(range(1, 41)) == found
