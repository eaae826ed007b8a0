"""A store that is away, slow, forgetful or not a store: every verb is answered once, and no lease is left behind."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import hiredis
import pytest
import redis
import uvloop

from limits import (
    Account,
    Admit,
    Admitted,
    Answer,
    Denied,
    Limit,
    Outcome,
    Renew,
    Settle,
    Settled,
    StoreUnavailable,
    Unavailable,
    Verb,
    journal,
)
from limits.accounts import AccountStore
from limits.embedded import find_binary
from limits.keys import account_keys
from limits.model import GIVEN_BACK
from limits.redis_limiter import MAX_SENT, RedisLimiter
from limits.script_loader import SCRIPTS, script

NAMES = {script(name).sha1.encode(): name for name in SCRIPTS}
LOADED = {script(name).text.encode(): script(name).sha1.encode() for name in SCRIPTS}


class Answers:
    """Collects what is delivered, and lets a test wait for a number of answers."""

    def __init__(self) -> None:
        self.all: list[tuple[Verb, Outcome]] = []
        self._more = asyncio.Event()

    def __call__(self, verb: Verb, outcome: Outcome) -> None:
        self.all.append((verb, outcome))
        self._more.set()

    async def wait(self, number: int) -> list[Outcome]:
        async with asyncio.timeout(5):
            while len(self.all) < number:
                self._more.clear()
                await self._more.wait()
        return [outcome for _, outcome in self.all]


ADMITTED = b"*15\r\n:1\r\n:1700000000000\r\n:1\r\n" + b":1\r\n" * 7 + b"$0\r\n\r\n:0\r\n*0\r\n:0\r\n:0\r\n"


class FakeStore:
    """Speaks RESP on a unix socket. `reply(name, words)` gives the bytes for a script; None: silence; b"": hang up."""

    def __init__(self, reply: Callable[[str, list[bytes]], bytes | None]) -> None:
        self.reply = reply
        self.seen: list[tuple[str, list[bytes]]] = []
        self.connections = 0
        self._came = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self.serve, str(path))
        try:
            yield
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    def say(self, data: bytes) -> None:
        """A reply that was held back, on the latest connection."""
        self._writers[-1].write(data)

    async def connected(self, number: int) -> None:
        """Waits until so many connections have been made."""
        async with asyncio.timeout(5):
            while self.connections < number:
                self._came.clear()
                await self._came.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._came.set()
        self._writers.append(writer)
        requests = hiredis.Reader(notEnoughData=None)
        with suppress(OSError):
            while data := await reader.read(65_536):
                requests.feed(data)
                while (words := requests.gets()) is not None:
                    answer = self._answer(words)
                    if answer == b"":
                        writer.close()
                        return
                    writer.write(answer or b"")

    def _answer(self, words: list[bytes]) -> bytes | None:
        if words[0] == b"EVALSHA":
            name, rest = NAMES[words[1]], words[2:]
        else:
            name, rest = words[0].decode(), words[1:]
        if name == "epoch":
            return b"$2\r\ne1\r\n"
        self.seen.append((name, rest))
        answer = self.reply(name, rest)
        if answer is None and name == "SCRIPT":
            return b"$40\r\n%b\r\n" % LOADED[rest[1]]
        return answer


def silent(name: str, words: list[bytes]) -> bytes | None:
    """Loads scripts, then says nothing."""
    return None


def answering(name: str, words: list[bytes]) -> bytes | None:
    """A store where all goes well."""
    return {"admit": ADMITTED, "settle": b"*5\r\n:1\r\n:0\r\n:0\r\n:0\r\n$0\r\n\r\n"}.get(name)


def refused_greeting(name: str, words: list[bytes]) -> bytes | None:
    return b"-NOAUTH Authentication required.\r\n"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts to connect, made short."""
    monkeypatch.setattr("limits.connection.BACKOFF_S", (0.005, 0.02))


pytestmark = pytest.mark.usefixtures("short")


