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
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from limits import Account, Admit, Admitted, Answer, MemoryLimiter, Outcome, Renew, Renewed, Settle, Verb
from limits.accounts import AccountStore
from limits.embedded import find_binary
from limits.keys import account_keys
from limits.model import DEFAULT_LEASE_MS, OUTCOMES
from limits.redis_limiter import RedisLimiter

AGE = """
local ms = tonumber(ARGV[1])
local refilled = redis.call('HGET', KEYS[1], 'refilled_ms')
if refilled then redis.call('HSET', KEYS[1], 'refilled_ms', refilled - ms) end
local leases = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #leases, 2 do redis.call('ZADD', KEYS[2], leases[i + 1] - ms, leases[i]) end
for i = 4, #KEYS do
  local left = redis.call('PTTL', KEYS[i])
  if left < ms then redis.call('DEL', KEYS[i]) else redis.call('PEXPIRE', KEYS[i], left - ms) end
end
"""

UIDS = st.sampled_from([f"u{number}" for number in range(8)])
NODES = st.integers(0, 1)
LEASES = st.sampled_from([5_000, DEFAULT_LEASE_MS])
WAITS = st.sampled_from([1, 250, 1_000, 4_999, 5_000, 10_000, 30_000, 64_000, 65_000])

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
        self.offset = 0
        self.generation = 1
        self.ceiling = 3
        values = Account(self.account, caps_base=2, caps_burst=6, calls_base=self.ceiling)
        self.loop.run_until_complete(self._provision(values))
        first = Specification()
        first.limiter.provision([values])
        self.candidates = [first]
        self.reasserted = 0
        self.admitted = 0
        self.passed: list[int] = []
        """Instants of attempts that passed, repeated answers left out."""

    async def _provision(self, account: Account) -> None:
        async with AccountStore(_url) as store:
            await store.provision([account])

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                self.loop.run_until_complete(task)
        self.loop.close()
        self.client.close()

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answers.append(outcome)

    def now(self) -> int:
        seconds, micros = self.client.time()
        return seconds * 1_000 + micros // 1_000 + self.offset

    async def _answer(self, node: int, verb: Verb) -> Outcome:
        self.answers.clear()
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
        matching: dict[str, Specification] = {}
        said: set[str] = set()
        for candidate in self.candidates:
            for instant in range(before, after + 1):
                trial = copy.deepcopy(candidate)
                trial.now = instant
                answer = trial.ask(verb)
                said.add(repr(answer))
                if answer == outcome:
                    matching.setdefault(state_of(trial), trial)
        assert matching, f"{verb}: the store says {outcome}, the specification {said}"
        self.candidates = list(matching.values())[:20]
        admitted = int(self.client.hget(account_keys(self.account).account, "calls_admitted") or 0)
        if admitted > self.admitted:
            self.passed.append(after)
        self.admitted = admitted
        return outcome

    @rule(node=NODES, uid=UIDS, lease_ms=LEASES)
    def admit(self, node: int, uid: str, lease_ms: int) -> None:
        self.step(node, Admit(self.account, uid, f"node {node}", lease_ms))

    @rule(node=NODES, uid=UIDS)
    def answer(self, node: int, uid: str) -> None:
        self.step(node, Answer(self.account, uid))

    @rule(node=NODES, uids=st.lists(UIDS, max_size=4), lease_ms=LEASES)
    def renew(self, node: int, uids: list[str], lease_ms: int) -> None:
        outcome = self.step(node, Renew(self.account, tuple(uids), f"node {node}", lease_ms))
        assert isinstance(outcome, Renewed)
        self.reasserted += len(outcome.reasserted)

    @rule(node=NODES, uid=UIDS, outcome=st.sampled_from(OUTCOMES))
    def settle(self, node: int, uid: str, outcome: str) -> None:
        self.step(node, Settle(self.account, uid, outcome, 1_234))

    @rule(ms=WAITS)
    def time_passes(self, ms: int) -> None:
        names = account_keys(self.account)
        done = self.client.keys(f"{names.done_prefix}*")
        self.client.eval(AGE, 3 + len(done), names.account, names.leases, names.calls, *done, str(ms))
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
        """Whatever is duplicated."""
        fields = self.client.hgetall(account_keys(self.account).account)
        assert not [name for name, value in fields.items() if value.startswith("-")]

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
        assert held == self.client.hlen(names.calls)


def state_of(specification: Specification) -> str:
    """Everything that later answers can depend on."""
    (book,) = specification.limiter._books.values()
    return repr((book.tokens_micro, book.refilled_ms, book.leases, book.done, book.counters))


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
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
