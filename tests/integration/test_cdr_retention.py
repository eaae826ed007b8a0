"""Purge and pseudonyms on real files, and what proves them."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cdr import chain, keeping, retention, segments
from edge.cdr.builder import CdrBuilder
from edge.cdr.chain import Kind
from edge.cdr.delivery import checkpoint, quarantine
from edge.cdr.retention import Rule, keep
from edge.cdr.seal import sealed
from edge.cdr.verify import verify
from edge.cdr.writer import CdrWriter
from edge.commands import app
from edge.config.static import StaticConfig
from edge.proxy.facts import CallFacts, Fact

WALL0 = 1_782_900_000.0
"""2026-07-01, about noon."""
KEY = b"k" * 32
DAY = 86_400.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Four days of two records each; the last segment is in use."""
    writer = CdrWriter(tmp_path, wall0=WALL0, mono0=0.0, tell=lambda fact: None)
    builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
    for day in range(4):
        for _ in range(2):
            seq = writer.take_seq()
            facts = CallFacts(f"u{seq}", day * DAY)
            facts.called, facts.called_original = f"+3317000000{seq}", f"017000000{seq}"
            writer.append(builder.line(facts, seq))
            writer.flush(day * DAY)
            writer.sync()
    writer.close(3 * DAY)
    return tmp_path


def seqs(directory: Path) -> list[int]:
    return [
        json.loads(line)["seq"] for _, path in segments.listed(directory) for line in path.read_bytes().splitlines()
    ]


def test_old_segments_go_and_leave_a_tombstone(log):
    """What they held, by which rule, when; the log is whole all the same, and says how much was purged."""
    done = keep(log, Rule(keep_days=2), day=date(2026, 7, 4))
    assert [(link.first_seq, link.last_seq, link.records) for link in done.purged] == [(1, 2, 2), (3, 4, 2)]
    assert seqs(log) == [5, 6, 7, 8]
    stones = [link for link in chain.load(log).links if link.kind is Kind.PURGE]
    assert [(stone.rule, len(stone.sha256), stone.at != "") for stone in stones] == [
        ("older than 2 days", 64, True)
    ] * 2
    report = verify([log])
    assert (report.findings, report.purged, report.records) == ((), 4, 4)
    assert keep(log, Rule(keep_days=2), day=date(2026, 7, 4)) == ([], [], [], [], [])


@pytest.mark.parametrize(("day", "left"), [(date(2027, 6, 30), 8), (date(2027, 7, 1), 6)])
def test_contract_6_7_records_are_kept_twelve_months_at_most(log, day, left):
    """Where nothing else is said: 365 days, and not one more; what was purged is proved, what is left is whole."""
    assert Rule().keep_days == StaticConfig.model_fields["cdr_keep_days"].default == 365
    done = keep(log, Rule(), day=day)
    report = verify([log])
    assert (len(seqs(log)), len(done.purged), report.findings) == (left, (8 - left) // 2, ())


def test_a_segment_that_went_without_a_tombstone_is_missing(log):
    """A purge is provable, a deletion is not a purge."""
    keep(log, Rule(keep_days=3), day=date(2026, 7, 4))
    segments.listed(log)[0].path.unlink()
    assert [finding.kind.value for finding in verify([log]).findings] == ["missing"]


def test_the_segment_in_use_is_never_purged(log):
    """Whatever its age: the numbers go on from it."""
    keep(log, Rule(keep_days=1), day=date(2036, 1, 1))
    assert seqs(log) == [7, 8]


def test_contract_6_7_nor_does_a_segment_outlive_its_time_where_no_call_comes(tmp_path):
    """Nothing is written any more: when its time is over it is closed, purged when it is due, and the log goes on with
    the next number, before a restart and after it."""
    writer = CdrWriter(tmp_path, wall0=WALL0, mono0=0.0, tell=lambda fact: None)
    builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)

    def write(now: float) -> None:
        seq = writer.take_seq()
        writer.append(builder.line(CallFacts(f"u{seq}", now), seq))
        writer.flush(now)
        writer.sync()

    write(0.0)
    write(1.0)
    writer.flush(3_599.0)
    writer.sync()
    assert chain.load(tmp_path).standings().popitem()[1].closed is None  # its time is not over
    for now in (DAY, 2 * DAY):
        writer.flush(now)
        writer.sync()
    (closed,) = [link for link in chain.load(tmp_path).links if link.kind is Kind.CLOSE]
    assert (closed.first_seq, closed.last_seq, closed.records) == (1, 2, 2)
    assert len(keep(tmp_path, Rule(keep_days=365), day=date(2027, 7, 1)).purged) == 1
    assert seqs(tmp_path) == []
    write(366 * DAY)
    assert seqs(tmp_path) == [3]
    writer.close(366 * DAY)
    writer = CdrWriter(tmp_path, wall0=WALL0, mono0=0.0, tell=lambda fact: None)
    write(367 * DAY)
    writer.close(367 * DAY)
    assert seqs(tmp_path) == [3, 4]
    assert (verify([tmp_path]).findings, verify([tmp_path]).purged) == ((), 2)