async def test_no_store_at_all_answers_at_once_and_keeps_the_settlements(tmp_path, running):
    """Nothing waits for a deadline when it is known that nobody listens."""
    answers = Answers()
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/none")
    verbs = (Admit("a", "u", "n"), Renew("a", ("u",), "n"), Answer("a", "u"), Settle("a", "u", "failed", 0))

    async with running(limiter, connects=False):
        for verb in verbs:
            limiter.submit(verb)
        assert answers.all == []
        limiter.flush()
        limiter.flush()

        assert answers.all == [(verb, Unavailable("the store is away")) for verb in verbs]
        assert not limiter.is_up
        assert (limiter.asked, limiter.unavailable, limiter.queued_settles) == (4, 4, 1)
        with pytest.raises(StoreUnavailable):
            await limiter.peek("a")


async def test_a_store_over_tcp_is_asked_the_same_way(running):
    """Host, port and database out of the URL."""
    answers = Answers()
    store = FakeStore(lambda name, words: b"+OK\r\n" if name == "SELECT" else answering(name, words))
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0)
    limiter = RedisLimiter(answers, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/2", deadline_s=5)

    async with running(limiter):
        limiter.submit(Admit("a", "u", "n"))
        limiter.flush()
        assert [type(outcome) for outcome in await answers.wait(1)] == [Admitted]
    server.close()

    assert store.seen[0] == ("SELECT", [b"2"])


async def test_before_run_every_verb_is_unavailable():
    """A limiter that was never started is a store that is away."""
    answers = Answers()
    limiter = RedisLimiter(answers, "redis://127.0.0.1:1")

    limiter.submit(Admit("a", "u", "n"))
    limiter.flush()

    assert [outcome for _, outcome in answers.all] == [Unavailable("the store is away")]


async def test_settlements_are_sent_in_order_when_the_store_is_back(tmp_path, running):
    """Kept while it was away; renewals and admits are not."""
    answers = Answers()
    store = FakeStore(answering)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s")
    settles = [Settle("a", f"u{number:03}", "answered", number) for number in range(600)]

    async with running(limiter, connects=False):
        for verb in (*settles, Renew("a", ("u",), "n"), Admit("a", "v", "n")):
            limiter.submit(verb)
        limiter.flush()
        async with store.listening(tmp_path / "s"):
            assert await limiter.connected(timeout_s=5)
            assert await limiter.drained(timeout_s=5)

    scripts = [(name, words[7].decode()) for name, words in store.seen if name != "SCRIPT"]
    assert scripts == [("settle", settle.uid) for settle in settles]
    assert len(answers.all) == 602
    assert limiter.queued_settles == 0


async def test_the_queue_of_settlements_is_bounded(tmp_path, monkeypatch):
    """The oldest goes first, and is counted; its lease runs out by itself."""
    monkeypatch.setattr(journal, "CAPACITY", 3)
    limiter = RedisLimiter(Answers(), f"unix://{tmp_path}/s")

    for number in range(5):
        limiter.submit(Settle("a", f"u{number}", "failed", 0))
    limiter.flush()

    assert (limiter.queued_settles, limiter.settles_dropped) == (3, 2)


async def test_what_was_not_sent_yet_is_sent_before_the_end(tmp_path, running):
    """A settlement may still be waiting for company when its edge ends."""
    answers = Answers()
    store = FakeStore(answering)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s")

    async with store.listening(tmp_path / "s"), running(limiter):
        limiter.submit(Settle("a", "u", "failed", 0))
        assert await limiter.drained(timeout_s=5)
        assert len(answers.all) == 1

    assert [name for name, _ in store.seen if name == "settle"] == ["settle"]


async def test_a_store_that_accepts_and_never_answers_is_never_up(tmp_path, running, monkeypatch):
    """The first commands have a deadline too."""
    monkeypatch.setattr("limits.link.CONNECT_TIMEOUT_S", 0.05)
    answers = Answers()
    quiet = await asyncio.start_unix_server(lambda reader, writer: None, str(tmp_path / "s"))
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s")

    async with running(limiter, connects=False):
        assert not await limiter.connected(timeout_s=0.1)
        limiter.submit(Admit("a", "u", "n"))
        limiter.flush()

    assert [outcome for _, outcome in answers.all] == [Unavailable("the store is away")]
    quiet.close()


async def test_silence_is_unavailable_at_the_deadline_and_then_the_end_of_the_connection(tmp_path, running):
    """Each asker is told once; what may have taken a lease is given back on the next connection."""
    answers = Answers()
    store = FakeStore(silent)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=0.02, stall_s=0.06)

    async with store.listening(tmp_path / "s"), running(limiter):
        for verb in (Admit("a", "u1", "n"), Settle("a", "u2", "answered", 5), Renew("a", ("u3",), "n")):
            limiter.submit(verb)
        limiter.flush()
        assert await answers.wait(3) == [Unavailable("no answer in time")] * 3
        store.reply = answering
        await store.connected(2)
        assert await limiter.connected(timeout_s=5)
        assert await limiter.drained(timeout_s=5)

    assert len(answers.all) == 3
    settled = [(words[7], words[8]) for name, words in store.seen if name == "settle"]
    assert settled == [(b"u2", b"answered"), (b"u1", GIVEN_BACK.encode()), (b"u2", b"answered")]
    assert (limiter.stalls, limiter.reconnects, limiter.given_back, limiter.unavailable) == (1, 1, 1, 3)


