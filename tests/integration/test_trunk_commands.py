"""`edge trunk …` and the nodes that follow it, against a real store: ordered once, told to all, kept through a loss."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from edge.commands import app
from edge.config.trunk_orders import DOCUMENT, Ordered
from edge.proxy.facts import Fact
from edge.trunks.following import OrderFollower
from edge.trunks.ordering import in_force, order
from limits.documents import DocumentStore
from limits.embedded import EmbeddedStore


class Desk:
    """An operator's desk: one store, one command at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url)

    def ask(self, *words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["trunk", *words, "--redis", self.url], env={"EDGE_REDIS": "", "COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    def say(self, *words: str) -> str:
        code, out, err = self.ask(*words)
        assert (code, err) == (0, "")
        return out


@pytest.fixture
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        store = EmbeddedStore(Path(folder) / "s")
        runner.run(store.__aenter__())
        try:
            yield Desk(store.url)
        finally:
            runner.run(store.__aexit__(None, None, None))


def test_an_order_is_in_force_until_it_is_taken_back(desk):
    """Drain, another word, back; each with who and why in the history."""
    out = desk.say("drain", "a", "--reason", "fibre cut", "--by", "ann", "--unknown")
    assert out == "a: drain, for every node (generation 1)\n"
    assert desk.say("drain", "a", "--reason", "again", "--unknown") == "a: drain already; nothing was changed\n"
    assert "a" in desk.say("list")
    desk.say("maintenance", "a", "--reason", "mended", "--by", "bob", "--unknown")
    desk.say("drain", "b", "--reason", "other", "--by", "bob", "--unknown")
    desk.say("resume", "a", "--reason", "tested", "--by", "ann")
    assert desk.say("resume", "a") == "a: in use already; nothing was changed\n"
    shown = json.loads(desk.say("show", "a", "--json"))
    assert [(entry["what"], entry["by"]) for entry in shown["history"]] == [
        ("resume: tested", "ann"),
        ("maintenance: mended", "bob"),
        ("drain: fibre cut", "ann"),
    ]
    (row,) = json.loads(desk.say("list", "--json"))
    assert (row["trunk"], row["ordered"], row["by"], row["why"], row["node"]) == ("b", "drain", "bob", "other", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("drain", "a", "--reason", "x"), "no running node knows an egress trunk 'a'"),
        (("drain", "a", "--reason", " ", "--unknown"), "expected --reason"),
        (("show", "a"), "no running node knows an egress trunk named 'a'"),
    ],
)
def test_what_is_refused(desk, words, said):
    """A name mistyped drains nothing; a reason is asked for."""
    code, out, err = desk.ask(*words)
    assert (code, out) == (1, "")
    assert said in err
    assert desk.client.exists("{doc:trunks}") == 0


def test_a_store_that_does_not_answer_is_named(desk):
    done = CliRunner().invoke(app, ["trunk", "list", "--redis", "redis://127.0.0.1:1"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the store redis://127.0.0.1:1" in done.stderr


def test_two_operators_at_once_lose_nothing(desk):
    """Compare-and-set: whoever is slower orders again on what the other left."""

    async def both() -> dict[str, Ordered]:
        async with DocumentStore(desk.url, DOCUMENT) as one, DocumentStore(desk.url, DOCUMENT) as other:
            orders = [
                order(store, f"t{number}", Ordered.DRAIN, by="x", why="y", at_ms=1)
                for number, store in enumerate([one, other] * 2)
            ]
            await asyncio.gather(*orders)
            return {name: found.ordered for name, found in (await in_force(one)).orders.items()}

    assert asyncio.run(both()) == dict.fromkeys(["t0", "t1", "t2", "t3"], Ordered.DRAIN)


async def test_a_node_follows(desk):
    """At its start, on a notice, and not back where the store has lost or spoilt what it held."""
    taken: asyncio.Queue[dict] = asyncio.Queue()
    told: list[Fact] = []
    async with DocumentStore(desk.url, DOCUMENT) as store:
        await order(store, "a", Ordered.DRAIN, by="x", why="y", at_ms=1)
        follower = OrderFollower(desk.url, take=lambda orders: taken.put_nowait(dict(orders)), tell=told.append)
        await follower.begin()
        assert list(taken.get_nowait()) == ["a"]
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(20):
            running = [tasks.create_task(follower.run()), tasks.create_task(follower.listen())]
            await order(store, "b", Ordered.MAINTENANCE, by="x", why="y", at_ms=1)
            assert list(await taken.get()) == ["a", "b"]
            for task in running:
                task.cancel()
        desk.client.flushall()
        await follower.look(store)
        assert taken.empty()
        await store.commit({"orders.json": b"{}"}, by="x", why="by hand")
        await follower.look(store)
        await follower.look(store)
        assert taken.empty()
        assert [fact.name for fact in told] == ["trunk.orders_unreadable"]
        await store.commit({"orders.json": b'{"v":1,"trunks":{}}'}, by="x", why="mended")
        await follower.look(store)
        assert taken.get_nowait() == {}
