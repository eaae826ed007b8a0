"""edge.alerts over a real store and real HTTP servers: in order, tried again, told once, kept over a restart."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from peers import BOUND_S, RedisServer
from test_webhook import Server, serving, status

from edge.alerts.build import open_hooks
from edge.alerts.numbers import read_numbers
from edge.alerts.sender import Sender
from edge.alerts.service import AlertService
from edge.alerts.watch import AlertWatch
from edge.cdr.delivery.credentials import SinkError
from edge.cdr.delivery.signature import signature
from edge.config.alerts import AlertSettings, AlertWebhook
from edge.control.client import Control
from edge.control.questions import write
from edge.control.snapshot import Alarm, Snapshot, TrunkUse
from edge.proxy.facts import Fact
from edge.quality import guard
from limits.account import Account, AccountId
from limits.accounts import AccountStore
from limits.alerts import AlertStore
from limits.mailboxes import Mailboxes
from limits.nodes import NodeRegistry
from limits.tallies import TallyStore

SECRET = "correct horse battery staple"
EURO = 1_000_000
BLANK = {
    "v": 1, "version": "0", "at_ms": 0, "uptime_s": 0, "listeners": (), "draining": "", "is_overloaded": False,
    "store_up": True, "settles_queued": 0, "nodes_alive": 1, "policy_generation": 1, "policy_is_stale": False,
    "calls": 0, "leases": 0, "transactions": 0, "attempts_per_s": 0.0, "admitted_per_s": 0.0, "refused_per_s": 0.0,
    "refused_by_reason": {}, "attempts_total": 0, "refused_total": {}, "decision_p50_ms": 0.0, "decision_p99_ms": 0.0,
    "loop_lag_ms": 0.0, "cdr_backlog": 0, "cdr_is_failing": False, "delivery_is_up": True, "escaped": 0, "traces": 0,
    "accounts_active": 0, "accounts": (), "trunks": (), "alarms": (), "history": (),
}  # fmt: skip


def settings(tmp_path: Path, *ports: int, **more: object) -> AlertSettings:
    """A webhook for each port, which learn the secret from a file."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    words = {"credit_low": None, "remind_s": 0, **more}
    hook = {"secret_file": str(secret), "timeout_s": 1.0, "retry_most_s": 1.0, **words.pop("hook", {})}
    hooks = [{"name": f"hook{at}", "url": f"http://127.0.0.1:{port}/in", **hook} for at, port in enumerate(ports)]
    return AlertSettings.model_validate({"webhooks": hooks, **words})


class Beside:
    """A node's alerts, looked at step by step."""

    def __init__(self, url: str, node: str, wanted: AlertSettings) -> None:
        self.facts: list[Fact] = []
        self.senders = [
            Sender(hook, node=node, tell=self.facts.append, draw=lambda: 0.0) for hook in open_hooks(wanted.webhooks)
        ]
        self.watch = AlertWatch(url, wanted, node=node, tell=self.facts.append, push=self._push)

    def _push(self, event) -> None:
        for sender in self.senders:
            sender.push(event)

    def told(self, name: str) -> list[str]:
        return [str(fact.fields.get("alert", fact.fields.get("why"))) for fact in self.facts if fact.name == name]


class Bench:
    """The rooms of one store, and how nodes show themselves in it."""

    def __init__(self, url: str, *rooms: object) -> None:
        self.url = url
        self.alerts, self.tallies, self.accounts, self.control, self.boxes, self.registry = rooms

    async def show(self, node: str, *, life_ms: int = 60_000, **words: object) -> None:
        await self.registry.beat(node)
        await self.boxes.show(node, write(Snapshot(**{**BLANK, "node": node, **words})), life_ms=life_ms)

    async def look(self, beside: Beside, at_s: float) -> None:
        words = (self.alerts, self.tallies, self.accounts, self.control)
        await beside.watch.look(*words, now_ms=round(at_s * 1_000))

    async def events(self) -> list[tuple[str, str, str]]:
        found = [json.loads(one.text) for one in await self.alerts.events(after="0-0", most=1_000)]
        return [(one["event"], one["alert"], one["level"]) for one in found]


