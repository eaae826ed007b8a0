"""Several `edge run` on one store, and one of them is killed, frozen or stopped; or the store forgets everything.

The nodes share the key of their Record-Route and the address they tell others, as nodes behind one virtual address do:
a request inside a dialog may come to any of them.
"""

import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.agents import Address, Endpoint
from edge.sip import compose
from edge.sip.message import Request, Response, parse
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.keys import node_accounts_key
from limits.model import Usage

TAKEOVER_S = 3
BOUND_S = 15.0
LOOK_S = 0.02
"""How often a fact is looked at that nobody tells."""
SLACK_S = 0.35
"""What two loaded processes may be late by."""
CENT = 10_000
DECK = "prefix,zone,connect,rate,first,next,minimum\n+33,all,0,0.60,1,1,0\n"
"""One cent a second, by the second."""
POLICY = """
rate_deck = "rates.csv"

[[accounts]]
id = "rich"
caps_base = 100
calls_base = 3
opening_balance = "10"
store_away = "refuse"

[[accounts]]
id = "dry"
caps_base = 100
calls_base = 9
opening_balance = "0.07"
store_away = "refuse"

[[accounts]]
id = "saved"
caps_base = 100
calls_base = 9
opening_balance = "0.07"
store_away = "refuse"

[[ingress]]
id = "in"
sources = ["127.0.0.1/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "out"
uri = "sip:127.0.0.1:@CALLEE@"
calls = 50

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""
_numbers = itertools.count(1)


async def until(fact: Callable[[], object], what: str, bound_s: float = BOUND_S) -> None:
    """Wait for this fact."""

    async def look() -> object:
        return fact()

    await until_found(look, what, bound_s)


async def until_found(look: Callable[[], Awaitable[object]], what: str, bound_s: float = BOUND_S) -> None:
    """Wait until what has to be asked for is so."""
    nobody_tells = asyncio.Event()
    try:
        async with asyncio.timeout(bound_s):
            while not await look():
                with suppress(TimeoutError):
                    await asyncio.wait_for(nobody_tells.wait(), LOOK_S)
    except TimeoutError:
        raise AssertionError(f"waited {bound_s} s in vain for {what}") from None


def free_port() -> int:
    """A UDP port nobody holds just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Dialog:
    """One call as its caller and its callee see it."""

    def __init__(self, parties: "Parties", invite: Request) -> None:
        self._parties = parties
        self.invite = invite
        self.call_id = invite.call_id()
        self.status = 0
        self.answer: Response | None = None
        self.at_callee: Request | None = None
        self.answered_at = 0.0
        self.byes: list[tuple[str, float]] = []
        """(side that was told BYE, when)."""
        self.bye_statuses: list[int] = []

    @property
    def sides_told(self) -> list[str]:
        return sorted(side for side, _ in self.byes)

    def caller_leaves(self, through: Address) -> None:
        """BYE of the caller, along its route set, which leads to this node."""
        assert self.answer is not None
        contact = self.answer.contact()
        assert contact is not None
        routes = tuple(reversed(self.answer.list_values(b"record-route")))
        self._parties.request(
            b"BYE", contact.uri, self.invite.from_().raw, self.answer.to().raw, self, routes, through, cseq=2
        )

    def callee_leaves(self, through: Address) -> None:
        """BYE of the callee: its route set is the Record-Route of the INVITE that it got (RFC 3261 §12.1.1)."""
        assert self.answer is not None
        assert self.at_callee is not None
        contact = self.at_callee.contact()
        assert contact is not None
        routes = tuple(self.at_callee.list_values(b"record-route"))
        self._parties.request(
            b"BYE", contact.uri, self.answer.to().raw, self.invite.from_().raw, self, routes, through, cseq=1
        )


