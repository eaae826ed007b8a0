"""The running edge as an operator has it: policy reloaded, ceilings raised live, the store and the disk in trouble."""

import asyncio
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from edges import CALLED, CLI, ROOT, address_in, calling, policy, running

from edge.agents import Caller, Trunk
from edge.collector import NEVER, YOUNG
from limits.accounts import AccountStore
from limits.embedded import EmbeddedStore


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    """Answers at once."""
    trunk = await Trunk.at("127.0.0.1", ring_s=0.0)
    yield trunk
    trunk.close()


async def test_sighup_brings_a_new_policy_and_a_bad_one_changes_nothing(tmp_path: Path, trunk: Trunk) -> None:
    """New attempts are judged by the new document; a document with a fault is refused with the exact place."""
    file = tmp_path / "policy.toml"
    file.write_text(policy(trunk, sources="127.0.0.9/32"))
    async with running(tmp_path) as edge, calling(edge) as caller:
        before = await caller.call(CLI, CALLED)
        file.write_text(policy(trunk))
        edge.signal(signal.SIGHUP)
        loaded = await edge.fact("policy.loaded")
        after = await caller.call(CLI, CALLED)
        file.write_text(policy(trunk).replace('trunks = ["out"]', 'trunks = ["nowhere"]'))
        edge.signal(signal.SIGHUP)
        refused = await edge.fact("policy.refused")
        still = await caller.call(CLI, CALLED)

    assert (before.status, before.token) == (403, "unknown_source")
    assert (loaded["generation"], after.status, still.status) == (2, 200, 200)
    assert "routes[0].trunks[0]" in str(refused["why"])
    assert [record["policy_generation"] for record in edge.records()] == [1, 2, 2]


async def test_a_ceiling_raised_in_the_store_holds_at_the_next_invite_and_after_a_restart(
    tmp_path: Path, trunk: Trunk
) -> None:
    """Nothing is reloaded: the admission script reads the account (R9). A restart does not take the raise back."""
    (tmp_path / "policy.toml").write_text(policy(trunk, calls=0))
    async with EmbeddedStore(tmp_path / "store") as store:
        async with running(tmp_path, "--redis", store.url) as edge, calling(edge) as caller:
            before = await caller.call(CLI, CALLED)
            async with AccountStore(store.url) as accounts:
                account = await accounts.read("acme")
                await accounts.change(
                    account.id, generation=account.generation, patch={"call_lots": 1}, by="test", why="more lots"
                )
            after = await caller.call(CLI, CALLED)
        async with running(tmp_path, "--redis", store.url) as edge, calling(edge) as caller:
            restarted = await caller.call(CLI, CALLED)

    assert (before.status, before.token) == (503, "calls")
    assert (after.status, restarted.status) == (200, 200)


@pytest.mark.parametrize(("store_away", "status", "degraded"), [("refuse", 503, False), ("admit", 200, True)])
async def test_a_store_that_froze_leaves_the_account_its_choice(
    tmp_path: Path, trunk: Trunk, store_away: str, status: int, degraded: bool
) -> None:
    """SIGSTOP to the store: a decision within its deadline all the same, told in the log, and all well afterwards."""
    (tmp_path / "policy.toml").write_text(policy(trunk, store_away=store_away))
    async with (
        EmbeddedStore(tmp_path / "store") as store,
        running(tmp_path, "--redis", store.url, "--decision-deadline-ms", "50") as edge,
        calling(edge) as caller,
    ):
        os.kill(store.pid, signal.SIGSTOP)
        try:
            away = await caller.call(CLI, CALLED)
            await edge.fact("store.away")
        finally:
            os.kill(store.pid, signal.SIGCONT)
        await edge.fact("store.up")
        back = await caller.call(CLI, CALLED)

    first, last = edge.records()
    assert (away.status, back.status) == (status, 200)
    assert away.token == ("store_away" if status == 503 else "")
    assert (first["degraded"], last["degraded"]) == (degraded, False)
    assert int(str(first["decision_us"])) < 500_000