async def test_a_connection_that_closes_answers_what_was_under_way(tmp_path, running):
    """Once, at once, without waiting for the deadline; then it connects again."""
    answers = Answers()
    store = FakeStore(lambda name, words: b"" if name == "admit" else answering(name, words))
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        limiter.submit(Admit("a", "u1", "n"))
        limiter.flush()
        outcome = (await answers.wait(1))[0]
        store.reply = answering
        assert await limiter.connected(timeout_s=5)
        limiter.submit(Admit("a", "u2", "n"))
        limiter.flush()
        assert type((await answers.wait(2))[1]) is Admitted
        assert await limiter.drained(timeout_s=5)

    assert type(outcome) is Unavailable
    assert (limiter.reconnects, limiter.given_back, store.connections) == (1, 1, 2)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$99999999999999999999\r\n",
        b"*99999999999\r\n",
        b"*1\r\n" * 100_000,
        b"+OK\r\n",
        b":1\r\n",
        b"*0\r\n",
        b"*2\r\n:1\r\n:0\r\n",
        b"*4\r\n:1\r\n$1\r\nx\r\n:1\r\n:1\r\n",
        b"*5\r\n:0\r\n$5\r\nweird\r\n:1\r\n:1\r\n:1\r\n",
        b"*5\r\n:0\r\n$4\r\ncaps\r\n$1\r\n1\r\n:1\r\n:1\r\n",
        b"$5000000\r\n" + b"x" * 4_500_000,
    ],
)
async def test_garbage_ends_the_connection_and_is_counted(tmp_path, running, garbage):
    """Whoever answers so is not our store; a lease it may have given is given back."""
    answers = Answers()
    store = FakeStore(lambda name, words: garbage if name == "admit" else answering(name, words))
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        limiter.submit(Admit("a", "u1", "n"))
        limiter.flush()
        await answers.wait(1)
        store.reply = answering
        await store.connected(2)
        assert await limiter.connected(timeout_s=5)
        assert await limiter.drained(timeout_s=5)

    assert len(answers.all) == 1
    assert (limiter.garbage, limiter.given_back, limiter.reconnects) == (1, 1, 1)
    assert [words[7] for name, words in store.seen if name == "settle"] == [b"u1"]


