"""limits.tallies and limits.ledger on every kind of server: once, whatever is delivered twice and whoever races"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import client_of, keys_of

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge" / "quality"))

from records import at, record

from edge.quality import book
from edge.quality.batches import ALL, hour_bucket, minutes_bucket, month_bucket, notes_bucket
from edge.quality.closing import HourCloser
from edge.quality.counts import SIZE, Counts, total
from edge.quality.entries import Entry
from edge.quality.hours import hour_of
from edge.quality.places import places_bucket
from edge.quality.sampling import Told, count, failed_before, read_record
from edge.quality.tally import Tally
from edge.quality.terms import Terms
from edge.quality.windows import minutes_of
from limits import Account, AccountId, UnknownAccount
from limits.accounts import AccountStore
from limits.additions import Addition, Batch
from limits.keys import tally_keys
from limits.ledger import Ledger
from limits.script_loader import script
from limits.tallies import TallyStore

SERVERS = ("valkey", "redis", "redis62", "cluster")
TEN = at("2026-11-26T10:00+01:00")
NOW = TEN + 2 * 3_600
TERMS = Terms()


class Store:
    """Everything of one server, opened."""

    def __init__(self, url: str, tallies: TallyStore, ledger: Ledger, accounts: AccountStore) -> None:
        self.url, self.tallies, self.ledger, self.accounts = url, tallies, ledger, accounts
        self.client = client_of(url)

    async def account(self, name: AccountId) -> AccountId:
        """An account of this name."""
        await self.accounts.provision([Account(name)])
        return name

    async def counts(self, holder: str, hour: int, field: str = ALL) -> Counts:
        """Of one hour."""
        return Counts.from_text((await self.tallies.read(holder, hour_bucket(hour))).fields.get(field, ""))

    def closer(self) -> HourCloser:
        """A node's."""
        return HourCloser(self.tallies, self.ledger, lambda fact: None)

    @asynccontextmanager
    async def others(self, number: int) -> AsyncIterator[list["Store"]]:
        """So many nodes with connections of their own."""
        async with AsyncExitStack() as opened:
            yield [await opened.enter_async_context(opening(self.url)) for _ in range(number)]


@asynccontextmanager
async def opening(url: str) -> AsyncIterator[Store]:
    """One node's view of a store."""
    async with TallyStore(url) as tallies, Ledger(url) as ledger, AccountStore(url) as accounts:
        yield Store(url, tallies, ledger, accounts)


@pytest.fixture(params=SERVERS)
async def store(request, server_urls):
    """Every test runs over every kind of server; what all nodes share is emptied between them."""
    url = server_urls[request.param]
    client = client_of(url)
    for key in keys_of(client, "trunkgate:tally:*"):
        client.delete(key)
    async with opening(url) as opened:
        yield opened


def batch(holder: str, first: int, last: int, *, hour: int = TEN, told: int = 1, source: str = "n1/-") -> Batch:
    addition = Addition(hour_bucket(hour), ALL, hour, 3_600, (told, told))
    return Batch(holder, source, first, last, (addition,))


# -- sums ----------------------------------------------------------------------------------------------------------


async def test_a_range_is_added_once(store, account_id):
    """The second time the store says what it has, and the caller cuts."""
    await store.account(account_id)
    assert await store.tallies.add([batch(account_id, 1, 5, told=5)], oldest_hour=0) == {}
    assert await store.tallies.add([batch(account_id, 1, 5, told=5)], oldest_hour=0) == {account_id: 5}
    assert await store.tallies.add([batch(account_id, 3, 9, told=7)], oldest_hour=0) == {account_id: 5}
    assert await store.tallies.add([batch(account_id, 6, 9, told=4)], oldest_hour=0) == {}
    assert (await store.counts(account_id, TEN))["told"] == 9
    assert await store.tallies.applied(account_id) == {"n1/-": 9}


async def test_sources_do_not_know_each_other(store, account_id):
    """Each node has its own numbers."""
    await store.account(account_id)
    await store.tallies.add([batch(account_id, 1, 5, told=5)], oldest_hour=0)
    assert await store.tallies.add([batch(account_id, 1, 5, told=5, source="n2/-")], oldest_hour=0) == {}
    assert (await store.counts(account_id, TEN))["told"] == 10


