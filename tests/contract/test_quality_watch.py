"""edge.quality.watch on real servers: a breach is told once, restricted, half opened, over"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge" / "quality"))

from records import record
from servers import client_of

from edge.config.quality import Billing, Quality
from edge.proxy.facts import Fact
from edge.quality.batches import ALL, gather, hour_bucket, minute_field, minutes_bucket
from edge.quality.closing import HourCloser
from edge.quality.hours import hour_of, months_before
from edge.quality.idle import close_one, find_idle
from edge.quality.publishing import publish
from edge.quality.sampling import read_record
from edge.quality.tally import Tally
from edge.quality.terms import DOCUMENT, Terms, read_terms
from edge.quality.watch import QualityWatch
from limits import Account, AccountId, AccountStatus
from limits.accounts import AccountStore
from limits.keys import TALLY_NEWS, TALLY_TURN, account_keys, tally_keys
from limits.ledger import Ledger
from limits.tallies import TallyStore

THROTTLE = Quality(
    contract_rules=False,
    rules=[
        {
            "id": "asr", "metric": "asr", "threshold": 60, "margin": 5, "minimum": 10, "action": "throttle",
            "throttle_caps": 2, "rest_s": 600,
        }
    ],
)  # fmt: skip


def terms(**values) -> Terms:
    """One rule on ASR, changed so."""
    (rule,) = THROTTLE.rules
    return Terms(quality=THROTTLE.model_copy(update={"rules": (rule.model_copy(update=values),)}))


class Watched:
    """One account on one server, with a watch that tells here."""

    def __init__(
        self, url: str, account: AccountId, tallies: TallyStore, ledger: Ledger, accounts: AccountStore
    ) -> None:
        self.url, self.account, self.tallies, self.accounts = url, account, tallies, accounts
        self.facts: list[Fact] = []
        self.watch = QualityWatch(url, node="n1", tell=self.facts.append)
        self.closer = HourCloser(tallies, ledger, self.facts.append)
        self.seq = 1
        self.tally = Tally(tallies, account)

    async def calls(self, number: int, *, answered: int, at_s: int) -> None:
        """So many calls that ended at this instant."""
        part = [
            record(
                self.seq + index, node=self.account, account=self.account, released=at_s,
                outcome="answered" if index < answered else "failed", talk_s=60 if index < answered else 0,
                status=200 if index < answered else 503,
            )
            for index in range(number)
        ]  # fmt: skip
        self.seq += number
        await self.tally.add([read_record(one) for one in part], now_s=at_s)

    async def look(self, with_terms: Terms, now_s: int) -> list[str]:
        """What one look tells."""
        self.facts.clear()
        await self.watch.look(self.tallies, self.accounts, self.account, with_terms, now_s)
        return [fact.name for fact in self.facts]

    async def values(self) -> tuple[int, str]:
        """CAPS and status in force."""
        found = await self.accounts.read(self.account)
        return found.caps, str(found.status)


@asynccontextmanager
async def watched_on(url: str, account: AccountId) -> AsyncIterator[Watched]:
    """An account of 15 CAPS, one lot of them."""
    async with TallyStore(url) as tallies, Ledger(url) as ledger, AccountStore(url) as accounts:
        await accounts.provision([Account(account, caps_base=5, caps_lots=1)])
        found = Watched(url, account, tallies, ledger, accounts)
        await found.tally.start(0)
        yield found


@pytest.fixture(params=["valkey", "redis62", "cluster"])
async def watched(request, server_urls, account_id) -> AsyncIterator[Watched]:
    async with watched_on(server_urls[request.param], account_id) as found:
        yield found


async def test_a_breach_is_told_restricted_half_opened_and_over(watched: Watched) -> None:
    """The whole way: 2 of 10 answered; 600 s at 2 CAPS; half open; 10 good calls since."""
    rule = terms()
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(9, answered=2, at_s=now)
    assert await watched.look(rule, now) == []  # nine samples are too few
    await watched.calls(1, answered=0, at_s=now)
    assert await watched.look(rule, now) == ["quality.breach", "quality.restricted"]
    assert watched.facts[0].fields["value"] == 20.0
    assert await watched.values() == (2, "active")
    assert watched.account in await watched.tallies.watched()
    assert await watched.look(rule, now + 300) == []
    await watched.calls(5, answered=0, at_s=now + 400)
    assert await watched.look(rule, now + 500) == []  # it rests: not judged
    assert await watched.look(rule, now + 600) == ["quality.half_open", "quality.restricted"]
    assert await watched.values() == (2, "active")
    await watched.calls(9, answered=9, at_s=now + 660)
    assert await watched.look(rule, now + 700) == []  # nine since it is half open
    await watched.calls(1, answered=1, at_s=now + 700)
    assert await watched.look(rule, now + 710) == ["quality.recovered"]
    assert await watched.tallies.states(watched.account) == {}
    assert watched.account not in await watched.tallies.watched()
    reverts = dict(
        (name, (at_ms, back)) for name, at_ms, back in (await watched.accounts.peek(watched.account)).reverts
    )
    assert reverts == {"caps_base": ((now + 1_200) * 1_000, "5"), "caps_lots": ((now + 1_200) * 1_000, "1")}


async def test_a_bad_probe_restricts_again(watched: Watched) -> None:
    """Half open, and it is as before."""
    rule = terms()
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=2, at_s=now)
    await watched.look(rule, now)
    await watched.look(rule, now + 600)
    await watched.calls(10, answered=3, at_s=now + 660)  # the minute in which it was half opened is not judged
    assert await watched.look(rule, now + 670) == ["quality.breach", "quality.restricted"]
    assert watched.watch.breaches == {"asr": 2}


async def test_two_nodes_that_look_at_once_tell_it_once(watched: Watched) -> None:
    """The state is moved by one of them."""
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=2, at_s=now)
    rule = terms(action="notify")
    assert await watched.look(rule, now) == ["quality.breach"]
    assert await watched.look(rule, now) == []


async def test_hysteresis_keeps_a_breach_until_it_is_better_by_the_margin(watched: Watched) -> None:
    """ASR 20 %, then 62 % (above 60, not above 65), then 66 %."""
    now = await watched.tallies.now_ms() // 1_000
    rule = terms(action="notify")
    await watched.calls(10, answered=2, at_s=now)
    assert await watched.look(rule, now) == ["quality.breach"]
    await watched.calls(11, answered=11, at_s=now)  # 13 of 21
    assert await watched.look(rule, now) == []
    await watched.calls(3, answered=3, at_s=now)  # 16 of 24
    assert await watched.look(rule, now) == ["quality.recovered"]


async def test_a_suspension_comes_and_somebody_s_own_decision_stays(watched: Watched) -> None:
    """The guard suspends what is active, and leaves alone what an operator suspended."""
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=0, at_s=now)
    found = await watched.accounts.read(watched.account)
    patch = {"status": AccountStatus.SUSPENDED}
    ours = {"generation": found.generation, "patch": patch, "by": "ops", "why": "complaint"}
    await watched.accounts.change(watched.account, **ours)
    assert await watched.look(terms(action="suspend"), now) == ["quality.breach"]
    assert (await watched.accounts.peek(watched.account)).reverts == ()


async def test_a_suspension_is_for_a_time(watched: Watched) -> None:
    """It returns by itself."""
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=0, at_s=now)
    assert await watched.look(terms(action="suspend"), now) == ["quality.breach", "quality.restricted"]
    assert await watched.values() == (15, "suspended")
    ((name, at_ms, back),) = (await watched.accounts.peek(watched.account)).reverts
    assert (name, at_ms, back) == ("status", (now + 600) * 1_000, "active")


async def test_a_rule_that_is_gone_leaves_nothing_behind(watched: Watched) -> None:
    """Its state goes with it."""
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=0, at_s=now)
    await watched.look(terms(action="notify"), now)
    await watched.look(Terms(quality=Quality(contract_rules=False)), now)
    assert await watched.tallies.states(watched.account) == {}
    assert watched.account not in await watched.tallies.watched()


async def test_a_round_looks_at_whoever_had_calls(watched: Watched) -> None:
    """Found by the hour's list; the terms are those that a node has written."""
    now = await watched.tallies.now_ms() // 1_000
    await publish(watched.url, terms(action="notify"))
    assert read_terms(await watched.tallies.document(DOCUMENT)) == terms(action="notify")
    await watched.calls(10, answered=0, at_s=now)
    await watched.watch.round(watched.tallies, watched.accounts, watched.closer)
    told = [fact for fact in watched.facts if fact.fields.get("account") == watched.account]
    assert [fact.name for fact in told] == ["quality.breach"]