async def test_a_reply_nobody_asked_for_ends_the_connection(tmp_path, running):
    """From there on every reply would be taken for the answer to another verb."""
    answers = Answers()
    store = FakeStore(lambda name, words: (answering(name, words) or b"") + b":77\r\n" if name == "admit" else None)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        limiter.submit(Admit("a", "u1", "n"))
        limiter.flush()
        assert [type(outcome) for outcome in await answers.wait(1)] == [Admitted]
        await store.connected(2)

    assert (limiter.garbage, limiter.given_back) == (1, 0)


async def test_a_store_still_loading_is_away_until_it_is_done(tmp_path, running):
    """An error of the whole store is not worth asking it again for each verb: the connection ends, settlements stay."""
    answers = Answers()
    store = FakeStore(lambda name, words: None if name == "SCRIPT" else b"-LOADING dataset in memory\r\n")
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        limiter.submit(Settle("a", "u1", "answered", 9))
        limiter.flush()
        assert await answers.wait(1) == [Unavailable("LOADING dataset in memory")]
        assert not limiter.is_up
        store.reply = answering
        assert await limiter.connected(timeout_s=5)
        assert await limiter.drained(timeout_s=5)

    assert limiter.store_errors >= 1
    assert [name for name, _ in store.seen].count("settle") >= 2


async def test_a_store_that_does_not_let_us_in_is_away_and_says_why(tmp_path, running):
    """Name, password and database go first; the password is told to nobody else."""
    store = FakeStore(refused_greeting)
    limiter = RedisLimiter(Answers(), f"unix://edge:secret%20word@{tmp_path}/s?db=3")

    async with store.listening(tmp_path / "s"), running(limiter, connects=False):
        assert not await limiter.connected(timeout_s=0.05)

    assert store.seen[:2] == [("AUTH", [b"edge", b"secret word"]), ("SELECT", [b"3"])]
    assert "NOAUTH" in limiter.last_fault
    assert "secret" not in limiter.last_fault


async def test_a_stopped_limiter_answers_what_was_under_way(tmp_path, running):
    """The end of the process leaves no asker waiting."""
    answers = Answers()
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)
    looked = asyncio.Event()

    def silent_to_all(name: str, words: list[bytes]) -> bytes | None:
        if name == "peek":
            looked.set()
        return None

    async with FakeStore(silent_to_all).listening(tmp_path / "s"):
        async with running(limiter):
            limiter.submit(Admit("a", "u1", "n"))
            limiter.flush()
            look = asyncio.create_task(limiter.peek("a"))
            async with asyncio.timeout(5):
                await looked.wait()
        assert await answers.wait(1) == [Unavailable("stopped")]
        with pytest.raises(StoreUnavailable):
            await look


async def test_too_many_verbs_under_way_are_refused_without_being_sent(tmp_path, running):
    """What waits for a slow store is bounded."""
    answers = Answers()
    store = FakeStore(silent)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        for number in range(MAX_SENT + 2):
            limiter.submit(Admit("a", f"u{number}", "n"))
        limiter.flush()
        assert [outcome for _, outcome in answers.all] == [Unavailable("too many verbs under way")] * 2


async def test_verbs_asked_while_scripts_are_missing_wait_their_turn(tmp_path, running):
    """The order stays, also for what is asked between the first reply that says so and the last."""
    forgotten = b"-NOSCRIPT No matching script.\r\n"
    replies = {b"u1": forgotten, b"u2": answering("admit", []), b"u3": None}
    answers = Answers()
    store = FakeStore(lambda name, words: replies[words[7]] if name == "admit" else None)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        for uid in ("u1", "u2", "u3"):
            limiter.submit(Admit("a", uid, "n"))
        limiter.flush()
        await answers.wait(1)
        limiter.submit(Admit("a", "u4", "n"))
        limiter.flush()
        store.reply = answering
        store.say(forgotten)
        outcomes = await answers.wait(4)

    assert [verb.uid for verb, _ in answers.all] == ["u2", "u1", "u3", "u4"]
    assert [type(outcome) for outcome in outcomes] == [Admitted] * 4
    asked = [words[7].decode() for name, words in store.seen if name == "admit"]
    assert asked == ["u1", "u2", "u3", "u1", "u3", "u4"]