async def test_an_account_that_is_not_there_is_counted_nowhere(store, account_id):
    """A stranger's names must not fill the store; a trunk is the policy's own word."""
    assert await store.tallies.add([batch(account_id, 1, 1)], oldest_hour=0) == {account_id: -1}
    assert keys_of(store.client, f"{{acct:{account_id}}}*") == []
    trunk = f"trunk:{account_id}"
    assert await store.tallies.add([batch(trunk, 1, 1)], oldest_hour=0) == {}


async def test_an_account_that_was_spoilt_by_hand_stops_no_other_one(store, account_id):
    """Its counts are lost, as those of an unknown one; the next holder of the same delivery has its own."""
    await store.account(account_id)
    other = await store.account(AccountId(f"{account_id}b"))
    store.client.set(f"{{acct:{account_id}}}:tally:applied", "not a hash")
    assert await store.tallies.add([batch(account_id, 1, 1), batch(other, 1, 1)], oldest_hour=0) == {account_id: -1}
    assert (await store.counts(other, TEN))["told"] == 1


async def test_a_sealed_hour_takes_nothing_more(store, account_id):
    """What comes late is counted as late, once; another hour is as it was."""
    await store.account(account_id)
    await store.tallies.add([batch(account_id, 1, 2, told=2)], oldest_hour=0)
    await store.tallies.seal(account_id, TEN, oldest_hour=0)
    both = batch(account_id, 3, 6, told=3)
    both = both._replace(additions=(*both.additions, *batch(account_id, 3, 6, hour=TEN + 3_600).additions))
    for _ in range(2):
        await store.tallies.add([both], oldest_hour=0)
    hour = await store.tallies.read(account_id, hour_bucket(TEN))
    assert (Counts.from_text(hour.fields[ALL])["told"], hour.late) == (2, 3)
    assert (await store.counts(account_id, TEN + 3_600))["told"] == 1


async def test_whatever_was_sealed_is_forgotten_in_time(store, account_id):
    """Of a holder that the store does not know too: it is on the list of the hour all the same."""
    assert await store.tallies.add([batch(account_id, 1, 1)], oldest_hour=0) == {account_id: -1}
    await store.closer().close(account_id, TEN, TERMS, NOW)
    (key,) = keys_of(store.client, f"{{acct:{account_id}}}*")
    assert TERMS.keep_s < store.client.ttl(key)


async def test_spoilt_news_stop_no_counting(store, account_id):
    """They say whom to look at; the sums are what counts."""
    await store.account(account_id)
    store.client.set("trunkgate:tally:news", "no stream")
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    records = read(record(2, released=TEN + 5, account=account_id))
    await tally.add(records, now_s=NOW)
    await tally.add(records, now_s=NOW)
    assert (await store.counts(account_id, TEN))["told"] == 1
    assert await store.tallies.cursor(tally.source) == 2


async def test_an_hour_that_is_too_old_counts_as_sealed(store, account_id):
    """Its counts may be forgotten already."""
    await store.account(account_id)
    await store.tallies.add([batch(account_id, 1, 1)], oldest_hour=TEN + 3_600)
    hour = await store.tallies.read(account_id, hour_bucket(TEN))
    assert (hour.fields, hour.late) == ({}, 1)


async def test_large_numbers_keep_their_digits(store, account_id):
    """Money of a month is a large integer in Lua too."""
    await store.account(account_id)
    for seq in (1, 2):
        await store.tallies.add([batch(account_id, seq, seq, told=4_503_599_627_370_495)], oldest_hour=0)
    assert (await store.counts(account_id, TEN))["told"] == 9_007_199_254_740_990


async def test_what_is_counted_is_forgotten_in_time(store, account_id):
    """Every bucket has an end."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    await tally.add(read(record(2, released=TEN + 5, account=account_id)), now_s=NOW)
    buckets = [key for key in keys_of(store.client, f"{{acct:{account_id}}}:tally:*") if not key.endswith("applied")]
    assert len(buckets) == 5
    assert all(store.client.ttl(key) > 0 for key in buckets)


async def test_examples_that_are_enough_do_not_travel_again(store, account_id):
    """The first ten of an hour; who begins anew, perhaps on a store that lost its last moments, gives them again."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    await tally.start(0)

    async def calls(first: int, last: int) -> list[str]:
        part = [record(seq, released=TEN + 5, account=account_id) for seq in range(first, last)]
        await tally.add(read(*part), now_s=NOW)
        return (await store.tallies.notes(account_id, notes_bucket(TEN))).get("answered", [])

    assert len(await calls(2, 6)) == 4
    ten = await calls(6, 26)
    assert (len(ten), ten[:5]) == (10, [f"n1-{seq:06}" for seq in range(2, 7)])
    client, bucket = store.client, tally_keys(account_id).bucket(notes_bucket(TEN))
    client.delete(bucket)
    assert await calls(26, 46) == []
    await tally.start(0)
    assert len(await calls(46, 66)) == 10
    client.delete(bucket)
    part = read(record(66, released=TEN + 5, account=account_id))
    await tally.add(part, now_s=NOW + 3_600)
    assert len(await store.tallies.notes(account_id, notes_bucket(TEN))) == 2  # answered, short: another hour begins


