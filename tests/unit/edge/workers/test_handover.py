"""Between workers: what waits while one of them does not read, and calls that are with another than their owner."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

import pytest

from edge.sip.flow import Flow
from edge.sip.framing import FramingFault
from edge.transport.connections import Connections
from edge.transport.stream_bounds import StreamBounds
from edge.workers.custody import LAST_WORDS_S
from edge.workers.frames import Kind, about
from edge.workers.handover import LOOK_S, MAX_FRAME, Desk, Handover, pair
from edge.workers.ownership import slot_of

PORT = ("192.0.2.7", 5060)
CALL_ID = next(b"call-%d@192.0.2.7" % number for number in range(99) if slot_of(b"call-%d@192.0.2.7" % number, 2) == 0)
"""Of the first worker of two."""
BYE = b"BYE sip:1@h SIP/2.0\r\nCall-ID: %b\r\nCSeq: 2 BYE\r\n\r\n" % CALL_ID
BOUND_S = 5


class Reader:
    """Who reads at a worker (`Receiver`): keeps what comes, and says which calls are live."""

    def __init__(self) -> None:
        self.read: asyncio.Queue[bytes] = asyncio.Queue()
        self.live: list[bytes] = []

    def received(self, listener: int, data: bytes, address: tuple[str, int]) -> None:
        self.read.put_nowait(data)

    def received_on(self, messages: Sequence[bytes], flow: Flow) -> None:
        for data in messages:
            self.read.put_nowait(data)

    def call_ids(self) -> Iterable[bytes]:
        return self.live

    def turn(self) -> None: ...
    def registered_elsewhere(self, states: Mapping[str, int]) -> None: ...
    def unframed(self, fault: FramingFault, flow: Flow) -> None: ...
    def connected(self, number: int) -> None: ...
    def disconnected(self, number: int) -> None: ...
    def flows_failed(self, flows: Sequence[Flow]) -> None: ...
    def unsent(self, txn: object, flow: Flow, why: str) -> None: ...


class Workers:
    """Two of them; what each reads, and who is up. Time stands until a test moves it."""

    def __init__(self, stack: ExitStack) -> None:
        self._pairs = [pair() for _ in range(2)]
        for ends in self._pairs:
            for end in ends:
                stack.callback(end.close)
        self._stack = stack
        self.up = bytearray(b"\1\1")
        self.now = 1_000.0
        self.readers = [Reader(), Reader()]

    def start(self, worker: int) -> Handover:
        outboxes = tuple([outbox for outbox, _ in self._pairs])
        desk = Desk(worker, 2, self._pairs[worker][1], outboxes, self.up)
        handover = Handover(desk, self.readers[worker], lambda: self.now)
        bounds = StreamBounds()
        loop = asyncio.get_running_loop()
        handover.join(Connections(handover, bounds, None, lambda: self.now, worker=worker, workers=2), loop)
        self._stack.callback(handover.leave, loop)
        return handover

    def say(self, worker: int, frame: bytes) -> None:
        self._pairs[worker][0].send(frame)

    async def reads(self, worker: int) -> bytes:
        async with asyncio.timeout(BOUND_S):
            return await self.readers[worker].read.get()


@contextmanager
def two_workers() -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(stack)


@pytest.mark.parametrize("is_adopted", [False, True])
async def test_a_call_begun_while_its_owner_rests_stays_where_it_is(is_adopted: bool) -> None:
    """The owner is told before it reads; it has the call again when that is over, and nothing more has come of it."""
    with two_workers() as workers:
        keeper = workers.start(1)
        workers.up[0] = 0
        if not is_adopted:
            keeper.received(0, BYE, PORT)
            assert await workers.reads(1) == BYE
        workers.readers[1].live = [CALL_ID]

        owner = workers.start(0)
        await owner.introduced()
        workers.up[0] = 1
        owner.received(0, BYE, PORT)
        assert await workers.reads(1) == BYE
        keeper.received(0, BYE, PORT)  # it is up: whoever gets a message of it hands it to the owner, who knows
        assert await workers.reads(1) == BYE

        workers.now += LAST_WORDS_S + LOOK_S
        keeper.look()
        owner.received(0, BYE, PORT)
        assert await workers.reads(1) == BYE, "it lives"
        workers.readers[1].live = []
        workers.now += LAST_WORDS_S + LOOK_S
        keeper.look()
        keeper.received(0, BYE, PORT)  # behind the word that it is given back
        assert await workers.reads(0) == BYE
        owner.received(0, BYE, PORT)
        assert await workers.reads(0) == BYE


async def test_a_keeper_that_begins_anew_says_again_what_it_has() -> None:
    """Of what it has no more, everything comes to the owner."""
    with two_workers() as workers:
        keeper = workers.start(1)
        workers.up[0] = 0
        keeper.received(0, BYE, PORT)
        owner = workers.start(0)
        await owner.introduced()
        workers.up[0] = 1
        assert await workers.reads(1) == BYE
        keeper.leave(asyncio.get_running_loop())
        again = workers.start(1)
        again.received(0, BYE, PORT)  # behind the word that it has begun anew
        assert await workers.reads(0) == BYE


async def test_a_keeper_that_is_not_up_is_handed_nothing() -> None:
    """Then the owner has it, and finds its way by the store."""
    with two_workers() as workers:
        keeper = workers.start(1)
        workers.readers[1].live = [CALL_ID]
        workers.say(0, about(Kind.INTRODUCED, 1, b"an earlier start"))
        owner = workers.start(0)
        await owner.introduced()
        owner.received(0, BYE, PORT)
        assert await workers.reads(1) == BYE
        workers.up[1] = 0
        owner.received(0, BYE, PORT)
        assert await workers.reads(0) == BYE
        assert keeper.counts()["lost"] == owner.counts()["lost"] == 0


@pytest.mark.parametrize(("size", "count"), [(200, 64), (1_400, 64), (MAX_FRAME, 2)])
def test_a_burst_waits_whole_and_in_its_order(size: int, count: int) -> None:
    """However many frames come before the other one reads: `net.unix.max_dgram_qlen` is no bound within a pair."""
    outbox, inbox = pair()
    frames = [number.to_bytes(2, "big").ljust(size, b"x") for number in range(count)]
    with outbox, inbox:
        for frame in frames:
            assert outbox.send(frame) == size
        assert [inbox.recv(MAX_FRAME) for _ in frames] == frames
        with pytest.raises(BlockingIOError):
            inbox.recv(MAX_FRAME)


def test_what_finds_no_room_is_refused_and_the_rest_stays() -> None:
    """Nobody waits for room; no frame is torn."""
    outbox, inbox = pair()
    with outbox, inbox:
        sent = 0
        with suppress(BlockingIOError):
            while sent < 1_000_000:
                outbox.send(b"x" * 4_000)
                sent += 1
        assert 0 < sent < 1_000_000
        assert [len(inbox.recv(MAX_FRAME)) for _ in range(sent)] == [4_000] * sent
        assert outbox.send(b"more") == 4