class Parties:
    """A caller and a callee that answers at once, except for the called numbers that end in 9: those ring."""

    def __init__(self) -> None:
        self.dialogs: dict[bytes, Dialog] = {}
        self.caller: Endpoint
        self.callee: Endpoint

    @classmethod
    async def met(cls) -> "Parties":
        parties = cls()
        parties.caller = await Endpoint.bound("127.0.0.1", parties._at_caller)
        parties.callee = await Endpoint.bound("127.0.0.1", parties._at_callee)
        return parties

    def close(self) -> None:
        self.caller.close()
        self.callee.close()

    async def dial(self, account: str, edge: Address, *, rings: bool = False) -> Dialog:
        """A call of this account through this node; returns with its final response, or when it rings."""
        here, number = self.caller.host_port, next(_numbers)
        target = f"sip:+3314500{number:04}{9 if rings else 1}@{edge[0]}:{edge[1]}".encode()
        invite = parse(
            compose.request(
                b"INVITE",
                target,
                via=self._via(),
                from_=b"<sip:+33612345678@%b>;tag=caller%d" % (here, number),
                to=b"<%b>" % target,
                call_id=b"takeover-%d" % number,
                cseq=1,
                headers=((b"Contact", b"<sip:%b>" % here), (b"X-Account", account.encode())),
            )
        )
        assert isinstance(invite, Request)
        dialog = self.dialogs[invite.call_id()] = Dialog(self, invite)
        self.caller.send(invite.data, edge)
        await until(lambda: dialog.status >= (180 if rings else 200), f"an answer to {invite.call_id()!r}")
        return dialog

    def request(
        self,
        method: bytes,
        uri: bytes,
        from_: bytes,
        to: bytes,
        dialog: Dialog,
        routes: tuple[bytes, ...],
        through: Address,
        *,
        cseq: int,
    ) -> None:
        """A request inside the dialog."""
        endpoint = self.caller if from_ == dialog.invite.from_().raw else self.callee
        via = self._via(endpoint)
        data = compose.request(
            method, uri, via=via, from_=from_, to=to, call_id=dialog.call_id, cseq=cseq, routes=routes
        )
        endpoint.send(data, through)

    def _via(self, endpoint: Endpoint | None = None) -> bytes:
        return b"SIP/2.0/UDP %b;rport;branch=z9hG4bK%b" % (
            (endpoint or self.caller).host_port,
            os.urandom(8).hex().encode(),
        )

    def _at_caller(self, message: Request | Response, source: Address) -> None:
        self._at("caller", self.caller, message, source)
        if not isinstance(message, Response) or message.cseq().method != b"INVITE":
            return
        dialog = self.dialogs[message.call_id()]
        dialog.status = max(dialog.status, message.status)
        if message.status >= 300:
            self.caller.send(compose.ack(dialog.invite, message), source)
        elif message.status >= 200:
            if dialog.answer is None:
                dialog.answer, dialog.answered_at = message, time.monotonic()
            contact = message.contact()
            assert contact is not None
            routes = tuple(reversed(message.list_values(b"record-route")))
            to = message.to().raw
            self.request(b"ACK", contact.uri, dialog.invite.from_().raw, to, dialog, routes, source, cseq=1)

    def _at_callee(self, message: Request | Response, source: Address) -> None:
        self._at("callee", self.callee, message, source)
        if not isinstance(message, Request) or message.method != b"INVITE":
            return
        self.dialogs[message.call_id()].at_callee = message
        is_answered = not message.uri.partition(b"@")[0].endswith(b"9")
        headers = [(b"Record-Route", value) for value in message.values(b"record-route")]
        headers.append((b"Contact", b"<sip:%b>" % self.callee.host_port))
        status, phrase = (200, b"OK") if is_answered else (180, b"Ringing")
        self.callee.send(compose.response(message, status, phrase, to_tag=b"callee", headers=headers), source)

    def _at(self, side: str, endpoint: Endpoint, message: Request | Response, source: Address) -> None:
        """What both sides do alike: BYE is noted and answered, and so are the answers to it."""
        if isinstance(message, Request) and message.method in (b"BYE", b"CANCEL"):
            if message.method == b"BYE" and message.call_id() in self.dialogs:
                self.dialogs[message.call_id()].byes.append((side, time.monotonic()))
            endpoint.send(compose.response(message, 200, b"OK"), source)
        elif isinstance(message, Response) and message.cseq().method == b"BYE":
            self.dialogs[message.call_id()].bye_statuses.append(message.status)


