"""`edge cdr verify` on real files: every gap, duplicate and damaged line, with its place; nothing else."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cdr import chain, settled
from edge.cdr.builder import CdrBuilder
from edge.cdr.settled import Settled
from edge.cdr.verify import Kind, Report, verify
from edge.cdr.writer import CdrWriter
from edge.commands import app
from edge.proxy.facts import CallFacts

WALL0 = 1_782_900_000.0


def write(directory: Path, count: int, *, node: str = "n1", first: int = 1, segment_bytes: int = 6_000) -> None:
    """One run of an edge: so many records with uids of their own, in segments of five."""
    writer = CdrWriter(directory, wall0=WALL0, mono0=0.0, tell=lambda fact: None, segment_bytes=segment_bytes)
    builder = CdrBuilder(node, wall0=WALL0, mono0=0.0)
    for number in range(first, first + count):
        writer.append(builder.line(CallFacts(f"{node}-{number}", 0.0), writer.take_seq()))
        writer.flush(0.0)
    writer.sync()
    writer.close(0.0)


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("cdr-*"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """20 records in four segments, the last in use."""
    write(tmp_path / "cdr", 20)
    return tmp_path / "cdr"


def told(report: Report) -> list[tuple[Kind, str, str]]:
    return [(finding.kind, Path(finding.place).name, finding.text) for finding in report.findings]


def faults(report: Report) -> list[tuple[Kind, str]]:
    return [(finding.kind, Path(finding.place).name) for finding in report.findings if finding.kind is not Kind.NOTE]


def test_a_whole_log_is_whole(log):
    """Over restarts too."""
    write(log, 5, first=21)
    report = verify([log])
    assert (report.findings, report.is_sound) == ((), True)
    assert (report.records, report.nodes, report.first_seq, report.last_seq) == (25, ("n1",), 1, 25)


def test_a_line_that_is_gone_is_a_gap_and_its_segment_changed(log):
    """Somebody took one record out: which, and where it should be."""
    path = files(log)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    gone = json.loads(lines[1])["seq"]
    report = verify([log])
    assert (Kind.GAP, f"{path.name}:2", f"n1: record {gone} is not there") in told(report)
    assert faults(report) == [(Kind.GAP, f"{path.name}:2"), (Kind.CHANGED, path.name)]


def test_a_segment_that_is_gone_is_missing(log):
    """The chain knows what was in it: told once, not also as a gap."""
    path = files(log)[2]
    seqs = [json.loads(line)["seq"] for line in path.read_bytes().splitlines()]
    path.unlink()
    ((kind, name, text),) = told(verify([log]))
    assert (kind, name) == (Kind.MISSING, path.name)
    assert f"{len(seqs)} records, {seqs[0]} to {seqs[-1]}" in text


def test_a_segment_in_use_that_is_gone_is_missing(log):
    """Even though it was never closed; and the next start does not give its first number away again."""
    path = files(log)[-1]
    path.unlink()
    assert faults(verify([log])) == [(Kind.MISSING, path.name)]
    write(log, 1, first=100)
    assert json.loads(files(log)[-1].read_bytes())["seq"] > int(path.name.split("-")[2].split(".")[0])
    assert (Kind.MISSING, path.name) in faults(verify([log]))


def test_segments_without_their_chain_tell_gaps_by_number(log):
    """An archive: what is missing at either end cannot be seen, between two segments it can."""
    (log / chain.FILE).unlink()
    path = files(log)[2]
    seqs = [json.loads(line)["seq"] for line in path.read_bytes().splitlines()]
    path.unlink()
    following = files(log)[2]
    text = f"n1: {len(seqs)} records, {seqs[0]} to {seqs[-1]}, are not there"
    assert told(verify([log])) == [(Kind.GAP, following.name, text)]


@pytest.mark.parametrize("place", [10, -5])
def test_a_flipped_byte_is_damage(log, place):
    """Its line, and the record that is not there for it."""
    path = files(log)[1]
    data = bytearray(path.read_bytes())
    begin = data.index(b"\n") + 1
    end = data.index(b"\n", begin)
    data[(begin if place > 0 else end) + place] ^= 1
    path.write_bytes(data)
    assert faults(verify([log])) == [
        (Kind.DAMAGE, f"{path.name}:2"),
        (Kind.GAP, f"{path.name}:3"),
        (Kind.CHANGED, path.name),
    ]


def test_a_record_told_twice_is_a_duplicate(log):
    """By its number, and by its uid."""
    path = files(log)[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1]]))
    report = verify([log])
    assert faults(report) == [(Kind.DUPLICATE, f"{path.name}:{len(lines) + 1}")] * 2
    assert "n1-20 was at" in report.findings[-1].text


def test_a_uid_in_the_logs_of_two_nodes_is_a_duplicate(tmp_path):
    """Over the directories of all of them."""
    write(tmp_path / "a", 5, node="a")
    write(tmp_path / "b", 5, node="b")
    assert verify([tmp_path / "a", tmp_path / "b"]).is_sound
    last = files(tmp_path / "b")[-1]
    builder = CdrBuilder("b", wall0=WALL0, mono0=0.0)
    writer = CdrWriter(tmp_path / "b", wall0=WALL0, mono0=0.0, tell=lambda fact: None)
    writer.append(builder.line(CallFacts("a-3", 0.0), writer.take_seq()))
    writer.close(0.0)
    report = verify([tmp_path / "a", tmp_path / "b"])
    assert [(kind, name.split(":")[0]) for kind, name in faults(report)] == [(Kind.DUPLICATE, last.name)]


def test_a_line_being_written_is_no_fault(log):
    """Beside a running edge."""
    path = files(log)[-1]
    with path.open("ab") as file:
        file.write(b'{"v":1,"seq":21,')
    report = verify([log])
    assert report.is_sound
    assert [finding.kind for finding in report.findings] == [Kind.NOTE]


@pytest.mark.parametrize(
    ("harm", "gone"),
    [
        (lambda data: data[: data.rindex(b"\n", 0, -1) + 1], "record 20 is"),
        (lambda data: data[:1], "5 records, 16 to 20, are"),
        (lambda data: data[:-1] + b"\v", "record 20 is"),
    ],
)
def test_an_end_that_was_cut_off_is_a_gap(log, harm, gone):
    """The segment in use has no sum yet: what was settled was in it. And no other call gets those numbers, so that it
    stays a gap."""
    settled.write(log, Settled(20, 0))
    path = files(log)[-1]
    path.write_bytes(harm(path.read_bytes()))
    found = [(finding.kind, finding.text) for finding in verify([log]).findings if finding.kind is not Kind.NOTE]
    assert found == [(Kind.GAP, f"n1: {gone} not there")]
    write(log, 3, first=100)
    whole = [path for path in files(log) if path.suffix == ".jsonl"]
    seqs = [json.loads(line)["seq"] for path in whole for line in path.read_bytes().splitlines()]
    assert sorted(seqs)[-3:] == [21, 22, 23]
    assert [finding.text for finding in verify([log]).findings] == [f"n1: {gone} not there"]


def test_a_chain_that_was_taken_away_is_told(log):
    """An archive may be without; the log of an edge is not, else its first segments could go unseen."""
    settled.write(log, Settled(20, 0))
    (log / chain.FILE).unlink()
    files(log)[0].unlink()
    assert faults(verify([log])) == [(Kind.CHAIN, chain.FILE)]


def test_what_is_not_settled_yet_is_no_gap(log):
    """A running edge settles behind what it writes; a log that was settled to its end is whole."""
    for seq in (0, 3, 20):
        settled.write(log, Settled(seq, 0))
        assert verify([log]).findings == ()


def test_segments_that_changed_places_are_told(log):
    """Each is not what it was, and its numbers are out of order."""
    first, second, *_ = files(log)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    kinds = {kind for kind, _ in faults(verify([log]))}
    assert kinds == {Kind.GAP, Kind.DUPLICATE, Kind.CHANGED}


def test_an_archive_belongs_to_its_log(log, tmp_path):
    """Closed segments moved elsewhere and compressed: found, compared with the chain they came from."""
    (tmp_path / "archive").mkdir()
    for path in files(log)[:3]:
        with gzip.open(tmp_path / "archive" / f"{path.name}.gz", "wb") as archived:
            archived.write(path.read_bytes())
        path.unlink()
    assert len(faults(verify([log]))) == 3
    assert verify([log, tmp_path / "archive"]) == verify([log, tmp_path / "archive"])._replace(findings=())
    first = tmp_path / "archive" / f"{sorted(p.name for p in (tmp_path / 'archive').iterdir())[0]}"
    data = gzip.decompress(first.read_bytes()).replace(b'"node":"n1"', b'"node":"n2"', 1)
    first.write_bytes(gzip.compress(data))
    assert not verify([log, tmp_path / "archive"]).is_sound


def test_a_segment_that_lies_in_two_places_counts_once(log, tmp_path):
    """A copy is no duplicate."""
    shutil.copytree(log, tmp_path / "copy")
    (tmp_path / "copy" / chain.FILE).unlink()
    report = verify([log, tmp_path / "copy"])
    assert (report.is_sound, report.records) == (True, 20)
    assert all("again: not counted twice" in finding.text for finding in report.findings)


def test_an_export_is_checked_line_by_line(log, tmp_path):
    """Sums and uids; numbers may be missing in it, since it was asked for a part."""
    lines = [line for path in files(log) for line in path.read_bytes().splitlines(keepends=True)]
    export = tmp_path / "june.jsonl"
    export.write_bytes(b"".join(lines[::3]))
    assert verify([export]).is_sound
    export.write_bytes(b"".join([*lines[::3], lines[0], lines[1].replace(b"n1-2", b"n1-9")]))
    assert faults(verify([export])) == [(Kind.DAMAGE, "june.jsonl:9"), (Kind.DUPLICATE, "june.jsonl:8")]


def change(path: Path, number: int, of: Callable[[bytes], bytes]) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = of(lines[number])
    path.write_bytes(b"".join(lines))


def test_a_chain_that_was_meddled_with_is_told(log):
    """A link taken out, a link changed."""
    lines = (log / chain.FILE).read_bytes().splitlines(keepends=True)
    (log / chain.FILE).write_bytes(b"".join([*lines[:3], *lines[4:]]))
    assert (Kind.CHAIN, chain.FILE) in faults(verify([log]))
    (log / chain.FILE).write_bytes(b"".join(lines))
    change(log / chain.FILE, 1, lambda line: line.replace(b'"records":', b'"recordz":'))
    assert (Kind.CHAIN, chain.FILE) in faults(verify([log]))


def test_a_log_of_an_older_edge_is_read(tmp_path):
    """No sums, no chain: noted."""
    (tmp_path / "cdr-20260701-000000000001.jsonl").write_bytes(
        b'{"v":1,"seq":1,"node":"n","uid":"a"}\n{"v":1,"seq":2,"node":"n","uid":"b"}\n'
    )
    report = verify([tmp_path])
    assert (report.is_sound, report.records) == (True, 2)
    assert "2 records without a sum" in report.findings[0].text


def test_the_command_says_so_and_exits(log, tmp_path):
    """0 and one line; 1 with each place; 2 where there is nothing to look at."""
    runner = CliRunner()
    done = runner.invoke(app, ["cdr", "verify", str(log)])
    assert (done.exit_code, done.output) == (0, "whole: 20 records, 1 to 20 in 4 segments of n1\n")
    files(log)[1].unlink()
    done = runner.invoke(app, ["cdr", "verify", str(log)])
    assert done.exit_code == 1
    assert done.output.splitlines()[0].startswith("missing   ")
    assert done.output.splitlines()[-1].startswith("NOT WHOLE: 1 finding: 15 records")
    done = runner.invoke(app, ["cdr", "verify", "--json", str(log)])
    assert (done.exit_code, json.loads(done.output)["is_sound"]) == (1, False)
    done = runner.invoke(app, ["cdr", "verify", str(tmp_path / "nowhere")])
    assert (done.exit_code, "no such file or directory" in done.output) == (2, True)


def test_an_empty_directory_is_whole(tmp_path):
    """Nothing to find fault with, and said so."""
    done = CliRunner().invoke(app, ["cdr", "verify", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, "whole: 0 records in 0 segments of no node\n")