async def test_the_metrics_page_counts_what_happened(tmp_path: Path, trunk: Trunk) -> None:
    """One call passed, one was refused, nothing is held."""
    (tmp_path / "policy.toml").write_text(policy(trunk))
    async with running(tmp_path, "--metrics", "127.0.0.1:0") as edge, calling(edge) as caller:
        await caller.call(CLI, CALLED)
        stranger = await Caller.at("127.0.0.5", edge.address)
        await stranger.call(CLI, CALLED)
        stranger.close()
        host, port = address_in(edge.lines[0], "http://")
        url = f"http://{host}:{port}/metrics"
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())

    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in page.splitlines() if line[:1] != "#"}
    found = {
        name: value for name, value in values.items() if "attempts" in name or "leases" in name or "refused" in name
    }
    assert [value for name, value in found.items() if name.startswith("edge_attempts")] == [2]
    assert [value for name, value in found.items() if name.startswith("edge_leases_live")] == [0]
    assert [value for name, value in found.items() if "unknown_source" in name] == [1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--policy", "/nowhere/policy.toml"), "/nowhere/policy.toml: cannot be read"),
        (("--listen", "udp:127.0.0.1:1x"), "--listen"),
        (("--redis", "http://store"), "--redis"),
        (("--state", "/proc/nothing"), "/proc/nothing"),
    ],
)
async def test_a_start_that_cannot_be_is_one_sentence(
    tmp_path: Path, trunk: Trunk, options: tuple[str, ...], told: str
) -> None:
    """It names the option or the file; no trace of Python, no waiting."""
    (tmp_path / "policy.toml").write_text(policy(trunk))
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "edge",
            "run",
            "--policy",
            str(tmp_path / "policy.toml"),
            "--listen",
            "udp:127.0.0.1:0",
        ),
        *("--state", str(tmp_path / "state"), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, said = await process.communicate()

    assert process.returncode in (1, 2)
    assert told in said.decode()
    assert "Traceback" not in said.decode()


async def test_a_store_that_cannot_be_reached_is_one_sentence(tmp_path: Path, trunk: Trunk) -> None:
    """After the ten seconds that it is given: the address, and why."""
    (tmp_path / "policy.toml").write_text(policy(trunk))
    nobody = tmp_path / "nobody.sock"
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "edge",
            "run",
            "--policy",
            str(tmp_path / "policy.toml"),
            "--redis",
            f"unix://ops:hunter2@{nobody}",
        ),
        *("--listen", "udp:127.0.0.1:0", "--state", str(tmp_path / "state")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        _, said = await process.communicate()

    lines = said.decode().splitlines()
    assert (process.returncode, "Traceback" in said.decode()) == (1, False)
    assert [line for line in lines if line.startswith(f"edge: store unix://ops:***@{nobody}: no answer in 10 s")]
    assert "hunter2" not in said.decode()


async def test_a_port_in_use_is_one_sentence(tmp_path: Path, trunk: Trunk) -> None:
    """The second edge on an address says which one it could not have."""
    (tmp_path / "policy.toml").write_text(policy(trunk))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "run", "--policy", str(tmp_path / "policy.toml")),
        *("--listen", f"udp:127.0.0.1:{trunk.port}", "--state", str(tmp_path / "state")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, said = await process.communicate()

    assert process.returncode == 1
    assert f"cannot listen on udp:127.0.0.1:{trunk.port}" in said.decode()
    assert "Traceback" not in said.decode()


WATCHED = """
import gc, runpy, sys
let = gc.set_threshold
def told(*numbers):
    let(*numbers)
    print("collector", *numbers, flush=True)
gc.set_threshold = told
runpy.run_module("edge", run_name="__main__")
"""


async def test_a_running_edge_lets_the_collector_go_through_young_objects_only(tmp_path: Path, trunk: Trunk) -> None:
    """By itself: under load it would stop calls for as long as it takes to go through all transactions."""
    (tmp_path / "policy.toml").write_text(policy(trunk))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WATCHED, "run", "--policy", str(tmp_path / "policy.toml"), "--node", "n1"),
        *("--listen", "udp:127.0.0.1:0", "--state", str(tmp_path / "state"), "--drain-s", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            lines = [line.decode() async for line in until_it_runs(process.stdout)]
    finally:
        process.terminate()
        await process.wait()
    last = [line for line in lines if line.startswith("collector")][-1]
    assert last.split() == ["collector", str(YOUNG), str(NEVER), str(NEVER)]


async def until_it_runs(output: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What it prints, up to where it listens."""
    while line := await output.readline():
        yield line
        if b"udp:" in line:
            return