class Node:
    """One `edge run`: its log, its records, its end."""

    def __init__(self, process: asyncio.subprocess.Process, state: Path, address: Address) -> None:
        self.process = process
        self.address = address
        self.state = state
        self.facts: list[dict[str, object]] = []

    async def read(self) -> None:
        """Collect what it says on stderr."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            with suppress(ValueError):
                self.facts.append(json.loads(line))

    def told(self, event: str) -> list[dict[str, object]]:
        """Every line of this name."""
        return [fact for fact in self.facts if fact["event"] == event]

    async def fact(self, event: str, bound_s: float = BOUND_S) -> dict[str, object]:
        """The first line of this name."""
        await until(lambda: self.told(event), event, bound_s)
        return self.told(event)[0]

    def records(self, dialog: Dialog | None = None) -> list[dict[str, object]]:
        """Its CDRs, of one call or of all."""
        lines = [line for path in sorted((self.state / "cdr").glob("cdr-*")) for line in path.open(encoding="utf-8")]
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        return [one for one in records if dialog is None or one["call_id"] == dialog.call_id.decode()]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        async with asyncio.timeout(BOUND_S):
            return await self.process.wait()


class Store:
    """A Redis server of its own on a unix socket, appending nothing to disk."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "store.sock"
        self.url = f"unix://{self._path}"
        self.client = Redis(unix_socket_path=str(self._path))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        assert binary is not None, "these tests need redis-server on PATH"
        words = ("--port", "0", "--unixsocket", str(self._path), "--save", "", "--appendonly", "no")
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            binary, *words, cwd=self._path.parent, stdin=quiet, stdout=quiet, stderr=quiet
        )
        await until_found(self._answers, "the store to answer")

    async def _answers(self) -> bool:
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def usage(self, account: str) -> Usage:
        async with AccountStore(self.url) as accounts:
            return await accounts.peek(AccountId(account))

    async def in_use(self, *accounts: str) -> list[int]:
        return [(await self.usage(account)).in_use for account in accounts]

    async def noted(self, node: str, *holders: str) -> None:
        """Until the store knows that this node has calls of these: what is not noted is not taken over."""
        expected = {holder.encode() for holder in holders}

        async def are_noted() -> bool:
            return expected <= await self.client.smembers(node_accounts_key(node))

        await until_found(are_noted, f"{node} to be noted at {holders}")

    async def top_up(self, account: str, amount: int) -> None:
        async with AccountStore(self.url) as accounts:
            await accounts.top_up(AccountId(account), amount=amount, reference=f"topup-{next(_numbers)}", by="test")


