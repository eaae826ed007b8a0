"""Frequencies under any interleaving of two nodes, over memory and a real server: never one attempt too many in any
window, never a refusal without its reason.

The instant at which an attempt was admitted is known exactly: its lease runs out `lease_ms` after it.
"""

import asyncio
import itertools
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
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from limits import Account, Admit, Admitted, Denied, Limit, MemoryLimiter, Outcome, Settle, Verb
from limits.accounts import AccountStore
from limits.embedded import find_binary
from limits.frequency import Counts, Frequency
from limits.keys import account_keys
from limits.redis_limiter import RedisLimiter

AGE = (Path(__file__).parents[1] / "contract" / "age.lua").read_text()
LEASE_MS = 30_000
KEYS = st.sampled_from(["k", "l"])
ITEMS = st.sampled_from(["a", "b", "c", "d"])
WINDOWS = st.sampled_from([9_000, 10_000, 11_000])
"""Of one frequency: the law's days of the calendar have not always the same length."""
WAITS = st.sampled_from([1, 999, 4_000, 8_999, 9_000, 10_000, 31_000])
MOST = 3
VALUES = {"caps_base": 100_000, "calls_base": 4}
_accounts = itertools.count()
_url = ""


class Memory:
    """The specification, with a clock that can be set."""

    def __init__(self, account: str) -> None:
        self.clock = 1_000_000
        self.answers: list[Outcome] = []
        self.limiter = MemoryLimiter(lambda verb, outcome: self.answers.append(outcome), lambda: self.clock)
        self.limiter.provision([Account(account, **VALUES)])

    def ask(self, verb: Verb, node: int) -> Outcome:
        self.limiter.submit(verb)
        self.limiter.flush()
        return self.answers.pop()

    def now(self) -> int:
        return self.clock

    def instant(self, admitted: Admitted) -> int:
        return admitted.lease_until_ms - LEASE_MS

    def wait(self, ms: int) -> None:
        self.clock += ms

    def close(self) -> None:
        """Nothing to be closed."""