@pytest.mark.parametrize(("needed_from", "left"), [(None, [7, 8]), (1, list(range(1, 9))), (3, list(range(3, 9)))])
def test_what_a_sink_has_not_had_is_held(log, needed_from, left):
    """Told, not purged."""
    done = keep(log, Rule(keep_days=1), day=date(2026, 8, 1), needed_from=needed_from)
    assert seqs(log) == left
    assert len(done.held) == (len(left) - 2) // 2


def test_a_rehearsal_changes_nothing(log):
    """What would be done is told."""
    before = {path.name: path.read_bytes() for path in log.iterdir()}
    done = keep(log, Rule(keep_days=3, pseudonymise_days=1), day=date(2026, 7, 4), key=KEY, dry_run=True)
    assert (len(done.purged), len(done.rewritten)) == (1, 2)
    assert before == {path.name: path.read_bytes() for path in log.iterdir()}


def test_called_numbers_go_and_the_log_stays_whole(log):
    """The chain has the digest before and after; the segment in use keeps its numbers."""
    torn = log / (segments.listed(log)[0].path.name + ".torn")
    torn.write_bytes(b'{"called":"+33170000001"')
    done = keep(log, Rule(keep_days=0, pseudonymise_days=1), day=date(2026, 7, 5), key=KEY)
    assert [link.was != link.sha256 for link in done.rewritten] == [True] * 3
    text = b"".join(path.read_bytes() for _, path in segments.listed(log))
    assert [f"7000000{number}".encode() in text for number in range(1, 9)] == [False] * 6 + [True] * 2
    assert not torn.exists()
    assert verify([log]).findings == ()
    assert keep(log, Rule(keep_days=0, pseudonymise_days=1), day=date(2026, 7, 5), key=KEY) == ([], [], [], [], [])


def test_a_changed_segment_is_left_for_verify(log):
    """Evidence is not rewritten."""
    path = segments.listed(log)[0].path
    path.write_bytes(path.read_bytes().replace(b'"u1"', b'"u9"'))
    done = keep(log, Rule(keep_days=0, pseudonymise_days=1), day=date(2026, 7, 5), key=KEY)
    assert done.changed == [path.name]
    assert b"70000001" in path.read_bytes()


def test_a_torn_end_goes_with_the_numbers_in_it(log):
    """Also beside a segment that holds no record, and is never closed."""
    lone = log / "cdr-20260630-000000000001.jsonl.torn"
    lone.write_bytes(b'{"called":"+33170000001"')
    young = log / "cdr-20260704-000000000007.jsonl.torn"
    young.write_bytes(b'{"called":"+33170000001"')
    keep(log, Rule(keep_days=0, pseudonymise_days=2), day=date(2026, 7, 5), key=KEY)
    assert (lone.exists(), young.exists()) == (False, True)
    keep(log, Rule(keep_days=0, pseudonymise_days=0), day=date(2027, 7, 5), key=KEY)
    assert young.exists()


def test_a_new_file_that_was_spoilt_is_made_again(log, monkeypatch):
    """The link says that numbers are gone: so they are, whatever became of the file that was to take the place."""
    rule = Rule(keep_days=0, pseudonymise_days=1)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(Died))
        with pytest.raises(Died):
            keep(log, rule, day=date(2026, 7, 5), key=KEY)
    (beside,) = log.glob("*.rewritten")
    beside.write_bytes(beside.read_bytes()[:-10])
    keep(log, rule, day=date(2026, 7, 5), key=KEY)
    assert b"70000001" not in segments.listed(log)[0].path.read_bytes()
    assert verify([log]).findings == ()
    assert list(log.glob("*.rewritten")) == []