class Site:
    """A store, a caller, a callee, and as many nodes as a test starts."""

    def __init__(self, directory: Path, stack: AsyncExitStack, store: Store, parties: Parties) -> None:
        self.directory = directory
        self._stack = stack
        self._shared = f"127.0.0.1:{free_port()}"
        """What every node calls itself, in Via and Record-Route; a test picks the node a request comes to."""
        self.store = store
        self.parties = parties
        self.nodes: list[Node] = []
        (directory / "rates.csv").write_text(DECK)
        (directory / "policy.toml").write_text(POLICY.replace("@CALLEE@", str(parties.callee.port)))

    async def start(self, name: str, *options: str) -> Node:
        """A node of this name; under a name that was used before, the same node again."""
        state = self.directory / name
        state.mkdir(mode=0o700, exist_ok=True)
        (state / "record-route.secret").write_bytes(b"the key all nodes share, 32 byte")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge", "run", "--policy", str(self.directory / "policy.toml"), "--node", name),
            *("--listen", f"udp:127.0.0.1:0/advertise={self._shared}", "--redis", self.store.url),
            *("--state", str(state), "--log", "json", "--drain-s", "0"),
            *("--lease-s", "6", "--renew-s", "1", "--takeover-s", str(TAKEOVER_S), *options),
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._stack.push_async_callback(_end, process)
        assert process.stdout is not None
        async with asyncio.timeout(BOUND_S):
            said = [(await process.stdout.readline()).decode() for _ in range(5)]
        found = re.search(r"udp:127\.0\.0\.1:([0-9]+)", said[0])
        assert found is not None, (said, await process.stderr.read() if process.stderr else "")
        node = Node(process, state, ("127.0.0.1", int(found[1])))
        reading = asyncio.create_task(node.read())
        self._stack.callback(reading.cancel)
        self.nodes.append(node)
        return node

    async def see_each_other(self, *nodes: Node) -> None:
        """Until each node knows of as many."""
        for node in nodes:
            await until(
                lambda node=node: any(
                    len(str(fact["live"]).split()) == len(nodes) for fact in node.told("nodes.changed")
                ),
                "the nodes to know each other",
            )

    def records(self, dialog: Dialog) -> list[dict[str, object]]:
        """The CDRs of a call, whoever wrote them."""
        return [
            record for state in {node.state: node for node in self.nodes}.values() for record in state.records(dialog)
        ]

    async def record(self, dialog: Dialog) -> dict[str, object]:
        """The one CDR of a call."""
        await until(lambda: self.records(dialog), f"the record of {dialog.call_id!r}")
        records = self.records(dialog)
        assert len(records) == 1
        return records[0]

    async def assert_settled(self, *accounts: str) -> None:
        """Nothing is held any more, the balance is what was topped up less what the CDRs say was charged."""
        everybody = {node.state: node for node in self.nodes}.values()
        for account in accounts:

            async def is_at_rest(account: str = account) -> bool:
                usage = await self.store.usage(account)
                return usage.in_use == usage.held_micros == usage.expired == 0

            await until_found(is_at_rest, f"{account} to be at rest")
            usage = await self.store.usage(account)
            counters = dict(usage.counters)
            billed = [one["cost_micros"] for node in everybody for one in node.records() if one["account"] == account]
            assert counters["charged_micros"] == sum(map(int, map(str, billed)))
            assert usage.balance_micros == counters["topped_up_micros"] - counters["charged_micros"]
        assert await self.store.in_use("trunk:out") == [0]
        assert [node.told("core.escaped") for node in self.nodes] == [[] for _ in self.nodes]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


@asynccontextmanager
async def site_at(directory: Path) -> AsyncIterator[Site]:
    """Everything of it is gone when the block ends."""
    async with AsyncExitStack() as stack:
        store = Store(directory)
        await store.start()
        stack.push_async_callback(store.kill)
        stack.push_async_callback(store.client.aclose)
        parties = await Parties.met()
        stack.callback(parties.close)
        yield Site(directory, stack, store, parties)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(tmp_path) as site:
        yield site


def duration_s(record: dict[str, object]) -> float:
    """Answer to release."""
    return int(str(record["duration_ms"])) / 1_000