async def test_a_record_in_a_batch_of_others_counts_once_however_batches_are_cut(store, account_id):
    """All holders of a batch stand for its whole range: one that had no record in the first batch, and one that had."""
    first = await store.account(account_id)
    other = await store.account(AccountId(f"{account_id}b"))
    records = read(*[record(seq, released=TEN + 5, account=first if seq < 6 else other) for seq in range(2, 10)])
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    for begin, end in ((0, 3), (0, 5), (2, 7), (0, 8), (0, 8)):
        await tally.add(records[begin:end], now_s=NOW)
    assert [(await store.counts(holder, TEN))["told"] for holder in (first, other)] == [4, 4]


async def test_the_calls_of_a_trunk_count_once_however_batches_are_cut(store, account_id):
    """It has a sum of its own, over all accounts: those that it lost to another one too."""
    await store.account(account_id)
    first, last = f"{account_id}x", f"{account_id}y"
    records = read(
        *[
            record(seq, released=TEN + 5, account=account_id, trunk=last, tried=((first, 503), (last, 200)))
            for seq in range(2, 10)
        ]
    )
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    for begin, end in ((0, 3), (0, 5), (2, 7), (0, 8), (0, 8)):
        await tally.add(records[begin:end], now_s=NOW)
    assert [(await store.counts(f"trunk:{trunk}", TEN))["told"] for trunk in (first, last)] == [8, 8]


async def test_one_of_many_moves_a_state(store, account_id):
    """Compare-and-set: of ten that saw the same, one."""
    async with store.others(10) as nodes:
        moves = [
            node.tallies.move(account_id, "asr", expected="", state=f"breached {number} 0")
            for number, node in enumerate(nodes)
        ]
        assert Counter(await asyncio.gather(*moves)) == {True: 1, False: 9}
    (state,) = (await store.tallies.states(account_id)).values()
    assert await store.tallies.move(account_id, "asr", expected=state, state="")
    assert await store.tallies.states(account_id) == {}


async def test_one_of_many_has_the_turn(store, account_id):
    """Until it runs out."""
    assert await store.tallies.take_turn(account_id, "n1", for_ms=60_000)
    assert not await store.tallies.take_turn(account_id, "n2", for_ms=60_000)


# -- records of several nodes, in any interleaving -----------------------------------------------------------------


def read(*records) -> list[Told | None]:
    """As the consumer hands them over."""
    return [read_record(one) if len(one) > 1 else None for one in records]


def naive(records, field=ALL):
    """(hour -> sum) added up record by record."""
    sums: dict[int, list[Counts]] = {}
    for one in records:
        told, numbers = read_record(one), [0] * SIZE
        count(told, TERMS.definition, numbers)
        tried = [*failed_before(told, TERMS.definition), *((trunk, numbers) for trunk, _ in told.tried[-1:])]
        parts = [(ALL, numbers), *((f"trunk:{trunk}", part) for trunk, part in tried)]
        hour = hour_of(told.minute(TERMS.definition), TERMS.zone)
        sums.setdefault(hour, []).extend(Counts(tuple(part)) for name, part in parts if name == field)
    return {hour: total(counts) for hour, counts in sums.items()}


CALLS = st.fixed_dictionaries(
    {
        "minute": st.integers(0, 119),
        "outcome": st.sampled_from(["answered", "answered", "failed", "cancelled", "refused"]),
        "talk_s": st.sampled_from([1, 7.9, 8, 30, 600]),
        "trunk": st.sampled_from(["a", "b"]),
        "pdd_ms": st.sampled_from([None, 100, 2_500]),
        "cost": st.integers(0, 10**6),
    }
)
DELIVERIES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 12)), max_size=25)
"""(node, where it goes back to, how many records at once)"""