def test_two_who_keep_at_once_take_turns(log):
    """The edge every hour, an operator by hand: the second finds it done, and nothing has changed under its hands."""
    rule = Rule(keep_days=0, pseudonymise_days=1)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(keep, log, rule, day=date(2026, 7, 5), key=KEY) for _ in range(4)]
        done = [run.result(30) for run in runs]
    assert sorted(len(one.rewritten) for one in done) == [0, 0, 0, 3]
    assert [one.changed for one in done] == [[]] * 4
    assert verify([log]).findings == ()


class Died(Exception):
    """The process died here."""


@pytest.mark.parametrize("step", ["append", "unlink", "replace"])
@pytest.mark.parametrize("is_after", [False, True])
def test_a_crash_between_two_steps_is_made_good(log, monkeypatch, step, is_after):
    """Killed before or after any step on the disk: the next run finishes, and the log is whole then."""

    def dying(real):
        def step_then_die(*args, **options):
            if is_after:
                real(*args, **options)
            raise Died

        return step_then_die

    where = {"append": (chain, "append"), "unlink": (Path, "unlink"), "replace": (Path, "replace")}[step]
    rule = Rule(keep_days=4, pseudonymise_days=1)
    with monkeypatch.context() as patched:
        patched.setattr(*where, dying(getattr(*where)))
        with pytest.raises(Died):
            keep(log, rule, day=date(2026, 7, 5), key=KEY)
    assert all(finding.kind.value == "note" for finding in verify([log]).findings)
    keep(log, rule, day=date(2026, 7, 5), key=KEY)
    assert verify([log]).findings == ()
    assert seqs(log) == [3, 4, 5, 6, 7, 8]
    text = b"".join(path.read_bytes() for _, path in segments.listed(log))
    assert b"70000003" not in text
    assert [name for name in os.listdir(log) if name.endswith(retention.REWRITTEN)] == []


def test_the_writer_goes_on_beside_it(log):
    """Numbers go on after everything closed was purged."""
    keep(log, Rule(keep_days=1), day=date(2036, 1, 1))
    writer = CdrWriter(log, wall0=WALL0 + 3 * DAY, mono0=0.0, tell=lambda fact: None)
    assert writer.take_seq() == 9
    writer.close(0.0)


@pytest.fixture
def state(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with that log; all of it is old."""
    directory = tmp_path_factory.mktemp("state")
    log.rename(directory / "cdr")
    for _, path in segments.listed(directory / "cdr"):
        path.rename(path.with_name(path.name.replace("202607", "201907")))
    chained = (directory / "cdr" / chain.FILE).read_text().replace("cdr-202607", "cdr-201907")
    links = [json.loads(line) for line in chained.splitlines()]
    (directory / "cdr" / chain.FILE).unlink()
    for link in links:
        fields = {name: value for name, value in link.items() if name not in ("v", "kind", "previous", "crc")}
        chain.append(directory / "cdr", [chain.Link(kind=Kind(link["kind"]), **fields)])
    assert verify([directory / "cdr"]).findings == ()
    return directory


def purge(state: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["cdr", "purge", "--state", str(state), *options])
    return done.exit_code, done.output


def test_the_command_rehearses_and_purges(state):
    """By the edge's own rule, unless another is given."""
    code, text = purge(state, "--dry-run")
    assert (code, text.count("would be purged"), seqs(state / "cdr")) == (0, 3, list(range(1, 9)))
    code, text = purge(state, "--keep-days", "0")
    assert (code, text) == (0, "nothing to do: records are kept for ever\n")
    code, text = purge(state, "--json")
    assert (code, [link["first_seq"] for link in json.loads(text)["purged"]]) == (0, [1, 3, 5])
    assert seqs(state / "cdr") == [7, 8]
    assert purge(state)[1] == "nothing to do: everything is younger than 365 days\n"


def test_the_command_holds_what_a_sink_needs(state):
    """Until it is told otherwise."""
    checkpoint.replace_file(home(state, "books"), b"not a checkpoint")
    code, text = purge(state)
    assert (code, text.count("a sink has not had it yet")) == (0, 3)
    code, text = purge(state, "--even-undelivered")
    assert (code, seqs(state / "cdr")) == (0, [7, 8])


def home(state: Path, name: str) -> Path:
    directory = state / "delivery" / name
    directory.mkdir(parents=True)
    return directory / checkpoint.CHECKPOINT


def test_the_command_makes_pseudonyms_with_a_key_of_its_own(state):
    """Made when it is first needed, for its owner alone."""
    assert purge(state, "--keep-days", "0", "--pseudonymise-days", "30")[1].count("are pseudonyms") == 3
    key = state / keeping.KEY_FILE
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)
    assert verify([state / "cdr"]).findings == ()