async def test_a_store_that_never_knows_a_script_is_asked_twice_and_no_more(tmp_path, running):
    """No loop: the second NOSCRIPT is an error like any other."""
    answers = Answers()
    store = FakeStore(lambda name, words: b"-NOSCRIPT No matching script.\r\n" if name == "admit" else None)
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=5)

    async with store.listening(tmp_path / "s"), running(limiter):
        limiter.submit(Admit("a", "u1", "n"))
        limiter.flush()
        assert await answers.wait(1) == [Unavailable("NOSCRIPT No matching script.")]

    assert [name for name, _ in store.seen].count("admit") == 2


# Against real servers


@pytest.fixture(params=["valkey", "redis"])
def url(request: pytest.FixtureRequest, server_urls) -> str:
    return server_urls[request.param]


async def provision(url: str, *accounts: Account) -> None:
    async with AccountStore(url) as store:
        await store.provision(accounts)


async def test_scripts_the_store_forgot_are_loaded_and_all_is_asked_again(url, running, account_id):
    """SCRIPT FLUSH, or a restart behind a proxy: nobody notices, and the order stays."""
    await provision(url, Account(account_id, caps_base=100, calls_base=100))
    answers = Answers()
    limiter = RedisLimiter(answers, url, deadline_s=5)

    async with running(limiter):
        with redis.Redis.from_url(url) as client:
            client.script_flush()
        verbs = []
        for number in range(20):
            verbs += [Admit(account_id, f"u{number}", "n"), Settle(account_id, f"u{number}", "answered", 1)]
        for verb in verbs:
            limiter.submit(verb)
        limiter.flush()
        peeked = await limiter.peek(account_id)
        outcomes = await answers.wait(40)

    assert [verb for verb, _ in answers.all] == verbs
    assert [type(outcome) for outcome in outcomes] == [Admitted, Settled] * 20
    assert peeked is not None
    assert dict(peeked.counters)["calls_settled"] == 20


async def test_an_account_spoilt_by_hand_harms_no_other(url, running, account_id):
    """An error of one account's data concerns its own verbs alone."""
    await provision(url, Account(account_id))
    spoilt = f"{account_id}-spoilt"
    with redis.Redis.from_url(url) as client:
        client.set(account_keys(spoilt).account, "not a hash")
    answers = Answers()
    limiter = RedisLimiter(answers, url, deadline_s=5)

    async with running(limiter):
        limiter.submit(Admit(spoilt, "u1", "n"))
        limiter.submit(Admit(account_id, "u1", "n"))
        limiter.flush()
        outcomes = await answers.wait(2)
        assert limiter.is_up

    assert [type(outcome) for outcome in outcomes] == [Unavailable, Admitted]
    assert limiter.store_errors == 1


@pytest.mark.parametrize(("field", "value"), [("caps_base", "many"), ("tokens_micro", "1e99x"), ("calls_base", "")])
async def test_a_value_spoilt_by_hand_refuses_and_leaves_nothing(url, running, account_id, field, value):
    """A number that is none counts as 0: fail closed, without an error in mid-script."""
    await provision(url, Account(account_id, caps_base=5))
    with redis.Redis.from_url(url) as client:
        client.hset(account_keys(account_id).account, mapping={field: value, "refilled_ms": "4000000000000"})
        answers = Answers()
        limiter = RedisLimiter(answers, url, deadline_s=5)

        async with running(limiter):
            limiter.submit(Admit(account_id, "u1", "n"))
            limiter.flush()
            outcome = (await answers.wait(1))[0]

        assert isinstance(outcome, Denied)
        assert outcome.limit in (Limit.CAPS, Limit.CALLS)
        assert client.exists(account_keys(account_id).leases) == 0


