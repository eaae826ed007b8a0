"""`edge quality`, `edge penalties …`, `edge billing`, `edge account idle` against a real store"""

import asyncio
import csv
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge" / "quality"))

from records import record

from edge.commands import app
from edge.config.quality import Billing
from edge.proxy.facts import Fact
from edge.quality.closing import HourCloser
from edge.quality.hours import HOUR_S, hour_of, months_before
from edge.quality.sampling import read_record
from edge.quality.tally import Tally
from edge.quality.terms import DOCUMENT, Terms
from limits.embedded import EmbeddedStore
from limits.keys import account_keys
from limits.ledger import Ledger
from limits.tallies import TallyStore

TERMS = Terms()


class Desk:
    """One store, one command at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url, decode_responses=True)
        seconds, _ = self.client.time()
        self.now_s = int(seconds)
        self.hour = hour_of(self.now_s, TERMS.zone)

    def ask(self, *words: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr)."""
        done = CliRunner().invoke(app, [*words, "--redis", self.url], env={"EDGE_REDIS": "", "COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    def say(self, *words: str) -> str:
        """What a command that succeeds prints."""
        code, out, err = self.ask(*words)
        assert (code, err) == (0, "")
        return out

    def count(self, *records: dict) -> None:
        """As the edge counts its log."""

        async def add() -> None:
            async with TallyStore(self.url) as tallies:
                tally = Tally(tallies, "n1")
                await tally.start(0)
                await tally.add([read_record(one) for one in records], now_s=self.now_s)

        asyncio.run(add())

    def close(self, account: str, hour: int) -> list[Fact]:
        """As the edge closes an hour."""
        facts: list[Fact] = []

        async def close() -> None:
            async with TallyStore(self.url) as tallies, Ledger(self.url) as ledger:
                await HourCloser(tallies, ledger, facts.append).close(account, hour, TERMS, self.now_s)

        asyncio.run(close())
        return facts


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A server for this file alone."""
    with (
        tempfile.TemporaryDirectory(prefix="quality-", ignore_cleanup_errors=True) as folder,
        asyncio.Runner() as runner,
    ):
        embedded = EmbeddedStore(Path(folder) / "store")
        runner.run(embedded.__aenter__())
        try:
            yield embedded.url
        finally:
            runner.run(embedded.__aexit__(None, None, None))


@pytest.fixture
def desk(store: str) -> Desk:
    """Accounts acme and acme2, nothing else."""
    found = Desk(store)
    found.client.flushall()
    found.say("account", "create", "acme", "caps_base=5")
    found.say("account", "create", "acme2")
    return found


def burst(desk: Desk, *, number: int = 30, at_s: int | None = None, first: int = 1, talk_s: float = 2) -> list[dict]:
    """Answered calls of two seconds."""
    end = desk.hour if at_s is None else at_s
    return [record(seq, released=end, talk_s=talk_s, cost=10_000) for seq in range(first, first + number)]


# -- quality -------------------------------------------------------------------------------------------------------


def test_quality_shows_hours_breach_and_calls(desk):
    """30 answered calls of 2 s: ACD 2 s, all short."""
    desk.count(*burst(desk))
    lines = desk.say("quality", "acme").splitlines()
    assert lines[0] == "acme: clock hours of Europe/Paris, by the instant calls were released"
    row = lines[2].split()
    assert row[3:9] == ["*", "30", "30", "100.00", "%", "100.00"]
    assert row[-1] == "acd,short_calls"
    assert any(line.endswith("acd 2.0 s of 30, expected above 15 s") for line in lines)
    assert any("short_calls 100.00 % of 30" in line and line.endswith("expected under 10 %") for line in lines)
    assert f"    short, the first 10 of 30: {' '.join(f'n1-{seq:06}' for seq in range(1, 11))}" in lines
    assert "rolling hour to" in lines[-1]


def test_quality_for_a_machine(desk):
    """Counts as they are; money in micro-units."""
    desk.count(*burst(desk))
    found = json.loads(desk.say("quality", "acme", "--json"))
    (hour,) = found["hours"]
    assert (hour["from_s"], hour["is_closed"], hour["late"]) == (desk.hour, False, 0)
    assert (hour["counts"]["answered"], hour["counts"]["cost_micros"]) == (30, 300_000)
    assert hour["figures"]["acd_ms"] == 2_000
    assert [breach["rule"] for breach in hour["breaches"]] == ["acd", "short_calls"]


def test_quality_by_trunk(desk):
    """What one trunk carried of an account, and a trunk over all accounts."""
    desk.count(record(1, released=desk.hour, trunk="a"), record(2, released=desk.hour, trunk="b", account="acme2"))
    for words in (("acme", "--trunk", "a"), ("trunk:b",)):
        found = json.loads(desk.say("quality", *words, "--json"))
        assert [hour["counts"]["attempts"] for hour in found["hours"]] == [1]
    assert json.loads(desk.say("quality", "acme", "--trunk", "b", "--json"))["hours"] == []


def test_quality_of_nobody_is_refused(desk):
    """A mistyped name is told; an account without calls is no error."""
    assert desk.ask("quality", "nobody") == (1, "", "edge: no account 'nobody' in the store\n")
    assert "no call in these hours" in desk.say("quality", "acme2")


def test_late_records_are_told(desk):
    """They came after the hour was closed."""
    past = hour_of(desk.hour - 1, TERMS.zone)
    desk.count(*burst(desk, at_s=past))
    desk.close("acme", past)
    desk.count(*burst(desk, at_s=past, first=31, number=4))
    out = desk.say("quality", "acme")
    assert "4 records came after it was closed, in no figure" in out


# -- penalties -----------------------------------------------------------------------------------------------------


def test_an_hour_that_is_closed_enters_its_penalties(desk):
    """ACD and short calls: 30 x 0.02 each, with evidence."""
    past = hour_of(desk.hour - 1, TERMS.zone)
    desk.count(*burst(desk, at_s=past))
    facts = desk.close("acme", past)
    assert [(fact.name, fact.fields["kind"], fact.fields["amount_micros"]) for fact in facts] == [
        ("penalty.entered", "acd", 600_000),
        ("penalty.entered", "short_calls", 600_000),
    ]
    out = desk.say("penalties", "list", "acme")
    assert "in all 1.20 EUR" in out
    found = json.loads(desk.say("penalties", "list", "acme", "--json"))
    assert [entry["evidence"]["answered"] for entry in found] == [30, 30]
    assert found[1]["evidence"]["examples"][0] == "n1-000001"


def test_a_case_is_entered_once(desk):
    """By its reference; the policy's amount, a surcharge on top."""
    words = ("penalties", "add", "acme", "ticket_33700", "--reference", "T-77")
    assert desk.say(*words, "--surcharge", "12.50", "--reason", "spam") == "acme: entry 1, ticket_33700, 212.50 EUR\n"
    again = desk.say(*words, "--surcharge", "12.50")
    assert again == "acme: ticket_33700:case:T-77 is entered already, as entry 1: nothing changed\n"
    code, _, err = desk.ask(*words)
    assert (code, err) == (
        1,
        "edge: reference 'ticket_33700:case:T-77' of 'acme' is entered already, as entry 1 with 212.50: nothing was "
        "entered; `edge penalties correct` changes what it comes to\n",
    )
    assert "in all 212.50 EUR" in desk.say("penalties", "list", "acme")


def test_a_dry_run_enters_nothing(desk):
    """It shows what would be entered."""
    out = desk.say("penalties", "add", "acme", "complaint", "--reference", "1", "--dry-run")
    assert out == "dry run: nothing is changed\nacme: entry, complaint, 200.00 EUR\n"
    assert desk.say("penalties", "list", "acme") == "no entries\n"


def test_a_case_may_have_happened_earlier(desk):
    """Its month is that of the case; what is to come is refused."""
    desk.say("penalties", "add", "acme", "judicial", "--reference", "1", "--at", "2026-01-31T23:30Z")
    (entry,) = json.loads(desk.say("penalties", "list", "acme", "--month", "2026-02", "--json"))
    assert entry["month"] == "2026-02"
    assert json.loads(desk.say("penalties", "list", "acme", "--month", "2026-01", "--json")) == []
    code, _, err = desk.ask("penalties", "add", "acme", "judicial", "--reference", "2", "--at", "2199-01-01T00:00Z")
    assert (code, "2199-01-01T00:00:00Z is to come" in err) == (1, True)


def test_a_correction_is_an_entry(desk):
    """200 taken back to 50, and again to 50: nothing."""
    desk.say("penalties", "add", "acme", "complaint", "--reference", "1")
    words = ("penalties", "correct", "acme", "1", "--to", "50", "--reason", "half")
    assert desk.say(*words, "--dry-run").splitlines()[-1] == "entry 1: 200.00 -> 50.00"
    assert desk.say(*words) == "acme: entry 2 of -150.00: entry 1 comes to 50.00 now\n"
    assert desk.say(*words) == "acme: entry 1 comes to 50.00 already: nothing was entered\n"
    assert "in all 50.00 EUR" in desk.say("penalties", "list", "acme")


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("add", "acme", "spam", "--reference", "1"), 2, "KIND: 'spam': expected cli, regulator, ticket_33700"),
        (("add", "acme", "complaint"), 2, "--reference: expected the case's reference"),
        (("add", "nobody", "complaint", "--reference", "1"), 1, "no account 'nobody' in the store"),
        (("add", "nobody", "complaint", "--reference", "1", "--dry-run"), 1, "no account 'nobody' in the store"),
        (("add", "trunk:a", "complaint", "--reference", "1"), 2, "ACCOUNT: 'trunk:a'"),
        (("add", "acme", "complaint", "--reference", "1", "--amount", "-5"), 2, "--amount: -5: expected 0.00 to"),
        (("add", "acme", "complaint", "--reference", "1", "--amount", "x"), 2, "--amount: 'x': expected an amount"),
        (("add", "acme", "complaint", "--reference", "1", "--at", "monday"), 2, "--at 'monday': expected an instant"),
        (("add", "acme", "complaint", "--reference", "1", "--at", "2026-01-01T00:00"), 2, "in which zone?"),
        (("correct", "acme", "1"), 2, "--reason: a correction needs one"),
        (("correct", "acme", "7", "--reason", "x"), 1, "'acme' has no entry 7; its last is none"),
        (("list", "nobody"), 1, "no account 'nobody' in the store"),
        (("list", "acme", "--month", "11"), 2, "--month: '11': expected YYYY-MM"),
        (("export", "--format", "xml"), 2, "--format: 'xml': expected csv or json"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(desk, words, code, expected):
    """And what was expected."""
    found, out, err = desk.ask("penalties", *words)
    assert (found, out) == (code, "")
    assert err.startswith("edge: ")
    assert expected in err


def test_a_month_is_exported_with_its_totals(desk, tmp_path):
    """CSV and JSON tell the same; the digest of each entry goes with it."""
    month = datetime.fromtimestamp(desk.now_s, TERMS.zone).strftime("%Y-%m")
    for account, kind, reference in (
        ("acme", "complaint", "1"),
        ("acme", "support", "=2"),
        ("acme2", "regulator", "3"),
    ):
        desk.say("penalties", "add", account, kind, "--reference", reference)
    desk.say("penalties", "add", "acme", "support", "--reference", "4", "--at", "2026-01-05T10:00Z")
    rows = list(csv.DictReader(io.StringIO(desk.say("penalties", "export", "--month", month))))
    assert sum(int(row["amount_micros"]) for row in rows) == 10_300_000_000
    assert {row["month"] for row in rows} == {month}
    found = json.loads(desk.say("penalties", "export", "--month", month, "--format", "json"))
    assert found["amount_micros"] == 10_300_000_000
    assert [(one["account"], one["amount_micros"]) for one in found["accounts"]] == [
        ("acme", 300_000_000),
        ("acme2", 10_000_000_000),
    ]
    assert [row["digest"] for row in rows] == [entry["digest"] for entry in found["entries"]]
    target = tmp_path / "november.csv"
    assert desk.say("penalties", "export", "acme2", "--output", str(target)) == ""
    assert [row["account"] for row in csv.DictReader(target.open())] == ["acme2"]
    assert desk.ask("penalties", "export", "--output", str(tmp_path / "no" / "x"))[0] == 1


def test_a_ledger_that_was_tampered_with_is_not_exported(desk):
    """verify names it too, and exits 1."""
    for reference in "123":
        desk.say("penalties", "add", "acme", "complaint", "--reference", reference)
    whole = desk.say("penalties", "verify")
    assert whole.startswith("acme: 3 entries, whole, last digest ")
    desk.client.xdel("{acct:acme}:ledger", "2-0")
    for words in (("verify",), ("export",)):
        code, _, err = desk.ask("penalties", *words)
        assert (code, "entry 2 is missing" in err) == (1, True)


# -- bills and idle accounts ---------------------------------------------------------------------------------------


def test_a_month_for_billing(desk):
    """Calls, two lots of CAPS at 150, one of calls at 30, penalties, and what is missing to 200."""
    month = datetime.fromtimestamp(desk.now_s, TERMS.zone).strftime("%Y-%m")
    desk.count(*burst(desk, number=3))
    desk.say("account", "caps-lots", "acme", "+2")
    desk.say("account", "call-lots", "acme", "+1")
    desk.say("account", "caps-lots", "acme", "=0")
    desk.say("penalties", "add", "acme", "complaint", "--reference", "1")
    rows = {row["account"]: row for row in csv.DictReader(io.StringIO(desk.say("billing", month)))}
    acme = rows["acme"]
    assert [int(acme[name]) for name in ("consumption_micros", "caps_lots", "caps_lots_micros", "call_lots")] == [
        30_000,
        2 if acme["caps_lots_in_force"] else 0,
        int(acme["caps_lots"]) * 150_000_000,
        1,
    ]
    assert (int(acme["penalties_micros"]), int(acme["call_lots_micros"])) == (200_000_000, 30_000_000)
    assert int(rows["acme2"]["minimum_due_micros"]) == 200_000_000
    found = json.loads(desk.say("billing", month, "acme2", "--format", "json"))
    assert [(one["account"], one["consumption_micros"], one["is_complete"]) for one in found["bills"]] == [
        ("acme2", 0, True)
    ]


def test_billing_wants_a_month(desk):
    """YYYY-MM; a month before the account has no row."""
    assert desk.ask("billing", "november")[0] == 2
    assert len(desk.say("billing", "2020-01").splitlines()) == 1


def test_idle_accounts_are_listed_and_closed(desk):
    """acme's last call was seven months ago; acme2 is new."""
    assert desk.say("account", "idle").startswith("every account has had a call in the last 6 months")
    last = months_before(desk.now_s, 7, TERMS.zone)
    desk.client.hset(account_keys("acme").account, "last_call_ms", str(last * 1_000))
    line = desk.say("account", "idle").splitlines()[1]
    assert line.split()[:3] == ["acme", "active", "0.00"]
    assert datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d %H:%M:%SZ") in line
    assert "every account" in desk.say("account", "idle", "--months", "8")
    dry = desk.say("account", "idle", "--close", "--dry-run").splitlines()
    assert (dry[0], dry[2].endswith("closed")) == ("dry run: nothing is changed", True)
    assert json.loads(desk.say("account", "show", "acme", "--json"))["values"]["status"] == "active"
    desk.say("account", "idle", "--close", "--by", "ops")
    assert json.loads(desk.say("account", "show", "acme", "--json"))["values"]["status"] == "closed"
    assert "no call for 6 months" in desk.say("account", "history", "acme")


def test_the_terms_in_the_store_are_in_force_for_commands(desk):
    """What a node's policy says, without a policy at hand."""

    async def publish() -> None:
        async with TallyStore(desk.url) as tallies:
            await tallies.set_document(DOCUMENT, Terms(billing=Billing(minimum_month="0")).to_text())

    asyncio.run(publish())
    month = datetime.fromtimestamp(desk.now_s, TERMS.zone).strftime("%Y-%m")
    found = json.loads(desk.say("billing", month, "--format", "json"))
    assert {one["minimum_due_micros"] for one in found["bills"]} == {0}
    assert HOUR_S == 3_600
