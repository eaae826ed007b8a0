"""A running edge for the tests of this folder: `edge run` as a process, its log lines, its records, a policy for it."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.agents import Caller, Trunk

ROOT = Path(__file__).parents[2]
BOUND_S = 30.0
CLI, CALLED = "+493012345", "+33170000001"
PATIENCE = ("--overload-wait-ms", "0", "--decision-deadline-ms", "2000")
"""A machine that is busy with other tests is no overload of these few calls, and no store that is away."""


def policy(trunk: Trunk, *, calls: int = 10, sources: str = "127.0.0.1/32", store_away: str = "refuse") -> str:
    """One account, one way in, one way out."""
    return f"""
[[accounts]]
id = "acme"
caps_base = 50
calls_base = {calls}
store_away = "{store_away}"

[[ingress]]
id = "in"
sources = ["{sources}"]
account = "acme"

[[egress]]
id = "out"
uri = "sip:127.0.0.1:{trunk.port}"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""


class Edge:
    """One `edge run`, with its log lines and its records."""

    def __init__(self, process: asyncio.subprocess.Process, state: Path) -> None:
        self._process = process
        self.state = state
        self.address = ("", 0)
        self.lines: list[str] = []
        self._facts: list[dict[str, object]] = []
        self._more = asyncio.Event()

    async def read_log(self) -> None:
        """Collect what the edge says on stderr."""
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._facts.append(json.loads(line))
            self._more.set()

    async def fact(self, event: str) -> dict[str, object]:
        """The next line of this name; each is found once."""
        async with asyncio.timeout(BOUND_S):
            while True:
                for index, fact in enumerate(self._facts):
                    if fact["event"] == event:
                        return self._facts.pop(index)
                self._more.clear()
                await self._more.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def metrics(self, prefix: str) -> dict[str, float]:
        """Metrics without labels of their own whose name begins so; the edge runs with --metrics."""
        host, port = address_in(self.lines[0], "http://")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(BOUND_S):
            page = (await reader.read()).decode()
        writer.close()
        found = (line.rpartition(" ") for line in page.splitlines() if line.startswith(prefix))
        return {name.partition("{")[0]: float(value) for name, _, value in found}

    def records(self) -> list[dict[str, object]]:
        """All CDRs, oldest first."""
        return [
            json.loads(line)
            for path in sorted((self.state / "cdr").glob("cdr-*"))
            for line in path.open(encoding="utf-8")
        ]


def address_in(line: str, prefix: str) -> tuple[str, int]:
    """The numeric address behind this prefix."""
    found = re.search(re.escape(prefix) + r"([0-9.]+):([0-9]+)", line)
    assert found is not None, line
    return found[1], int(found[2])


@asynccontextmanager
async def running(directory: Path, *options: str, policy: str = "", node: str = "n1") -> AsyncIterator[Edge]:
    """An edge that has said its five lines; stopped at the end, without waiting for calls. `policy`: another one than
    the file policy.toml of this directory."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "run", "--policy", policy or str(directory / "policy.toml"), "--node", node),
        *("--listen", "udp:127.0.0.1:0", "--log", "json", "--state", str(directory / "state"), "--drain-s", "0"),
        *PATIENCE,
        *options,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    edge = Edge(process, directory / "state")
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(edge.read_log())
        try:
            assert process.stdout is not None
            async with asyncio.timeout(BOUND_S):
                edge.lines = [(await process.stdout.readline()).decode().strip() for _ in range(5)]
            assert edge.lines[4], "the edge did not start"
            edge.address = (host, port) = address_in(edge.lines[0], "udp:")
            assert (host, port > 0) == ("127.0.0.1", True)
            yield edge
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(BOUND_S):
                await process.wait()
            await reading


@asynccontextmanager
async def calling(edge: Edge) -> AsyncIterator[Caller]:
    """A caller of this edge."""
    caller = await Caller.at("127.0.0.1", edge.address)
    yield caller
    caller.close()