@pytest.mark.parametrize("server", SERVERS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.lists(CALLS, max_size=20), min_size=3, max_size=3), deliveries=DELIVERIES)
async def test_any_delivery_by_any_nodes_is_a_naive_recount(server, server_urls, calls, deliveries):
    """Duplicated, interleaved, cut anywhere, begun again from anywhere: the sums are those of the records, each
    once."""
    name = AccountId(f"inter{next(_numbers)}")
    logs = [
        [
            record(
                seq, node=f"{name}-n{node}", account=name, released=TEN + call["minute"] * 60 + seq % 60,
                outcome=call["outcome"], talk_s=call["talk_s"] if call["outcome"] == "answered" else 0,
                trunk=call["trunk"], pdd_ms=call["pdd_ms"], cost=call["cost"],
            )
            for seq, call in enumerate(made, 1)
        ]
        for node, made in enumerate(calls)
    ]  # fmt: skip
    url = server_urls[server]
    async with TallyStore(url) as tallies, AccountStore(url) as accounts:
        await accounts.provision([Account(name)])
        nodes = [Tally(tallies, f"{name}-n{node}") for node in range(3)]
        for node in nodes:
            await node.start(0)
        delivered = [0, 0, 0]
        ends = [(node, 10**6, 50) for node in range(3)]
        for node, back, size in [*deliveries, *ends]:
            # At least once and in order: from somewhere that was delivered before, on to somewhere further.
            first = min(back, delivered[node]) if (node, back, size) not in ends else delivered[node]
            part = logs[node][first : first + size]
            if part:
                await nodes[node].add(read(*part), now_s=NOW)
            delivered[node] = max(delivered[node], first + len(part))
        everything = [one for log in logs for one in log]
        for field in (ALL, "trunk:a", "trunk:b"):
            expected = naive(everything, field)
            for hour in (TEN, TEN + 3_600):
                found = Counts.from_text((await tallies.read(name, hour_bucket(hour))).fields.get(field, ""))
                assert found == expected.get(hour, Counts())
                buckets = [(hour, (await tallies.read(name, minutes_bucket(hour))).fields)]
                assert total(minutes_of(buckets, field).values()) == found
        month = Counts.from_text((await tallies.read(name, month_bucket("2026-11"))).fields.get(ALL, ""))
        assert month == total(naive(everything).values())


_numbers = iter(range(10**9))


async def test_a_log_that_begins_again_is_another_source(store, account_id):
    """The node's state directory was lost: its numbers begin at 1 again, with other calls."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    first = [record(seq, released=TEN + seq, account=account_id) for seq in (1, 2, 3)]
    await tally.add(read(*first), now_s=NOW)
    again = [{**record(seq, released=TEN + 60 + seq, account=account_id), "uid": f"other-{seq}"} for seq in (1, 2)]
    after = Tally(store.tallies, "n1")
    await after.start(0)
    await after.add(read(*again), now_s=NOW)
    await after.add(read(*again), now_s=NOW)
    assert (await store.counts(account_id, TEN))["told"] == 5


async def test_a_store_that_lost_its_last_moments_is_told_again(store, account_id):
    """It says from where: the runner goes back, and nothing is counted twice."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    assert await tally.start(0) == 0
    log = [record(seq, released=TEN + seq, account=account_id) for seq in range(1, 8)]
    await tally.add(read(*log[:4]), now_s=NOW)
    after = Tally(store.tallies, "n1")
    assert await after.start(7) == 4
    await after.add(read(*log[2:]), now_s=NOW)
    assert (await store.counts(account_id, TEN))["told"] == 7
    assert await Tally(store.tallies, "n1").start(7) == 7


async def test_records_of_no_sense_are_skipped_and_counted(store, account_id):
    """They stop nothing."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    await tally.add(read({"seq": 1}, record(2, released=TEN, account=account_id)), now_s=NOW)
    assert (tally.unreadable, tally.counted) == (1, 1)


async def test_examples_are_kept_up_to_a_bound(store, account_id):
    """The first ten of each kind."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    for first in (1, 9, 17):
        part = [record(seq, released=TEN + seq, talk_s=1, account=account_id) for seq in range(first, first + 8)]
        await tally.add(read(*part), now_s=NOW)
    notes = await store.tallies.notes(account_id, notes_bucket(TEN))
    assert notes["short"] == [f"n1-{seq:06}" for seq in range(1, 11)]


