"""Two nodes on one store, any interleaving: memory and the scripts give the same answers, and the invariants hold.

Instants: a script reads the store's clock somewhere between two readings of ours. A step is right if the specification
gives the same answer, and then holds the same state, at one of the milliseconds in between.
"""

import asyncio
import copy
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from depth import examples
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from limits import Account, Admit, Admitted, Answer, Denied, Limit, MemoryLimiter, Outcome, Renew, Renewed, Settle, Verb
from limits.account import PrefixCeiling
from limits.accounts import AccountStore
from limits.books import HeldCall
from limits.embedded import find_binary
from limits.keys import account_keys
from limits.model import DEFAULT_LEASE_MS, OUTCOMES, REFUSED, Adopted
from limits.nodes import NodeRegistry
from limits.rates import Price, cost
from limits.redis_limiter import RedisLimiter

AGE = (Path(__file__).parents[1] / "contract" / "age.lua").read_text()

UIDS = st.sampled_from([f"u{number}" for number in range(8)])
NODES = st.integers(0, 1)
LEASES = st.sampled_from([5_000, DEFAULT_LEASE_MS])
WAITS = st.sampled_from([1, 250, 1_000, 4_999, 5_000, 10_000, 30_000, 64_000, 65_000])

PRICES = st.sampled_from(
    [None, Price(0, 60_000_000, 1, 1, 0), Price(500_000, 7_000_000, 30, 6, 0), Price(0, 1, 1, 7, 12)]
)
CALLED = st.sampled_from(["", "+331", "+3389"])
TALKS = st.sampled_from([-1, 0, 999, 40_000, 59_000, 61_000])
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target)
"""Not made smaller: with a server behind it that takes minutes, and the steps of a failure can be read as they are."""
OPENING = 150_000_000

_url = ""
_turn = 0


class Specification:
    """The memory limiter with a clock that can be set, and copied whole."""

    def __init__(self) -> None:
        self.now = 0
        self.answers: list[Outcome] = []
        self.limiter = MemoryLimiter(self._deliver, self._clock)

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answers.append(outcome)

    def _clock(self) -> int:
        return self.now

    def ask(self, verb: Verb) -> Outcome:
        self.limiter.submit(verb)
        self.limiter.flush()
        return self.answers.pop()


