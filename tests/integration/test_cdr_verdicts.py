"""Which records stand: what is written down of it, what leaves the log, what the commands say; on real files."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cdr import chain, settled
from edge.cdr.builder import CdrBuilder
from edge.cdr.delivery.log_reader import LogReader
from edge.cdr.opening import judge
from edge.cdr.picking import Picked
from edge.cdr.search import Wanted, search
from edge.cdr.settled import Gate, Settled
from edge.cdr.verdicts import Verdicts
from edge.cdr.verify import Kind, verify
from edge.cdr.writer import CdrWriter
from edge.commands import app
from edge.proxy.facts import CallFacts, Fact
from limits import model
from limits.model import Settle, Unavailable
from limits.rates import Price

WALL0 = 1_782_900_000.0
PRICE = Price(0, 600_000, 1, 1, 0)


class Asked:
    """What would go to the store."""

    def __init__(self) -> None:
        self.verbs: list[Settle] = []
        self.flushed = 0

    def submit(self, verb: Settle) -> None:
        self.verbs.append(verb)

    def flush(self) -> None:
        self.flushed = len(self.verbs)


class Log:
    """A log with its verdicts, as the edge keeps them."""

    def __init__(self, directory: Path, node: str = "n1") -> None:
        self.facts: list[Fact] = []
        self.node = node
        self.writer = CdrWriter(directory, wall0=WALL0, mono0=0.0, tell=self.facts.append)
        self.verdicts: Verdicts = judge(self.writer, node=node, tell=self.facts.append)
        self.asked = Asked()
        self.verdicts.join(self.asked)
        self._builder = CdrBuilder(node, wall0=WALL0, mono0=0.0)

    def ends(self, *settles: Settle, uid: str = "") -> list[Settle]:
        """A call ends in a turn of its own: its record, then its settlements as they are signed."""
        facts = CallFacts(uid or settles[0].uid, 0.0)
        facts.account, facts.released_at = "acme", 0.0
        seq = self.writer.take_seq()
        self.writer.append(self._builder.line(facts, seq))
        self.writer.flush(0.0)
        self.verdicts.written(seq, facts.uid, facts.account)
        signed = [self.verdicts.signed(settle) for settle in settles]
        self.verdicts.over()
        return signed

    def close(self) -> None:
        self.writer.close(0.0)

    def seen(self) -> list[int]:
        """Numbers of the records that a sink is given."""
        gate = Gate(self.writer.directory)
        reader = LogReader(self.writer.directory, gate)
        try:
            entries = reader.read(records=100, size=1 << 20).entries
            return [entry.seq for entry in entries if not gate.is_void(entry.seq)]
        finally:
            reader.close()


@pytest.fixture
def log(tmp_path: Path):
    log = Log(tmp_path / "cdr")
    yield log
    log.close()


def settle(uid: str, holder: str = "acme") -> Settle:
    price = None if holder.startswith("trunk:") else PRICE
    return Settle(holder, uid, "answered", 5_000, price)


DONE = model.Settled(already=False, charged_micros=50_000)
OTHERS = model.Settled(already=True, charged_micros=30_000, by="n2/9")


async def test_a_record_leaves_the_log_when_its_settlement_is_answered(log):
    """Not before, and none behind it: records are delivered in order. One that has nothing to settle waits for those
    before it only."""
    first, second = log.ends(settle("a")), log.ends(settle("b"))
    log.ends(uid="refused")
    assert [one.by for one in (*first, *second)] == ["n1/1", "n1/2"]
    await log.verdicts.save()
    assert (log.seen(), log.verdicts.unsettled) == ([], 2)

    log.verdicts.heard(second[0], DONE)
    await log.verdicts.save()
    assert log.seen() == []
    log.verdicts.heard(first[0], DONE)
    await log.verdicts.save()
    assert (log.seen(), log.verdicts.unsettled, log.verdicts.settled_to) == ([1, 2, 3], 0, 3)


async def test_a_settlement_that_waits_holds_its_record(log):
    """The store is away: unavailable is no word on it. The last word is; that there will be none, too."""
    signed = [log.ends(settle(uid))[0] for uid in "abc"]
    for one in signed:
        log.verdicts.heard(one, Unavailable("away"))
    await log.verdicts.save()
    assert log.seen() == []
    log.verdicts.final(signed[0], DONE)
    log.verdicts.final(signed[1], Unavailable("dropped"))
    await log.verdicts.save()
    assert log.seen() == [1, 2]


async def test_a_record_that_lost_is_void_for_good(log):
    """It is told, it is in the chain, no sink is given it; after a restart neither."""
    (lost,) = log.ends(settle("a"))
    (stands,) = log.ends(settle("b"))
    log.verdicts.heard(lost, OTHERS)
    log.verdicts.heard(stands, DONE)
    assert log.seen() == [], "not before it is written down which of them are void"
    await log.verdicts.save()
    assert (log.seen(), log.verdicts.void, log.verdicts.unsettled) == ([2], 1, 0)
    assert [dict(fact.fields) for fact in log.facts if fact.name == "cdr.void"] == [
        {"call_uid": "a", "account": "acme", "seq": 1, "by": "n2/9", "charged_micros": 30_000}
    ]
    (link,) = [link for link in chain.load(log.writer.directory).links if link.kind is chain.Kind.VOID]
    assert (link.first_seq, link.was, link.rule) == (1, "a", "settled by n2/9")
    log.close()
    again = Log(log.writer.directory)
    again.ends(uid="c")
    await again.verdicts.save()
    assert (again.seen(), again.verdicts.void) == ([2, 3], 1)
    again.close()


async def test_what_is_said_twice_is_written_down_once(log):
    """A crash came between the link and the file; the next start hears the same again."""
    (lost,) = log.ends(settle("a"))
    log.verdicts.final(lost, OTHERS)
    log.verdicts.final(lost, OTHERS)
    await log.verdicts.save()
    log.close()
    settled.write(log.writer.directory, Settled(0, 0))
    again = Log(log.writer.directory)
    again.verdicts.written(1, "a", "acme")
    again.verdicts.final(again.verdicts.signed(settle("a")), OTHERS)
    again.verdicts.over()
    await again.verdicts.save()
    links = [link for link in chain.load(log.writer.directory).links if link.kind is chain.Kind.VOID]
    assert (len(links), again.verdicts.void, again.verdicts.settled_to, again.seen()) == (1, 1, 1, [])
    again.close()


async def test_the_group_of_a_void_record_is_charged_for_the_one_that_stands(log):
    """Trunks charge nothing, so there is nothing to make good."""
    signed = log.ends(settle("a"), settle("a", "group:g"), settle("a", "trunk:t"))
    assert {one.by for one in signed} == {"n1/1"}
    log.verdicts.heard(signed[1], OTHERS)
    assert log.asked.verbs == [], "the account judges, nobody else"
    log.verdicts.heard(signed[0], OTHERS)
    assert log.asked.verbs == [Settle("group:g", "a", "answered", 0, PRICE, by="n2/9", charged=30_000)]
    assert log.asked.flushed == 1


async def test_what_belongs_to_no_record_goes_unsigned(log):
    """A lease that is given back, a call of another turn."""
    log.ends(settle("a"))
    assert log.verdicts.signed(settle("a")) == settle("a")
    log.verdicts.heard(settle("a"), OTHERS)
    assert log.verdicts.unsettled == 1


async def test_a_disk_that_refuses_delays_what_is_written_down(log, monkeypatch):
    """And nothing is delivered meanwhile."""
    (lost,) = log.ends(settle("a"))
    log.verdicts.final(lost, OTHERS)

    def refuses(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(chain, "append", refuses)
        await log.verdicts.save()
    assert (log.seen(), log.verdicts.unsettled, log.verdicts.settled_to) == ([], 1, 0)
    await log.verdicts.save()
    assert (log.seen(), log.verdicts.settled_to, log.verdicts.void) == ([], 1, 1)


async def test_it_is_written_down_by_itself_while_no_record_waits_for_the_disk(log):
    """Else more would count as settled than a crash leaves."""
    looks, saved = [], asyncio.Event()

    def backlog() -> int:
        looks.append(log.verdicts.settled_to)
        if len(looks) > 2:
            saved.set()
        return 1 if len(looks) < 3 else 0

    task = asyncio.create_task(log.verdicts.run(backlog))
    log.ends(uid="a")
    async with asyncio.timeout(10):
        await saved.wait()
        while log.verdicts.settled_to != 1:
            await asyncio.to_thread(len, "")
    assert looks == [0, 0, 0]
    task.cancel()


def test_the_number_of_a_settled_record_is_not_given_away_again(tmp_path):
    """The last records are gone, the file that says they were settled is there: no other call counts as settled for it,
    and what a sink may have had under these numbers is not told of another one."""
    log = Log(tmp_path)
    log.ends(uid="a")
    log.close()
    settled.write(tmp_path, Settled(9, 0))
    again = Log(tmp_path)
    assert again.verdicts.settled_to == 9
    assert again.writer.take_seq() == 10
    again.close()


def test_the_number_of_a_void_record_is_not_given_away_again(tmp_path):
    """Even where the record itself is gone."""
    log = Log(tmp_path)
    log.ends(uid="a")
    log.close()
    chain.append(
        tmp_path, [chain.Link(chain.Kind.VOID, "", 5, "2026-07-01T00:00:00Z", was="u", rule="settled by n2/9")]
    )
    again = Log(tmp_path)
    assert again.writer.take_seq() == 6
    again.close()


@pytest.mark.parametrize(("data", "expected"), [(b"rubbish", 0), (b'{"seq":3}', 0), (b'{"seq":3,"void":0}', 3)])
def test_a_file_that_makes_no_sense_settles_nothing(tmp_path, data, expected):
    """What is not known to stand is not delivered."""
    (tmp_path / settled.FILE).write_bytes(data)
    gate = Gate(tmp_path)
    gate.look()
    assert gate.seq == expected


def test_without_the_file_all_of_a_log_stands(tmp_path):
    """It is of an older edge, or an archive; void records are void there too."""
    log = Log(tmp_path)
    for uid in "abc":
        log.ends(uid=uid)
    log.close()
    (tmp_path / settled.FILE).unlink()
    chain.append(
        tmp_path, [chain.Link(chain.Kind.VOID, "", 2, "2026-07-01T00:00:00Z", was="b", rule="settled by n2/9")]
    )
    assert log.seen() == [1, 3]


async def test_two_logs_with_a_void_record_are_whole(tmp_path):
    """One uid twice, and no duplicate: the chain says which one stands. Without that word it is one."""
    here, there = Log(tmp_path / "one"), Log(tmp_path / "two", "n2")
    (lost,) = here.ends(settle("a"))
    there.ends(uid="a")
    here.writer.sync(), there.writer.sync()  # the chain is begun
    here.verdicts.final(lost, OTHERS)
    report = verify([tmp_path / "one", tmp_path / "two"])
    assert [finding.kind for finding in report.findings] == [Kind.DUPLICATE]
    await here.verdicts.save()
    await there.verdicts.save()
    report = verify([tmp_path / "one", tmp_path / "two"])
    assert (report.findings, report.records, report.void) == ((), 2, 1)
    done = CliRunner().invoke(app, ["cdr", "verify", str(tmp_path / "one"), str(tmp_path / "two")])
    assert (done.exit_code, ", 1 of them void" in done.output) == (0, True)
    here.close(), there.close()


async def test_another_record_under_that_number_is_not_void(tmp_path):
    """A link names the call too."""
    log = Log(tmp_path)
    log.ends(uid="a"), log.ends(uid="a")
    chain.append(
        tmp_path, [chain.Link(chain.Kind.VOID, "", 1, "2026-07-01T00:00:00Z", was="b", rule="settled by n2/9")]
    )
    report = verify([tmp_path])
    assert ([finding.kind for finding in report.findings], report.void) == ([Kind.DUPLICATE], 0)
    log.close()


async def test_export_tail_and_search_leave_void_records_out(tmp_path):
    """Export also what may still become void."""
    (tmp_path / "policy.toml").write_text("")
    log = Log(tmp_path / "cdr")
    (lost,) = log.ends(settle("a"))
    log.ends(uid="b")
    log.ends(settle("c"))
    log.verdicts.final(lost, OTHERS)
    await log.verdicts.save()
    for words, expected in ((["export", "--format", "jsonl"], ["b"]), (["tail"], ["b", "c"])):
        done = CliRunner().invoke(app, ["cdr", *words, "--state", str(tmp_path)])
        assert [json.loads(line)["uid"] for line in done.output.splitlines()] == expected, done.output
    found = search(log.writer.directory, Wanted(Picked()), limit=10)
    assert [entry.uid for entry in found.entries] == ["c", "b"]
    log.close()