# -- closing -------------------------------------------------------------------------------------------------------


async def short_calls(store, account, number=30, first=1):
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    part = [record(seq, released=TEN + seq, talk_s=1, account=account) for seq in range(first, first + number)]
    await tally.add(read(*part), now_s=NOW)


async def test_racing_closers_make_one_entry_of_each(store, account_id):
    """Five nodes close the same hour at once: ACD 30 x 0.02, short calls 30 x 0.02, ASR is 100 %."""
    await store.account(account_id)
    await short_calls(store, account_id)
    async with store.others(5) as nodes:
        made = await asyncio.gather(*[node.closer().close(account_id, TEN, TERMS, NOW) for node in nodes])
    entries = await book.read(store.ledger, account_id)
    assert sorted((entry.kind, entry.amount_micros, entry.calls) for entry in entries) == [
        ("acd", 600_000, 30),
        ("short_calls", 600_000, 30),
    ]
    assert sum(made) == 2
    assert [entry.seq for entry in entries] == [1, 2]
    assert (await book.prove(store.ledger, account_id))[1] == ""
    assert entries[0].evidence["examples"]


async def test_closing_again_changes_nothing(store, account_id):
    """Whoever comes later, with late records in between."""
    await store.account(account_id)
    await short_calls(store, account_id)
    await store.closer().close(account_id, TEN, TERMS, NOW)
    await short_calls(store, account_id, number=60)
    assert await store.closer().close(account_id, TEN, TERMS, NOW) == 0
    entries = await book.read(store.ledger, account_id)
    assert [entry.calls for entry in entries] == [30, 30]
    assert (await store.tallies.read(account_id, hour_bucket(TEN))).late == 30


async def test_an_hour_is_closed_when_its_time_has_come(store, account_id):
    """10 minutes after its end by default, not before; then it is no longer open."""
    await store.account(account_id)
    await short_calls(store, account_id)
    closer = store.closer()
    assert (await closer.close_due(TERMS, TEN + 3_600 + 599)).hours == 0
    assert (await closer.close_due(TERMS, TEN + 3_600 + 600)).hours == 1
    assert await store.tallies.open_hours(NOW + 10**6) == []
    assert closer.entered == {"acd": 1, "short_calls": 1}


async def test_a_node_that_is_behind_is_waited_for(store, account_id):
    """As long as it lives, but not for ever."""
    await store.account(account_id)
    await short_calls(store, account_id)
    await store.tallies.mark("n2", TEN + 1_800)
    assert (await store.closer().close_due(TERMS, TEN + 2 * 3_600)).hours == 0
    await store.tallies.mark("n2", None)
    assert (await store.closer().close_due(TERMS, TEN + 2 * 3_600)).hours == 1


async def test_a_node_that_stays_behind_is_not_waited_for_longer_than_hours(store, account_id):
    """Six hours."""
    await store.account(account_id)
    await short_calls(store, account_id)
    await store.tallies.mark("n2", TEN + 1_800)
    assert (await store.closer().close_due(TERMS, TEN + 7 * 3_600)).hours == 1


# -- the ledger ----------------------------------------------------------------------------------------------------


def case(account: str, reference: str, amount: int = 200_000_000) -> Entry:
    return Entry(0, account, 0, TEN, "complaint", f"complaint:case:{reference}", amount, "EUR", by="ops")


async def test_a_reference_is_entered_once(store, account_id):
    """The second time what stands there is told; with another amount it is refused."""
    await store.account(account_id)
    first = await book.enter(store.ledger, case(account_id, "4411"))
    again = await book.enter(store.ledger, case(account_id, "4411"))
    assert (first.is_new, again.is_new, again.entry, again.digest) == (True, False, first.entry, first.digest)
    with pytest.raises(book.Refusal, match=r"is entered already, as entry 1 with 200\.00"):
        await book.enter(store.ledger, case(account_id, "4411", 1))
    assert len(await book.read(store.ledger, account_id)) == 1


async def test_many_who_write_at_once_make_one_chain(store, account_id):
    """No gap, no fork."""
    await store.account(account_id)
    async with store.others(12) as nodes:
        cases = [book.enter(node.ledger, case(account_id, str(number))) for number, node in enumerate(nodes)]
        await asyncio.gather(*cases)
    lines, fault = await book.prove(store.ledger, account_id)
    assert ([line.seq for line in lines], fault) == (list(range(1, 13)), "")