# -- who is looked at ----------------------------------------------------------------------------------------------


async def looks(watched: Watched, with_terms: Terms, now_s: int) -> list[str]:
    """What a look at everybody tells of this account."""
    watched.facts.clear()
    await watched.watch.look_at_all(watched.tallies, watched.accounts, with_terms, now_s)
    return [fact.name for fact in watched.facts if fact.fields["account"] == watched.account]


async def test_whoever_cannot_have_broken_a_rule_is_not_looked_at(watched: Watched) -> None:
    """30 of 30 answered: 20 failures break 60 %. Its sums are spoilt meanwhile, so that a look would be told; the 20th
    failure brings one, and so does time."""
    now = await watched.tallies.now_ms() // 1_000
    rule = terms(action="notify")
    await watched.calls(30, answered=30, at_s=now)
    assert await looks(watched, rule, now) == []
    client, bucket = client_of(watched.url), tally_keys(watched.account).bucket(minutes_bucket(now))
    kept = client.hget(bucket, minute_field(now, ALL))
    client.hset(bucket, minute_field(now, ALL), "many")
    await watched.tallies.tell({watched.account: 19}, now_ms=now * 1_000)
    assert await looks(watched, rule, now + 60) == []
    assert await looks(watched, rule, now + 400) == ["quality.spoilt"]
    client.hset(bucket, minute_field(now, ALL), kept)
    assert await looks(watched, rule, now) == []
    client.hset(bucket, minute_field(now, ALL), "many")
    await watched.tallies.tell({watched.account: 20}, now_ms=now * 1_000)
    assert await looks(watched, rule, now) == ["quality.spoilt"]
    client.delete(bucket)