@pytest.fixture
async def bench(redis_server: RedisServer) -> AsyncIterator[Bench]:
    url = redis_server.url
    async with (
        AlertStore(url) as alerts,
        TallyStore(url) as tallies,
        AccountStore(url) as accounts,
        Control(url) as control,
        Mailboxes(url) as boxes,
        NodeRegistry(url) as registry,
    ):
        yield Bench(url, alerts, tallies, accounts, control, boxes, registry)


async def until(look: Callable[[], Awaitable[object]], what: str) -> None:
    nobody_tells = asyncio.Event()
    try:
        async with asyncio.timeout(BOUND_S):
            while not await look():
                with suppress(TimeoutError):
                    await asyncio.wait_for(nobody_tells.wait(), 0.02)
    except TimeoutError:
        raise AssertionError(f"waited {BOUND_S} s in vain for {what}") from None


async def told(bench: Bench, *texts: str) -> None:
    for text in texts:
        event = json.dumps({"id": text, "event": "raised", "kind": "calls", "level": "warning", "text": text})
        assert await bench.alerts.move(text, expected="", state="", event=event)


def texts_of(server: Server) -> list[str]:
    return [json.loads(asked.body)["text"] for asked in server.asked]


# -- sending -------------------------------------------------------------------------------------------------------


async def test_an_alert_is_sent_signed_and_in_order(bench: Bench, tmp_path: Path) -> None:
    """One POST each: JSON, its id as idempotency key, time and signature as of the CDR webhook. A new webhook gets what
    comes from now on."""
    await told(bench, "before")
    async with serving() as server:
        (sender,) = Beside(bench.url, "n1", settings(tmp_path, server.port)).senders
        await sender.turn(bench.alerts)
        await told(bench, "one", "two")
        await sender.turn(bench.alerts)
        assert texts_of(server) == ["one", "two"]
        first = server.asked[0]
        assert first.line == "POST /in HTTP/1.1"
        headers = first.headers
        at = int(headers["Trunkgate-Timestamp"])
        assert headers["Trunkgate-Signature"] == signature(SECRET.encode(), at, first.body)
        assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "one")
        assert (headers["Trunkgate-Event"], headers["Trunkgate-Alert-Kind"]) == ("raised", "calls")
        assert (sender.sent, sender.waiting, server.connections) == (2, 0, 1)
        sender.close()


async def test_what_is_not_taken_is_tried_again_after_growing_pauses(bench: Bench, tmp_path: Path) -> None:
    """Trouble of the other side loses nothing; its wish for a pause counts; the key is the same on every try."""
    async with serving() as server:
        beside = Beside(bench.url, "n1", settings(tmp_path, server.port))
        (sender,) = beside.senders
        await sender.turn(bench.alerts)
        await told(bench, "one")
        server.answers = [status(503), status(500), status(404), status(429, "Retry-After: 17"), b"", b""]
        pauses = [await sender.turn(bench.alerts) for _ in range(5)]
        assert pauses == [0.25, 0.5, 0.5, 17.0, 0.5]
        assert (sender.failed, sender.is_failing, sender.sent) == (5, True, 0)
        await sender.turn(bench.alerts)
        assert (sender.sent, sender.is_failing, len(server.asked)) == (1, False, 7)
        assert {asked.headers["Idempotency-Key"] for asked in server.asked} == {"one"}
        assert beside.told("alerts.failed")[:1] == ["HTTP 503"]
        sender.close()


async def test_a_receiver_that_drips_or_is_silent_holds_nobody_up(bench: Bench, tmp_path: Path) -> None:
    """Each request has its time."""
    async with serving() as server:
        wanted = settings(tmp_path, server.port, hook={"timeout_s": 0.3})
        (sender,) = Beside(bench.url, "n1", wanted).senders
        await sender.turn(bench.alerts)
        await told(bench, "one")
        server.answers = [b"drip", b"silence"]
        for _ in range(2):
            await sender.turn(bench.alerts)
        assert sender.failed == 2
        await sender.turn(bench.alerts)
        assert sender.sent == 1
        sender.close()