async def test_an_entry_is_chained_to_the_one_it_was_written_for(store, account_id):
    """The script looks at the digest too: a ledger that was replaced in between takes nothing."""
    await store.account(account_id)
    await book.enter(store.ledger, case(account_id, "1"))
    tag = f"{{acct:{account_id}}}"
    keys = (tag, f"{tag}:ledger", f"{tag}:ledger:refs")
    reply = store.client.eval(script("ledger_append").text, 3, *keys, "2", "of another ledger", "ref", "{}", "digest")
    assert reply == [3, 1]


async def test_an_account_that_is_not_there_has_no_ledger(store, account_id):
    """A mistyped name enters nothing."""
    with pytest.raises(UnknownAccount):
        await book.enter(store.ledger, case(account_id, "1"))


async def test_a_correction_is_an_entry_with_the_difference(store, account_id):
    """200 to 50, to 50 again (nothing), to 0; the first entry stays as it was."""
    await store.account(account_id)
    await book.enter(store.ledger, case(account_id, "1"))
    terms = {"currency": "EUR", "by": "ops", "why": "half of it"}
    done = [
        await book.correct(store.ledger, account_id, 1, to_micros=micros, **terms)
        for micros in (50_000_000, 50_000_000, 0)
    ]
    assert [None if one is None else one.entry.amount_micros for one in done] == [-150_000_000, None, -50_000_000]
    entries = await book.read(store.ledger, account_id)
    assert [(e.seq, e.kind, e.corrects) for e in entries] == [
        (1, "complaint", 0),
        (2, "correction", 1),
        (3, "correction", 1),
    ]
    assert sum(entry.amount_micros for entry in entries) == 0
    for seq, why in ((9, "has no entry 9; its last is 3"), (2, "is a correction itself: correct entry 1")):
        with pytest.raises(book.Refusal, match=why):
            await book.correct(store.ledger, account_id, seq, to_micros=0, **terms)


async def test_two_who_correct_at_once_agree(store, account_id):
    """Both want 0: one counter-entry, not two."""
    await store.account(account_id)
    await book.enter(store.ledger, case(account_id, "1"))
    terms = {"to_micros": 0, "currency": "EUR", "by": "ops", "why": "mistake"}
    async with store.others(3) as nodes:
        await asyncio.gather(*[book.correct(node.ledger, account_id, 1, **terms) for node in nodes])
    assert sum(entry.amount_micros for entry in await book.read(store.ledger, account_id)) == 0
    assert len(await book.read(store.ledger, account_id)) == 2


@pytest.mark.parametrize("damage", ["altered", "taken out"])
async def test_damage_by_hand_is_found(store, account_id, damage):
    """An amount that was changed, an entry that is gone."""
    await store.account(account_id)
    for number in range(3):
        await book.enter(store.ledger, case(account_id, str(number)))
    key = f"{{acct:{account_id}}}:ledger"
    rows = store.client.xrange(key)
    store.client.delete(key)
    for stream_id, values in rows:
        if stream_id == "2-0" and damage == "taken out":
            continue
        if stream_id == "2-0":
            values["entry"] = json.dumps({**json.loads(values["entry"]), "amount_micros": 1})
        store.client.xadd(key, values, id=stream_id)
    _, fault = await book.prove(store.ledger, account_id)
    assert (
        fault
        == {
            "altered": "entry 2 is not what was entered, or what stood before it is not",
            "taken out": "entry 2 is missing",
        }[damage]
    )


async def test_destinations_of_a_day_are_counted_once(store, account_id):
    """By the zone of the rate, else the country; refused ones too; delivered twice they count once."""
    await store.account(account_id)
    tally = Tally(store.tallies, "n1")
    await tally.start(0)
    france = {"called": "+33199001234", "zone": "France"}
    records = read(
        record(2, released=TEN + 5, account=account_id) | {"called": "+442079460000"},
        record(3, released=TEN + 5, account=account_id) | france,
        record(4, released=TEN + 5, account=account_id, outcome="refused") | france,
        record(5, released=TEN + 5, account=account_id, emergency=True) | {"called": "112"},
    )
    await tally.add(records, now_s=NOW)
    await tally.add(records, now_s=NOW)
    day = TEN // 86_400

    today, before = await store.tallies.read_many(account_id, [places_bucket(day), places_bucket(day - 1)])
    assert (today, before) == ({"+44": 1, "France": 2}, {})