class Store:
    """Two nodes on one server; instants kept there are moved into the past where time is to pass."""

    def __init__(self, account: str) -> None:
        self.account, self.offset = account, 0
        self.client = redis.Redis.from_url(_url, decode_responses=True)
        self.loop = asyncio.new_event_loop()
        self.answers: list[Outcome] = []
        self.nodes = [RedisLimiter(lambda v, outcome: self.answers.append(outcome), _url, deadline_s=10) for _ in "ab"]
        self.tasks = [self.loop.create_task(node.run()) for node in self.nodes]
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        for node in self.nodes:
            assert await node.connected(timeout_s=5), node.last_fault
        async with AccountStore(_url) as store:
            await store.provision([Account(self.account, **VALUES)])

    def ask(self, verb: Verb, node: int) -> Outcome:
        self.nodes[node].submit(verb)
        self.nodes[node].flush()
        assert self.loop.run_until_complete(self.nodes[node].drained(timeout_s=5))
        return self.answers.pop()

    def now(self) -> int:
        seconds, micros = self.client.time()
        return seconds * 1_000 + micros // 1_000 + self.offset

    def instant(self, admitted: Admitted) -> int:
        return admitted.lease_until_ms - LEASE_MS + self.offset

    def wait(self, ms: int) -> None:
        names = account_keys(self.account)
        done = list(self.client.scan_iter(match=f"{names.done_prefix}*", count=1_000))
        keys = (names.account, names.leases, names.calls, names.expired, names.reverts, *done)
        self.client.eval(AGE, len(keys), *keys, str(ms))
        self.offset += ms

    def close(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                self.loop.run_until_complete(task)
        self.loop.close()
        self.client.close()


class Frequencies(RuleBasedStateMachine):
    """Attempts with a frequency of attempts and one of different items; calls that end, some of them unsent."""

    backend: type[Memory] | type[Store] = Memory

    def __init__(self) -> None:
        super().__init__()
        self.account = f"often{next(_accounts)}"
        self.limits = self.backend(self.account)
        self.numbers = itertools.count()
        self.passed: dict[str, tuple[str, int, int]] = {}
        """uid -> (key, instant, window) of every attempt that counts."""
        self.items: dict[str, list[int]] = {}
        self.running: list[tuple[str, tuple[Frequency, ...]]] = []

    def teardown(self) -> None:
        self.limits.close()

    def counted(self, key: str, since: int) -> int:
        return sum(at > since for name, at, _ in self.passed.values() if name == key)

    def kinds(self, since: int) -> set[str]:
        return {item for item, times in self.items.items() if max(times) > since}

    @rule(node=st.integers(0, 1), key=KEYS, item=ITEMS, window_ms=WINDOWS)
    def attempt(self, node: int, key: str, item: str, window_ms: int) -> None:
        """One more; what passed was allowed to, what was refused had to be."""
        uid = f"u{next(self.numbers)}"
        often = Frequency("often", key, MOST, window_ms)
        kinds = Frequency("kinds", "all", MOST, 10_000, Counts.DISTINCT, item)
        verb = Admit(self.account, uid, f"n{node}", LEASE_MS, frequencies=(often, kinds))
        before = self.limits.now()
        outcome = self.limits.ask(verb, node)
        after = self.limits.now()
        if isinstance(outcome, Admitted):
            at = self.limits.instant(outcome)
            assert before <= at <= after
            assert self.counted(key, at - window_ms) < MOST, "one attempt too many"
            assert len(self.kinds(at - 10_000) | {item}) <= MOST, "one number too many"
            self.passed[uid] = (key, at, window_ms)
            self.items.setdefault(item, []).append(at)
            self.running.append((uid, (often, kinds)))
            return
        assert isinstance(outcome, Denied)
        if outcome.limit is Limit.CALLS:
            assert outcome.in_use == VALUES["calls_base"]
            return
        assert outcome.limit is Limit.FREQUENCY
        if outcome.name == "often":
            assert self.counted(key, before - window_ms) >= MOST, "a false refusal"
            assert self.counted(key, after + outcome.retry_after_ms - window_ms) < MOST, "a wait too short"
        else:
            assert outcome.name == "kinds"
            assert len(self.kinds(before - 10_000) | {item}) > MOST, "a false refusal"

    @rule(node=st.integers(0, 1))
    def again(self, node: int) -> None:
        """The same attempt asked again counts once, wherever its lease is."""
        if not self.running:
            return
        uid, frequencies = self.running[-1]
        outcome = self.limits.ask(Admit(self.account, uid, "n0", LEASE_MS, frequencies=frequencies), node)
        if isinstance(outcome, Admitted) and self.limits.instant(outcome) >= self.passed.get(uid, ("", 0, 0))[1]:
            key, _, window_ms = self.passed[uid]
            at = self.limits.instant(outcome)
            if at > self.passed[uid][1]:  # its lease had run out: it is another attempt under the same name
                self.passed[uid] = (key, at, window_ms)
                self.items[frequencies[1].item].append(at)

    @rule(node=st.integers(0, 1), is_sent=st.booleans())
    def end(self, node: int, is_sent: bool) -> None:
        """A call ends; what was never sent is given back, once."""
        if not self.running:
            return
        uid, frequencies = self.running.pop(0)
        returned = () if is_sent else frequencies
        for _ in range(2):
            self.limits.ask(Settle(self.account, uid, "failed", 0, returned=returned), node)
        if not is_sent:
            self.passed.pop(uid, None)

    @rule(ms=WAITS)
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.limits.wait(ms)

    @invariant()
    def no_window_holds_too_many(self) -> None:
        """Of the attempts that were sent or still run."""
        for key in ("k", "l"):
            times = sorted(at for name, at, _ in self.passed.values() if name == key)
            for first, last in zip(times, times[MOST:], strict=False):
                assert last - first >= 9_000


class OverAStore(Frequencies):
    """The same over a server."""

    backend = Store


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
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


def test_over_memory() -> None:
    """The specification keeps its own promise."""
    run_state_machine_as_test(
        Frequencies, settings=settings(max_examples=examples(300), stateful_step_count=60, deadline=None, database=None)
    )


def test_over_a_server(server: None) -> None:
    """The scripts keep it, asked by two nodes."""
    run_state_machine_as_test(
        OverAStore,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=50,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
