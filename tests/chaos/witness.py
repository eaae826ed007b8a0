"""Who watches the chaos from outside: the store's counts ten times a second, and at the end the sums of everything."""

import asyncio
from collections import Counter
from collections.abc import Iterable

from cancellers import Cancellers
from patience import told, until_found
from redis.exceptions import RedisError
from rig import ACCOUNTS, GROUP_CALLS, TRUNK_CALLS, Callers, Edge, Store

from limits.accounts import AccountStore
from limits.errors import LimitsError
from limits.keys import account_keys
from limits.model import Usage

SAMPLE_S = 0.1
CEILINGS = {one.name: one.calls for one in ACCOUNTS} | {"group:pool": GROUP_CALLS, "trunk:first": TRUNK_CALLS["first"]}
"""Of every holder; the second trunk has none."""
ZONED = ("zoned", "3314509", 3)
Record = dict[str, object]


class Witness:
    """Samples a store until `over` is set; what it saw that may not be is in `faults`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.over = asyncio.Event()
        self.samples = 0
        self.has_lost_data = False
        """Set by the scene in which the store begins anew; nowhere else may a hold exceed the balance."""
        self.faults: list[str] = []
        self.peak: Counter[str] = Counter()

    async def watch(self) -> None:
        while not await told(self.over, SAMPLE_S):
            try:
                await self._sample()
                self.samples += 1
            except (RedisError, OSError):
                pass  # the store is part of the chaos

    async def _sample(self) -> None:
        seconds, micros = await self._store.client.time()
        now = f"({seconds * 1_000 + micros // 1_000}"
        pipe = self._store.client.pipeline(transaction=True)
        for holder in CEILINGS:
            keys = account_keys(holder)
            pipe.zcount(keys.leases, now, "+inf")
            pipe.hgetall(keys.account)
        pipe.zcount(f"{account_keys(ZONED[0]).leases}:+{ZONED[1]}", now, "+inf")
        *found, zoned = await pipe.execute()
        for (holder, ceiling), in_use, values in zip(CEILINGS.items(), found[::2], found[1::2], strict=True):
            self.peak[holder] = max(self.peak[holder], in_use)
            if in_use > ceiling:
                self.faults.append(f"{holder}: {in_use} calls, {ceiling} allowed")
            self._look_into(holder, {name.decode(): value.decode() for name, value in values.items()})
        if zoned > ZONED[2]:
            self.faults.append(f"{ZONED}: {zoned} calls")

    def _look_into(self, holder: str, values: dict[str, str]) -> None:
        numbers = {name: int(value) for name, value in values.items() if value.lstrip("-").isdecimal()}
        is_account = not holder.startswith(("group:", "trunk:"))  # the others have no credit: their charges are counted
        for name, number in numbers.items():
            if number < 0 and (is_account or name != "balance_micros"):
                self.faults.append(f"{holder}: {name} is {number}")
        # Where data was lost, what was promised is held again beside what was charged meanwhile: the store marks it.
        if is_account and not (self.has_lost_data and values.get("is_beyond") == "1"):
            left = numbers.get("balance_micros", 0) - numbers.get("held_micros", 0)
            if left < 0:
                self.faults.append(f"{holder}: holds exceed the balance by {-left}")


async def usages(store: Store) -> dict[str, Usage]:
    """Everything of every holder."""
    async with AccountStore(store.url) as accounts:
        return {name: await accounts.peek(name) for name in await accounts.holders()}


async def all_at_rest(store: Store, bound_s: float) -> dict[str, Usage]:
    """Waits until no lease and no hold is left anywhere, nor anything of a call; says what is left where that fails."""
    found: dict[str, Usage] = {}
    left: dict[str, object] = {}

    async def is_at_rest() -> bool:
        nonlocal found, left
        try:
            found = await usages(store)
            left = {
                name: (one.in_use, one.held_micros, one.expired, one.calls)
                for name, one in found.items()
                if one.in_use or one.held_micros or one.expired
            }
            left |= {key.decode(): "left" for key in await _keys_of_calls(store)}
        except (LimitsError, RedisError, OSError) as error:
            left = {"store": str(error)}
        return not left

    try:
        await until_found(is_at_rest, "everything to be at rest", bound_s)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from None
    return found


async def _keys_of_calls(store: Store) -> list[bytes]:
    """Redis keeps no empty key: what is there, holds a call."""
    kinds = (b":leases", b":calls", b":records", b":expired")
    return [
        key
        async for key in store.client.scan_iter(match="{*", count=1_000)
        if key.endswith(kinds) or b":leases:" in key
    ]


def records_of(edges: Iterable[Edge]) -> list[Record]:
    return [record for edge in edges for record in edge.records()]


def number(record: Record, column: str) -> int:
    """A whole number out of a record."""
    value = record[column]
    assert isinstance(value, int)
    return value


def charges(records: Iterable[Record]) -> Counter[str]:
    """What the records say was charged to each account."""
    sums: Counter[str] = Counter()
    for record in records:
        sums[str(record["account"])] += number(record, "cost_micros")
    return sums


def assert_money_adds_up(found: dict[str, Usage], topped_up: dict[str, int], records: list[Record]) -> None:
    """To the micro: topped up is what was given; balance + charged is topped up; charged is what the CDRs say."""
    charged = charges(records)
    for name in (one.name for one in ACCOUNTS):
        usage, counters = found[name], dict(found[name].counters)
        assert (name, counters["topped_up_micros"]) == (name, topped_up[name])
        assert (name, usage.balance_micros) == (name, topped_up[name] - counters["charged_micros"])
        assert (name, counters["charged_micros"]) == (name, charged[name])
        assert (name, usage.balance_micros >= 0, counters["overdrawn_micros"]) == (name, True, 0)


def assert_leases_add_up(found: dict[str, Usage]) -> None:
    """Leases given and taken again are leases given back and run out; no counter is negative."""
    for name, usage in found.items():
        counters = dict(usage.counters)
        given = counters["calls_admitted"] + counters["leases_reasserted"]
        assert (name, given) == (name, counters["calls_settled"] + counters["leases_expired"])
        assert (name, [key for key, value in counters.items() if value < 0]) == (name, [])


def assert_one_record_each(records: list[Record], callers: Iterable[Callers | Cancellers]) -> None:
    """Every attempt has exactly one record, whatever its INVITE was repeated to."""
    by_call = Counter(str(record["call_id"]) for record in records)
    sent = [call_id for one in callers for call_id in one.call_ids]
    assert {call_id: count for call_id, count in by_call.items() if count != 1} == {}
    assert sorted(set(sent) - set(by_call)) == [], "attempts without a record"
    assert set(by_call) <= set(sent)
    uids = Counter(str(record["uid"]) for record in records)
    assert {uid: count for uid, count in uids.items() if count != 1} == {}


def assert_no_gap(edges: Iterable[Edge]) -> None:
    """The sequence of each node's records has no gap, over restarts too."""
    for edge in edges:
        sequence = [number(record, "seq") for record in edge.records()]
        assert sequence == list(range(sequence[0], sequence[0] + len(sequence))) if sequence else True
