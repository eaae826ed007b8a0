"""The life of an edge among others on a real store: what it finds that a node which is gone has left."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.endings import end_all
from edge.neighbours import Neighbours
from edge.proxy.core import ProxyCore
from edge.proxy.facts import CallFacts
from edge.proxy.identifiers import Identifiers
from edge.proxy.listeners import Listener, Listeners
from edge.proxy.node import Settings
from edge.sip.flow import Flow
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.embedded import EmbeddedStore
from limits.model import Adopted, Denied, Outcome, Renew, Verb
from limits.nodes import NodeRegistry
from limits.open_limiter import open_limiter

CALLER = ("192.0.2.1", 5060)
POLICY = """
[[accounts]]
id = "acme"
caps_base = 100
calls_base = 5

[[ingress]]
id = "pbx"
sources = ["192.0.2.1/32"]
account = "acme"

[[egress]]
id = "out"
uri = "sip:198.51.100.1:5060"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""
INVITE = (
    b"INVITE sip:+33170000001@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKagain\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:+33612345678@192.0.2.1>;tag=f\r\nTo: <sip:+33170000001@192.0.2.10>\r\n"
    b"Call-ID: again\r\nCSeq: 1 INVITE\r\nContact: <sip:c@192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
)
ACME = AccountId("acme")
TAKEOVER_S = 3.0
BOUND_S = 20.0


class Adopting:
    """The core as its neighbours see it. Once it was told of calls that it takes over, it hears what the store had
    decided before: the two come by two ways."""

    def __init__(self, edge: "Edge") -> None:
        self._edge = edge

    def __getattr__(self, name: str) -> object:
        return getattr(self._edge.core, name)

    def adopt(self, holder: str, gone: str, now_ms: int, found: tuple[Adopted, ...], now: float) -> None:
        self._edge.core.adopt(holder, gone, now_ms, found, now)
        late, self._edge.late = self._edge.late or [], None
        for verb, outcome in late:
            self._edge.core.limiter_answered(verb, outcome, now)


class Edge:
    """The core of one process, its limiter and its neighbours; messages go nowhere."""

    def __init__(self, url: str, node: str) -> None:
        self._loop = asyncio.get_running_loop()
        self.records: list[CallFacts] = []
        self.late: list[tuple[Verb, Outcome]] | None = None
        """Where it is a list, the store's decisions wait in it."""
        self.limiter = open_limiter(self._deliver, url, deadline_s=5.0, on_epoch=lambda epoch: None)
        self.core = ProxyCore(
            settings=Settings(node=node),
            listeners=Listeners([Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)]),
            identifiers=Identifiers(secret=b"0123456789abcdef", fresh=lambda: b"tag"),
            snapshot=PolicySnapshot(parse_policy(POLICY), generation=1),
            draw=lambda: 0.0,
            now=self._loop.time(),
            wall_offset=1_795_600_000.0,
        )
        self.neighbours = Neighbours(
            url, node=node, core=Adopting(self), limiter=self.limiter, turn=self._turn, stirred=self._stirred,
            tell=lambda fact: None, closed=lambda uids: None, now=self._loop.time, takeover_s=TAKEOVER_S,
            lease_ms=30_000,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(self.limiter.run())]

    async def run(self) -> None:
        """Like an edge that has been started."""
        assert await self.limiter.connected(timeout_s=BOUND_S)
        self._tasks.append(asyncio.create_task(self.neighbours.run()))

    async def invite(self) -> None:
        """A call that is admitted."""
        assert await self.limiter.connected(timeout_s=BOUND_S)
        self.core.received(INVITE, Flow(0, CALLER), self._loop.time())
        self._turn()
        assert await self.limiter.drained(timeout_s=BOUND_S)

    async def die(self) -> None:
        await end_all(self._tasks)

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        if self.late is not None:
            self.late.append((verb, outcome))
            return
        self.core.limiter_answered(verb, outcome, self._loop.time())
        self._turn()

    async def _stirred(self, timeout_s: float) -> bool:
        await asyncio.sleep(0)  # something happens all the time
        return True

    def _turn(self) -> None:
        out = self.core.outbox
        self.records += out.ended
        for verb in out.asks:
            self.limiter.submit(verb)
        for done in (out.ended, out.asks, out.sends, out.facts, out.opened):
            done.clear()
        self.limiter.flush()