async def test_what_is_refused_for_good_is_told_and_passed_over(bench: Bench, tmp_path: Path) -> None:
    """One alert that a receiver cannot digest does not stop the next one."""
    async with serving() as server:
        beside = Beside(bench.url, "n1", settings(tmp_path, server.port))
        (sender,) = beside.senders
        await sender.turn(bench.alerts)
        await told(bench, "one", "two")
        server.answers = [status(422)]
        await sender.turn(bench.alerts)
        assert (sender.dropped, sender.sent, beside.told("alerts.dropped")) == (1, 1, ["HTTP 422"])
        sender.close()


async def test_one_node_sends_and_another_goes_on_where_it_stopped(bench: Bench, tmp_path: Path) -> None:
    """No event twice, none lost: the cursor is the store's, and survives the store's restart as the events do."""
    async with serving() as server:
        wanted = settings(tmp_path, server.port)
        (one,), (two,) = (Beside(bench.url, node, wanted).senders for node in ("n1", "n2"))
        await one.turn(bench.alerts)
        await told(bench, "first")
        await two.turn(bench.alerts)
        assert server.asked == []
        await one.turn(bench.alerts)
        await told(bench, "second")
        await bench.alerts.claim("hook0", "n1", for_ms=1)  # it is gone: its claim runs out

        async def is_sent() -> bool:
            await two.turn(bench.alerts)
            return len(server.asked) == 2

        await until(is_sent, "the other node to send")
        assert texts_of(server) == ["first", "second"]
        one.close()
        two.close()


async def test_alerts_survive_the_death_of_the_store(bench: Bench, redis_server: RedisServer, tmp_path: Path) -> None:
    """What waits for a webhook is on the store's disk."""
    async with serving() as server:
        (sender,) = Beside(bench.url, "n1", settings(tmp_path, server.port)).senders
        await sender.turn(bench.alerts)
        await told(bench, "one")
        redis_server.kill()
        await sender.turn(bench.alerts)
        assert server.asked == []
        redis_server.start()
        await sender.turn(bench.alerts)
        assert texts_of(server) == ["one"]
        sender.close()


async def test_a_webhook_gets_what_it_wants(bench: Bench, tmp_path: Path) -> None:
    """By kind and level; the others do not hold it up."""
    async with serving() as server:
        wanted = settings(tmp_path, server.port, hook={"kinds": ["trunk"]})
        (sender,) = Beside(bench.url, "n1", wanted).senders
        await sender.turn(bench.alerts)
        await told(bench, "of calls")
        await bench.alerts.move("x", expected="", state="", event="no JSON")
        await bench.alerts.move("x", expected="", state="", event='{"kind": "trunk", "text": "of a trunk"}')
        await sender.turn(bench.alerts)
        assert (texts_of(server), sender.waiting) == (["of a trunk"], 0)
        sender.close()


async def test_a_webhook_that_missed_the_oldest_is_told(bench: Bench, tmp_path: Path) -> None:
    """The store keeps so many; each gap is told once."""
    async with serving() as server:
        beside = Beside(bench.url, "n1", settings(tmp_path, server.port))
        (sender,) = beside.senders
        await told(bench, "zero")
        await sender.turn(bench.alerts)
        for number in range(400):
            await bench.alerts.move("x", expected="", state="", event=f'{{"text": "{number}"}}', kept=100)
        while await sender.turn(bench.alerts) == 0.0:
            pass
        assert beside.told("alerts.dropped") == ["older than what the store keeps"]
        assert texts_of(server)[-1] == "399"
        sender.close()


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("short\n", "expected a secret of 16 characters at least in"),
        ("\n", "secret_file: expected it in the first line"),
    ],
)
def test_a_secret_that_is_none_is_told_at_the_start(tmp_path: Path, secret: str, why: str) -> None:
    """With the webhook's name, without the secret."""
    path = tmp_path / "secret"
    path.write_text(secret)
    hook = AlertWebhook(name="noc", url="https://noc.example/", secret_file=str(path))
    with pytest.raises(SinkError, match=f"alert webhook 'noc': {why}"):
        open_hooks([hook])


# -- what is told --------------------------------------------------------------------------------------------------