async def test_the_survivor_goes_on_with_the_calls_of_a_node_that_was_killed(site: Site) -> None:
    """Leases are counted once, BYEs of both sides route and settle, credit is drawn on, who runs dry is cut, what only
    rang is closed; each call has one record with where it came from."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    dial = site.parties.dial
    left_by_caller, left_by_callee = await dial("rich", first.address), await dial("rich", first.address)
    dry, saved = await dial("dry", first.address), await dial("saved", first.address)
    ringing = await dial("rich", first.address, rings=True)
    assert await site.store.in_use("rich", "dry", "saved", "trunk:out") == [3, 1, 1, 5]
    await site.store.noted("n1", "rich", "dry", "saved", "trunk:out")

    first.signal(signal.SIGKILL)
    killed_at = time.monotonic()
    gone = await second.fact("node.gone", TAKEOVER_S + 4)
    assert time.monotonic() - killed_at > TAKEOVER_S - 1.5
    assert (gone["gone"], len(second.told("call.adopted"))) == ("n1", 4)
    lost = await site.record(ringing)
    assert (lost["lost"], lost["outcome"], lost["reason"], lost["adopted_from"]) == (True, "failed", "lost", "n1")
    assert await site.store.in_use("rich", "dry", "saved", "trunk:out") == [2, 1, 1, 4]
    assert (await dial("rich", second.address)).status == 200
    assert (await dial("rich", second.address)).status == 503, "the adopted calls count against the ceiling"

    await site.store.top_up("saved", 100 * CENT)
    left_by_caller.caller_leaves(second.address)
    caller_left = time.monotonic()
    left_by_callee.callee_leaves(second.address)
    for dialog, side, told in ((left_by_caller, "ingress", "callee"), (left_by_callee, "egress", "caller")):
        record = await site.record(dialog)
        assert (record["node"], record["adopted_from"], record["release_side"]) == ("n2", "n1", side)
        assert (record["lost"], record["reason"], record["account"]) == (False, "answered", "rich")
        assert duration_s(record) == pytest.approx(caller_left - dialog.answered_at, abs=SLACK_S)
        await until(lambda dialog=dialog: dialog.bye_statuses == [200], "the answer to the BYE")
        assert dialog.sides_told == [told]

    record = await site.record(dry)
    assert (record["reason"], record["release_side"], record["adopted_from"]) == ("credit", "edge", "n1")
    assert (record["duration_ms"], record["cost_micros"]) == (7_000, 7 * CENT)
    assert dry.sides_told == ["callee", "caller"]
    assert [at - dry.answered_at for _, at in dry.byes] == pytest.approx([7.0, 7.0], abs=SLACK_S)
    await until(lambda: time.monotonic() > saved.answered_at + 7.2, "the end of what the first money paid for")
    assert (saved.byes, site.records(saved)) == ([], []), "money came in time"
    saved.caller_leaves(second.address)
    record = await site.record(saved)
    assert (record["adopted_from"], duration_s(record) > 7) == ("n1", True)
    for dialog in site.parties.dialogs.values():
        if not site.records(dialog):
            dialog.caller_leaves(second.address)
    await site.assert_settled("rich", "dry", "saved")
    assert all(len(site.records(dialog)) == 1 for dialog in site.parties.dialogs.values())


async def test_a_node_that_is_started_again_finds_its_own_calls(site: Site) -> None:
    """Killed, and back before anybody missed it: its calls are its own again, and end as if nothing had been."""
    first = await site.start("n1")
    up = await site.parties.dial("rich", first.address)
    ringing = await site.parties.dial("rich", first.address, rings=True)
    await site.store.noted("n1", "rich", "trunk:out")
    first.signal(signal.SIGKILL)
    await first.ended()
    again = await site.start("n1")
    await until(lambda: again.told("call.adopted"), "its call")
    await until(lambda: site.records(ringing), "the record of what rang")
    assert await site.store.in_use("rich", "trunk:out") == [1, 1]
    up.caller_leaves(again.address)
    left_at = time.monotonic()

    record = await site.record(up)
    assert (record["adopted_from"], record["lost"], record["release_side"]) == ("n1", False, "ingress")
    assert duration_s(record) == pytest.approx(left_at - up.answered_at, abs=SLACK_S)
    assert (await site.record(ringing))["lost"] is True
    await site.assert_settled("rich")


async def test_a_node_that_was_frozen_lets_go_of_the_calls_that_were_taken_over(site: Site) -> None:
    """No second record, no second charge, and no BYE: not even to a call whose paid talk had ended as it knew it. A
    later BYE that comes to it, since the route leads there, ends the call at the node that holds it."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    rich, other, saved = [await site.parties.dial(account, first.address) for account in ("rich", "rich", "saved")]
    await site.store.noted("n1", "rich", "saved", "trunk:out")
    first.signal(signal.SIGSTOP)
    try:
        await second.fact("node.gone", TAKEOVER_S + 4)
        await site.store.top_up("saved", 100 * CENT)
        await until(lambda: time.monotonic() > saved.answered_at + 7.5, "the end of the talk the first node knows of")
    finally:
        first.signal(signal.SIGCONT)
    await until(lambda: len(first.told("call.adopted_elsewhere")) == 3, "the first node to let go")
    assert [dialog.byes for dialog in (rich, other, saved)] == [[], [], []]
    assert await site.store.in_use("rich", "saved", "trunk:out") == [2, 1, 3]

    rich.caller_leaves(second.address)
    saved.callee_leaves(second.address)
    other.caller_leaves(first.address)
    other_left = time.monotonic()
    for dialog in (rich, other, saved):
        record = await site.record(dialog)
        assert (record["node"], record["adopted_from"], record["lost"]) == ("n2", "n1", False)
    record = await site.record(other)
    assert duration_s(record) == pytest.approx(other_left - other.answered_at, abs=SLACK_S)
    assert (record["release_side"], other.sides_told) == ("ingress", ["callee"])
    await site.assert_settled("rich", "saved")
    first.signal(signal.SIGTERM)
    assert await first.ended() == 0
    assert first.records() == []


