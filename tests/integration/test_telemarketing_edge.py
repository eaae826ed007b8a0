"""Telemarketing at a running edge: several accounts of one professional, and a store that is stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from edges import CALLED, Edge, calling, running

from edge.agents import Caller, Trunk
from limits.embedded import EmbeddedStore

CLI = "+33199001234"
OTHER = "+33170000002"
POLICY = """
[[accounts]]
id = "site-1"
caps_base = 50
credit = "none"
store_away = "admit"
purpose = "telemarketing-b2c"
calling = { professional = "acme-sa", consent = "attested", hours_waiver = "attested" }

[[accounts]]
id = "site-2"
caps_base = 50
credit = "none"
store_away = "admit"
purpose = "telemarketing-b2c"
calling = { professional = "acme-sa", consent = "attested", hours_waiver = "attested" }

[[accounts]]
id = "office"
caps_base = 50
credit = "none"
store_away = "admit"

[[ingress]]
id = "in"
sources = ["127.0.0.1"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "out"
uri = "sip:127.0.0.1:PORT"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    """Answers at once."""
    made = await Trunk.at("127.0.0.1", ring_s=0.0)
    yield made
    made.close()


@pytest.fixture
async def directory(tmp_path: Path, trunk: Trunk) -> Path:
    """With the policy in it."""
    (tmp_path / "policy.toml").write_text(POLICY.replace("PORT", str(trunk.port)))
    return tmp_path


async def calls(caller: Caller, account: str, called: str = CALLED) -> tuple[int, str]:
    ended = await caller.call(CLI, called, talk_s=0.0, headers={"X-Account": account})
    return ended.status, ended.token


async def types(edge: Edge, url: str, *words: str) -> str:
    """A command of the operator."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", *words, "--redis", url, "--state", str(edge.state)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_accounts_of_one_professional_share_attempts_and_refusals(directory: Path) -> None:
    """D223-9: four to one consumer by all together; a refusal told to one binds the other at its next INVITE."""
    async with (
        EmbeddedStore(directory / "store") as store,
        running(directory, "--redis", store.url) as edge,
        calling(edge) as caller,
    ):
        turns = ["site-1", "site-2", "site-1", "site-2", "site-1", "site-2"]
        told = [await calls(caller, account) for account in turns]
        assert [status for status, _ in told] == [200] * 4 + [403] * 2
        assert {reason for _, reason in told[4:]} == {"contact_attempts"}
        holders = {record["limit_holder"] for record in edge.records() if record["reason"] == "contact_attempts"}
        assert holders == {"professional:acme-sa"}

        assert (await calls(caller, "site-2", OTHER))[0] == 200
        said = await types(edge, store.url, "contacts", "refusal", "site-1", OTHER)
        assert "site-1: refusal of +33170000002 is recorded" in said
        assert await calls(caller, "site-2", OTHER) == (403, "contact_refused")
        shown = await types(edge, store.url, "contacts", "show", "site-2", OTHER)
        assert "refused 20" in shown
        assert "attempts that count: 20" in shown


async def test_without_the_store_nobody_is_called_to_sell(directory: Path) -> None:
    """Attempts and refusals cannot be looked up: refused whatever the account's own choice is. Calls of others pass,
    degraded. When the store is back both go on, and what was refused meanwhile has not counted."""
    async with EmbeddedStore(directory / "store") as store:
        url = store.url
        async with running(directory, "--redis", url) as edge, calling(edge) as caller:
            assert (await calls(caller, "site-1"))[0] == 200
            os.kill(store.pid, signal.SIGSTOP)
            assert await calls(caller, "site-1") == (503, "store_away")
            assert await calls(caller, "site-2") == (503, "store_away")
            assert (await calls(caller, "office"))[0] == 200
            records = {record["account"]: record for record in edge.records()}
            assert (records["site-1"]["reason"], records["site-1"]["decided_by"]) == ("store_away", "store_away")
            assert records["office"]["degraded"] is True

            os.kill(store.pid, signal.SIGCONT)
            async with asyncio.timeout(30):
                await calls(caller, "office", OTHER)
                while edge.records()[-1]["degraded"]:
                    await calls(caller, "office", OTHER)
            told = [await calls(caller, account) for account in ["site-2", "site-1", "site-2", "site-1"]]
            assert [status for status, _ in told] == [200, 200, 200, 403]