async def test_an_account_near_its_ceiling_is_told_once_by_all_nodes(bench: Bench, tmp_path: Path) -> None:
    """80 %, then 95 %, then over, when it has not been so for a minute; whoever looks."""
    one, two = (Beside(bench.url, node, settings(tmp_path)) for node in ("n1", "n2"))
    for at, percent in ((0, 80), (5, 80), (10, 95), (15, 80)):
        await bench.show("n1", alarms=(Alarm("acme", "calls", percent, 9, 10, 0),))
        await bench.look(one, at)
        await bench.look(two, at + 1)
    await bench.show("n1")
    await bench.look(two, 20)
    await bench.look(one, 79)
    assert await bench.events() == [("raised", "calls:acme", "warning"), ("worse", "calls:acme", "critical")]
    await bench.look(one, 80)
    await bench.look(two, 80)
    assert (await bench.events())[2:] == [("cleared", "calls:acme", "critical")]
    assert (one.told("alerts.raised"), two.told("alerts.raised")) == (["calls:acme"] * 2, [])
    assert await bench.alerts.states() == {}


async def test_low_credit_is_told_by_each_accounts_threshold(bench: Bench, tmp_path: Path) -> None:
    """The settings' for all, an account's own before it; also accounts that no node shows."""
    accounts = [Account(AccountId(name)) for name in ("rich", "poor", "own", "group:g")]
    opening = {"rich": 20 * EURO, "poor": 9 * EURO, "own": 15 * EURO}
    await bench.accounts.provision(accounts, opening=opening)
    await bench.alerts.set_credit("own", 16 * EURO)
    await bench.show("n1")
    beside = Beside(bench.url, "n1", settings(tmp_path, credit_low="10"))
    await bench.look(beside, 0)
    assert sorted(await bench.events()) == [("raised", "credit:own", "warning"), ("raised", "credit:poor", "warning")]
    await bench.accounts.top_up(AccountId("poor"), amount=2 * EURO, reference="a", by="test")
    await bench.look(beside, 5)
    await bench.look(beside, 65)
    assert (await bench.events())[2:] == [("cleared", "credit:poor", "warning")]


async def test_every_account_is_looked_at_in_its_turn(bench: Bench, tmp_path: Path, monkeypatch) -> None:
    """So many at a time, so that no look is long."""
    monkeypatch.setattr("edge.alerts.watch.CREDIT_AT_ONCE", 2)
    names = [f"a{number}" for number in range(5)]
    await bench.accounts.provision([Account(AccountId(name)) for name in names])
    beside = Beside(bench.url, "n1", settings(tmp_path, credit_low="1"))
    seen = []
    for at in range(3):
        await bench.look(beside, at)
        seen.append(len(await bench.events()))
    assert seen == [2, 4, 5]


async def test_a_breach_of_quality_and_its_end(bench: Bench, tmp_path: Path) -> None:
    """As the guard moves it."""
    await bench.accounts.provision([Account(AccountId("acme"))])
    await bench.show("n1")
    beside = Beside(bench.url, "n1", settings(tmp_path))
    state = guard.Standing(guard.State.BREACHED, 5, 0).to_text()
    assert await bench.tallies.move("acme", "asr", expected="", state=state)
    await bench.tallies.watch("acme", is_watched=True)
    await bench.look(beside, 0)
    assert await bench.tallies.move("acme", "asr", expected=state, state="")
    await bench.look(beside, 5)
    assert await bench.events() == [
        ("raised", "quality:acme:asr", "warning"),
        ("cleared", "quality:acme:asr", "warning"),
    ]


async def test_a_trunk_that_goes_down_and_comes_back(bench: Bench, tmp_path: Path) -> None:
    """Not a moment's trouble; while no node shows anything nobody says that it is up."""
    beside = Beside(bench.url, "n1", settings(tmp_path))
    for at in (0, 9, 10):
        await bench.show("n1", trunks=(TrunkUse("out", "down", 0, 0, 0),))
        await bench.look(beside, at)
    assert await bench.events() == [("raised", "trunk:out", "critical")]
    await bench.boxes.show("n1", b"nothing of ours", life_ms=60_000)
    for at in (20, 100):
        await bench.look(beside, at)
    assert len(await bench.events()) == 1
    await bench.show("n1", trunks=(TrunkUse("out", "up", 0, 0, 0),))
    for at in (200, 230):
        await bench.look(beside, at)
    assert (await bench.events())[1:] == [("cleared", "trunk:out", "critical")]