def test_a_place_that_is_no_state_directory_is_told(tmp_path):
    """In a sentence."""
    code, text = purge(tmp_path / "nowhere")
    assert code == 1
    assert "expected the state directory of an edge" in text


async def test_a_running_edge_keeps_the_rule(state):
    """At its start and every hour; and tells what it did."""
    told: list[Fact] = []
    done = asyncio.Event()

    def tell(fact: Fact) -> None:
        told.append(fact)
        done.set()

    task = asyncio.create_task(keeping.run(state, Rule(keep_days=365), tell))
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    assert told == [Fact("cdr.purged", {"segments": 3, "records": 6, "last_seq": 6})]
    assert seqs(state / "cdr") == [7, 8]


async def test_a_rule_that_cannot_be_kept_is_told(tmp_path):
    """The log is not readable: said so, and the edge runs on."""
    (tmp_path / "cdr").mkdir()
    (tmp_path / "cdr" / chain.FILE).mkdir()
    told: list[Fact] = []
    done = asyncio.Event()
    task = asyncio.create_task(keeping.run(tmp_path, Rule(), lambda fact: (told.append(fact), done.set())[0]))
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    assert [fact.name for fact in told] == ["cdr.keeping_failed"]


def aside(state: Path, sink: str, *called: tuple[str, str]) -> Path:
    """What this sink has refused: calls of (day, number), on 1 September 2026."""
    home = state / "delivery" / sink
    home.mkdir(parents=True, exist_ok=True)
    for seq, (day, number) in enumerate(called, 1):
        at = datetime.fromisoformat(day + "T12:00Z").timestamp()
        facts = CallFacts(f"u{seq}", 0.0)
        facts.called = number
        line = sealed(CdrBuilder("n1", wall0=at, mono0=0.0).line(facts, seq))
        wall = datetime(2026, 9, 1, 12, tzinfo=UTC).timestamp()
        quarantine.put_aside(home, seq=seq, uid=f"u{seq}", reason="HTTP 422", line=line, wall=wall)
    quarantine.put_aside(home, seq=9, uid="", reason="no record", line=b"half of it\n", wall=wall)
    return home / "quarantine-20260901.jsonl"


def test_contract_6_7_what_a_sink_refused_is_kept_no_longer(tmp_path):
    """By the day of each call, not of its refusal; numbers go before, once; a file of today may still be written to."""
    rule = Rule(keep_days=365, pseudonymise_days=90)
    path = aside(tmp_path, "billing", ("2026-03-01", "+33170000001"), ("2026-09-01", "+33170000002"))
    before = path.read_bytes()
    assert quarantine.keep(path.parent, rule, day=date(2026, 9, 2), key=KEY) == []
    assert quarantine.keep(path.parent, rule, day=date(2026, 9, 3), key=KEY, dry_run=True) == [f"billing/{path.name}"]
    assert path.read_bytes() == before
    quarantine.keep(path.parent, rule, day=date(2026, 9, 3), key=KEY)
    first, second, third = [json.loads(line) for line in path.read_bytes().splitlines()]
    called = json.loads(first["record"])["called"]
    assert (called[0], "70000001" in first["record"], "70000002" in second["record"]) == ("~", False, True)
    assert quarantine.keep(path.parent, rule, day=date(2026, 9, 3), key=KEY) == []
    assert third["record"] == "half of it"
    quarantine.keep(path.parent, rule, day=date(2027, 3, 1), key=KEY)
    assert [json.loads(line)["seq"] for line in path.read_bytes().splitlines()] == [2, 9]
    assert json.loads(json.loads(path.read_bytes().splitlines()[0])["record"])["called"][0] == "~"
    quarantine.keep(path.parent, rule, day=date(2027, 9, 1), key=KEY)
    assert list(path.parent.iterdir()) == []


def test_the_command_keeps_what_sinks_refused(state):
    """With the log, by the same rule."""
    path = aside(state, "billing", ("2019-07-01", "+33170000001"), ("2019-07-02", "+33170000002"))
    path = path.rename(path.with_name("quarantine-20190702.jsonl"))
    code, text = purge(state, "--dry-run")
    assert "would be changed     delivery/billing/quarantine-20190702.jsonl" in text
    code, text = purge(state, "--even-undelivered", "--json")
    assert (code, json.loads(text)["aside"], path.exists()) == (0, ["billing/quarantine-20190702.jsonl"], False)
