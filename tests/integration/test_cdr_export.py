"""`edge cdr export` and `edge cdr tail` over real logs."""

import csv
import gzip
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from edge.cdr import chain, tailing
from edge.cdr.builder import CdrBuilder
from edge.cdr.picking import Picked
from edge.cdr.record import COLUMNS
from edge.cdr.writer import CdrWriter
from edge.commands import app
from edge.proxy.facts import CallFacts
from limits.rates import Price

WALL0 = 1_782_900_000.0
HOUR = 3_600.0


class State:
    """A state directory with a log: every hour a call of acme and a refusal of robo."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
        self.writer = CdrWriter(directory / "cdr", wall0=WALL0, mono0=0.0, tell=lambda fact: None)

    def write(self, hour: int) -> None:
        call, refusal = CallFacts(f"call-{hour}", hour * HOUR), CallFacts(f"refusal-{hour}", hour * HOUR + 1)
        call.account, call.tags, call.price, call.paid_s = "acme", ("gold", "fibre"), Price(0, 600_000, 1, 1, 0), 60
        call.sent("carrier-a", hour * HOUR + 0.1)
        call.note("carrier-a", 200, hour * HOUR + 2)
        call.answered_at, call.released_at = hour * HOUR + 2, hour * HOUR + 32
        call.end(200, "answered", 16, "ingress")
        call.called = call.called_original = "+33170000001"
        call.headers = [("privacy", "id"), ("diversion", '<sip:"é"@x>')]
        refusal.account, refusal.released_at, refusal.limit = "robo", hour * HOUR + 1, "caps"
        refusal.end(503, "caps", 42, "edge")
        refusal.cli_original = '=cmd|"x"\x1b[2J\u202e'
        for facts in (refusal, call):
            self.writer.append(self.builder.line(facts, self.writer.take_seq()))
        self.writer.flush(hour * HOUR)

    def run(self, *words: str) -> tuple[int, bytes]:
        command, *rest = words
        done = CliRunner().invoke(app, ["cdr", command, "--state", str(self.directory), *rest])
        return done.exit_code, done.stdout_bytes if done.exit_code == 0 else done.output.encode()


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path)
    for hour in range(4):
        state.write(hour)
    yield state
    state.writer.close(4 * HOUR)


def lines(state: State) -> list[bytes]:
    return [
        line for path in sorted((state.directory / "cdr").glob("cdr-*")) for line in path.read_bytes().splitlines(True)
    ]


def test_json_lines_are_the_bytes_of_the_log(state):
    """With their sums, so that an export can be verified."""
    code, out = state.run("export", "--format", "jsonl")
    assert (code, out) == (0, b"".join(lines(state)))


def test_csv_has_every_column_in_its_order(state):
    """RFC 4180 with a header; the sum is no column."""
    code, out = state.run("export")
    rows = list(csv.reader(io.StringIO(out.decode(), newline="")))
    assert (code, rows[0], len(rows)) == (0, [column.name for column in COLUMNS], 9)
    call = dict(zip(rows[0], rows[2], strict=True))
    assert (call["uid"], call["account"], call["tags"]) == ("call-0", "acme", '["gold","fibre"]')
    assert (call["emergency"], call["ringing_at"], call["cost_micros"]) == ("false", "", "300000")


def test_parquet_has_types(state, tmp_path):
    """Instants, integers, lists; read back by another reader than wrote it into the log."""
    target = tmp_path / "out.parquet"
    code, out = state.run("export", "--format", "parquet", "-o", str(target))
    assert (code, out.decode()) == (0, f"{target}: 8 records\n")
    table = pyarrow.parquet.read_table(target)
    assert table.column_names == [column.name for column in COLUMNS]
    call = table.to_pylist()[1]
    assert call["answered_at"] == datetime.fromtimestamp(WALL0 + 2, UTC).replace(microsecond=1)
    assert (call["cost_micros"], call["tags"], call["ringing_at"]) == (300_000, ["gold", "fibre"], None)
    assert call["candidates"] == [{"trunk": "carrier-a", "status": 200}]
    assert call["headers"] == [{"name": "privacy", "value": "id"}, {"name": "diversion", "value": '<sip:"é"@x>'}]
    assert (call["candidate_causes"], call["shadowed"]) == ([0], [])
    assert call["tries"][0]["sent_at"] == datetime.fromtimestamp(WALL0 + 0.1, UTC)
    assert {str(table.schema.field(name).type) for name in ("received_at", "seq", "withheld")} == {
        "timestamp[us, tz=UTC]",
        "int64",
        "bool",
    }


@pytest.mark.parametrize("wrong", [b'"tags":[[1]]', b'"received_at":"noon"', b'"headers":[["a"]]'])
def test_parquet_of_a_value_of_another_type_is_told(tmp_path, wrong):
    """Records that are not ours: a sentence that says where, and no half a file."""
    log = tmp_path / "cdr-20260701-000000000007.jsonl"
    log.write_bytes(b'{"v":1,"seq":7,"node":"n","uid":"u",%b}\n' % wrong)
    done = CliRunner().invoke(
        app, ["cdr", "export", str(log), "--format", "parquet", "-o", str(tmp_path / "out.parquet")]
    )
    assert done.exit_code == 1
    assert done.output.startswith("edge: Parquet: records 7 to 7 have a value of another type: ")
    assert list(tmp_path.glob("out.parquet*")) == []


def test_parquet_without_its_library_is_told(state, tmp_path, monkeypatch):
    """In a sentence that says how to get it; nothing is left behind."""
    monkeypatch.setattr("edge.cdr.export.find_spec", lambda name: None)
    code, out = state.run("export", "--format", "parquet", "-o", str(tmp_path / "x.parquet"))
    assert (code, out.decode()) == (1, "edge: Parquet needs pyarrow: pip install 'trunkgate[parquet]'\n")
    assert list(tmp_path.glob("x.parquet*")) == []


@pytest.mark.parametrize(
    ("options", "uids"),
    [
        (("--account", "acme"), ["call-0", "call-1", "call-2", "call-3"]),
        (("--reason", "caps", "--since", "2026-07-01T12:00Z"), ["refusal-2", "refusal-3"]),
        (("--outcome", "answered", "--until", "2026-07-01T11:30Z"), ["call-0", "call-1"]),
        (("--since", "2026-07-02"), []),
        (("--since", "2026-07-01", "--until", "2026-07-02", "--account", "robo", "--account", "acme"), None),
    ],
)
def test_a_part_can_be_picked(state, options, uids):
    """By instant, account, outcome, reason."""
    code, out = state.run("export", "--format", "jsonl", *options)
    found = [json.loads(line)["uid"] for line in out.splitlines()]
    assert code == 0
    assert found == uids if uids is not None else len(found) == 8


def test_a_call_that_was_closed_late_is_of_the_month_it_ended_in(state):
    """A node was down for three weeks: the record is in the segment of its return, the call ended before."""
    state.writer.close(4 * HOUR)
    back = WALL0 + 21 * 24 * HOUR
    writer = CdrWriter(state.directory / "cdr", wall0=back, mono0=0.0, tell=lambda fact: None)
    lost = CallFacts("lost", 2.0)
    lost.released_at = 3.0
    writer.append(state.builder.line(lost, writer.take_seq()))
    writer.close(0.0)
    code, out = state.run("export", "--format", "jsonl", "--since", "2026-07-01", "--until", "2026-07-02")
    assert (code, [json.loads(line)["uid"] for line in out.splitlines()][-1]) == (0, "lost")
    code, out = state.run("export", "--format", "jsonl", "--since", "2026-07-02")
    assert (code, out) == (0, b"")


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        ("2026-07-01T10:00:32.000001Z", "2026-07-01T11:00:32.000001Z", 2),
        ("2026-07-01T10:00:32.000002Z", "2026-07-01T11:00:32.000002Z", 2),
        ("2026-07-01T12:00:32.000001+02:00", "2026-07-01T10:00:32.000001Z", 0),
        ("2026-07-01T12:00:32.000001+02:00", "2026-07-01T12:00:32.000002+0200", 1),
    ],
)
def test_since_is_in_it_and_until_is_not(state, since, until, count):
    """So that one month after the other has each record once; the microsecond decides, in any zone."""
    code, out = state.run("export", "--format", "jsonl", "--since", since, "--until", until)
    assert (code, len(out.splitlines())) == (0, count)


def test_archives_can_be_read(state, tmp_path):
    """Directories and files by name, compressed ones too."""
    path, *others = sorted((state.directory / "cdr").glob("cdr-*"))
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert state.run("export", "--format", "jsonl", str(archive)) == (0, path.read_bytes())
    assert state.run("export", "--format", "jsonl", *map(str, [archive, *others])) == (0, b"".join(lines(state)))


def test_a_copy_is_no_second_record(state, tmp_path):
    """A segment beside its archive, or in two directories; a copy that is shorter hides nothing."""
    whole = b"".join(lines(state))
    *_, path = sorted((state.directory / "cdr").glob("cdr-*"))
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert state.run("export", "--format", "jsonl") == (0, whole)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / path.name).write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    code, out = state.run("export", "--format", "jsonl", str(copy), str(state.directory / "cdr"))
    assert (code, sorted(out.splitlines(keepends=True))) == (0, sorted(whole.splitlines(keepends=True)))


@pytest.mark.parametrize(("stands", "is_left"), [("n2/1", False), ("n1/1", True)])
def test_an_archive_without_its_chain_tells_no_void_record(state, tmp_path, stands, is_left):
    """The chain of the log is asked, where that is given too; what it says is of one node's record."""
    log = state.directory / "cdr"
    path, *_ = sorted(log.glob("cdr-*"))
    archive = tmp_path / "archive"
    archive.mkdir()
    first = path.read_bytes().splitlines(keepends=True)[0]
    path.rename(archive / path.name)
    link = chain.Link(chain.Kind.VOID, "", 1, "2026-07-01T12:00:00Z", was="refusal-0", rule=f"settled by {stands}")
    chain.append(log, [link])
    code, out = state.run("export", "--format", "jsonl", str(archive), str(log))
    assert (code, first in out, len(out.splitlines())) == (0, is_left, 7 + is_left)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("export", "--format", "xml"), 2, "--format xml: expected csv, jsonl or parquet"),
        (("export", "--since", "soon"), 2, "--since 'soon': expected a time ago"),
        (("export", "--outcome", "lost"), 2, "--outcome lost: expected answered, "),
        (("export", "--format", "parquet"), 2, "--format parquet: expected --output FILE"),
        (("export", "/nowhere"), 2, "DIR: /nowhere: no such file or directory"),
        (("export", "-o", "/nowhere/x"), 1, "No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_told(state, words, code, text):
    """What was expected."""
    found, out = state.run(*words)
    assert found == code
    assert text in out.decode()


def test_tail_shows_the_newest_as_json_where_nobody_looks(state):
    """In a pipe: lines of the log."""
    code, out = state.run("tail", "-n", "3")
    assert (code, out) == (0, b"".join(lines(state)[-3:]))
    code, out = state.run("tail", "-n", "2", "--account", "robo")
    assert [json.loads(line)["uid"] for line in out.splitlines()] == ["refusal-2", "refusal-3"]


def test_a_row_for_a_terminal_does_nothing_there(state):
    """Aligned under its head; what a caller wrote cannot move the cursor or turn the text around."""
    refusal, call = [entry.record for entry in tailing.last(state.directory / "cdr", Picked(), 2)]
    assert tailing.row(call) == (
        "2026-07-01 13:00:32  answered      200  answered          acme                          +33170000001      0:30"
        "    0.3000  carrier-a"
    )
    assert tailing.row(refusal).isprintable()
    assert tailing.head().index("CALLED") == tailing.row(call).index("+33170000001")


def test_following_yields_what_comes(state):
    """Over a rotation; waiting is asked for only when there is nothing."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        state.write(3 + len(waits))

    log = state.directory / "cdr"
    following = tailing.following(log, Picked(accounts=frozenset({"acme"})), tailing.last_seq(log), wait=wait)
    assert [next(following).uid for _ in range(3)] == ["call-4", "call-5", "call-6"]
    assert len(waits) == 3
    following.close()


def test_follow_in_a_pipe(state):
    """A process of its own: what is there, then what comes, at once."""
    command = [sys.executable, "-m", "edge", "cdr", "tail", "-f", "-n", "1", "--state", str(state.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["uid"] == "call-3"
        state.write(9)
        assert [json.loads(process.stdout.readline())["uid"] for _ in range(2)] == ["refusal-9", "call-9"]
        process.terminate()