async def test_a_breach_by_calls_of_any_node_is_told_at_the_next_look(watched: Watched) -> None:
    """The watch had found it in order; another node counts what breaks it; and it is told when it is over."""
    now = await watched.tallies.now_ms() // 1_000
    rule = terms(action="notify")
    await watched.calls(30, answered=30, at_s=now)
    assert await looks(watched, rule, now) == []
    async with TallyStore(watched.url) as store:
        other = Tally(store, f"{watched.account}-2")
        await other.start(0)
        part = [
            record(seq, account=watched.account, released=now, outcome="failed", status=503) for seq in range(2, 22)
        ]
        await other.add([read_record(one) for one in part[:19]], now_s=now)
        assert await looks(watched, rule, now) == []
        await other.add([read_record(one) for one in part[19:]], now_s=now)
    assert await looks(watched, rule, now) == ["quality.breach"]
    await watched.calls(40, answered=40, at_s=now)
    assert await looks(watched, rule, now) == ["quality.recovered"]


async def test_a_breach_that_comes_by_time_alone_is_told_in_its_minute(watched: Watched) -> None:
    """The good calls leave the rolling hour, and nobody calls any more."""
    now = await watched.tallies.now_ms() // 1_000 // 60 * 60
    rule = terms(action="notify")
    await watched.calls(30, answered=30, at_s=now - 57 * 60)
    await watched.calls(12, answered=0, at_s=now)
    assert await looks(watched, rule, now) == []
    assert await looks(watched, rule, now + 179) == []
    assert await looks(watched, rule, now + 180) == ["quality.breach"]


async def test_a_breach_that_another_node_found_is_looked_at_by_all(watched: Watched) -> None:
    """This one had found the account in order, and no call came since."""
    now = await watched.tallies.now_ms() // 1_000
    rule = terms(action="notify")
    await watched.calls(30, answered=30, at_s=now)
    assert await looks(watched, rule, now) == []
    await watched.tallies.watch(watched.account, is_watched=True)
    await watched.tallies.move(watched.account, "asr", expected="", state=f"breached {now} 0")
    assert await looks(watched, rule, now) == ["quality.recovered"]


async def test_other_rules_are_judged_at_once(watched: Watched) -> None:
    """What was found by the old ones is no reason to wait."""
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(30, answered=20, at_s=now)
    assert await looks(watched, terms(action="notify"), now) == []
    assert await looks(watched, terms(action="notify", threshold=70), now) == ["quality.breach"]


async def test_records_that_were_counted_by_one_who_was_killed_are_told(watched: Watched) -> None:
    """Killed between the sums and the news: the records come again, count once, and are told."""
    now = await watched.tallies.now_ms() // 1_000
    rule = terms(action="notify")
    await watched.calls(30, answered=30, at_s=now)
    assert await looks(watched, rule, now) == []
    part = [
        read_record(record(watched.seq + number, account=watched.account, released=now, outcome="failed", status=503))
        for number in range(20)
    ]
    sums = gather(part, Terms().definition, source=watched.tally.source, keep_s=Terms().keep_s)
    assert await watched.tallies.add(list(sums.values()), oldest_hour=0) == {}
    assert await looks(watched, rule, now) == []
    await watched.tally.add(part, now_s=now)
    assert await looks(watched, rule, now) == ["quality.breach"]
    assert watched.facts[-1].fields["samples"] == 50