async def test_a_node_that_is_gone_is_missed_and_one_that_stopped_is_not(bench: Bench, tmp_path: Path) -> None:
    """Also when the others have taken its calls over, and the store lists it no more."""
    beside = Beside(bench.url, "n1", settings(tmp_path))
    await bench.show("n1")
    await bench.show("n2")
    await bench.show("n3", draining="stopping")
    await bench.look(beside, 0)
    for gone in ("n2", "n3"):
        await bench.registry.forget(gone)
    for at in (5, 10):
        await bench.look(beside, at)
    assert await bench.events() == [("raised", "node:n2", "critical")]
    await bench.show("n2")
    for at in (20, 30):
        await bench.look(beside, at)
    assert (await bench.events())[1:] == [("cleared", "node:n2", "critical")]


async def test_a_standing_spoilt_by_hand_is_made_anew(bench: Bench, tmp_path: Path) -> None:
    """It stops no look."""
    beside = Beside(bench.url, "n1", settings(tmp_path))
    assert await bench.alerts.move("calls:acme", expected="", state="damage")
    await bench.show("n1", alarms=(Alarm("acme", "calls", 80, 9, 10, 0),))
    await bench.look(beside, 0)
    await bench.look(beside, 5)
    assert await bench.events() == [("raised", "calls:acme", "warning")]


async def test_each_node_tells_for_itself_that_the_store_is_away(bench: Bench, tmp_path: Path) -> None:
    """From memory, past the store; held back and ended like any other."""
    async with serving() as server:
        beside = Beside(bench.url, "n1", settings(tmp_path, server.port))
        (sender,) = beside.senders
        async with AlertStore("redis://127.0.0.1:1/0") as away:
            for at in (0, 9, 10):
                beside.watch.note_store(is_away=True, now_ms=at * 1_000)
                await sender.turn(away)
            assert texts_of(server) == ["node n1 cannot reach the store"]
            for at in (20, 30):
                beside.watch.note_store(is_away=False, now_ms=at * 1_000)
            await sender.turn(away)
        assert [json.loads(asked.body)["event"] for asked in server.asked] == ["raised", "cleared"]
        sender.close()


async def test_what_waits_in_memory_is_bounded(bench: Bench, tmp_path: Path) -> None:
    """The oldest go, and are counted."""
    beside = Beside(bench.url, "n1", settings(tmp_path, 1))
    (sender,) = beside.senders
    for at in range(0, 20 * 120, 20):
        beside.watch.note_store(is_away=True, now_ms=at * 1_000)
        beside.watch.note_store(is_away=True, now_ms=(at + 10) * 1_000)
        beside.watch.note_store(is_away=False, now_ms=(at + 10) * 1_000)
        beside.watch.note_store(is_away=False, now_ms=(at + 20) * 1_000)
    assert (len(sender._own), sender.dropped) == (100, 140)
    sender.close()


# -- as it runs ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(service: AlertService) -> AsyncIterator[None]:
    task = asyncio.ensure_future(service.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for sender in service.senders:
            sender.close()


async def test_the_service_tells_and_counts(bench: Bench, tmp_path: Path, monkeypatch) -> None:
    """From what a node shows to the receiver, and to the numbers of the metrics page."""
    monkeypatch.setattr("edge.alerts.watch.LOOK_S", 0.05)
    monkeypatch.setattr("edge.alerts.service.WRITE_S", 0.05)
    async with serving() as server:
        wanted = settings(tmp_path, server.port)
        facts: list[Fact] = []
        await bench.alerts.set_cursor("hook0", "0-0")
        await bench.show("n1", alarms=(Alarm("acme", "caps", 95, 95, 100, 0),))
        service = AlertService(bench.url, wanted, node="n1", home=tmp_path / "alerts", tell=facts.append)
        async with running(service):

            async def is_counted() -> bool:
                return dict(read_numbers(tmp_path / "alerts").sent) == {"hook0": 1}

            await until(is_counted, "the alert to be sent and counted")
        assert texts_of(server) == ["account acme uses 95 of its 100 call attempts per second"]
        numbers = read_numbers(tmp_path / "alerts")
        assert (numbers.raised["caps"], numbers.raised["calls"], dict(numbers.told)) == (1, 0, {"caps": 1})
        assert dict(numbers.failing) == {"hook0": 0}
