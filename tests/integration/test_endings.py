"""edge.endings, and an edge that is stopped in the moment in which it has started"""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from edges import policy

from edge.agents import Trunk
from edge.endings import end_all

ROOT = Path(__file__).parents[2]


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """As wait_for of Python 3.11 makes it."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(asyncio.Event().wait())]
    async with asyncio.timeout(10):
        await asyncio.wait(tasks, timeout=0.01)
        await end_all(tasks)
    assert (swallowed, [task.done() for task in tasks]) == (3, [True, True])


@pytest.mark.parametrize("turn", range(3))
async def test_an_edge_that_is_stopped_at_once_stops(tmp_path: Path, turn: int) -> None:
    """SIGTERM with the first line it prints: everything that it has begun ends."""
    trunk = await Trunk.at("127.0.0.1", ring_s=0.0)
    (tmp_path / "policy.toml").write_text(policy(trunk))
    words = ("--policy", str(tmp_path / "policy.toml"), "--listen", "udp:127.0.0.1:0", "--state", str(tmp_path / "s"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "run", *words, "--drain-s", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    trunk.close()
