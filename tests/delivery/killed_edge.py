"""A whole edge under calls, killed at random: `killed_edge.py DIRECTORY [--cycles N] [--seconds S] [--rate R]`.

`edge run` with its store, its sinks and its delivery process carries calls of every kind; SIGKILL takes the edge, its
delivery process, or both, at random instants; it is started again, and calls have come meanwhile. In the end what
callers and trunks were told is held against what came downstream. Prints one JSON object; exit status 1 where a record
is missing, is there twice, or says something else than the caller was told, or where an account was charged another
sum than its records say.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from traffic import ACCOUNTS, DECK, Traffic

from edge.cdr.delivery import checkpoint
from edge.cdr.verify import Kind, verify
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.keys import account_keys

HOST = "127.0.0.1"
SINKS = ("files", "queue")
STREAM = "trunkgate:cdr:n1"
BOUND_S = 60.0
SETTINGS = """
[[cdr.sinks]]
name = "files"
kind = "jsonl"
directory = "{directory}/out"
batch_age_s = 0.05
rotate_records = 50
[[cdr.sinks]]
name = "queue"
kind = "redis"
url = "{url}"
batch_age_s = 0.05
"""


class Site:
    """The store, and one edge after the other."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self.port = directory, port
        self.state = directory / "state"
        self.url = f"unix://{directory}/store.sock"
        self.started_s: list[float] = []
        self.ended_by_themselves = 0
        self.edge: asyncio.subprocess.Process | None = None
        self._store: asyncio.subprocess.Process | None = None

    async def open(self, policy: str) -> None:
        (self.directory / "policy.toml").write_text(policy)
        (self.directory / "rates.csv").write_text(DECK)
        (self.directory / "edge.toml").write_text(SETTINGS.format(directory=self.directory, url=self.url))
        binary = shutil.which("redis-server") or shutil.which("valkey-server") or ""
        words = ("--port", "0", "--unixsocket", f"{self.directory}/store.sock", "--save", "", "--appendonly", "no")
        with (self.directory / "store.log").open("wb") as log:
            self._store = await asyncio.create_subprocess_exec(binary, *words, cwd=self.directory, stdout=log)
        async with asyncio.timeout(BOUND_S):
            await until(lambda: (self.directory / "store.sock").exists())

    async def start(self) -> None:
        """`edge run`; returns when it listens."""
        begun = time.monotonic()
        with (self.directory / "edge.log").open("ab") as log:
            self.edge = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "edge", "run", "--policy", f"{self.directory}/policy.toml"),
                *("--config", f"{self.directory}/edge.toml", "--node", "n1", "--redis", self.url),
                *("--listen", f"udp:{HOST}:{self.port}", "--state", str(self.state), "--log", "json"),
                *("--lease-s", "6", "--renew-s", "1", "--takeover-s", "3", "--drain-s", "0", "--max-duration-s", "10"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.edge.stdout is not None
        async with asyncio.timeout(BOUND_S):
            for _ in range(5):
                if not await self.edge.stdout.readline():
                    sys.exit(f"the edge ended: {(self.directory / 'edge.log').read_text()[-2000:]}")
        self.started_s.append(time.monotonic() - begun)

    def delivery_pids(self) -> list[int]:
        """The delivery process of the edge, where it has been started."""
        assert self.edge is not None
        children: list[int] = []
        for task in Path(f"/proc/{self.edge.pid}/task").glob("*/children"):
            with suppress(OSError):
                children += [int(pid) for pid in task.read_text().split()]
        found = []
        for pid in children:
            with suppress(OSError):
                if b"edge.cdr.delivery.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    async def kill(self, draw: random.Random) -> None:
        """The edge; often its delivery process too, before or after."""
        assert self.edge is not None
        delivery = self.delivery_pids() if draw.random() < 0.5 else []
        victims = [self.edge.pid, *delivery]
        draw.shuffle(victims)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.ended_by_themselves += await self.edge.wait() != -signal.SIGKILL

    async def stop(self) -> None:
        """In order: the last records are delivered."""
        assert self.edge is not None
        self.edge.terminate()
        async with asyncio.timeout(BOUND_S):
            await self.edge.wait()

    async def close(self) -> None:
        for process in (self.edge, self._store):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()

    def lag(self) -> int:
        """Records of the log that a sink has not had yet."""
        last = 0
        for path in sorted((self.state / "cdr").glob("cdr-*.jsonl"))[-1:]:
            for line in whole_lines(path)[-1:]:
                last = json.loads(line)["seq"]
        cursors = [checkpoint.load(self.state / "delivery" / name) for name in SINKS]
        return last - min(0 if cursor is None else cursor.seq for cursor in cursors)

    async def in_use(self) -> int:
        """Calls that the store still counts, and money that it still holds."""
        async with AccountStore(self.url) as accounts:
            usages = [await accounts.peek(AccountId(name)) for name in ACCOUNTS]
        return sum(usage.in_use + usage.expired + usage.held_micros for usage in usages)

    async def still(self) -> list[str]:
        """What the store has of each call that is not over."""
        async with Redis.from_url(self.url, decode_responses=True) as client:
            keys = [account_keys(name) for name in ACCOUNTS]
            return [
                f"{key.account} {uid} {said}" for key in keys for uid, said in (await client.hgetall(key.calls)).items()
            ]

    async def charged(self) -> dict[str, int]:
        async with AccountStore(self.url) as accounts:
            return {name: dict((await accounts.peek(AccountId(name))).counters)["charged_micros"] for name in ACCOUNTS}


def whole_lines(path: Path) -> list[bytes]:
    """Of a file that is being written, or whose writer was killed: what follows the last newline is no line yet, and
    a `write` is seen page by page."""
    return path.read_bytes().split(b"\n")[:-1]


async def passed(seconds: float) -> None:
    """An edge lives so long; what nobody tells is looked at so often."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


async def until(fact: Callable[[], bool]) -> None:
    """Look again and again."""
    while not fact():
        await passed(0.02)


async def quiet(site: Site, traffic: Traffic) -> None:
    """Until no call is left anywhere, and every record is downstream."""
    end = time.monotonic() + BOUND_S
    while left := (len(traffic.calls), await site.in_use(), site.lag()):
        if not any(left):
            return
        if time.monotonic() > end:
            still = "\n".join(await site.still())
            sys.exit(
                f"after {BOUND_S:g} s there are (calls, leases and money held, records to deliver): {left}\n{still}"
            )
        await passed(0.2)


async def run(options: argparse.Namespace) -> dict[str, object]:
    draw = random.Random(options.seed)
    directory = Path(options.directory)
    site = Site(directory, draw.randrange(20_000, 32_000))
    traffic = Traffic((HOST, site.port), draw.getrandbits(32))
    await traffic.open()
    begun, cycles = time.monotonic(), 0
    try:
        await site.open(traffic.policy())
        traffic.begin(options.rate)
        while cycles < options.cycles and time.monotonic() - begun < options.seconds:
            await site.start()
            await passed(draw.random() * options.life)
            await site.kill(draw)
            cycles += 1
        await site.start()
        traffic.end()
        await quiet(site, traffic)
        charged = await site.charged()
        await site.stop()
        client = Redis.from_url(site.url, decode_responses=True)
        entries = [json.loads(fields["cdr"]) for _, fields in await client.xrange(STREAM)]
        await client.aclose()
    finally:
        traffic.close()
        await site.close()
    return {
        "cycles": cycles,
        "seconds": round(time.monotonic() - begun),
        "ended_by_themselves": site.ended_by_themselves,
        "start_s": round(sorted(site.started_s)[len(site.started_s) // 2], 2),
        "calls_made": traffic.made,
        **judged(site, traffic, entries, charged),
    }


def judged(
    site: Site, traffic: Traffic, entries: list[dict[str, object]], charged: dict[str, int]
) -> dict[str, object]:
    """What was told against what came."""
    lines = [line for path in sorted((site.directory / "out").glob("cdr-*.jsonl")) for line in path.open("rb")]
    records = [json.loads(line) for line in lines]
    by_call: dict[str, list[dict[str, object]]] = {}
    for record in records:
        by_call.setdefault(record["call_id"], []).append(record)
    must = set(traffic.finals) | traffic.seen
    wrong = []
    for call_id, told in traffic.finals.items():
        said = {record["status"] for record in by_call.get(call_id, []) if not record["lost"]}
        if said and not said & set(told):
            wrong.append(f"{call_id}: told {sorted(set(told))}, recorded {sorted(map(str, said))}")
    costs = Counter({name: 0 for name in ACCOUNTS})
    for record in records:
        costs[str(record["account"])] += record["cost_micros"]
    logs = (site.directory / "edge.log").read_bytes()
    return {
        "must_have_a_record": len(must),
        "told_a_final": len(traffic.finals),
        "answered": sum(200 in told for told in traffic.finals.values()),
        "records": len(records),
        "lost": sum(bool(record["lost"]) for record in records),
        "missing": {
            call_id: {"told": traffic.finals.get(call_id), "came_to_a_trunk": call_id in traffic.seen}
            for call_id in sorted(must - set(by_call))
        },
        "missing_in_stream": sorted(must - {str(entry["call_id"]) for entry in entries}),
        "twice": sorted(uid for uid, count in Counter(record["uid"] for record in records).items() if count > 1),
        "twice_in_stream": sorted(uid for uid, n in Counter(entry["uid"] for entry in entries).items() if n > 1),
        "wrong": wrong,
        "charged_but_not_recorded": {
            name: charged[name] - costs[name] for name in ACCOUNTS if charged[name] != costs[name]
        },
        "findings": [
            f"{finding.kind} {finding.place}: {finding.text}"
            for finding in verify([site.state / "cdr"]).findings
            if finding.kind is not Kind.NOTE
        ],
        "escaped": logs.count(b'"event":"core.escaped"'),
        "torn": logs.count(b'"event":"cdr.torn"'),
    }


FAULTS = (
    "missing",
    "missing_in_stream",
    "twice",
    "twice_in_stream",
    "wrong",
    "charged_but_not_recorded",
    "findings",
    "escaped",
    "ended_by_themselves",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3_600.0, help="no new cycle after so long")
    parser.add_argument("--rate", type=float, default=60.0, help="calls a second")
    parser.add_argument("--life", type=float, default=2.0, help="an edge lives up to so long")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    found = asyncio.run(run(options))
    print(json.dumps({"seed": options.seed, **found}, indent=1))
    return int(any(found[name] for name in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
