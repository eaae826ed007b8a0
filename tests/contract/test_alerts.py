"""How alerts stand, what is told of them, who has had it: over every kind of store."""

import itertools

import pytest

from limits.alerts import FIRST, AlertStore
from limits.errors import StoreUnavailable
from limits.keys import ALERT_STATES

_numbers = itertools.count()


@pytest.fixture(params=["valkey", "redis", "redis62", "cluster"])
async def alerts(request):
    """One client, on each store."""
    async with AlertStore(request.getfixturevalue("server_urls")[request.param]) as alerts:
        yield alerts


@pytest.fixture
def name() -> str:
    """One that no other test uses."""
    return f"a{next(_numbers)}"


async def test_of_two_that_see_the_same_one_tells_it(alerts, name):
    """The standing and its event move together, or not at all."""
    before = len(await alerts.events(after=FIRST, most=10_000))
    assert await alerts.move(name, expected="", state="up", event="told")
    assert not await alerts.move(name, expected="", state="up", event="told twice")
    assert not await alerts.move(name, expected="down", state="", event="told twice")
    assert (await alerts.states())[name] == "up"
    assert [one.text for one in (await alerts.events(after=FIRST, most=10_000))[before:]] == ["told"]
    assert await alerts.move(name, expected="up", state="")
    assert name not in await alerts.states()
    assert len(await alerts.events(after=FIRST, most=10_000)) == before + 1


async def test_events_are_read_behind_a_cursor(alerts, name):
    """In their order; each webhook has its own."""
    assert await alerts.cursor(name) == ""
    for number in range(3):
        assert await alerts.move(name, expected="", state="", event=f"{name} {number}")
    events = [one for one in await alerts.events(after=FIRST, most=10_000) if one.text.startswith(f"{name} ")]
    assert [one.text for one in events] == [f"{name} {number}" for number in range(3)]
    await alerts.set_cursor(name, events[0].id)
    assert await alerts.cursor(name) == events[0].id
    assert [one.id for one in await alerts.events(after=events[0].id, most=1)] == [events[1].id]
    assert (await alerts.newest(most=1))[0].id == events[2].id
    assert await alerts.oldest() <= events[0].id


async def test_so_many_events_are_kept(alerts, name):
    """About: a node of the stream at a time."""
    for number in range(400):
        await alerts.move(name, expected="", state="", event=f"{number}", kept=100)
    assert 100 <= len(await alerts.events(after=FIRST, most=10_000)) <= 300
    assert (await alerts.newest(most=1))[0].text == "399"


async def test_one_node_has_the_claim_until_it_runs_out(alerts, name):
    """It may renew it; another gets it when it is over."""
    assert await alerts.claim(name, "n1", for_ms=60_000)
    assert await alerts.claim(name, "n1", for_ms=60_000)
    assert not await alerts.claim(name, "n2", for_ms=60_000)
    assert await alerts.claim(name, "n1", for_ms=1)
    while not await alerts.claim(name, "n2", for_ms=60_000):
        pass
    assert not await alerts.claim(name, "n1", for_ms=60_000)


async def test_what_is_known_of_nodes_and_thresholds(alerts, name):
    """Nothing is kept of what is taken back."""
    await alerts.set_node(name, "up")
    await alerts.set_credit(name, 5_000_000)
    assert ((await alerts.nodes())[name], (await alerts.credit())[name]) == ("up", 5_000_000)
    await alerts.set_node(name, "")
    await alerts.set_credit(name, None)
    assert (name in await alerts.nodes(), name in await alerts.credit()) == (False, False)


async def test_a_store_that_is_not_there_is_told():
    """By the error of the limits."""
    async with AlertStore("redis://127.0.0.1:1/0") as alerts:
        for ask in (alerts.states(), alerts.newest(most=1), alerts.oldest(), alerts.claim("a", "n", for_ms=1)):
            with pytest.raises(StoreUnavailable):
                await ask
        with pytest.raises(StoreUnavailable):
            await alerts.move("a", expected="", state="b")


async def test_keys_of_alerts_are_in_one_slot(alerts):
    """Of a cluster, too: one script changes two of them."""
    assert ALERT_STATES.startswith("{alerts}")
    assert await alerts.move("slot", expected="", state="x", event="e")
    assert await alerts.move("slot", expected="x", state="")