class TwoNodes(RuleBasedStateMachine):
    """One account, two limiters over the store, one specification beside them."""

    def __init__(self) -> None:
        super().__init__()
        global _turn
        _turn += 1
        self.account = f"acc{_turn}"
        self.client = redis.Redis.from_url(_url, decode_responses=True)
        self.loop = asyncio.new_event_loop()
        self.answers: list[Outcome] = []
        self.nodes = [RedisLimiter(self._deliver, _url, deadline_s=10) for _ in range(2)]
        self.tasks = [self.loop.create_task(node.run()) for node in self.nodes]
        for node in self.nodes:
            assert self.loop.run_until_complete(node.connected(timeout_s=5)), node.last_fault
        self.store = AccountStore(_url)
        self.offset = 0
        self.generation = 1
        self.ceiling = 3
        ceilings = (PrefixCeiling("+33", 2, None), PrefixCeiling("+3389", 1, 1))
        values = Account(self.account, caps_base=2, caps_burst=6, calls_base=self.ceiling, prefix_ceilings=ceilings)
        self.loop.run_until_complete(self._provision(values))
        first = Specification()
        first.limiter.provision([values], opening={self.account: OPENING})
        self.candidates = [first]
        self.reasserted = 0
        self.top_ups = 0
        self.admitted = 0
        self.passed: list[int] = []
        """Instants of attempts that passed, repeated answers left out."""

    async def _provision(self, account: Account) -> None:
        async with AccountStore(_url) as store:
            await store.provision([account], opening={account.id: OPENING})

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                self.loop.run_until_complete(task)
        self.loop.run_until_complete(self.store.__aexit__())
        self.loop.close()
        self.client.close()

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answers.append(outcome)

    def now(self) -> int:
        seconds, micros = self.client.time()
        return seconds * 1_000 + micros // 1_000 + self.offset

    async def _answer(self, node: int, verb: Verb) -> Outcome:
        self.answers.clear()
        self.nodes[node].forget(self.account)  # the near-cache answers by real time, which here is made to jump
        self.nodes[node].submit(verb)
        self.nodes[node].flush()
        assert await self.nodes[node].drained(timeout_s=5)
        return self.answers.pop()

    def step(self, node: int, verb: Verb) -> Outcome:
        """Asks the store, then finds the instants at which the specification says the same."""
        before = self.now()
        outcome = self.loop.run_until_complete(self._answer(node, verb))
        after = self.now()
        if isinstance(outcome, Admitted | Renewed):
            outcome = outcome._replace(lease_until_ms=outcome.lease_until_ms + self.offset)
        instants = self.instants()
        matching: dict[str, Specification] = {}
        said: set[str] = set()
        for candidate in self.candidates:
            for instant in range(before, after + 1):
                trial = copy.deepcopy(candidate)
                trial.now = instant
                answer = trial.ask(verb)
                said.add(repr(answer))
                if answer == outcome and instants_of(trial) == instants:
                    matching.setdefault(state_of(trial), trial)
        assert matching, f"{verb}: the store says {outcome}, the specification {said}"
        self.candidates = list(matching.values())
        admitted = int(self.client.hget(account_keys(self.account).account, "calls_admitted") or 0)
        if admitted > self.admitted:
            self.passed.append(after)
        self.admitted = admitted
        return outcome

    def instants(self) -> object:
        """Every instant the store keeps, as `instants_of` has them: later answers depend on what a step left open."""
        names = account_keys(self.account)
        fields = self.client.hgetall(names.account)
        buckets = {
            name.removeprefix("pref:"): int(fields[name]) + self.offset
            for name in fields
            if name.startswith("pref:") or name == "refilled_ms"
        }
        scores = self.client.zrange(names.leases, 0, -1, withscores=True)
        leases = {uid: int(until) + self.offset for uid, until in scores}
        calls = {}
        for uid, line in self.client.hgetall(names.calls).items():
            admitted, answered, renewed = [int(word) for word in line.split(" ")[:3]]
            calls[uid] = (admitted + self.offset, answered and answered + self.offset, renewed + self.offset)
        return buckets, leases, calls

    @rule(node=NODES, uid=UIDS, lease_ms=LEASES, price=PRICES, called=CALLED, record=st.sampled_from([b"", b"r"]))
    def admit(self, node: int, uid: str, lease_ms: int, price: Price | None, called: str, record: bytes) -> None:
        outcome = self.step(node, Admit(self.account, uid, f"node {node}", lease_ms, price, called, record=record))
        if isinstance(outcome, Denied):
            self.no_false_refusal(outcome, price)

    def no_false_refusal(self, denied: Denied, price: Price | None) -> None:
        """With free capacity an attempt is admitted: whatever refused was used up at that instant, give or take the
        milliseconds between the store's reading of its clock and ours."""
        fields = self.client.hgetall(account_keys(self.account).account)
        if denied.limit is Limit.CALLS:
            live = self.client.zcount(account_keys(self.account).leases, self.now() - self.offset - 50, "+inf")
            assert live >= int(fields["calls_base"])
        if denied.limit is Limit.CAPS:
            assert int(fields["caps_base"]) == 0 or 0 < denied.retry_after_ms <= 1_000 // int(fields["caps_base"]) + 1
        if denied.limit is Limit.CREDIT:
            assert price is not None
            free = int(fields["balance_micros"]) - int(fields.get("held_micros", "0"))
            assert free < cost(price, 0)

    @rule(node=NODES, uid=UIDS)
    def answer(self, node: int, uid: str) -> None:
        self.step(node, Answer(self.account, uid))

    @rule(node=NODES, calls=st.lists(st.tuples(UIDS, TALKS, PRICES), max_size=4), lease_ms=LEASES)
    def renew(self, node: int, calls: list[tuple[str, int, Price | None]], lease_ms: int) -> None:
        uids, talk = tuple(uid for uid, _, _ in calls), tuple(ms for _, ms, _ in calls)
        paid, prices = tuple(30 if price else 0 for _, _, price in calls), tuple(price for _, _, price in calls)
        verb = Renew(self.account, uids, f"node {node}", lease_ms, talk, paid, prices)
        outcome = self.step(node, verb)
        assert isinstance(outcome, Renewed)
        self.reasserted += len(outcome.reasserted)

    @rule(
        node=NODES,
        uid=UIDS,
        outcome=st.sampled_from([*OUTCOMES, REFUSED]),
        ms=st.sampled_from([0, 1_234, 30_001, 90_000]),
        price=PRICES,
        doubtful=st.booleans(),
        by=st.sampled_from(["", "node 0/1", "node 1/1"]),
    )
    def settle(self, node: int, uid: str, outcome: str, ms: int, price: Price | None, doubtful: bool, by: str) -> None:
        self.step(node, Settle(self.account, uid, outcome, ms, price, doubtful, by=by))

    @rule(node=NODES)
    def a_node_dies_and_the_other_adopts(self, node: int) -> None:
        gone, heir = f"node {node}", f"node {1 - node}"
        before = self.now()
        taken = self.loop.run_until_complete(self._adopt(gone, heir))
        after = self.now()
        instants = self.instants()
        matching: dict[str, Specification] = {}
        for candidate in self.candidates:
            for instant in range(before, after + 1):
                trial = copy.deepcopy(candidate)
                trial.now = instant
                found = trial.limiter.adopt(self.account, gone=gone, heir=heir, lease_ms=DEFAULT_LEASE_MS)
                if {call.uid for call in found} == {call.uid for call in taken} and instants_of(trial) == instants:
                    matching.setdefault(state_of(trial), trial)
        assert matching, f"adopted {taken}"
        self.candidates = list(matching.values())

    async def _adopt(self, gone: str, heir: str) -> list[Adopted]:
        async with NodeRegistry(_url) as nodes:
            return list((await nodes.adopt(self.account, gone=gone, heir=heir, lease_ms=DEFAULT_LEASE_MS)).calls)

    @rule(amount=st.integers(1, 50_000_000))
    def somebody_tops_up(self, amount: int) -> None:
        self.top_ups += 1
        reference = f"r{self.top_ups}"
        self.loop.run_until_complete(self._top_up(amount, reference))
        for candidate in self.candidates:
            candidate.limiter.top_up(self.account, amount=amount, reference=reference)

    async def _top_up(self, amount: int, reference: str) -> None:
        async with AccountStore(_url) as store:
            await store.top_up(self.account, amount=amount, reference=reference, by="test")

    @rule(ms=WAITS)
    def time_passes(self, ms: int) -> None:
        names = account_keys(self.account)
        done = self.client.keys(f"{names.done_prefix}*")
        keys = (names.account, names.leases, names.calls, names.expired, names.reverts, *done)
        self.client.eval(AGE, len(keys), *keys, str(ms))
        self.offset += ms

    @precondition(lambda self: self.generation < 6)
    @rule(calls=st.integers(0, 5), caps=st.integers(0, 3))
    def operator_changes_the_ceilings(self, calls: int, caps: int) -> None:
        patch = {"calls_base": calls, "caps_base": caps}
        self.loop.run_until_complete(self._change(patch))
        for candidate in self.candidates:
            candidate.limiter.change(self.account, generation=self.generation, patch=patch)
        self.generation += 1
        self.ceiling = max(self.ceiling, calls)

    async def _change(self, patch: dict[str, int]) -> None:
        async with AccountStore(_url) as store:
            await store.change(self.account, generation=self.generation, patch=patch, by="test", why="sequence")

    @rule()
    def scripts_are_forgotten(self) -> None:
        self.client.script_flush()

    @invariant()
    def no_over_admission(self) -> None:
        """Leases beyond the ceiling exist only for calls that were running already."""
        assert self.client.zcount(account_keys(self.account).leases, f"({self.now() - self.offset}", "+inf") <= (
            self.ceiling + self.reasserted
        )

    @invariant()
    def no_over_rate(self) -> None:
        """In any second at most a burst of 6 and 3 CAPS (and one for the time between the store's reading and ours)."""
        recent = [instant for instant in self.passed if instant > self.now() - 1_000]
        assert len(recent) <= 6 + 3 + 1

    @invariant()
    def no_negative(self) -> None:
        """Whatever is duplicated. The balance alone may: what runs while the store is away is charged all the same."""
        fields = self.client.hgetall(account_keys(self.account).account)
        negative = [name for name, value in fields.items() if value.startswith("-")]
        assert negative in ([], ["balance_micros"])

    @invariant()
    def no_over_spend(self) -> None:
        """Holds never pass the balance, but for what was charged or promised without the store."""
        fields = self.client.hgetall(account_keys(self.account).account)
        unforeseen = int(fields.get("overdrawn_micros", "0")) + self.reasserted * 30_000_000 * 2
        assert int(fields.get("held_micros", "0")) <= int(fields["balance_micros"]) + unforeseen

    @invariant()
    def the_books_add_up(self) -> None:
        """By the store's own look at them."""
        assert self.loop.run_until_complete(self.store.verify(self.account)) == ()

    @invariant()
    def conservation(self) -> None:
        """Topped up = charged + balance, to the micro-unit; what is held is what the calls hold."""
        names = account_keys(self.account)
        fields = self.client.hgetall(names.account)
        assert int(fields["topped_up_micros"]) == (
            int(fields.get("charged_micros", "0")) + int(fields["balance_micros"])
        )
        held = sum(int(record.split(" ")[4]) for record in self.client.hvals(names.calls))
        assert held == int(fields.get("held_micros", "0"))

    @invariant()
    def no_leak(self) -> None:
        """A lease outlives no instant it was given for: none runs longer than the longest lease from now."""
        latest = self.client.zrange(account_keys(self.account).leases, -1, -1, withscores=True)
        assert not latest or latest[0][1] <= self.now() - self.offset + DEFAULT_LEASE_MS

    @invariant()
    def each_lease_ends_exactly_once(self) -> None:
        """Admitted + taken again = settled + expired + held (swept or not)."""
        names = account_keys(self.account)
        fields = self.client.hgetall(names.account)

        def count(name: str) -> int:
            return int(fields.get(name, "0"))

        held = self.client.zcard(names.leases)
        assert count("calls_admitted") + count("leases_reasserted") == (
            count("calls_settled") + count("leases_expired") + held
        )
        assert held + self.client.zcard(names.expired) == self.client.hlen(names.calls)


