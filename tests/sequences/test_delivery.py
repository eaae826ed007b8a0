"""Delivery with failures, refusals, requests and crashes at any point: nothing is missing, nothing is doubled for good.

The log is written by the product's own writer, the checkpoint and the quarantine are real files; the downstream is a
model that fails as it is told. A crash is the runner's task cancelled wherever it happens to wait, and a new runner.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson
from depth import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from edge.cdr.delivery import checkpoint as checkpoints
from edge.cdr.delivery.checkpoint import Checkpoint, lowest_cursor
from edge.cdr.delivery.consumer import BatchRefused, Bounds, DeliveryFailed, Entry
from edge.cdr.delivery.runner import Runner
from edge.cdr.delivery.worker import Worker
from edge.cdr.writer import CdrWriter

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""No disk behind it: what survives a power failure is not what this asks, and fsync costs nothing there."""
NAME = "downstream"
POISON = "poison"
WAYS = ["take", "take", "take", "fail", "take, then fail", "take half, then fail", "surprise", "hang"]
BOUNDS = Bounds(records=8, size=700, age_s=1.0, timeout_s=0.05, retry_s=1.0, retry_most_s=4.0, alarm_s=5.0)


SHARES = st.integers(0, 100).map(lambda percent: percent / 100)


class Downstream:
    """Keeps what it takes, in the order of arrival; outlives the runners."""

    name = NAME

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.ways: list[str] = []
        self.most_at_once = 0
        self.lost_behind: int | None = None

    async def start(self, cursor: int) -> int:
        return cursor if self.lost_behind is None else min(self.lost_behind, cursor)

    async def deliver(self, entries: Sequence[Entry]) -> None:
        self.most_at_once = max(self.most_at_once, len(entries))
        if self.lost_behind is not None and entries[0].seq <= self.lost_behind + 1:
            self.lost_behind = None  # they come again
        way = self.ways.pop(0) if self.ways else "take"
        if way == "fail":
            raise DeliveryFailed("told to fail")
        if way == "hang":
            await asyncio.Event().wait()
        if way == "surprise":
            raise ValueError("a fault of the consumer itself")
        if any(entry.uid.startswith(POISON) for entry in entries):
            raise BatchRefused("poison")
        half = len(entries) // 2 if way == "take half, then fail" else len(entries)
        for entry in entries[:half]:
            await asyncio.sleep(0)
            self.taken.append(entry.uid)
        if way != "take":
            raise DeliveryFailed("the answer was lost")

    async def tend(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        return


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return 1_780_000_000.0 + self.seconds


class Delivery(RuleBasedStateMachine):
    """One log, one consumer, one runner after another."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="delivery-", dir=MEMORY))
        self.home = self.directory / "delivery" / NAME
        self.loop = asyncio.Runner()
        self.clock = Hands()
        self.downstream = Downstream()
        self.log: list[str] = []
        self.told: list[str] = []
        self.writer: CdrWriter
        self.runner: Runner

    @initialize()
    def begin(self) -> None:
        self.open_log()
        self.runner = self.new_runner()

    def open_log(self) -> None:
        self.writer = CdrWriter(
            self.directory / "cdr", wall0=1_780_000_000.0, mono0=0.0, tell=lambda fact: None, segment_bytes=900
        )

    def new_runner(self) -> Runner:
        return Runner(
            self.downstream,
            log=self.directory / "cdr",
            home=self.home,
            tell=lambda fact: self.told.append(fact.name),
            bounds=BOUNDS,
            clock=self.clock,
            draw=lambda: 0.5,
        )

    def teardown(self) -> None:
        """Everything healed: now all must be where it belongs."""
        try:
            if not hasattr(self, "runner"):
                return
            self.downstream.ways.clear()
            self.loop.run(self.deliver_to_the_end())
            taken = list(dict.fromkeys(self.downstream.taken))
            good = [uid for uid in self.log if not uid.startswith(POISON)]
            refused = set(self.quarantined())
            assert set(self.log) - refused - set(taken) == set(), "missing"
            assert set(taken) <= set(good), "invented, or poison"
            assert taken == [uid for uid in good if uid in set(taken)], "first arrivals in the order of the log"
            assert self.position().seq == len(self.log)
            assert "delivery.gap" not in self.told
            assert "delivery.log_restarted" not in self.told
            self.loop.run(self.runner.close())
        finally:
            if hasattr(self, "writer"):
                self.writer.close(0.0)
            self.loop.close()
            shutil.rmtree(self.directory)

    async def deliver_to_the_end(self) -> None:
        self.runner.finish()
        for _ in range(2_000):
            if self.runner.is_done:
                return
            self.clock.seconds += await self.runner.step()
        raise AssertionError("does not come to an end")

    def position(self) -> Checkpoint:
        return checkpoints.load(self.home) or Checkpoint(0)

    def quarantined(self) -> list[str]:
        lines = [line for path in self.home.glob("quarantine-*.jsonl") for line in path.read_bytes().splitlines()]
        return [orjson.loads(line)["uid"] for line in lines]

    # -- what happens ----------------------------------------------------------------------------------------------

    @rule(kinds=st.lists(st.sampled_from(["good"] * 9 + [POISON]), min_size=1, max_size=20), text=st.integers(0, 300))
    def calls_end(self, kinds: list[str], text: int) -> None:
        """Records are written, with rotation after a few."""
        for kind in kinds:
            seq = self.writer.take_seq()
            uid = f"{kind}-{seq}"
            self.log.append(uid)
            self.writer.append(orjson.dumps({"v": 1, "seq": seq, "uid": uid, "text": "x" * text}) + b"\n")
            if seq % 3:
                self.writer.flush(0.0)
        self.writer.flush(0.0)

    @rule(torn=st.binary(min_size=1, max_size=30) | st.just(b"\0\0\n") | st.just(b'{"v":1}\n{"v'))
    def edge_dies(self, torn: bytes) -> None:
        """Its last write is torn; the next one repairs it."""
        self.writer.close(0.0)
        newest = max((self.directory / "cdr").glob("cdr-*.jsonl"), key=lambda path: path.name.rpartition("-")[2])
        with newest.open("ab") as file:
            file.write(torn)
        self.loop.run(self.runner.step())
        self.open_log()

    @rule(ways=st.lists(st.sampled_from(WAYS), min_size=1, max_size=5))
    def downstream_will(self, ways: list[str]) -> None:
        self.downstream.ways += ways

    @rule(steps=st.integers(1, 12), seconds=st.sampled_from([0.0, 0.3, 1.0, 5.0, 100.0]))
    def time_passes(self, steps: int, seconds: float) -> None:
        for _ in range(steps):
            self.loop.run(self.runner.step())
            self.clock.seconds += seconds

    @rule(waits=st.integers(0, 40))
    def delivery_dies(self, waits: int) -> None:
        """Wherever it is after so many turns of the loop; a thread that was writing may have finished."""
        self.loop.run(self.cut_off(waits))
        self.runner = self.new_runner()

    async def cut_off(self, waits: int) -> None:
        step = asyncio.ensure_future(self.runner.step())
        for _ in range(waits):
            await asyncio.sleep(0)
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        await self.threads_end()
        await self.runner.close()

    async def threads_end(self) -> None:
        """What a dead process had in the disk's hands is done or not done before the next one looks."""
        worker: Worker = self.runner._worker
        await worker.do(lambda: None)

    @rule()
    def a_checkpoint_is_half_written(self) -> None:
        """A crash before the rename leaves a file beside."""
        if self.home.exists():
            (self.home / "checkpoint.json.new").write_bytes(b'{"v":1,"se')

    @rule(share=SHARES)
    def operator_asks_again(self, share: float) -> None:
        """`edge cdr redeliver --from`, of a record that was there."""
        if self.log:
            checkpoints.request(self.home, 1 + int(share * (len(self.log) - 1)))

    @rule(share=SHARES)
    def downstream_loses_its_tail(self, share: float) -> None:
        """A failover to a copy that lagged behind; connections are lost with it, and it says so at the next start."""
        taken = self.downstream.taken
        lost = taken[int(share * len(taken)) :]
        if not lost:
            return
        del taken[-len(lost) :]
        lowest = min(int(uid.rpartition("-")[2]) for uid in lost) - 1
        behind = self.downstream.lost_behind
        self.downstream.lost_behind = lowest if behind is None else min(lowest, behind)
        self.loop.run(self.cut_off(0))
        self.runner = self.new_runner()

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def the_checkpoint_is_never_ahead_of_delivery(self) -> None:
        """Every record up to it is downstream or put aside, but for what the downstream lost and has yet to say."""
        done = set(self.downstream.taken) | set(self.quarantined())
        behind = self.downstream.lost_behind
        upto = self.position().seq if behind is None else min(behind, self.position().seq)
        assert set(self.log[:upto]) - done == set()

    @invariant()
    def a_purge_would_take_only_what_nobody_needs(self) -> None:
        """The lowest cursor never passes the checkpoint."""
        lowest = lowest_cursor(self.directory / "delivery")
        assert lowest is None or lowest <= self.position().seq

    @invariant()
    def a_batch_is_bounded(self) -> None:
        """Records at once."""
        assert self.downstream.most_at_once <= BOUNDS.records


def test_delivery() -> None:
    """Any interleaving of calls, deliveries, failures and deaths."""
    run_state_machine_as_test(
        Delivery, settings=settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
    )
