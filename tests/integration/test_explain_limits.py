"""`edge explain` against a real store: the verdict is that of policy and limits together, and nothing is taken."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from edge.commands import app
from edge.config.trunk_orders import DOCUMENT, Ordered
from edge.contacts.key import agree
from edge.policy.verdicts import CALLED_NUMBER, TELEMARKETING
from edge.proxy.identifiers import number_digest
from edge.trunks.ordering import order
from limits import Account, AccountId, AccountStatus, Admit
from limits.account import Credit
from limits.accounts import AccountStore
from limits.contacts import ContactBook, Note
from limits.documents import DocumentStore
from limits.embedded import EmbeddedStore
from limits.frequency import Contacted, Frequency, SpendGuard
from limits.model import GROUP, TRUNK, Outcome, Verb
from limits.open_limiter import open_limiter
from limits.rates import Price

KEY = bytes(range(32))
CALLED = "+33639980001"
DAY = 86_400_000
POLICY = """
rate_deck = "rates.csv"

[[accounts]]
id = "acme"
group = "reseller"
calling = { number_ceiling = { calls = 2, window_s = 86400 } }

[[accounts]]
id = "seller"
purpose = "telemarketing-b2c"
calling = { consent = "attested", hours_waiver = "attested" }

[[groups]]
id = "reseller"

