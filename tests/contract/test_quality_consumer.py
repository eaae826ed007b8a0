"""edge.quality.service.QualityConsumer on a real server: what it takes, says, and does when a key is spoilt"""

import sys
import time
from pathlib import Path

import orjson
import pytest
from servers import client_of

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge" / "quality"))

from records import record

from edge.cdr.delivery.batch import ended_at
from edge.cdr.delivery.consumer import DeliveryFailed, Entry
from edge.cdr.seal import sealed
from edge.quality.batches import ALL, hour_bucket, minutes_bucket, month_bucket
from edge.quality.hours import hour_of, minute_of, month_of
from edge.quality.service import QualityConsumer, told_entry
from edge.quality.terms import Terms
from limits import Account
from limits.accounts import AccountStore
from limits.keys import TALLY_CURSORS
from limits.tallies import TallyStore

MIX = (
    {"outcome": "answered", "talk_s": 60, "cost": 12_000, "billed_s": 60, "pdd_ms": 1_500},
    {"outcome": "answered", "talk_s": 3, "cost": 600, "billed_s": 3, "pdd_ms": 40_000},
    {"outcome": "failed", "status": 486, "q850": 17, "tried": (("first", 503), ("out", 486))},
    {"outcome": "cancelled", "status": 487},
    {"outcome": "refused", "status": 403, "reason": "cli_refused"},
    {"outcome": "answered", "talk_s": 9, "emergency": True},
    {"outcome": "answered", "talk_s": 9, "lost": True},
)


def entries(account: str, ended_s: int) -> list[Entry]:
    """Several attempts of every kind, over two minutes."""
    found = []
    for seq in range(2, 2 + 4 * len(MIX)):
        made = record(seq, released=ended_s - 60 * (seq % 2), account=account, **MIX[seq % len(MIX)])
        line = sealed(orjson.dumps(made) + b"\n")
        found.append(Entry(seq, str(made["uid"]), line, None, "cdr-20261126-000000000001.jsonl", seq))
    return found


def kept(entry: Entry) -> Entry:
    """The same record as the delivery process reads it."""
    found = told_entry(entry.line, entry.segment, entry.end)
    assert found is not None
    return found


@pytest.fixture
async def url(server_urls, account_id) -> str:
    """A server that knows the account, and another one of which it knows what came of it before."""
    url: str = server_urls["redis"]
    async with AccountStore(url) as accounts:
        await accounts.provision([Account(account_id), Account(f"{account_id}b")])
    return url


async def test_what_is_kept_of_a_record_counts_the_same(url, account_id):
    """Of one that waits nothing but what is counted is kept; every sum is that of the whole ones."""
    now = int(time.time())
    sums = []
    for account, make in ((account_id, lambda entry: entry), (f"{account_id}b", kept)):
        consumer = QualityConsumer(url, node=account)
        await consumer.start(0)
        taken = [make(entry) for entry in entries(account, now)]
        await consumer.deliver(taken)
        await consumer.deliver(taken)
        async with TallyStore(url) as tallies:
            zone = Terms().zone
            buckets = (hour_bucket(hour_of(now, zone)), minutes_bucket(now), month_bucket(month_of(now, zone)))
            sums.append([(await tallies.read(account, bucket)).fields for bucket in buckets])
        await consumer.close()
    assert sums[0] == sums[1]
    assert {ALL, "trunk:out", "trunk:first"} <= sums[1][0].keys()


def test_the_line_is_not_kept():
    """A batch of many must fit into memory; where it is in the log stays known."""
    (whole,) = entries("acme", 1_800_000_000)[:1]
    entry = kept(whole)
    assert (entry.line, entry.size) == (b"", len(whole.line))
    assert (entry.seq, entry.uid, entry.segment, entry.end) == (whole.seq, whole.uid, whole.segment, whole.end)
    assert ended_at(entry, 2e9) == ended_at(whole, 2e9) == 1_800_000_000.0  # for how long it has waited
    assert told_entry(whole.line.replace(b"acme", b"acmf")) is None


async def test_a_line_that_makes_no_sense_is_passed_over(url, account_id):
    """With its line or without; it keeps its number."""
    consumer = QualityConsumer(url, node=account_id)
    await consumer.start(0)
    odd = Entry(2, "u2", sealed(b'{"seq":2,"uid":"u2"}\n'))
    await consumer.deliver([odd, kept(odd)])
    assert (consumer.unreadable, consumer.counted, kept(odd).seq, kept(odd).uid) == (2, 0, 2, "u2")
    await consumer.close()


async def test_where_calls_never_cease_hours_are_closed_all_the_same(url, account_id):
    """The end of the log is never come to, so a batch says how far it is: to the minute of its last record."""
    ended = int(time.time()) - 4_000
    consumer = QualityConsumer(url, node=account_id)
    await consumer.start(0)
    await consumer.deliver(entries(account_id, ended)[:-1])
    async with TallyStore(url) as tallies:
        assert (await tallies.marks())[account_id] == minute_of(ended)
        await consumer.close()
        assert account_id not in await tallies.marks()


async def test_a_key_of_all_that_was_spoilt_is_no_fault_of_the_records(url, account_id):
    """They wait, and the reason is told; nothing is refused. Mended, they count once."""
    client = client_of(url)
    before = client.hgetall(TALLY_CURSORS)
    now = int(time.time())
    consumer = QualityConsumer(url, node=account_id)
    await consumer.start(0)
    client.delete(TALLY_CURSORS)
    client.set(TALLY_CURSORS, "no hash")
    for _ in range(2):
        with pytest.raises(DeliveryFailed, match="WRONGTYPE"):
            await consumer.deliver(entries(account_id, now)[:2])
    client.delete(TALLY_CURSORS)
    if before:
        client.hset(TALLY_CURSORS, mapping=before)
    await consumer.deliver(entries(account_id, now)[:2])
    async with TallyStore(url) as tallies:
        fields = (await tallies.read(account_id, hour_bucket(hour_of(now, Terms().zone)))).fields
    assert fields[ALL].split()[0] == "2"
    await consumer.close()
