"""What tests of several `edge run` on one store are made of: the store, the nodes, a caller and a callee.

The nodes share the key of their Record-Route and the address they tell others, as nodes behind one virtual address do:
a request inside a dialog may come to any of them.
"""

import asyncio
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from edges import PATIENCE
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
BOUND_S = 30.0
LOOK_S = 0.02
"""How often a fact is looked at that nobody tells."""
CLOCKS_S = 0.05
"""What two clocks of one machine differ by, and what is lost in milliseconds."""
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
    """A UDP port nobody holds just now, below the ephemeral ones: nobody else gets it while its edge is down."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.randrange(20_000 + worker, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Dialog:
    """One call as its caller and its callee see it."""

    def __init__(self, parties: "Parties", invite: Request) -> None:
        self._parties = parties
        self.invite = invite
        self.call_id = invite.call_id()
        self.status = 0
        self.answer: Response | None = None
        self.final: Response | None = None
        """The latest response to the INVITE, whatever it says."""
        self.at_callee: Request | None = None
        self.dialled_at = time.monotonic()
        self.answered_at = 0.0
        """When the caller heard of it: later than the edge."""
        self.bye_answered_at = 0.0
        self.byes: list[tuple[str, float]] = []
        """(side that was told BYE, when)."""
        self.bye_statuses: list[int] = []
        """Final ones: a BYE that waits for long is told 100 (RFC 4320 §4.1)."""

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
        """BYE of the callee: its route set is the Record-Route of the INVITE that it got (RFC 3261 §12.1.1), whether or
        not its answer has reached the caller (§13.3.1.4)."""
        assert self.at_callee is not None
        contact = self.at_callee.contact()
        assert contact is not None
        routes = tuple(self.at_callee.list_values(b"record-route"))
        here = self.at_callee.to().raw + b";tag=callee"
        self._parties.request(b"BYE", contact.uri, here, self.invite.from_().raw, self, routes, through, cseq=1)


class Parties:
    """A caller and a callee that answers at once, except for the called numbers that end in 9: those ring."""

    def __init__(self) -> None:
        self.dialogs: dict[bytes, Dialog] = {}
        self.caller: Endpoint
        self.callee: Endpoint

    @classmethod
    async def met(cls, endpoint: type[Endpoint] = Endpoint) -> "Parties":
        parties = cls()
        parties.caller = await endpoint.bound("127.0.0.1", parties._at_caller)
        parties.callee = await endpoint.bound("127.0.0.1", parties._at_callee)
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

    def again(self, dialog: Dialog, edge: Address) -> None:
        """The INVITE once more, as nobody has answered it; its address has come to this node."""
        self.caller.send(dialog.invite.data, edge)

    def pick_up(self, dialog: Dialog, edge: Address) -> None:
        """The callee of a call that rings answers; its Via leads to this node."""
        invite = dialog.at_callee
        assert invite is not None
        headers = [(b"Record-Route", value) for value in invite.values(b"record-route")]
        headers.append((b"Contact", b"<sip:%b>" % self.callee.host_port))
        self.callee.send(compose.response(invite, 200, b"OK", to_tag=b"callee", headers=headers), edge)

    def give_up(self, dialog: Dialog, edge: Address) -> None:
        """The caller cancels a call that rings."""
        self.caller.send(compose.cancel(dialog.invite), edge)

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
        dialog.final = message
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
        if not isinstance(message, Request) or message.method not in (b"INVITE", b"CANCEL"):
            return
        if message.method == b"CANCEL":
            invite = self.dialogs[message.call_id()].at_callee
            assert invite is not None
            terminated = compose.response(invite, 487, b"Request Terminated", to_tag=b"callee")
            self.callee.send(terminated, source)
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
        elif isinstance(message, Response) and message.cseq().method == b"BYE" and message.status >= 200:
            dialog = self.dialogs[message.call_id()]
            dialog.bye_statuses.append(message.status)
            dialog.bye_answered_at = time.monotonic()


class Node:
    """One `edge run`: its log, its records, its end."""

    def __init__(self, process: asyncio.subprocess.Process, state: Path, address: Address, said: list[str]) -> None:
        self.process = process
        self.said = said
        """Its five lines on stdout."""
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
        logs = [self.state / "cdr", *sorted(self.state.glob("worker-*/cdr"))]
        paths = [path for log in logs for path in sorted(log.glob("cdr-*"))]
        lines = [line for path in paths for line in path.open(encoding="utf-8")]
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

    async def trunks(self) -> list[str]:
        """Those with ceilings."""
        async with AccountStore(self.url) as accounts:
            return [name for name in await accounts.holders() if name.startswith("trunk:")]

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
        self.write_policy(POLICY)

    def write_policy(self, text: str) -> None:
        """For the nodes that are started after this; @CALLEE@ is the callee's port."""
        (self.directory / "policy.toml").write_text(text.replace("@CALLEE@", str(self.parties.callee.port)))

    async def start(self, name: str, *options: str) -> Node:
        """A node of this name; under a name that was used before, the same node again."""
        state = self.directory / name
        state.mkdir(mode=0o700, exist_ok=True)
        (state / "record-route.secret").write_bytes(b"the key all nodes share, 32 byte")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge", "run", "--policy", str(self.directory / "policy.toml"), "--node", name),
            *("--listen", f"udp:127.0.0.1:0/advertise={self._shared}", "--redis", self.store.url),
            *("--state", str(state), "--log", "json", "--drain-s", "0"),
            *("--lease-s", "6", "--renew-s", "1", "--takeover-s", str(TAKEOVER_S), *PATIENCE, *options),
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
        node = Node(process, state, ("127.0.0.1", int(found[1])), said)
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
        assert await self.store.in_use(*await self.store.trunks()) in ([], [0])
        assert [node.told("core.escaped") for node in self.nodes] == [[] for _ in self.nodes]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


@asynccontextmanager
async def site_at(directory: Path, endpoint: type[Endpoint] = Endpoint) -> AsyncIterator[Site]:
    """Everything of it is gone when the block ends. `endpoint`: what the parties speak with."""
    async with AsyncExitStack() as stack:
        store = Store(directory)
        await store.start()
        stack.push_async_callback(store.kill)
        stack.push_async_callback(store.client.aclose)
        parties = await Parties.met(endpoint)
        stack.callback(parties.close)
        yield Site(directory, stack, store, parties)


def duration_s(record: dict[str, object]) -> float:
    """Answer to release."""
    return int(str(record["duration_ms"])) / 1_000


def assert_lasted(record: dict[str, object], dialog: Dialog, *, left_at: float) -> None:
    """Its duration lies between what the parties know: the edge heard of the answer after the INVITE and before the
    caller did, and of the BYE after it was sent and before it was answered. However late anybody is, that holds."""
    shortest, longest = left_at - dialog.answered_at, dialog.bye_answered_at - dialog.dialled_at
    assert shortest - CLOCKS_S <= duration_s(record) <= longest + CLOCKS_S


def assert_cut_at(dialog: Dialog, talk_s: float) -> None:
    """Both sides had their BYE when this talk was over: not before, and before one more second was."""
    assert [talk_s <= at - dialog.dialled_at + CLOCKS_S for _, at in dialog.byes] == [True, True]
    assert [at - dialog.answered_at < talk_s + 1.0 for _, at in dialog.byes] == [True, True]