[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"

[[ingress]]
id = "sells"
sources = ["198.51.100.0/24"]
account = "seller"

[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
calls = 1

[[egress]]
id = "b"
uri = "sip:127.0.0.1:5071"

[[routes]]
id = "any"
prefixes = [""]
trunks = ["a", "b"]

[[destinations]]
zone = "mobile"
prefixes = ["+336"]

[[guards]]
id = "mobiles"
zones = ["mobile"]
spend = "10.00"
"""
RATES = "prefix,zone,connect,rate,first,next,minimum\n336,France mobile,0,6,60,60,60\n"


class Desk:
    """An operator beside a store with two accounts, a group and a trunk."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self._directory = url, directory
        self.client = redis.Redis.from_url(url, decode_responses=True)

    def explain(self, *words: str, trunk: str = "in", url: str = "") -> list[str]:
        told = self._run("--trunk", trunk, "--from", "+33199001234", "--to", CALLED, *words, url=url)
        return told.splitlines()

    def data(self, *words: str, trunk: str = "in", url: str = "") -> dict[str, object]:
        told = self._run("--trunk", trunk, "--from", "+33199001234", "--to", CALLED, "--json", *words, url=url)
        found: dict[str, object] = json.loads(told)
        return found

    def _run(self, *words: str, url: str) -> str:
        policy = str(self._directory / "policy.toml")
        where = ("--redis", url or self.url, "--state", str(self._directory), "--policy", policy)
        with ThreadPoolExecutor(1) as beside:  # a command has a loop of its own
            done = beside.submit(CliRunner().invoke, app, ["explain", *words, *where]).result(30)
        assert done.exit_code == 0, done.output
        return done.stdout

    async def change(self, holder: str, **patch: object) -> None:
        async with AccountStore(self.url) as store:
            found = await store.read(AccountId(holder))
            await store.change(found.id, generation=found.generation, patch=patch, by="test", why="test")

    async def ask(self, *verbs: Verb) -> list[Outcome]:
        """As a node asks."""
        outcomes: list[Outcome] = []
        answered = asyncio.Event()

        def take(verb: Verb, outcome: Outcome) -> None:
            outcomes.append(outcome)
            answered.set()

        limiter = open_limiter(take, self.url, deadline_s=5)
        task = asyncio.create_task(limiter.run())
        assert await limiter.connected(timeout_s=5), limiter.last_fault
        for verb in verbs:
            limiter.submit(verb)
        limiter.flush()
        async with asyncio.timeout(10):
            while len(outcomes) < len(verbs):
                answered.clear()
                await answered.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return outcomes


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """With money, unused."""
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "rates.csv").write_text(RATES)
    (tmp_path / "contacts.key").write_bytes(KEY)
    async with EmbeddedStore(tmp_path / "store") as store:
        await agree(store.url, KEY)
        wide = {"caps_base": 100, "calls_base": 100}
        async with AccountStore(store.url) as accounts:
            await accounts.provision(
                [
                    Account(AccountId("acme"), group="reseller", **wide),
                    Account(AccountId("seller"), **wide),
                    Account(AccountId(GROUP + "reseller"), credit=Credit.NONE, **wide),
                    Account(AccountId(TRUNK + "a"), credit=Credit.NONE, caps_base=100, calls_base=1),
                ],
                opening={"acme": 100_000_000, "seller": 100_000_000},
            )
        made = Desk(store.url, tmp_path)
        yield made
        made.client.close()


async def test_what_is_open_is_told_stage_by_stage(desk: Desk) -> None:
    """Account, counts of the person, guard, group, trunks; asked again it says the same: nothing was taken."""
    first, second = desk.explain(), desk.explain()

    assert first[-1] == "would be admitted"
    assert first == second
    (account,) = [line for line in first if line.startswith("limits  ")]
    assert "acme: call 1 of 100, 99.0 CAPS tokens left after it; 6.00 held for 60 s" in account
    assert "0 of 2 calls to this number in 86400 s" in account
    assert "guard mobiles: 0.00 spent and 0.00 held of 10.00 in this hour (UTC)" in account
    (group,) = [line for line in first if line.startswith("group ")]
    assert "group:reseller: call 1 of 100" in group
    (trunks,) = [line for line in first if line.startswith("trunk ")]
    assert "a: may be tried; b: may be tried" in trunks


@pytest.mark.parametrize(
    ("holder", "patch", "refused", "status", "words"),
    [
        ("acme", {"status": AccountStatus.SUSPENDED}, "account_suspended", 403, "The account acme is suspended"),
        ("acme", {"status": AccountStatus.CLOSED}, "account_closed", 403, "The account acme is closed"),
        ("acme", {"caps_base": 0}, "caps", 503, "may place 0 call attempts a second"),
        ("acme", {"calls_base": 0}, "calls", 503, "may hold 0 calls at once"),
        ("acme", {"floor_micros": 99_000_000}, "credit", 402, "does not pay for the first interval"),
        ("acme", {"spend_cap_day_micros": 1}, "spend_cap", 402, "has spent what it may"),
        ("acme", {"max_rate_micros": 1}, "max_rate", 403, "costs more than account acme may pay"),
        ("group:reseller", {"calls_base": 0}, "group_calls", 503, "may hold 0 calls at once"),
        ("group:reseller", {"status": AccountStatus.SUSPENDED}, "group_suspended", 403, "is suspended or closed"),
    ],
)  # fmt: skip
async def test_the_limits_decide_the_verdict(
    desk: Desk, holder: str, patch: dict[str, object], refused: str, status: int, words: str
) -> None:
    """The same reason, status and sentence as the caller would get, by what is in force in the store."""
    await desk.change(holder, **patch)
    told = desk.data()

    assert (told["verdict"], told["refused"], told["status"]) == ("refused", refused, status)
    assert words in str(told["in_words"])
    assert desk.explain()[-3].startswith(f"refused: {status} ")


async def test_what_running_calls_use_up(desk: Desk) -> None:
    """Tokens, money under the guard, calls to this number, the place on a trunk; then the number's ceiling."""
    digest = number_digest(KEY, CALLED)
    often = Frequency(CALLED_NUMBER, digest, 2, DAY)
    await desk.ask(Admit("acme", "one", "n", frequencies=(often,)), Admit(TRUNK + "a", "one", "n"))
    lines = desk.explain()
    assert lines[-1] == "would be admitted"
    assert any("1 of 2 calls to this number" in line for line in lines)
    assert any("a: calls: 1 of 1; b: may be tried" in line for line in lines)

    await desk.ask(Admit("acme", "two", "n", frequencies=(often,)))
    assert desk.data()["refused"] == "called_too_often"


async def test_the_persons_refusal_and_the_attempts_to_them(desk: Desk) -> None:
    """Counts in the window first; what is recorded of the person beside it; a refusal decides."""
    digest = number_digest(KEY, CALLED)
    four = Frequency(TELEMARKETING, digest, 4, 30 * DAY)
    await desk.ask(*[Admit("seller", f"a{number}", "n", frequencies=(four,)) for number in range(3)])
    lines = desk.explain(trunk="sells")
    assert lines[-1] == "would be admitted"
    assert any(
        "the person called: nothing recorded; 3 of 4 attempts to this person in 30 days" in line for line in lines
    )

    await desk.ask(Admit("seller", "a3", "n", frequencies=(four,)))
    told = desk.data(trunk="sells")
    assert (told["refused"], told["rests_on"]) == (
        "contact_attempts",
        "law: Code de la consommation D223-9 (decree 2022-1313)",
    )
    now_ms = int(desk.client.time()[0]) * 1_000
    async with ContactBook(desk.url) as book:
        await book.note(AccountId("seller"), [Note(digest, Contacted(refused_ms=now_ms), DAY, "test")])
    assert desk.data(trunk="sells")["refused"] == "contact_refused"
    assert any("the person called: refused 20" in line for line in desk.explain(trunk="sells"))


async def test_a_guard_of_a_destination(desk: Desk) -> None:
    """Ten an hour; six are held by another call, so a second minute does not fit; the guard is named."""
    price = Price(0, 6_000_000, 60, 60, 60)
    await desk.ask(Admit("acme", "one", "n", price=price, guard=SpendGuard("mobiles", 10_000_000)))
    told = desk.data()

    assert told["refused"] == "destination_spend"
    assert any("guard mobiles: 6.00 against 10.00" in line for line in desk.explain())


async def test_trunks_that_operators_have_taken_out(desk: Desk) -> None:
    """Drained ones take nothing; those in maintenance are tried where nothing else is left; none: refused."""
    async with DocumentStore(desk.url, DOCUMENT) as orders:
        await order(orders, "a", Ordered.DRAIN, by="ann", why="new card", at_ms=1)
        await order(orders, "b", Ordered.MAINTENANCE, by="ann", why="update", at_ms=1)
        lines = desk.explain()
        assert lines[-1] == "would be admitted"
        assert any("a: drained by ann (new card); b: in maintenance, tried where" in line for line in lines)

        await order(orders, "b", Ordered.DRAIN, by="ann", why="update", at_ms=1)
    assert desk.data()["refused"] == "trunks_drained"


async def test_a_store_that_does_not_answer_is_not_a_yes(desk: Desk, tmp_path: Path) -> None:
    """What the limits say is not known, and what then becomes of the attempt is told."""
    nowhere = f"unix://{tmp_path}/nothing"
    told = desk.data(url=nowhere)
    assert (told["verdict"], told["refused"]) == ("unknown", None)
    assert "the store does not answer" in str(told["unknown"])
    lines = desk.explain(url=nowhere)
    assert lines[-1].startswith("policy lets it pass; what the limits say is not known: the store does not answer")
    assert any("while the store is away such an attempt is refused, store_away" in line for line in lines)


async def test_without_the_key_counts_of_people_are_not_known(desk: Desk, tmp_path: Path) -> None:
    """Neither is a yes; what can be seen without them still refuses."""
    (tmp_path / "contacts.key").write_bytes(bytes(32))
    assert desk.data(trunk="sells")["verdict"] == "unknown"
    await desk.change("seller", status=AccountStatus.SUSPENDED)
    assert desk.data(trunk="sells")["refused"] == "account_suspended"


async def test_an_emergency_call_passes_whatever_the_limits_say(desk: Desk) -> None:
    """R16: suspended, without credit, trunks drained."""
    await desk.change("acme", status=AccountStatus.SUSPENDED)
    told = desk._run("--trunk", "in", "--from", "+33199001234", "--to", "112", url="")
    assert told.splitlines()[-1] == "would be admitted"


async def test_an_account_the_store_does_not_know_yet(desk: Desk) -> None:
    """A document that is only planned: it says so."""
    desk.client.delete("{acct:acme}")
    told = desk.data()
    assert told["verdict"] == "unknown"
    assert "an edge that runs by this document brings it in" in str(told["unknown"])


async def test_what_the_accounts_of_one_professional_have_done_together(desk: Desk, tmp_path: Path) -> None:
    """Its own stage: four attempts of another account, and a consent that counts for all."""
    shared = 'consent = "attested", professional = "acme-sa"'
    (tmp_path / "policy.toml").write_text(POLICY.replace('consent = "attested"', shared))
    holder = AccountId("professional:acme-sa")
    async with AccountStore(desk.url) as accounts:
        await accounts.provision([Account(holder, credit=Credit.NONE, caps_base=100, calls_base=100)])
    lines = desk.explain(trunk="sells")
    assert lines[-1] == "would be admitted"
    (stage,) = [line for line in lines if line.startswith("professional")]
    assert "professional:acme-sa: call 1 of 100" in stage
    assert "0 of 4 attempts to this person" in stage

    four = Frequency(TELEMARKETING, number_digest(KEY, CALLED), 4, 30 * DAY)
    await desk.ask(*[Admit(holder, f"a{number}", "n", frequencies=(four,)) for number in range(4)])
    told = desk.data(trunk="sells")
    assert told["refused"] == "contact_attempts"
    assert "has called +33639980001 4 times" in str(told["in_words"])
