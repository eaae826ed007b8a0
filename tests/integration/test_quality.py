"""A running edge and a burst of short calls: counted, told as a breach, throttled, in the ledger as the hour closes"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from edges import CALLED, CLI, Edge, calling, policy, running
from typer.testing import CliRunner

from edge.agents import Trunk
from edge.commands import app
from edge.quality import book
from edge.quality.closing import HourCloser
from edge.quality.hours import HOUR_S, hour_of
from edge.quality.terms import DOCUMENT, read_terms
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.embedded import socket_path
from limits.ledger import Ledger
from limits.tallies import TallyStore

BOUND_S = 40.0
QUALITY = """
[quality]
time_zone = "Europe/Paris"

[[quality.rules]]
id = "short_calls"
metric = "short"
threshold = 10
minimum = 20
window = "rolling"
penalty = "0.02"
per = "short"
action = "throttle"
throttle_caps = 3
"""


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    """Answers at once."""
    trunk = await Trunk.at("127.0.0.1", ring_s=0.0)
    yield trunk
    trunk.close()


@asynccontextmanager
async def an_edge(directory: Path, trunk: Trunk) -> AsyncIterator[tuple[Edge, str]]:
    """With a store of its own, and its URL."""
    (directory / "policy.toml").write_text(policy(trunk, calls=50) + QUALITY)
    async with running(directory) as edge:
        yield edge, f"unix://{socket_path(directory / 'state' / 'store').resolve()}"


async def asked(url: str, *words: str) -> dict:
    """What a command says to a machine."""
    return await asyncio.to_thread(_asked, url, *words)


def _asked(url: str, *words: str) -> dict:
    done = CliRunner().invoke(app, [*words, "--redis", url, "--json"], env={"EDGE_REDIS": ""})
    assert done.exit_code == 0, done.stderr
    found: dict = json.loads(done.stdout)
    return found


async def answered(url: str) -> int:
    """Calls counted as answered in the hours shown."""
    return sum(hour["counts"]["answered"] for hour in (await asked(url, "quality", "acme"))["hours"])


async def until_counted(url: str, number: int) -> None:
    """So many, within a bound; never more."""
    async with asyncio.timeout(BOUND_S):
        while (found := await answered(url)) < number:
            continue
    assert found == number


async def burst(edge: Edge, number: int) -> None:
    """So many short calls, a few at once."""
    async with calling(edge) as caller:
        for _ in range(number // 10):
            ended = await asyncio.gather(*[caller.call(CLI, CALLED, talk_s=0.05) for _ in range(10)])
            assert {one.status for one in ended} == {200}


async def test_a_burst_of_short_calls_is_a_breach_and_a_penalty(tmp_path: Path, trunk: Trunk) -> None:
    """30 answered calls of 50 ms: short calls 100 %, ACD far under 15 s; 30 x 0.02 each when the hour is closed."""
    async with an_edge(tmp_path, trunk) as (edge, url):
        await burst(edge, 30)
        await until_counted(url, 30)
        breach = await edge.fact("quality.breach")
        assert (breach["account"], breach["samples"]) == ("acme", 30)
        restricted = await edge.fact("quality.restricted")
        assert (restricted["rule"], restricted["action"]) == ("short_calls", "throttle")
        report = await asked(url, "quality", "acme")
        rules = {one["rule"] for hour in report["hours"] for one in hour["breaches"]}
        assert rules == {"acd", "short_calls"}
        uids = {str(one["uid"]) for one in edge.records()}
        examples = [uid for hour in report["hours"] for uid in hour["examples"]["short"]]
        assert set(examples) <= uids
        assert report["rules"]["short_calls"]["state"] == "resting"
        assert (await asked(url, "account", "show", "acme"))["caps"] == 3
        of_trunk = (await asked(url, "quality", "trunk:out"))["hours"]
        assert sum(hour["counts"]["answered"] for hour in of_trunk) == 30

        async with TallyStore(url) as tallies, Ledger(url) as ledger, AccountStore(url) as accounts:
            terms = read_terms(await tallies.document(DOCUMENT))
            assert [rule.throttle_caps for rule in terms.rules if rule.id == "short_calls"] == [3]
            later = int(time.time()) + HOUR_S + terms.quality.close_after_s
            facts: list[object] = []
            await tallies.mark("n1", later)  # as the node itself will have told by then
            await HourCloser(tallies, ledger, facts.append).close_due(terms, later)
            entries = await book.read(ledger, AccountId("acme"))
            assert sum(entry.amount_micros for entry in entries) == 2 * 30 * 20_000
            assert {entry.kind for entry in entries} == {"acd", "short_calls"}
            assert hour_of(entries[0].for_s, terms.zone) == entries[0].for_s
            assert await accounts.holders() == ("acme",)


async def test_calls_are_counted_once_over_a_stop_and_a_start(tmp_path: Path, trunk: Trunk) -> None:
    """The edge stops right after its calls: its embedded store is there until they are counted. The next process goes
    on behind them."""
    async with an_edge(tmp_path, trunk) as (edge, url):
        await burst(edge, 10)
    async with an_edge(tmp_path, trunk) as (edge, url):
        assert await answered(url) == 10
        await burst(edge, 10)
        await until_counted(url, 20)