def instants_of(specification: Specification) -> object:
    """Buckets, leases and calls with their instants."""
    (book,) = specification.limiter._books.values()
    named = {"refilled_ms": book.bucket, **book.prefix_buckets}
    buckets = {name: bucket.refilled_ms for name, bucket in named.items() if bucket.refilled_ms is not None}
    calls = {uid: (call.admitted_ms, call.answered_ms, call.renewed_ms) for uid, call in book.calls.items()}
    return buckets, book.leases, calls


def state_of(specification: Specification) -> str:
    """Everything that later answers can depend on."""
    (book,) = specification.limiter._books.values()
    calls = {uid: [getattr(call, name) for name in HeldCall.__slots__] for uid, call in book.calls.items()}
    buckets = [(b.tokens_micro, b.refilled_ms) for b in (book.bucket, *book.prefix_buckets.values())]
    money = (book.balance, book.held, list(book.expired), book.records)
    return repr((buckets, book.leases, book.done, book.counters, calls, money))


@pytest.fixture(scope="module")
def store() -> Iterator[None]:
    """A server for this file alone."""
    global _url
    with tempfile.TemporaryDirectory(prefix="limits-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "s"
        words = ["--port", "0", "--unixsocket", str(path), "--dir", folder, "--save", ""]
        process = subprocess.Popen([str(find_binary()), *words], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not path.exists() and time.monotonic() < deadline:
                process.poll()
            _url = f"unix://{path}"
            yield
        finally:
            process.terminate()
            process.wait(timeout=10)


def test_two_nodes_and_the_specification_agree(store):
    """Answer by answer, under any interleaving Hypothesis can think of."""
    run_state_machine_as_test(
        TwoNodes,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=40,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