async def aged(watched: Watched, months: int, extra_ms: int = 0) -> int:
    """Its last call was so long ago."""
    now = await watched.tallies.now_ms()
    last = months_before(now // 1_000, months, Terms().zone) * 1_000 + extra_ms
    client_of(watched.url).hset(account_keys(watched.account).account, "last_call_ms", str(last))
    return last


async def test_accounts_without_a_call_for_six_months_are_found(watched: Watched) -> None:
    """Article 17.3: six months are idle, a second less is not; a new account without any call is not."""
    found = await find_idle(watched.accounts, Terms(), months=6, prefix=watched.account)
    assert found == []
    await aged(watched, 6, extra_ms=60_000)
    assert await find_idle(watched.accounts, Terms(), months=6, prefix=watched.account) == []
    last = await aged(watched, 6)
    (idle,) = await find_idle(watched.accounts, Terms(), months=6, prefix=watched.account)
    assert (idle.account, idle.last_call_ms, idle.is_closable) == (watched.account, last, True)


async def test_one_that_was_changed_or_called_since_is_not_closed(watched: Watched) -> None:
    """What was looked at must still be so."""
    await aged(watched, 7)
    (idle,) = await find_idle(watched.accounts, Terms(), months=6, prefix=watched.account)
    await aged(watched, 0)
    assert not await close_one(watched.accounts, idle, by="edge", why="idle")
    await aged(watched, 7)
    values = {"patch": {"caps_base": 9}, "by": "ops", "why": "", "generation": idle.generation}
    await watched.accounts.change(watched.account, **values)
    assert not await close_one(watched.accounts, idle, by="edge", why="idle")
    assert (await watched.values())[1] == "active"


async def test_spoilt_news_are_told_and_whoever_has_calls_is_looked_at(watched: Watched) -> None:
    """By the lists of the hours."""
    client = client_of(watched.url)
    client.delete(TALLY_NEWS)
    client.set(TALLY_NEWS, "no stream")
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=0, at_s=now)
    await watched.watch.look_at_all(watched.tallies, watched.accounts, terms(action="notify"), now)
    client.delete(TALLY_NEWS)
    told = [
        (fact.name, fact.fields.get("key")) for fact in watched.facts if fact.fields["account"] in ("", watched.account)
    ]
    assert told == [("quality.spoilt", TALLY_NEWS), ("quality.breach", None)]


@pytest.mark.parametrize("damage", ["not a hash", "not numbers"])
async def test_an_account_that_was_spoilt_by_hand_is_told_and_stops_no_other_one(watched: Watched, damage: str) -> None:
    """Its neighbour is looked at all the same, and the hours of others are closed."""
    now = await watched.tallies.now_ms() // 1_000
    await watched.calls(10, answered=0, at_s=now)
    bucket = tally_keys(watched.account).bucket(minutes_bucket(now))
    client = client_of(watched.url)
    if damage == "not a hash":
        client.delete(bucket)
        client.set(bucket, "x")
    else:
        client.hset(bucket, minute_field(now, ALL), "many")
    await watched.watch.look_at_all(watched.tallies, watched.accounts, terms(action="notify"), now)
    told = [fact.name for fact in watched.facts if fact.fields["account"] == watched.account]
    assert told == ["quality.spoilt"]
    hour = hour_bucket(hour_of(now, Terms().zone))
    client.hset(tally_keys(watched.account).bucket(hour), ALL, "many")
    watched.facts.clear()
    await watched.closer.close_due(Terms(), now + 5 * 3_600)
    assert "quality.spoilt" in [fact.name for fact in watched.facts if fact.fields["account"] == watched.account]
    client.delete(bucket, tally_keys(watched.account).bucket(hour))
    await watched.closer.close_due(Terms(), now + 5 * 3_600)


async def test_idle_accounts_are_closed_only_where_the_policy_says_so(watched: Watched) -> None:
    """Off by default; and this one has had a call, seven months ago."""
    await aged(watched, 7)
    await publish(watched.url, Terms())
    await watched.watch.round(watched.tallies, watched.accounts, watched.closer)
    assert (await watched.values())[1] == "active"
    await publish(watched.url, Terms(billing=Billing(close_idle=True)))
    client_of(watched.url).delete(TALLY_TURN + "idle")
    await watched.watch.round(watched.tallies, watched.accounts, watched.closer)
    assert (await watched.values())[1] == "closed"
    assert "account.closed_idle" in [fact.name for fact in watched.facts]
    await publish(watched.url, Terms())
