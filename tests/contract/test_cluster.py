"""A Redis Cluster while its slots move and its masters go: every verb is answered once, and right."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
import redis
from servers import Servers, binary_of, wait_until

from limits import Account, AccountId, Admit, Admitted, Outcome, Renew, Renewed, Settle, Settled, Unavailable, Verb
from limits.accounts import AccountStore
from limits.cluster_limiter import ClusterLimiter
from limits.cluster_map import epoch_key
from limits.keys import account_keys
from limits.open_limiter import open_limiter
from limits.slots import SLOTS, slot_of

_numbers = count(1)


class Cluster:
    """Three masters, and one limiter over them."""

    def __init__(self, servers: Servers, ports: list[int], journal: Path) -> None:
        self.servers, self.ports = servers, ports
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)
        self.clients = [redis.Redis(port=port, decode_responses=True) for port in ports]
        self.answers: list[tuple[Verb, Outcome]] = []
        self.came = asyncio.Event()
        self.epochs: list[str] = []
        found = open_limiter(self._deliver, self.url, deadline_s=2, journal=journal, on_epoch=self.epochs.append)
        assert isinstance(found, ClusterLimiter)
        self.limiter = found

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answers.append((verb, outcome))
        self.came.set()

    def master_of(self, account: str) -> int:
        """Index of the master that has this account."""
        return self.master_of_key(account_keys(account).account)

    def master_of_key(self, key: str) -> int:
        """Index of the master that has this key, as long as no slot has moved."""
        return slot_of(key) * len(self.ports) // SLOTS

    def account_on(self, master: int) -> AccountId:
        """A fresh name that lies there."""
        return next(AccountId(name) for name in (f"c{number}" for number in _numbers) if self.master_of(name) == master)

    def submit(self, *verbs: Verb) -> None:
        """Ask, without waiting."""
        for verb in verbs:
            self.limiter.submit(verb)
        self.limiter.flush()

    async def ask(self, *verbs: Verb) -> list[Outcome]:
        """Ask, and wait for the answers."""
        self.answers.clear()
        self.submit(*verbs)
        await self.heard(len(verbs))
        told = {id(verb): outcome for verb, outcome in self.answers}
        return [told[id(verb)] for verb in verbs]

    async def heard(self, number: int) -> None:
        """So many answers have come."""
        async with asyncio.timeout(10):
            while len(self.answers) < number:
                self.came.clear()
                await self.came.wait()

    def move_slot(self, slot: int, source: int, target: int, *, keys: list[str] | None = None) -> None:
        """Live, key by key, as resharding does; with `keys` only these are moved yet, and nothing is made final."""
        ids = [client.execute_command("CLUSTER", "MYID") for client in self.clients]
        self.clients[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        self.clients[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        moving = keys
        if moving is None:
            moving = list(self.clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000))
        if moving:
            words = ("MIGRATE", "127.0.0.1", self.ports[target], "", 0, 5000, "KEYS", *moving)
            self.clients[source].execute_command(*words)
        if keys is None:
            self.settle_slot(slot, target)

    def settle_slot(self, slot: int, target: int) -> None:
        """From now on it belongs there."""
        owner = self.clients[target].execute_command("CLUSTER", "MYID")
        for client in (self.clients[target], *self.clients):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", owner)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Servers, list[int]]]:
    """Masters of this file's own: their slots are moved about."""
    with Servers(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers, servers.cluster(binary_of("redis"))


@pytest.fixture
async def cluster(started, tmp_path, running) -> AsyncIterator[Cluster]:
    """Connected to every master."""
    made = Cluster(*started, tmp_path / "journal")
    async with running(made.limiter):
        yield made


@pytest.fixture
async def mortal(tmp_path, running) -> AsyncIterator[Cluster]:
    """Masters that may be killed."""
    with Servers(tmp_path) as servers:
        made = Cluster(servers, servers.cluster(binary_of("valkey")), tmp_path / "journal")
        async with running(made.limiter):
            yield made


async def provision(cluster: Cluster, *accounts: AccountId, calls: int = 50) -> None:
    """Wide enough."""
    async with AccountStore(cluster.url) as store:
        await store.provision([Account(name, caps_base=1000, calls_base=calls) for name in accounts])


async def test_every_master_is_asked_for_its_own(cluster):
    """Accounts of all three in one flush; peek, and the numbers of all lanes summed up."""
    accounts = [cluster.account_on(master) for master in range(3)]
    await provision(cluster, *accounts)
    outcomes = await cluster.ask(*[Admit(account, "u", "n") for account in accounts])
    assert [type(outcome) for outcome in outcomes] == [Admitted] * 3
    for account in accounts:
        usage = await cluster.limiter.peek(account)
        assert usage is not None
        assert usage.in_use == 1
    assert (cluster.limiter.asked, cluster.limiter.is_up, cluster.limiter.last_fault) == (3, True, "")


async def test_a_slot_that_has_moved_is_followed(cluster):
    """MOVED: the verb is asked where the slot is now; later ones go there at once; no lease is lost or taken twice."""
    account = cluster.account_on(0)
    await provision(cluster, account)
    await cluster.ask(Admit(account, "before", "n"))
    cluster.move_slot(slot_of(account_keys(account).account), 0, 2)
    (moved,) = await cluster.ask(Admit(account, "after", "n"))
    assert isinstance(moved, Admitted)
    assert moved.in_use == 2
    renew, settle = await cluster.ask(
        Renew(account, ("before", "after"), "n"), Settle(account, "before", "answered", 5)
    )
    assert isinstance(renew, Renewed)
    assert (renew.ended, renew.reasserted) == ((), ())
    assert isinstance(settle, Settled)
    usage = await cluster.limiter.peek(account)
    assert usage is not None
    assert usage.in_use == 1


async def test_a_slot_on_its_way_is_asked_until_it_is_in_one_place(cluster):
    """TRYAGAIN while its keys lie on both sides: asked again until the slot is in one place; one answer, and right."""
    account = cluster.account_on(1)
    await provision(cluster, account)
    names = account_keys(account)
    await cluster.ask(Admit(account, "before", "n"))
    slot = slot_of(names.account)
    cluster.move_slot(slot, 1, 0, keys=[names.account])
    cluster.answers.clear()
    cluster.submit(Admit(account, "between", "n"))
    keys = cluster.clients[1].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    cluster.clients[1].execute_command("MIGRATE", "127.0.0.1", cluster.ports[0], "", 0, 5000, "KEYS", *keys)
    heard = asyncio.create_task(cluster.heard(1))
    done, _ = await asyncio.wait({heard}, timeout=0.1)
    assert done == set()  # both masters say TRYAGAIN: some of its keys are nowhere
    cluster.settle_slot(slot, 0)
    await heard
    ((_, outcome),) = cluster.answers
    assert isinstance(outcome, Admitted)
    assert outcome.in_use == 2
    (after,) = await cluster.ask(Admit(account, "after", "n"))
    assert isinstance(after, Admitted)
    assert after.in_use == 3


async def test_verbs_flow_while_slots_move(cluster):
    """Two hundred attempts and their ends, while the slot goes round: each answered once, nothing left behind."""
    account = cluster.account_on(0)
    await provision(cluster, account, calls=500)
    slot = slot_of(account_keys(account).account)
    cluster.answers.clear()
    for turn in range(4):
        for number in range(50):
            cluster.submit(Admit(account, f"u{turn}-{number}", "n"))
        cluster.move_slot(slot, turn % 3, (turn + 1) % 3)
    await cluster.heard(200)
    assert {type(outcome) for _, outcome in cluster.answers} == {Admitted}
    settles = [Settle(account, f"u{turn}-{number}", "answered", 1) for turn in range(4) for number in range(50)]
    assert {type(outcome) for outcome in await cluster.ask(*settles)} == {Settled}
    usage = await cluster.limiter.peek(account)
    assert usage is not None
    assert (usage.in_use, dict(usage.counters)["calls_settled"]) == (0, 200)


async def test_a_master_that_dies_takes_nobody_elses_accounts_with_it(mortal):
    """Its own are Unavailable; settlements for it wait, and go where its slots go."""
    cluster = mortal
    accounts = [cluster.account_on(master) for master in range(3)]
    await provision(cluster, *accounts)
    await cluster.ask(*[Admit(account, "u", "n") for account in accounts])
    cluster.servers.processes[cluster.ports[2]].kill()
    cluster.servers.processes[cluster.ports[2]].wait(timeout=10)
    outcomes = await cluster.ask(*[Settle(account, "u", "answered", 1) for account in accounts])
    assert [type(outcome) for outcome in outcomes] == [Settled, Settled, Unavailable]
    assert cluster.limiter.queued_settles == 1

    # Somebody gives its slots to another master: what was owed there goes with them.
    orphaned = range(2 * SLOTS // 3, SLOTS)
    for client in cluster.clients[:2]:
        client.execute_command("CLUSTER", "DELSLOTS", *orphaned)
    cluster.clients[0].execute_command("CLUSTER", "ADDSLOTS", *orphaned)
    wait_until(lambda: cluster.clients[1].cluster("info")["cluster_state"] == "ok", "the slots are covered")
    assert await cluster.limiter.connected(timeout_s=10)
    async with asyncio.timeout(10):
        while cluster.limiter.queued_settles:
            await cluster.ask(Admit(accounts[0], "meanwhile", "n"))
    assert cluster.limiter.is_up
    assert len(cluster.limiter._lanes) == 2


async def test_each_master_has_a_life_of_its_own(cluster):
    """FLUSHALL on one: told once, its accounts wait for the recount; attempts elsewhere are admitted as before."""
    accounts = [cluster.account_on(master) for master in range(3)]
    await provision(cluster, *accounts)
    await cluster.ask(*[Admit(account, "u", "n") for account in accounts])
    cluster.clients[1].flushall()
    async with asyncio.timeout(10):
        while not cluster.limiter.is_recounting:
            await cluster.ask(Admit(accounts[0], "again", "n"))
    outcomes = await cluster.ask(*[Admit(account, "v", "n") for account in accounts])
    assert [type(outcome) for outcome in outcomes] == [Admitted, Unavailable, Admitted]
    assert (len(cluster.epochs), cluster.limiter.epochs) == (1, 1)
    await provision(cluster, *accounts)
    cluster.limiter.trust()
    (back,) = await cluster.ask(Admit(accounts[1], "w", "n"))
    assert isinstance(back, Admitted)


def test_the_key_of_a_masters_life_lies_on_it():
    """Whatever part of the slots it has."""
    for slots in ([range(0, 5461)], [range(5461, 10923)], [range(16_000, 16_384)], [range(7, 8), range(99, 120)]):
        assert any(slot_of(epoch_key(slots)) in part for part in slots)