async def test_nobody_takes_over_from_nodes_that_only_could_not_reach_the_store(site: Site) -> None:
    """The store stands still for longer than the takeover time: whoever beats first afterwards does not think that
    all others are gone."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    here, there = await site.parties.dial("rich", first.address), await site.parties.dial("rich", second.address)
    site.store.signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    try:
        await until(lambda: time.monotonic() > frozen_at + TAKEOVER_S + 1.5, "more than the takeover time")
    finally:
        site.store.signal(signal.SIGCONT)
    await first.fact("store.up"), await second.fact("store.up")
    back_at = time.monotonic()
    await until(lambda: time.monotonic() > back_at + 2.5, "a few heartbeats")
    assert [node.told(event) for node in (first, second) for event in ("node.gone", "call.adopted_elsewhere")] == [
        []
    ] * 4
    here.caller_leaves(first.address), there.caller_leaves(second.address)
    assert [(await site.record(dialog))["adopted_from"] for dialog in (here, there)] == ["", ""]
    await site.assert_settled("rich")


@pytest.mark.parametrize("how", ["flushed", "restarted empty"])
async def test_a_store_that_lost_its_data_is_not_trusted_until_every_call_is_counted_again(
    site: Site, how: str
) -> None:
    """Values anew, the leases of both nodes' calls back, no attempt admitted meanwhile; then the ceilings hold."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    calls = [await site.parties.dial("rich", node.address) for node in (first, second, second)]
    if how == "flushed":
        await site.store.client.flushall()
    else:
        await site.store.kill()
        await site.store.start()
    tried = []
    async with asyncio.timeout(BOUND_S):
        while not (first.told("store.recounted") and second.told("store.recounted")):
            tried += [
                await site.parties.dial(account, node.address)
                for account in ("rich", "saved")
                for node in (first, second)
                if not node.told("store.recounted")
            ]
    assert [node.told("store.lost_data") != [] for node in (first, second)] == [True, True]
    assert {dialog.status for dialog in tried} - {403, 503} == set(), "admitted where nobody counts"
    refused = [(await site.record(dialog))["reason"] for dialog in tried]
    assert refused.count("store_away") > 2
    assert await site.store.in_use("rich", "trunk:out") == [3, 3]
    usage = await site.store.usage("rich")
    assert (usage.account.calls_base, usage.balance_micros, usage.held_micros > 0) == (3, 1_000 * CENT, True)
    over = [await site.parties.dial("rich", node.address) for node in (first, second)]
    assert [dialog.status for dialog in over] == [503, 503]
    assert [(await site.record(dialog))["reason"] for dialog in over] == ["calls"] * 2

    calls[0].caller_leaves(first.address)
    await site.record(calls[0])
    await until(lambda: calls[0].bye_statuses == [200], "the answer to the BYE")
    more = await site.parties.dial("rich", second.address)
    assert more.status == 200
    for dialog in (calls[1], calls[2], more):
        dialog.callee_leaves(second.address)
        await site.record(dialog)
    await site.assert_settled("rich", "saved")


async def test_a_node_that_stops_in_order_leaves_nothing_to_take_over(site: Site) -> None:
    """It beats while it waits for its calls, so nobody takes them; when it is gone, nothing of it is left."""
    first, second = await site.start("n1", "--drain-s", "20"), await site.start("n2")
    await site.see_each_other(first, second)
    call = await site.parties.dial("rich", first.address)
    first.signal(signal.SIGTERM)
    await first.fact("edge.draining")
    since = time.monotonic()
    await until(lambda: time.monotonic() > since + TAKEOVER_S + 1.5, "more than the takeover time")
    assert (second.told("node.gone"), second.told("call.adopted"), call.byes) == ([], [], [])
    call.caller_leaves(first.address)
    assert await first.ended() == 0
    record = await site.record(call)
    assert (record["node"], record["adopted_from"], record["lost"]) == ("n1", "", False)
    gone = await second.fact("node.gone", TAKEOVER_S + 4)
    assert (gone["gone"], gone["leases"], second.records()) == ("n1", 0, [])
    await site.assert_settled("rich")