@pytest.mark.parametrize("comes_again", [False, True])
async def test_a_call_whose_invite_comes_again_while_it_is_taken_over_is_closed_all_the_same(
    tmp_path: Path, comes_again: bool
) -> None:
    """The store has refused it for the lease that is then taken over. One record, and nothing is in use."""
    async with EmbeddedStore(tmp_path / "store") as server, AccountStore(server.url) as store:
        await store.provision(PolicySnapshot(parse_policy(POLICY), generation=1).commercial_values())
        first = Edge(server.url, "n1")
        await first.invite()
        async with NodeRegistry(server.url) as nodes:
            await nodes.beat("n1")
            await nodes.note_accounts("n1", ["acme"])
        await first.die()
        assert (await store.peek(ACME)).in_use == 1

        second = Edge(server.url, "n2")
        if comes_again:
            second.late = []
            await second.invite()
            assert [type(outcome) for _, outcome in second.late] == [Denied]
        await second.run()
        try:
            async with asyncio.timeout(BOUND_S):
                while (await store.peek(ACME)).in_use or not second.records:  # noqa: ASYNC110 - each look is a wait
                    await asyncio.sleep(0)
        finally:
            await second.die()

    (record,) = second.records
    # At the second look it stands under our own name already.
    assert (record.lost, record.adopted_from, record.account) == (True, "n2" if comes_again else "n1", "acme")
    assert second.core.duplicates == comes_again


async def test_what_an_earlier_process_left_has_its_record_before_anything_is_read(tmp_path: Path) -> None:
    """Its INVITE, which comes again then, is known: no second question, no second record."""
    async with EmbeddedStore(tmp_path / "store") as server, AccountStore(server.url) as store:
        await store.provision(PolicySnapshot(parse_policy(POLICY), generation=1).commercial_values())
        first = Edge(server.url, "n1")
        await first.invite()
        async with NodeRegistry(server.url) as nodes:
            await nodes.beat("n1")
            await nodes.note_accounts("n1", ["acme"])
        await first.die()

        again = Edge(server.url, "n1")
        assert await again.limiter.connected(timeout_s=BOUND_S)
        await again.neighbours.come_home()
        (record,) = again.records
        assert (record.lost, record.adopted_from) == (True, "n1")
        asked = again.limiter.asked
        await again.invite()
        await again.die()
        assert (len(again.records), again.limiter.asked, (await store.peek(ACME)).in_use) == (1, asked, 0)


async def test_a_node_that_only_its_calls_speak_of_keeps_them(tmp_path: Path) -> None:
    """It was cut off: its limiter has found the store again, its heartbeats have not. Silent in both, it is gone."""
    async with EmbeddedStore(tmp_path / "store") as server, AccountStore(server.url) as store:
        await store.provision(PolicySnapshot(parse_policy(POLICY), generation=1).commercial_values())
        first, second = Edge(server.url, "n1"), Edge(server.url, "n2")
        await first.invite()
        (uid,) = first.core.uids()
        nobody_tells = asyncio.Event()
        async with NodeRegistry(server.url) as nodes, asyncio.timeout(BOUND_S):
            await nodes.beat("n1")
            await nodes.note_accounts("n1", ["acme"])
            await second.run()
            while (await nodes.beat("")).ages_ms["n1"] < 2_500 * TAKEOVER_S:
                first.limiter.submit(Renew("acme", (uid,), "n1"))
                assert await first.limiter.drained(timeout_s=BOUND_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(nobody_tells.wait(), 0.1)
            assert ([call.node for call in (await store.peek(ACME)).calls], second.records) == (["n1"], [])
            await first.die()
            while not second.records:
                await store.peek(ACME)
        await second.die()
    (record,) = second.records
    assert (record.lost, record.adopted_from) == (True, "n1")