async def test_aserver_that_froze_leaves_no_lease_behind(tmp_path, running, account_id):
    """SIGSTOP: decisions go on as Unavailable. SIGCONT: what it did meanwhile for nobody is given back."""
    words = ["--port", "0", "--unixsocket", str(tmp_path / "s"), "--dir", str(tmp_path), "--save", ""]
    process = await asyncio.create_subprocess_exec(str(find_binary()), *words, stdout=asyncio.subprocess.DEVNULL)
    try:
        url = f"unix://{tmp_path}/s"
        answers = Answers()
        limiter = RedisLimiter(answers, url, deadline_s=0.02, stall_s=0.06)
        async with running(limiter):
            await provision(url, Account(account_id, caps_base=100, calls_base=100))
            process.send_signal(signal.SIGSTOP)
            for number in range(10):
                limiter.submit(Admit(account_id, f"u{number}", "n"))
            limiter.flush()
            assert [type(outcome) for outcome in await answers.wait(10)] == [Unavailable] * 10
            process.send_signal(signal.SIGCONT)
            assert await limiter.connected(timeout_s=5)
            assert await limiter.drained(timeout_s=5)
            usage = await limiter.peek(account_id)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        await process.wait()

    assert usage is not None
    assert usage.in_use == 0
    assert limiter.given_back == 10
    assert len(answers.all) == 10


async def test_a_late_lease_is_given_back(url, tmp_path, running, account_id):
    """The answer comes after its asker was told Unavailable: the lease is returned, and only once."""
    await provision(url, Account(account_id, caps_base=100, calls_base=100))
    gate = asyncio.Event()
    gate.set()
    pipes: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: bool) -> None:
        while data := await reader.read(65_536):
            if held:
                await gate.wait()
            writer.write(data)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_unix_connection(url.removeprefix("unix://"))
        pipes.append(asyncio.create_task(pump(reader, forth, False)))
        pipes.append(asyncio.create_task(pump(back, writer, True)))

    server = await asyncio.start_unix_server(relay, str(tmp_path / "s"))
    answers = Answers()
    limiter = RedisLimiter(answers, f"unix://{tmp_path}/s", deadline_s=0.02, stall_s=5)
    async with running(limiter):
        gate.clear()
        for verb in (Admit(account_id, "u1", "n"), Admit(account_id, "u2", "n"), Settle(account_id, "u2", "failed", 0)):
            limiter.submit(verb)
        limiter.flush()
        assert [type(outcome) for outcome in await answers.wait(3)] == [Unavailable] * 3
        gate.set()
        assert await limiter.drained(timeout_s=5)
        usage = await limiter.peek(account_id)
    server.close()
    for pipe in pipes:
        pipe.cancel()

    assert usage is not None
    assert usage.in_use == 0
    assert (limiter.late, limiter.given_back, limiter.reconnects) == (3, 2, 0)
    assert dict(usage.counters)["calls_settled"] == 2


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_process_that_was_held_up_does_not_blame_the_store(url, running, account_id, new_loop):
    """The reply lies in the socket while the process gets no processor past the deadline: it is read, not refused."""
    answers = Answers()

    async def held_up() -> None:
        loop = asyncio.get_running_loop()
        limiter = RedisLimiter(answers, url, deadline_s=0.02)
        here, there = socket.socketpair()

        def datagram() -> None:
            here.recv(1)
            limiter.submit(Admit(account_id, f"u{len(answers.all)}", "n"))
            limiter.flush()
            until = time.monotonic() + 0.1
            while time.monotonic() < until:
                pass

        with here, there:
            loop.add_reader(here.fileno(), datagram)
            async with running(limiter):
                await provision(url, Account(account_id, caps_base=100, calls_base=100))
                for number in range(5):
                    there.send(b"x")
                    await answers.wait(number + 1)
                await limiter.drained(timeout_s=5)
            loop.remove_reader(here.fileno())

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(held_up())

    assert [type(outcome) for _, outcome in answers.all] == [Admitted] * 5
